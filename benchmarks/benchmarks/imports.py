"""The imports behind kroncy's names, in a fresh interpreter."""


class Import:
    rounds = 1
    repeat = (1, 3, 5.0)
    number = 1
    warmup_time = 0

    def timeraw_import(self):
        return "from kroncy import KroneckerSGD"

    def timeraw_import_numpy_scipy_sklearn(self):
        """What kroncy stands on: the part of the figure above that is not ours."""
        return "import numpy, scipy.sparse, scipy.stats, sklearn.base"
