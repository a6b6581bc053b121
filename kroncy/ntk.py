"""The theory made visible: `kroncy.sgd.ntk`, and the infinite-width answer as an estimator."""

from ._limit_regressor import LimitKernelRegressor
from .sgd import ntk as _ntk
from .sgd.ntk import *  # noqa: F403

__all__ = ["LimitKernelRegressor", *_ntk.__all__]
