"""z(0): drawn through weights (`gaussian`) or from a factorisation of G (`gram`)."""

from kroncy import KroneckerSGD

from .inputs import Quick, rows, targets

N, M = 256, 512


class Start(Quick):
    """A trainer made: 256 samples, 512 neurons.  `gaussian` rises with d, the others hardly."""

    params = (["gaussian", "compressed", "gram"], [2**8, 2**10, 2**12, 2**14])
    param_names = ("start", "d")
    number = 1

    def setup(self, start, d):
        self.data = rows(N, d)

    def time_start(self, start, d):
        make(self.data, start)

    def peakmem_start(self, start, d):
        make(self.data, start)


def make(data, start):
    return KroneckerSGD(
        data,
        targets(N),
        n_hidden=M,
        start="gram" if start == "gram" else "gaussian",
        compress=start == "compressed",
        engine="lazy",
        learning_rate=1.0,
        random_state=0,
        n_threads=1,
    )
