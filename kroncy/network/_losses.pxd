# The losses, for the loops over batches.

# A mean loss beyond this is divergence: the state is still finite then, in float32 too.
cdef double LARGEST_LOSS

cdef double sample_loss(
    int loss, int n_outputs, double *f, const double *y, double weight) noexcept nogil
