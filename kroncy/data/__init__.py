"""Data sets of Kronecker products: factors or kernels, Gram matrices, compression."""
