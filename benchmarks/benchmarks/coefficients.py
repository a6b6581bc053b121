"""The sparse coefficients C: their product with Gram columns, and what they hold."""

from . import counted
from .inputs import BATCH, Quick, rows, trainer


class Product(Quick):
    """Outputs of a batch: C G_S + z(0), and nothing is changed.  The cost follows n."""

    params = ([256, 512, 1024, 2048], [512, 2048])
    param_names = ("n", "m")

    def setup(self, n, m):
        self.sgd = trainer(rows(n, 2**12), m)
        self.time_outputs(n, m)

    def time_outputs(self, n, m):
        self.sgd.outputs(range(BATCH))

    def time_to_csr(self, n, m):
        """C handed to the user."""
        self.sgd.coefficients  # noqa: B018

    def peakmem_trained(self, n, m):
        self.sgd.outputs(range(BATCH))


class CoefficientCounters:
    """Share of C that is not zero after an epoch, 1024 samples."""

    params = counted.WIDTHS
    param_names = ("m",)

    def track_density(self, m):
        return counted.density(m)

    track_density.unit = "share"
