"""kroncy.ntk: the kernel of the network, at finite and at infinite width."""

from .inputs import Quick, rows, targets, trainer

try:
    from kroncy import LimitKernelRegressor, ntk
except ImportError:
    ntk = None


class Ntk(Quick):
    """Kernel matrices of n samples, 1024 neurons."""

    params = (128, 512)
    param_names = ("n",)
    number = 1

    def setup(self, n):
        if ntk is None:
            raise NotImplementedError("this kroncy has no ntk")
        self.data = rows(n, 2**12)
        self.sgd = trainer(self.data, 1024)

    def time_gram_matrix(self, n):
        ntk.tangent_kernel(self.sgd)

    def time_limit_gram(self, n):
        ntk.limit_gram(self.data, 1.5)

    def time_limit_regressor(self, n):
        LimitKernelRegressor().fit(self.data, targets(n))

    def peakmem_gram_matrix(self, n):
        ntk.tangent_kernel(self.sgd)
