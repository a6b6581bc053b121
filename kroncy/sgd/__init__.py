"""Kronecker SGD, in reading order: data, start, coefficients, trainer."""
