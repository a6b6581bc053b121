"""kroncy.linalg.matmul: Strassen-Winograd over BLAS."""

import numpy as np

from kroncy import linalg

from .inputs import Quick


class Matmul(Quick):
    """A square product by levels of recursion; 0 is one GEMM."""

    params = ([256, 1024], [0, 1, 2], ["float32", "float64"])
    param_names = ("size", "levels", "dtype")
    number = 1

    def setup(self, size, levels, dtype):
        rng = np.random.default_rng(0)
        self.a, self.b = (rng.standard_normal((size, size)).astype(dtype) for _ in range(2))
        self.out = np.empty_like(self.a)
        elements = linalg.workspace_size(size, size, size, levels, dtype=np.dtype(dtype))
        self.work = np.empty(max(elements, 1), dtype)
        self.time_matmul(size, levels, dtype)

    def time_matmul(self, size, levels, dtype):
        linalg.matmul(
            self.a, self.b, out=self.out, levels=levels, n_threads=1, workspace=self.work
        )


class MatmulCounters:
    """Scalar multiplications of a 4096 x 4096 product: 7/8 a level."""

    params = (0, 1, 2, 3)
    param_names = ("levels",)

    def track_multiplications(self, levels):
        return linalg.multiplications(4096, 4096, 4096, levels)

    def track_workspace(self, levels):
        return linalg.workspace_size(4096, 4096, 4096, levels)

    track_multiplications.unit = "multiplications"
    track_workspace.unit = "elements"
