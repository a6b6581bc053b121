"""What is behind the C door, kroncy.capi: no arithmetic, only checks and calls of kernels."""
