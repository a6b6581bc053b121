# The two dtypes of the kernels, for typed memoryviews and BLAS.  See _real.h for the C side.
ctypedef fused real:
    float
    double
