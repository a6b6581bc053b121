"""The average of the iterates as an engine reads it: copies of values, made when asked for."""
from .._base._buffers cimport address
from ._average cimport Average
from ._engine cimport Engine


def count_iterate(Engine engine):
    """The present iterate of an engine with an average becomes one of those that are averaged."""
    engine.mean = None
    engine.average.count_iterate(engine.scale, engine.start_scale)


def restart_average(Engine engine):
    """Forget the iterates that an engine with an average has averaged so far."""
    engine.mean = None
    engine.average.restart()


def averaged(Engine engine):
    """An engine that reads at the average of the iterates; `engine` itself while there are none.

    It is made once, and discarded when training goes on.
    """
    cdef Average average = engine.average
    cdef Engine mean = engine.mean
    if average is None or average.count == 0:
        return engine
    if mean is None:
        mean = engine.make_mean()
        mean.join(engine.ranks)
        mean.coefficients = average.mean_coefficients()
        mean.columns = engine.columns
        mean.skip_store = average.mean(engine.skip_store, average.skip_sums, average.alpha)
        mean.skip_values = address(mean.skip_store)
        mean.start_scale = average.beta / average.count
        mean.derive_weights()
        engine.mean = mean
    mean.n_threads = engine.n_threads
    return mean
