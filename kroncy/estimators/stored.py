"""Estimators as plain values: what a fitted one stores, pickles, and gets back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._base.validation import check_integer, check_real, saved_state
from ..training.trainer import KroneckerSGD
from .attributes import OPTIONAL_ATTRIBUTES, check_array, check_attributes, check_names
from .early_stopping import ScoreTracker
from .ridge_part import BASE, RidgePart
from .samples import check_widths
from .state import State, join_attributes, join_trainer, split_attributes, split_trainer

MOST_SEED = 2**32 - 1


class StoredEstimator(BaseEstimator):
    """The fitted attributes of an estimator with a trainer, and their form outside of it."""

    trainer_: KroneckerSGD
    n_iter_: int
    loss_curve_: list[float]
    validation_indices_: Any  # ndarray of int, or None
    validation_scores_: Any  # list of float, or None
    best_validation_score_: float | None
    learning_rate_init_: float
    base_: RidgePart | None
    base_weights_: list[float]
    _seed: int  # of everything random
    _fingerprint: str | None  # of the arguments of fit; None after partial_fit began the training
    _train_target: NDArray  # encoded targets of the trainer's samples
    _train_weight: NDArray[np.float64]
    _scores: ScoreTracker

    @classmethod
    def _saved_attributes(cls) -> tuple[str, ...]:
        """Names of the attributes that every fitted estimator of this class saves."""
        return (
            "n_iter_", "loss_curve_", "validation_indices_", "validation_scores_",
            "best_validation_score_", "learning_rate_init_", "base_weights_", "n_features_in_",
            "_seed",
            "_fingerprint", "_train_target", "_train_weight",
        )

    def _check_attributes(self) -> None:
        """Raise ValueError or TypeError unless the saved attributes fit each other."""
        check_attributes(self)
        self._check_base()
        check_integer(self._seed, "_seed", minimum=0, maximum=MOST_SEED)
        if not isinstance(self._fingerprint, str | None):
            raise TypeError(f"_fingerprint must be a string or None, got {self._fingerprint!r}")
        weight = self._train_weight
        check_array(weight, "_train_weight", (self.trainer_.data.n_samples,), np.float64)
        if not weight.min() > 0:
            raise ValueError("_train_weight must be positive")

    def _check_base(self) -> None:
        if not isinstance(self.base_weights_, list) or len(self.base_weights_) != 2:
            raise ValueError(f"base_weights_ must be two numbers, got {self.base_weights_!r}")
        for value in self.base_weights_:
            check_real(value, "base_weights_", minimum=0.0, maximum=1.0)
        if (self.base_ is None) != (self.base is None):
            raise ValueError("base and base_ contradict each other")
        if self.base_ is not None:
            network = self.trainer_.network
            self.base_.function.data.check_compatible(network.data, "the data of the network")
            if len(self.base_.mean) != network.n_outputs:
                raise ValueError("base_ has another number of outputs than the network")

    def get_state(self, *, resumable: bool = False) -> State:
        """The fitted estimator as plain values, for `kroncy.save` or another store.

        Parameters
        ----------
        resumable : bool, default=False
            Whether to include what `fit` needs to resume an unfinished training.  Only a monitor
            of `fit` can see such a training.

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
        scores = self._scores
        best = None if scores.best_is_last or not resumable else scores.best_state
        trainer_meta, trainer_arrays = split_trainer(self.trainer_, best)
        meta |= {
            "parameters": self.get_params(deep=False),
            "trainer": trainer_meta,
            "scores": [scores.best_score, scores.n_no_improvement],
        }
        base_arrays: dict[str, NDArray] = {}
        meta["base"] = None
        if self.base_ is not None:
            meta["base"], base_arrays = self.base_.get_state()
        return meta, arrays | trainer_arrays | base_arrays

    @classmethod
    def from_state(
        cls, meta: dict[str, Any], arrays: dict[str, NDArray], *, resume: bool = False
    ) -> Self:
        """An estimator that `get_state` described.

        Parameters
        ----------
        meta : dict
            As `get_state` returned it, or read back from its JSON form.
        arrays : dict of str to ndarray
            As `get_state` returned them.
        resume : bool, default=False
            Whether to return to the last state instead of the best one, so that
            ``fit(..., resume=True)`` ends like the training that was not interrupted.  Needs a
            state with ``resumable=True``.

        Returns
        -------
        object
            A fitted instance of this class.

        Raises
        ------
        ValueError
            The state is incomplete or its parts do not fit each other, or this version of NumPy
            draws other random numbers than the one that trained the model.
        MemoryError
            The network does not fit the machine.

        See Also
        --------
        get_state : The inverse.
        """
        with saved_state("the state of the estimator"):
            parameters = dict(meta["parameters"])
            if isinstance(parameters["layout"], list):  # JSON has no tuples
                parameters["layout"] = tuple(parameters["layout"])
            self = cls(**parameters)
            self._validate_params()
            if parameters["layout"] != "power":
                check_widths(parameters["layout"])
            attributes = join_attributes(meta, arrays)
            check_names(attributes, self._saved_attributes(), OPTIONAL_ATTRIBUTES)
            for name, value in attributes.items():
                setattr(self, name, value)
            base = meta["base"]
            self.base_ = None if base is None else RidgePart.from_state(base, arrays)
            trainer_arrays = {k: a for k, a in arrays.items() if not k.startswith(BASE)}
            self.trainer_, best = join_trainer(meta["trainer"], trainer_arrays, resume)
            self._check_attributes()
            best_score, n_no_improvement = meta["scores"]
            self._scores = ScoreTracker(
                check_real(best_score, "best_score", finite=False),
                check_integer(n_no_improvement, "n_no_improvement", minimum=0),
                best is None,
                best,
            )
            return self

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "trainer_" in state:  # it has memory that pickle cannot copy
            state["trainer_"] = self.trainer_.get_state()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "trainer_" in state:
            meta, arrays = state["trainer_"]
            self.trainer_ = KroneckerSGD.from_state(meta, arrays)


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
