"""Dense matrix products: Strassen-Winograd over BLAS, and products in chunks of fixed size.

- `tuning`: from which size on a level of Strassen-Winograd beats GEMM; defaults and calibration
- `cost`: levels, workspace and multiplications of a product, before it is done
- `strassen`: matmul, the checks, memory layouts and threads around the kernel
- `_matmul`: the recursion on pointers; products by BLAS, additions in `_matmul_kernel.c`
- `_chunks`: products by GEMM whose bits do not depend on the number of threads
"""

from .cost import multiplications, workspace_size
from .strassen import matmul
from .tuning import calibrate, crossover

__all__ = ["calibrate", "crossover", "matmul", "multiplications", "workspace_size"]
