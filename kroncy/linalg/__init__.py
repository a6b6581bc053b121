"""Dense kernels that more than one flow uses."""

from .crossover import calibrate, crossover
from .matmul import matmul, multiplications, workspace_size

__all__ = ["calibrate", "crossover", "matmul", "multiplications", "workspace_size"]
