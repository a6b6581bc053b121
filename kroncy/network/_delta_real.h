/* What a step adds to C[r, i], but for a factor: included in the bodies of the kernels that need it.
 * sum_k signs[k] e[k] over the outputs, for the signs of neuron r and the residuals of sample i. */
static inline REAL NAMED(delta)(int n_outputs, const REAL *signs, const double *e) {
    double sum = 0;
    for (int k = 0; k < n_outputs; k++) sum += signs[k] * e[k];
    return (REAL)sum;
}
