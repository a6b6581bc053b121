/* Body of _smoothing_kernel.c for one dtype. */

static void NAMED(kroncy_add_expected_excess)(int64_t n_neurons, int n_outputs, double threshold,
                                              double deviation, double factor, const REAL *z,
                                              const REAL *signs, double *f) {
    const REAL edge = (REAL)threshold; /* where the engines compare */
    for (int64_t r = 0; r < n_neurons; r++) {
        const double t = fabs((double)(z[r] - edge)) / deviation;
        if (t > FAR) continue;
        const double gain = factor * deviation * expected_gain(t);
        for (int k = 0; k < n_outputs; k++) f[k] += gain * signs[r * n_outputs + k];
    }
}
