"""AveragedNetwork: a network in training, read at the average of its iterates."""

from ..init.gaussian import GaussianInit
from ..init.gram import GramInit
from ._averaged import averaged
from ._engine import Engine
from .pair_space import PairSpace
from .view import NetworkView


class AveragedNetwork(NetworkView):
    """The network whose W, and u, are the averages of those of a network in training.

    Made by `Network.averaged`; it follows the training.  Fired sets that were recorded and counters
    are those of the training.

    Parameters
    ----------
    network : NetworkView
        The network in training.
    engine : Engine
        Its engine, with an average.
    init : GaussianInit or GramInit
        Its start.
    space : PairSpace
        Its samples as pairs of objects.
    """

    def __init__(
        self, network: NetworkView, engine: Engine, init: GaussianInit | GramInit,
        space: PairSpace,
    ) -> None:
        self.data, self.rows = network.data, network.rows
        self.settings, self.compression = network.settings, network.compression
        self.nbytes, self.dtype = network.nbytes, network.dtype
        self.n_outputs, self.guard, self.shard = network.n_outputs, network.guard, network.shard
        self._signs = network.signs.reshape(network.n_hidden, -1)
        self._init, self._engine = init, engine
        self._space = space

    def _reading(self) -> Engine:
        with self.guard.read():  # not while the sums change
            return averaged(self._engine)
