"""Foundations: threads, memory budgets, argument checks, BLAS, SIMD, exceptions.  Needs no folder.

`threads` counts cores and limits BLAS; `memory` refuses what cannot fit; `files` writes what others
may read; `validation` checks arguments; `exceptions` and `version` say what they hold; `config`
reports on the build, `installation` on a copy that was not built.
`_buffers` aligns arrays, `_blas` calls SciPy's BLAS, `_real` makes one kernel for two dtypes,
`_simd.h`, `_openmp.h` and `_runtime` hide what compilers and machines differ in.
"""
