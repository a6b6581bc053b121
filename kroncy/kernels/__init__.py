"""Kernels of objects for pairs: transforms, interaction profiles, ridge regression, tuning.

- `transforms`, `from_features`, `profiles`: kernels of the objects of one side
- `pairs`: checks of pairs, and folds that leave objects out
- `profiled_pairs`, `profile_kernels`, `search`, `tuning`: mixed kernels, and the choice of their
  parameters
- `groups`, `vec_trick`, `conjugate_gradients`, `systems`, `ridge_problem`, `pair_ridge`: ridge
  regression on pairs
- `limit_series`, `limit_ridge`: the same with the limit kernel
"""

from .from_features import rbf, tanimoto
from .pairs import pair_folds
from .profile_kernels import ProfileKernels
from .profiles import interaction_profile
from .transforms import center, clip, mix, normalize, power
from .tuning import TuningResult, tune

__all__ = [
    "ProfileKernels",
    "TuningResult",
    "center",
    "clip",
    "interaction_profile",
    "mix",
    "normalize",
    "pair_folds",
    "power",
    "rbf",
    "tanimoto",
    "tune",
]
