"""The order of the samples in an epoch: random, or panel by panel of objects."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._base.validation import check_choice
from ..network.network import Network
from ..network.settings import panel_width

Samples = NDArray[np.int64]

ORDERS = ("random", "panels", "objects")


def check_order(order: str, engine: str) -> str:
    """`order`, which may be "auto", if it is one and goes with the engine; else ValueError."""
    check_choice(order, "order", ("auto", *ORDERS))
    if engine == "pairs" and order == "random":
        raise ValueError(
            "engine='pairs' reads the samples object by object: order must be 'panels', 'objects' "
            "or 'auto', got 'random'; engine='lazy' takes them in random order"
        )
    return order


@dataclass(frozen=True)
class SampleOrder:
    """How samples follow each other.

    Attributes
    ----------
    kind : {"random", "panels", "objects"}
        All samples shuffled; random panels of objects, the samples of each shuffled; or one object
        after the other in random order, the samples of each shuffled.
    objects : ndarray of int64, shape (n_samples,), or None
        Object of each training sample, from 0 on; None for "random".
    panel_objects : int
        Objects of a panel.
    """

    kind: str
    objects: Samples | None
    panel_objects: int

    @classmethod
    def of(cls, order: str, network: Network) -> "SampleOrder":
        """The order of a training of `network`: "auto" is random, but for the engine "pairs"."""
        kind = check_order(order, network.engine)
        if kind == "auto":
            kind = "panels" if network.engine == "pairs" else "random"
        if kind == "random":
            return cls(kind, None, 0)
        most = 1 if kind == "objects" else panel_width(network.dtype)
        return cls(kind, network.grouping.outer.index, most)

    def shuffle(self, samples: Samples, generator: np.random.Generator) -> Samples:
        """`samples`, training samples that may repeat, in a random order of this kind.

        Notes
        -----
        O(n log n); the objects of a panel are drawn anew at each call.
        """
        shuffled = generator.permutation(samples)
        if self.objects is None:
            return shuffled
        objects = self.objects[shuffled]
        found, numbers = np.unique(objects, return_inverse=True)
        panels = generator.permutation(len(found)) // self.panel_objects
        return shuffled[np.argsort(panels[numbers], kind="stable")]


def epoch_generator(seed: int, epoch: int) -> np.random.Generator:
    """The stream of one epoch of a training with this seed, whatever was drawn before."""
    return np.random.Generator(np.random.PCG64([seed, epoch]))
