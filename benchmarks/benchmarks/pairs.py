"""engine="pairs": sums over objects, the product with them, and what the last steps have added."""

from . import counted
from .inputs import Quick, pairs, trainer


class Epoch(Quick):
    """An epoch on pairs of as many objects on either side; its cost follows them, not only n."""

    params = ([64, 256], [4096, 16384])
    param_names = ("objects", "n")
    number = 1

    def setup(self, objects, n):
        self.sgd = trainer(pairs(n, objects), 256, "pairs")

    def time_epoch(self, objects, n):
        self.sgd.run(1)

    def time_outputs(self, objects, n):
        """Of all samples: sums and products, without steps."""
        self.sgd.outputs()

    def peakmem_epoch(self, objects, n):
        self.sgd.run(1)


class Steps(Quick):
    """Batches that come out of order: the sums are made for each."""

    params = (64, 256)
    param_names = ("objects",)

    def setup(self, objects):
        self.sgd = trainer(pairs(8192, objects), 256, "pairs")
        self.batch = self.sgd.shuffle(range(0, 8192, 256), counted.generator())

    def time_step(self, objects):
        self.sgd.step(self.batch)


class PairCounters:
    """Multiply-adds of a sample in the second epoch, by their part."""

    params = (4096, 16384)
    param_names = ("n",)

    def track_gather(self, n):
        return counted.pairs_cost(n)["gather_multiply_adds"]

    def track_dense(self, n):
        return counted.pairs_cost(n)["dense_multiply_adds"]

    def track_correction(self, n):
        return counted.pairs_cost(n)["correction_multiply_adds"]

    track_gather.unit = track_dense.unit = track_correction.unit = "multiply-adds"


class PairExponent:
    """Exponent of a sample's multiply-adds against n, with the same objects."""

    def track_exponent(self):
        return counted.exponent_pairs_against_n()
