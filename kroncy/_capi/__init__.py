"""The implementation of the C API, kroncy.capi: checks, handles and calls of kernels."""
