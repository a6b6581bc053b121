"""solver="auto" of the networks: whole objects are solved for where that has been seen to win."""

from typing import Any

from ..data.kronecker_data import KroneckerData
from ..kernels.groups import two_groups
from ..training.options import NO_RIDGE

SAMPLES = 32  # of an object on average, from which on its batch is worth a system
MANY = 10_000  # samples; with fewer either was the better one on parts of training sets


def needs_squared_loss(estimator: Any) -> bool:
    """Whether Gauss-Newton has no ridge, without which it learns no other loss."""
    return estimator.solver == "gauss-newton" and estimator.alpha == 0


def choose_solver(estimator: Any, data: KroneckerData, loss: str) -> dict[str, Any]:
    """Solver and order of a training on these samples.

    "auto" is object steps for squared loss, with a ridge and a linear part, on many pairs with many
    samples of each object, unless a batch size, a step size or an order says that single pairs are
    meant.  Without a ridge they fit the noise of an object, and without a linear part they
    take about as long as "sgd" to the same error.

    Raises
    ------
    ValueError
        Labels are to be learned by Gauss-Newton without a ridge.
    """
    solver, order = estimator.solver, estimator.order
    if loss != "squared" and needs_squared_loss(estimator):
        raise ValueError(
            f"solver='gauss-newton' with loss='log_loss' needs alpha > 0: {NO_RIDGE}"
        )
    if solver != "auto":
        return {"solver": solver, "order": order}
    given = estimator.batch_size, estimator.learning_rate_init
    regularised = loss == "squared" and estimator.alpha > 0 and estimator.skip > 0
    if regularised and given == ("auto", "auto") and order in ("auto", "objects"):
        most = max(len(group) for group in two_groups(data.modes))
        if data.n_samples >= max(MANY, SAMPLES * most):
            return {"solver": "gauss-newton", "order": "objects"}
    return {"solver": "sgd", "order": order}
