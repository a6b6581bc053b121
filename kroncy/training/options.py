"""Options of a training, checked before anything is computed."""

from dataclasses import dataclass

from .._base.memory import require_memory
from .._base.validation import check_choice, check_integer, check_real
from ..network._losses import LOSSES
from .gauss_newton import DAMPING, batch_nbytes
from .order import ORDERS
from .step_size import check_learning_rate, is_auto

SOLVERS = ("sgd", "gauss-newton")


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

    def __post_init__(self) -> None:
        checked: dict[str, str | float] = {
            "loss": check_choice(self.loss, "loss", tuple(LOSSES)),
            "batch_size": check_integer(self.batch_size, "batch_size", minimum=1),
            "weight_decay": check_real(self.weight_decay, "weight_decay", minimum=0.0),
            "solver": check_choice(self.solver, "solver", SOLVERS),
            "damping": check_real(self.damping, "damping", minimum=0.0),
            "order": check_choice(self.order, "order", ("auto", *ORDERS)),
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

    def require_memory(self, n_outputs: int, limit: int | None) -> None:
        """MemoryError if the state of a batch of Gauss-Newton cannot fit."""
        if self.solver == "gauss-newton":
            require_memory(
                batch_nbytes(self.batch_size, n_outputs),
                f"the Gram matrix of a batch of {self.batch_size} samples",
                limit=limit,
                remedy="Use a smaller batch_size",
            )
