"""Ridge regression on pairs by the product of the kernels of their objects: problem and function.

Nothing has the size of a Kronecker row, or of the Gram matrix of all samples.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .._base.memory import require_memory
from .._base.threads import resolve_threads
from ..data.kronecker_data import KroneckerData
from .groups import Group, two_groups
from .ridge_problem import COEFFICIENTS, RidgeProblem, saved_coefficients
from .systems import (
    Coordinates,
    System,
    choose_system,
    make_basis,
    pair_kernel,
    product_system,
    system_bytes,
    uses_features,
)
from .vec_trick import PairKernel, PairRows, Reals, Side

REMEDY = "Use fewer samples or fewer objects"


@dataclass(frozen=True, eq=False)
class PairFunction:
    """A function of samples, ``f(x) = <theta, x>`` or a sum of kernels with training samples.

    Attributes
    ----------
    data : KroneckerData
        Training samples.
    coefficients : ndarray of float64
        (n_outputs, p, q): theta, with respect to the features of a side that has fewer features
        than training objects, and else to the kernel of these objects.  (n_outputs, n_samples):
        coefficients of the samples.
    """

    data: KroneckerData
    coefficients: Reals

    def __call__(
        self,
        data: KroneckerData,
        *,
        n_threads: int | None = None,
        memory_limit: int | None = None,
    ) -> Reals:
        """Values at other samples, (n_samples, n_outputs).

        Raises
        ------
        MemoryError
            The kernels between their objects and the training objects do not fit.
        """
        trained = two_groups(self.data.modes)
        given = two_groups(data.modes, len(trained[0].modes))
        n_threads = resolve_threads(n_threads)
        sizes = [8 * len(g) * _width(t) for g, t in zip(given, trained, strict=True)]
        what = f"the prediction of {data.n_samples} samples"
        require_memory(3 * sum(sizes), what, limit=memory_limit, remedy=REMEDY)
        product: PairRows | PairKernel
        if self.coefficients.ndim == 2:
            product = pair_kernel(given, trained, n_threads)
        else:
            left, right = (
                Side(here.rows() if uses_features(there) else here.gram(there), here.index)
                for here, there in zip(given, trained, strict=True)
            )
            product = PairRows(left, right, n_threads)
        return np.stack([product.multiply(part) for part in self.coefficients], axis=1)

    def get_state(self) -> tuple[dict[str, Any], dict[str, NDArray]]:
        """The function as JSON values and named arrays."""
        meta, arrays = self.data.get_state()
        return {"data": meta}, arrays | {COEFFICIENTS: self.coefficients}

    @classmethod
    def from_state(cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray]) -> Self:
        """The function that `get_state` described.

        Raises
        ------
        ValueError
            A value is missing, of the wrong kind or shape, out of range or not finite.
        """
        data = KroneckerData.from_state(meta["data"], arrays)
        groups, n = two_groups(data.modes), data.n_samples
        shape = _width(groups[0]), _width(groups[1])
        return cls(data, saved_coefficients(arrays, n, shape, (n,)))


def _width(group: Group) -> int:
    """Columns of the features, or of the kernel, that stand for the objects of a group."""
    return int(min(group.width, len(group)))


def ridge_bytes(data: KroneckerData) -> int:
    """Bytes of a `PairRidge` on these samples."""
    groups = two_groups(data.modes)
    return int(system_bytes(choose_system(groups), groups))


class PairRidge(RidgeProblem):
    """Ridge regression on the Kronecker rows of samples, for any targets and any ridge.

    Parameters
    ----------
    data : KroneckerData
    weight : ndarray of float64, shape (n_samples,), optional
        Positive.  Default: 1.
    n_threads : int, optional
        Results do not depend on it.
    memory_limit : int, optional
        Budget in bytes.

    Raises
    ------
    MemoryError
        The kernels or the coordinates of the objects do not fit; the message has the estimate.
    """

    def __init__(
        self,
        data: KroneckerData,
        weight: Reals | None = None,
        *,
        n_threads: int | None = None,
        memory_limit: int | None = None,
    ) -> None:
        groups = two_groups(data.modes)
        weight = np.ones(data.n_samples) if weight is None else weight
        kind = choose_system(groups)
        require_memory(
            system_bytes(kind, groups),
            f"ridge regression on {data.n_samples} samples",
            limit=memory_limit,
            remedy=REMEDY,
        )
        n_threads = resolve_threads(n_threads)
        system: System
        if kind == "samples":
            system = product_system(groups, weight, n_threads)
        else:
            bases = make_basis(groups[0], weight), make_basis(groups[1], weight)
            indices = groups[0].index, groups[1].index
            system = Coordinates(bases, indices, weight, n_threads)
        super().__init__(system, weight, lambda coefficients: PairFunction(data, coefficients))
