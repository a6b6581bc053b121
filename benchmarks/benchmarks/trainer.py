"""An iteration of KroneckerSGD, by engine, over d, m, n, batch and threads."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score

from kroncy import KroneckerClassifier
from kroncy.datasets import load_flights_pairs

from . import counted
from .inputs import BATCH, Quick, batches, rows, trainer

LARGEST_WEIGHTS = 2**27  # entries of W (m, d) beyond which `explicit` is left out


class Iteration(Quick):
    """Base: `prepare` in setup, then one step a call."""

    def prepare(self, n=512, d=2**12, m=512, engine="lazy", size=BATCH, **options):
        self.sgd = trainer(rows(n, d), m, engine, batch_size=size, **options)
        self.batches = batches(n, size)
        self.step()

    def step(self):
        self.sgd.step(next(self.batches))


class AgainstFeatures(Iteration):
    """512 samples, 512 neurons: flat for `lazy` and `tree`, rising for `explicit`."""

    params = (["lazy", "explicit", "tree"], [2**8, 2**10, 2**12, 2**14, 2**16, 2**20])
    param_names = ("engine", "d")

    def setup(self, engine, d):
        if engine == "explicit" and 512 * d > LARGEST_WEIGHTS:
            raise NotImplementedError("W would be too large")
        self.prepare(d=d, engine=engine)

    def time_step(self, engine, d):
        self.step()

    def peakmem_step(self, engine, d):
        self.step()


class AgainstNeurons(Iteration):
    params = (["lazy", "explicit", "tree"], [2**8, 2**10, 2**12])
    param_names = ("engine", "m")

    def setup(self, engine, m):
        self.prepare(m=m, engine=engine, n=256)

    def time_step(self, engine, m):
        self.step()


class AgainstSamples(Iteration):
    params = (["lazy", "explicit", "tree"], [2**8, 2**9, 2**10, 2**11])
    param_names = ("engine", "n")

    def setup(self, engine, n):
        self.prepare(n=n, engine=engine)

    def time_step(self, engine, n):
        self.step()


class AgainstBatch(Iteration):
    params = (["lazy", "explicit", "tree"], [8, 32, 128])
    param_names = ("engine", "batch")

    def setup(self, engine, batch):
        self.prepare(engine=engine, size=batch)

    def time_step(self, engine, batch):
        self.step()


class AgainstThreads(Iteration):
    """2048 samples, 4096 neurons."""

    params = (["lazy"], [1, 2])
    param_names = ("engine", "threads")

    def setup(self, engine, threads):
        self.prepare(n=2048, m=4096, engine=engine, n_threads=threads)

    def time_step(self, engine, threads):
        self.step()


class IterationCounters:
    """Operations of an iteration in the second epoch, from the trainer's own counters."""

    params = counted.FEATURES
    param_names = ("d",)

    def track_multiply_adds(self, d):
        return counted.lazy_cost(d=d)["multiply_adds"]

    def track_gram_entries(self, d):
        return counted.lazy_cost(d=d)["gram_entries"]

    track_multiply_adds.unit = "multiply-adds"
    track_gram_entries.unit = "entries"


class IterationExponents:
    """Exponents of the cost of a `lazy` iteration, least squares on its counters."""

    def track_cost_against_d(self):
        return counted.exponent_cost_against_d()

    def track_cost_against_n(self):
        return counted.exponent_cost_against_n()

    track_cost_against_d.unit = track_cost_against_n.unit = "exponent"


class Demo:
    """The classifier on 4,000 of the flights, two epochs: area under the ROC curve in the test."""

    timeout = 120

    def track_test_auc(self):
        train, late = load_flights_pairs("train")
        test, test_late = load_flights_pairs("test")
        some = np.arange(4000)
        model = KroneckerClassifier(512, max_iter=2, random_state=0, n_threads=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # two epochs, on purpose
            model.fit(train.take(some), late[some])
        return roc_auc_score(test_late, model.decision_function(test))

    track_test_auc.unit = "AUC"
