"""Columns of the Gram matrix of Kronecker rows."""

import numpy as np
import scipy.sparse

from kroncy import KroneckerData
from kroncy.data.gram import cross_panels

from .inputs import BATCH, Quick, pairs, rows


class Gram(Quick):
    """32 columns of 2048 samples from factors of width sqrt(d): the cost follows sqrt(d)."""

    params = (2**8, 2**12, 2**16, 2**20)
    param_names = ("d",)

    def setup(self, d):
        self.data = rows(2048, d)
        self.batch = np.arange(BATCH)
        self.time_columns(d)

    def time_columns(self, d):
        self.data.gram(self.batch, np.arange(2048))


class GramOfKernels(Quick):
    """32 columns of n pairs, looked up in two kernels of 256 objects."""

    params = (2**10, 2**12, 2**14)
    param_names = ("n",)

    def setup(self, n):
        self.data = pairs(n, 256)
        self.samples = np.arange(n)
        self.time_columns(n)

    def time_columns(self, n):
        self.data.gram(self.samples[:BATCH], self.samples)


class GramOfSparse(Quick):
    """32 columns between 1000 rows of 2048 bits, of which a share is not 0, sparse and dense."""

    params = ((0.01, 0.03, 0.1, 0.3), ("sparse", "dense"))
    param_names = ("share", "form")

    def setup(self, share, form):
        bits = scipy.sparse.random_array((1000, 2048), density=share, format="csr", random_state=0)
        bits = bits if form == "sparse" else bits.toarray()
        data = KroneckerData.power(bits).astype(np.float32)
        self.panels = cross_panels(data, data)
        self.time_columns(share, form)

    def time_columns(self, share, form):
        self.panels.columns(np.arange(BATCH))


class GramMemory:
    """Peak memory of the process with the full matrix of n samples."""

    params = (512, 1024, 2048)
    param_names = ("n",)

    def setup(self, n):
        self.data = rows(n, 2**12)

    def peakmem_full(self, n):
        self.data.gram()
