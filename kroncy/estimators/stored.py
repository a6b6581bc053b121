"""Estimators as plain values: what a fitted one stores and gets back."""

import copy
from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._base.guard import guard_of
from .._base.validation import in_python, saved_state
from ..parallel.communicator import Communicator
from ..parallel.mpi import as_communicator
from .attributes import OPTIONAL_ATTRIBUTES, check_names
from .state import State, join_attributes, split_attributes

# A training that is resumed may differ in these parameters from what it was before,
MAY_CHANGE = frozenset({
    "max_iter", "tol", "n_iter_no_change", "warm_start", "n_threads", "memory_limit", "verbose",
    "comm",
})  # fmt: skip
# and in these, too, one that is continued by `warm_start`.
OF_STEPS = frozenset({"learning_rate_init", "learning_rate", "power_t", "batch_size", "alpha"})
# What a call of `partial_fit` does not read, or reads of its own samples.
OF_FIT = frozenset({
    "early_stopping", "validation_fraction", "validation_by", "scoring", "class_weight",
})  # fmt: skip


class StoredEstimator(BaseEstimator):
    """An estimator that is stored by its parameters, its attributes, and its fitted parts."""

    @classmethod
    @abstractmethod
    def _saved_attributes(cls) -> tuple[str, ...]:
        """Names of the attributes that every fitted estimator of this class saves."""

    @abstractmethod
    def _split_parts(self, resumable: bool) -> State:
        """The fitted parts, which are neither JSON values nor arrays, as such."""

    @abstractmethod
    def _join_parts(
        self, meta: Mapping[str, Any], arrays: Mapping[str, NDArray], resume: bool
    ) -> None:
        """Set the parts that `_split_parts` described."""

    @abstractmethod
    def _check_attributes(self) -> None:
        """Raise ValueError or TypeError unless the saved attributes fit each other."""

    def _validate_params(self) -> None:
        """scikit-learn's, with the same error on every rank."""
        comm = getattr(self, "comm", None)
        # Where it is no communicator, the parameters are refused for that, by each process alone.
        usable = isinstance(comm, Communicator) or hasattr(comm, "Iallgather")
        ranks = as_communicator(comm if usable else None)
        with ranks.call("fit"), ranks.same_error():
            super()._validate_params()

    def get_state(self, *, resumable: bool = False) -> State:
        """The fitted estimator as plain values, for `kroncy.save` or another store.

        Parameters
        ----------
        resumable : bool, default=False
            Whether to include what `fit` needs to resume an unfinished training.  Only a monitor
            of `fit` can see such a training; a ridge regression has nothing to resume.

        Returns
        -------
        meta : dict
            Parameters and attributes, all of which have a JSON form if the parameters have.
        arrays : dict of str to ndarray
            Arrays by name; none has dtype object.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            The estimator is not fitted.
        TypeError
            An attribute is an array of objects other than strings.

        See Also
        --------
        from_state : The inverse.
        """
        check_is_fitted(self)
        saved = [*self._saved_attributes(), *(set(OPTIONAL_ATTRIBUTES) & vars(self).keys())]
        meta, arrays = split_attributes({name: getattr(self, name) for name in saved})
        meta["parameters"] = saved_parameters(self)
        parts, part_arrays = self._split_parts(resumable)
        return meta | parts, arrays | part_arrays

    @classmethod
    def from_state(
        cls, meta: dict[str, Any], arrays: dict[str, NDArray], *, resume: bool = False,
        comm: Any = None,
    ) -> Self:
        """An estimator that `get_state` described.

        Parameters
        ----------
        meta : dict
            As `get_state` returned it, or read back from its JSON form.
        arrays : dict of str to ndarray
            As `get_state` returned them.
        resume : bool, default=False
            Whether to return to the last state of a training instead of the best one, so that
            ``fit(..., resume=True)`` ends like the training that was not interrupted.  Needs a
            state with ``resumable=True``.
        comm : mpi4py.MPI.Comm, default=None
            Processes that use the estimator together, of the classes that have this parameter.

        Returns
        -------
        object
            A fitted instance of this class.

        Raises
        ------
        ValueError
            The state is incomplete or its parts do not fit each other, or this version of NumPy
            draws other random numbers than the one that trained the model; or the class has no
            parameter `comm`, and one is given.
        MemoryError
            The model does not fit the machine.

        See Also
        --------
        get_state : The inverse.
        """
        if comm is not None and "comm" not in cls._get_param_names():
            raise ValueError(f"a {cls.__name__} is of one process: comm must be None")
        with saved_state("the state of the estimator"):
            parameters = loaded_parameters(meta["parameters"])
            if comm is not None:
                parameters["comm"] = comm
            self = cls(**parameters)
            self._validate_params()
            attributes = join_attributes(meta, arrays)
            check_names(attributes, self._saved_attributes(), OPTIONAL_ATTRIBUTES)
            for name, value in attributes.items():
                setattr(self, name, value)
            self._join_parts(meta, arrays, resume)
            self._check_attributes()
            return self


def saved_parameters(estimator: BaseEstimator) -> dict[str, Any]:
    """The parameters of an estimator in a JSON form; `comm` is of this run alone."""
    params = estimator.get_params(deep=False)
    return {name: _to_json(value) for name, value in params.items() if name != "comm"}


def loaded_parameters(saved: Mapping[str, Any]) -> dict[str, Any]:
    """What `saved_parameters` was made of: JSON has neither tuples nor keys that are numbers."""
    parameters = dict(saved)
    if isinstance(parameters["layout"], list):
        parameters["layout"] = tuple(parameters["layout"])
    if isinstance(parameters.get("class_weight"), list):
        parameters["class_weight"] = dict(parameters["class_weight"])
    return parameters


def training_parameters(estimator: BaseEstimator) -> dict[str, Any]:
    """The parameters in a JSON form to compare later ones with: a training draws its seed once."""
    parameters = saved_parameters(estimator)
    if isinstance(parameters["random_state"], np.random.RandomState):
        parameters["random_state"] = "RandomState"
    return parameters


def first_changed(
    before: Mapping[str, Any], now: Mapping[str, Any], may_change: Collection[str] = MAY_CHANGE
) -> str | None:
    """The first parameter that has another value `now` than `before`, but for those that may."""
    for name, value in before.items():
        if name not in may_change and value != now[name]:
            return name
    return None


def _to_json(value: Any) -> Any:
    """A parameter without NumPy, and a mapping as pairs: keys in JSON are strings."""
    if isinstance(value, Mapping):
        return [[in_python(key), in_python(item)] for key, item in value.items()]
    if isinstance(value, tuple | list):
        return [in_python(item) for item in value]
    return value.tolist() if isinstance(value, np.ndarray) else value


@contextmanager
def unchanged_on_error(estimator: Any) -> Iterator[None]:
    """Give the estimator back the attributes that it had, should the block raise."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).update(before)
        for name in vars(estimator).keys() - before.keys():
            delattr(estimator, name)
        raise


@contextmanager
def replaced_at_once(estimator: Any, what: str) -> Iterator[Any]:
    """A copy to be changed in the block, at whose end the estimator takes the attributes of it.

    An estimator is so never seen in between, and is as it was should the block raise.  `what` names
    the block for other threads that want to change the estimator, which are refused.
    """
    guard = guard_of(estimator)
    with guard.claim(what):
        copied = copy.copy(estimator)
        yield copied
        with guard.change(what):
            vars(estimator).update(vars(copied))
            for name in vars(estimator).keys() - vars(copied).keys():
                delattr(estimator, name)
