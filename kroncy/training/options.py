"""Options of a training, checked before anything is computed."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np

from .._base.memory import require_memory
from .._base.validation import check_choice, check_integer, check_real, in_python
from ..network._losses import LOSSES
from .gauss_newton import DAMPING, batch_nbytes
from .order import ORDERS
from .step_size import check_learning_rate, is_auto

SOLVERS = ("sgd", "gauss-newton")


def check_average(value: object) -> int | str:
    """The first iteration that is averaged, 0 for none, of scikit-learn's `average`; or "epoch"."""
    if isinstance(value, str) and value == "epoch":
        return "epoch"
    if isinstance(value, (bool, np.bool_)):
        return int(value)
    if not isinstance(value, Integral) or value < 0:
        kind = ValueError if isinstance(value, (str, Integral)) else TypeError
        raise kind(
            f"average must be True, False, an integer >= 0 or 'epoch', got {in_python(value)!r}"
        )
    return int(value)


@dataclass(frozen=True)
class TrainingOptions:
    """Options of `KroneckerSGD` that say how a network is trained.

    Parameters
    ----------
    loss : {"squared", "logistic", "softmax"}, default="squared"
    learning_rate : "auto" or float > 0, default="auto"
    batch_size : int >= 1, default=32
    weight_decay : float >= 0, default=0.0
    solver : {"sgd", "gauss-newton"}, default="sgd"
    damping : float >= 0, default=1e-3
    order : {"auto", "random", "panels", "objects"}, default="auto"
    average : bool, int >= 0 or "epoch", default=False
        The first iteration whose iterate is averaged: 1 for True, none for False or 0; with
        "epoch" the first of each epoch.

    Raises
    ------
    ValueError, TypeError
        An option is out of range, of the wrong kind, or not for this solver.
    """

    loss: str = "squared"
    learning_rate: str | float = "auto"
    batch_size: int = 32
    weight_decay: float = 0.0
    solver: str = "sgd"
    damping: float = DAMPING
    order: str = "auto"
    average: bool | int | str = False

    def __post_init__(self) -> None:
        checked: dict[str, str | float] = {
            "loss": check_choice(self.loss, "loss", tuple(LOSSES)),
            "batch_size": check_integer(self.batch_size, "batch_size", minimum=1),
            "weight_decay": check_real(self.weight_decay, "weight_decay", minimum=0.0),
            "solver": check_choice(self.solver, "solver", SOLVERS),
            "damping": check_real(self.damping, "damping", minimum=0.0),
            "order": check_choice(self.order, "order", ("auto", *ORDERS)),
            "average": check_average(self.average),
        }
        if not is_auto(self.learning_rate):
            rate = check_learning_rate(self.learning_rate, self.weight_decay)
            checked["learning_rate"] = rate
        for name, value in checked.items():
            object.__setattr__(self, name, value)  # the way of frozen dataclasses
        if self.solver == "gauss-newton":
            if self.loss != "squared":
                raise ValueError(f"solver='gauss-newton' needs loss='squared', got {self.loss!r}")
            if self.weight_decay > 0:
                raise ValueError("solver='gauss-newton' needs weight_decay=0; use damping instead")

    def n_unaveraged(self, n_iterations: int) -> int:
        """Iterations before the first whose iterate is averaged, after so many."""
        first = self.average if isinstance(self.average, int) else 1
        return max(0, first - 1 - n_iterations)

    def require_memory(self, n_outputs: int, limit: int | None) -> None:
        """MemoryError if the state of a batch of Gauss-Newton cannot fit."""
        if self.solver == "gauss-newton":
            require_memory(
                batch_nbytes(self.batch_size, n_outputs),
                f"the Gram matrix of a batch of {self.batch_size} samples",
                limit=limit,
                remedy="Use a smaller batch_size",
            )
