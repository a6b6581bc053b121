"""Options of a training, checked before anything is computed."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np

from .._base.memory import require_memory
from .._base.validation import check_choice, check_integer, check_real, in_python
from ..network._losses import LOSSES
from .gauss_newton import DAMPING, UNKNOWNS, batch_nbytes
from .order import ORDERS
from .step_size import check_learning_rate, is_auto

SOLVERS = ("sgd", "gauss-newton")
BATCH_SIZE = 32
NO_RIDGE = (
    "without a ridge the outputs of a batch whose classes are separable would grow without bound"
)


def resolve_batch_size(
    value: object, solver: str, order: str, n_samples: int, n_outputs: int
) -> int:
    """`value` as an int of at most `n_samples`; "auto" is a whole object where these are solved."""
    if is_auto(value):
        objects = solver == "gauss-newton" and order == "objects"
        size = max(1, UNKNOWNS // n_outputs) if objects else BATCH_SIZE
    elif isinstance(value, str):
        raise ValueError(f"batch_size must be an integer >= 1 or 'auto', got {value!r}")
    else:
        size = check_integer(value, "batch_size", minimum=1)
    return min(size, n_samples)


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
    batch_size: int = BATCH_SIZE
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
            checked["learning_rate"] = check_learning_rate(self.learning_rate, self.decay)
        for name, value in checked.items():
            object.__setattr__(self, name, value)  # the way of frozen dataclasses
        newton = self.solver == "gauss-newton"
        if newton and self.loss != "squared" and self.weight_decay == 0:
            raise ValueError(
                f"solver='gauss-newton' with loss={self.loss!r} needs weight_decay > 0: {NO_RIDGE}"
            )

    @property
    def decay(self) -> float:
        """The weight decay by which a step multiplies W: 0 where the solver has a ridge instead."""
        return 0.0 if self.solver == "gauss-newton" else self.weight_decay

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
