"""Parameters of the estimators: their constraints, and the documentation that classes share."""

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, TypeVar

from sklearn.base import is_classifier
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    validate_parameter_constraints,
)

from ..parallel.communicator import Communicator
from .class_losses import CLASS_LOSSES
from .early_stopping import VALIDATION_BY
from .scoring import SCORINGS

NON_NEGATIVE = Interval(Real, 0, None, closed="left")
POSITIVE_INTEGER = Interval(Integral, 1, None, closed="left")


class Widths(Options):
    """Constraint: the widths of at least two groups of columns."""

    def __init__(self) -> None:
        super().__init__(tuple, set())

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether it is a tuple or list of such widths."""
        return isinstance(val, (tuple, list)) and len(val) >= 2 and all(map(_is_width, val))

    def __str__(self) -> str:
        return "a tuple or list of at least 2 positive integers"


def _is_width(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1


# How samples are made and which resources may be used: parameters of every estimator.
SAMPLE_CONSTRAINTS: dict[str, list[Any]] = {
    "layout": [StrOptions({"power"}), Widths()],
    "normalize": ["boolean"],
    "bias": [NON_NEGATIVE],
    "skip": [NON_NEGATIVE],
    "n_threads": [None, POSITIVE_INTEGER],
    "memory_limit": [None, POSITIVE_INTEGER],
}

CLASS_WEIGHTS: list[Any] = [dict, StrOptions({"balanced"}), None]

LABEL_CONSTRAINTS: dict[str, list[Any]] = {
    "class_weight": CLASS_WEIGHTS,
    "scoring": [StrOptions(SCORINGS)],
    "loss": [StrOptions({"auto", *CLASS_LOSSES})],
}

NETWORK_CONSTRAINTS: dict[str, list[Any]] = {
    **SAMPLE_CONSTRAINTS,
    "n_hidden": [POSITIVE_INTEGER],  # even, too: see check_n_hidden
    "threshold": [None, NON_NEGATIVE],
    "base": [None, StrOptions({"ridge"})],
    "alpha": [NON_NEGATIVE],
    "learning_rate_init": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
    "learning_rate": [StrOptions({"auto", "constant", "invscaling"})],
    "power_t": [None, NON_NEGATIVE],
    "batch_size": [StrOptions({"auto"}), POSITIVE_INTEGER],
    "solver": [StrOptions({"auto", "sgd", "gauss-newton"})],
    "max_iter": [POSITIVE_INTEGER],
    "tol": [NON_NEGATIVE],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "validation_by": [StrOptions(set(VALIDATION_BY))],
    "n_iter_no_change": [POSITIVE_INTEGER],
    "average": ["boolean", StrOptions({"epoch"}), Interval(Integral, 0, None, closed="left")],
    "warm_start": ["boolean"],
    "start": [StrOptions({"auto", "gaussian", "gram"})],
    "compress": [StrOptions({"auto"}), "boolean"],
    "engine": [StrOptions({"auto", "lazy", "pairs", "explicit", "tree"})],
    "order": [StrOptions({"auto", "random", "panels", "objects"})],
    "dtype": [StrOptions({"float32", "float64"})],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
    "comm": [None, HasMethods(["Get_rank", "Iallgather"]), Communicator],
}

ROW_PARAMETERS = """\
layout : "power" or sequence of int, default="power"
        How the columns of an array X form a Kronecker row.  "power" takes a (x) a of each row a;
        widths such as ``(p, q)``, a tuple or a list, split each row into [a | b] with p and q
        columns for a (x) b.  Ignored when X is a `KroneckerData`.
    normalize : bool, default=True
        Whether to scale each factor row to unit norm.  Ignored when X is a `KroneckerData`.
    bias : float, default=1.0
        Constant that is appended to each factor row before it is scaled, so that the product
        contains the factors themselves; 0 appends nothing.  Ignored when X is a
        `KroneckerData`.\
"""

SAMPLE_PARAMETERS = """\
{row_parameters}
    skip : float, default=0.0
        Weight of a linear function of the Kronecker row that is added to the network.\
"""

RESOURCE_PARAMETERS = """\
n_threads : int, default=None
        Number of threads.  None uses as many as OpenMP and the CPU affinity allow.  Results do
        not depend on it.  A process made by ``fork()`` uses one: see `kroncy.show_config`.
    memory_limit : int, default=None
        Memory budget in bytes.  None uses the memory that is available.  A fit that would exceed
        the budget raises MemoryError before anything is allocated.\
"""

CLASS_WEIGHT = """\
class_weight : dict, "balanced" or None, default=None
        Weights of the classes, by which those of the samples are multiplied.  "balanced" weights
        them by the inverse of their frequency; a class that a dict does not name has weight 1.
        A dict of all classes may name others, as in the folds of a cross-validation.\
"""

NETWORK_PARAMETERS = """\
Parameters
    ----------
    n_hidden : int, default=1024
        Number of hidden neurons m.  It must be even: neurons come in pairs with equal initial
        weights and opposite output signs, so that an untrained network predicts 0.
    threshold : float, default=None
        A neuron fires on a sample if its pre-activation exceeds this non-negative value.  None
        means ``sqrt(0.4 * log(n_hidden))``.
    {sample_parameters}
        It is trained with the network.  Its kernel has larger eigenvalues than that of the
        network, so that ``learning_rate_init="auto"`` finds a smaller step size.
    base : {"ridge"} or None, default=None
        "ridge" fits a ridge regression on the Kronecker rows first, as `KroneckerRidge` does, and
        trains the network on what its cross-fitted predictions leave; a regressor first multiplies
        these by the share of the variance that they explain.  The validation samples decide the
        weights of the two, from 0 to 1; that of the network is 0 unless it takes 1 % of the error.
    alpha : float, default=0.0
        Strength of the L2 penalty ``alpha / 2 * |W|**2``, which is added to the sum of the losses
        of all samples.  It is the weight decay of the trainer times the number of samples n.
        ``learning_rate_init * alpha / n`` must be below 1; "auto" keeps it at 0.5 or less.  With
        ``solver="gauss-newton"`` the penalty is ``alpha / 2 * |W - W(0)|**2``: a ridge in kernel
        space, as in scikit-learn's `KernelRidge`.  Losses of labels then need one.
    learning_rate_init : float or "auto", default="auto"
        Initial step size, a factor of the mean gradient of a batch.  "auto" derives it from the
        Gram matrices of a few batches and of the samples that are longest or weigh most.  With
        ``solver="gauss-newton"`` it is a part of the whole step, which is 1 and "auto".
    learning_rate : {"auto", "constant", "invscaling"}, default="auto"
        Schedule of the step size.  "auto" is constant for the squared loss; for the log loss `fit`
        multiplies the step before each epoch by what the curvature p (1 - p) of the loss has fallen
        by since the start, at most 8.  "invscaling" divides it by ``(1 + t / 1000) ** power_t``
        before each epoch, where t is the number of iterations so far: for ``average=False``, where
        the last iterate of a constant step is noisy.
    power_t : float, default=None
        Exponent of "invscaling".  None means 0.5 for regression and 1.0 for classification, where
        targets are noisier.
    batch_size : int or "auto", default="auto"
        Number of samples in a batch; at most the number of training samples is used.  "auto" is
        32, or 512 divided by the number of outputs with ``solver="gauss-newton",
        order="objects"``, where a batch is all samples of an object, and objects that have more
        are split into equal parts.
    solver : {"auto", "sgd", "gauss-newton"}, default="auto"
        "sgd" goes along the gradient of a batch; "gauss-newton" solves for all its outputs at once.
        "auto" is ``solver="gauss-newton", order="objects"``, which converges in few epochs, for
        the squared loss on 10,000 pairs or more, 32 or more of each object on average, with
        `alpha` and `skip` above 0 and the default of `batch_size`, `learning_rate_init` and
        `order`; otherwise, and in `partial_fit`, "sgd".
    max_iter : int, default=100
        Maximum number of epochs.
    tol : float, default=2e-3
        Minimum improvement: of the validation score with early stopping, relative to what the best
        score so far lacks to a perfect one, and of the training loss without, relative to it.
    early_stopping : bool, default=True
        Whether to hold out `validation_fraction` of the samples (of each class), and to end with
        the state that has the best score on them.  With fewer than ``1 / validation_fraction``
        samples no sample is held out.
    validation_fraction : float, default=0.1
        Fraction of the samples that early stopping holds out; see `validation_by`.
    validation_by : {"pairs", "left", "right", "both"}, default="pairs"
        What is new in the held-out samples.  "pairs": only the pair; its objects occur in training
        pairs too, so that the score says nothing about new objects, and so may the pair itself
        where it occurs several times.  "left" and "right": the object of the first or of the last
        factor, of which `validation_fraction` is held out with all samples.  "both": the objects
        of all factors; samples that share only some objects with held-out ones are then neither
        trained on nor scored.
    n_iter_no_change : int, default=2
        Training has converged after this number of consecutive epochs without an improvement by
        `tol`.
    average : bool, int or "epoch", default="epoch"
        The weights of the network are the average of the iterates of training: of those of the
        present epoch ("epoch"; of the present call in `partial_fit`), of all (True), or of those
        from this iteration on, as for scikit-learn's `SGDClassifier`.  False takes the last
        iterate.  Training always goes on from the last iterate, ``trainer_.network``; all else,
        scores and predictions, is of the average.
    warm_start : bool, default=False
        Whether `fit` continues from the previous state for up to `max_iter` further epochs.  The
        samples must be the same as in the previous call of `fit`, and so must the parameters but
        those of the steps, which then apply (`learning_rate_init`, `learning_rate`, `power_t`,
        `batch_size` and, with ``solver="sgd"``, `alpha`), and those that `fit` may change when it
        resumes a training.
    start : {"auto", "gaussian", "gram"}, default="auto"
        Initial state.  "gaussian" draws weights; "gram" draws pre-activations from the same
        distribution.  "auto" chooses the cheaper one in `fit`, and "gaussian" in `partial_fit`
        where it is possible, because only then new samples can be added later.
    compress : {"auto", True, False}, default="auto"
        Whether the gaussian start draws weights in an orthonormal basis of the span of the rows.
        This is exact, and cheaper for factors with fewer rows, or a lower rank, than columns.
        "auto" compresses in `fit` if that is cheaper, and never in `partial_fit`.
    engine : {"auto", "lazy", "pairs", "explicit", "tree"}, default="auto"
        Algorithm of an iteration; see `KroneckerSGD`.  All engines compute the same iterates up
        to rounding from samples in the same order, which "pairs" changes: see `order`.
    order : {"auto", "random", "panels", "objects"}, default="auto"
        Order of the samples in an epoch and in a call of `partial_fit`: all shuffled, or random
        panels of objects with the samples of each shuffled, or object by object.  "auto" chooses
        "panels" where the engine is "pairs", which needs it, and "random" otherwise.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the network.  Predictions are returned in float64.
    {resource_parameters}
    random_state : int, RandomState instance or None, default=None
        Source of the initial state, the output signs, the order of the samples and the choice of
        the held-out samples.
    verbose : bool or int, default=False
        1 or True prints a line after each epoch; 2 shows a progress bar instead.  Both first print
        the solver, the engine and what "auto" has counted.
    comm : mpi4py.MPI.Comm, default=None
        Processes that use the estimator together: each has a part of the neurons, and all call the
        same methods with the same arguments.  Results are on every rank, bit for bit those of one
        process.  It may be set at any time, and is no part of copies and files.  None: this process
        alone.{more_parameters}

    Attributes
    ----------
    solver_ : {"sgd", "gauss-newton"}
        The solver of the training.
    trainer_ : KroneckerSGD
        The trained network with its coefficients, averaged as `average` says, history and
        counters.  With early stopping it is in the state of the best epoch, with which its history
        ends.
    n_iter_ : int
        Number of epochs run, of which `loss_curve_` and `validation_scores_` tell all.
    loss_curve_ : list of float
        Training loss of each epoch: the mean over its samples, each evaluated just before the
        step on its batch.
    validation_indices_ : ndarray of int or None
        Samples of X that were held out for validation; None if there are none.
    validation_objects_ : ndarray of int, shape (n_held_out, n_factors), or None
        Objects of these samples, as rows of the factors of X.
    validation_targets_ : ndarray of shape (n_held_out,) or (n_held_out, n_outputs), or None
        Their targets.
    validation_predictions_ : ndarray, or None
        What the model predicts for them in the state of the best epoch: targets, or
        probabilities of the classes.  They chose this state, so that they are slightly better
        than those of new samples.
    validation_scores_ : list of float or None
        Score on the held-out samples after each epoch: {score}.
        None without early stopping.
    best_validation_score_ : float or None
        The highest validation score, which is that of the final state.
    learning_rate_init_ : float
        Initial step size.
    base_ : RidgePart or None
        The ridge regression of ``base="ridge"``, fitted to all samples.
    base_weights_ : list of two floats
        Weights of the ridge regression and of the network in the outputs.  Without a base that of
        the network is 1; with the log loss it is the number, at most 1, that makes the log loss of
        the held-out samples least, by which logits are multiplied before they are scored.
    n_features_in_ : int
        Number of columns of an array X.  For a `KroneckerData` it is the length of its Kronecker
        rows; for one that was made from kernels it is the number of combinations of objects,
        ``u_1 * u_2 * ...``, in agreement with scikit-learn's count for precomputed kernels.
    feature_names_in_ : ndarray of str
        Names of the columns, only if X was a data frame whose column names are all strings.\
"""

NETWORK_NOTES = """\
Notes
    -----
    An iteration on a batch of s samples costs at most ``s * k * n`` multiply-adds, where n is the
    number of training samples and k the mean number of neurons that fire on a sample.  The cost
    does not depend on the length d of a row [1]_.  Memory: ``n * m`` reals for the initial
    pre-activations, and the Gram matrix or its factors.

    Columns of arrays are used as they are.  A row is scaled as a whole, so columns in large units
    dominate the others: standardise them first, for example in a `Pipeline` with `StandardScaler`.

    `KroneckerSGD` follows the paper by default; the defaults here are those of supervised
    learning.  Neurons always come in pairs, so that predictions start at 0 and the random initial
    function does not have to be unlearned, and `bias` makes the network a function of the factors
    themselves as well as of their products.

    References
    ----------
    .. [1] Z. Song and S. Yue, "Structured and Fast Optimization: The Kronecker SGD Algorithm",
       arXiv:2305.08001.\
"""

SECTIONS = {
    "sample_parameters": SAMPLE_PARAMETERS,
    "row_parameters": ROW_PARAMETERS,
    "resource_parameters": RESOURCE_PARAMETERS,
    "class_weight": CLASS_WEIGHT,
}

Class = TypeVar("Class", bound=type)


def document(**sections: str) -> Callable[[Class], Class]:
    """Class decorator that replaces each ``{name}`` in the docstring by a section.

    Sections may contain the names of SECTIONS.  Their first lines are not indented, because the
    place that they replace is.
    """

    def decorate(cls: Class) -> Class:
        text = cls.__doc__ or ""
        for name, section in (sections | SECTIONS).items():
            text = text.replace(f"{{{name}}}", section)
        cls.__doc__ = text
        return cls

    return decorate


def check_parameters(estimator: Any) -> None:
    """Raise ValueError for parameters that `fit` of this network would refuse."""
    constraints = NETWORK_CONSTRAINTS | (LABEL_CONSTRAINTS if is_classifier(estimator) else {})
    validate_parameter_constraints(
        constraints, estimator.get_params(deep=False), type(estimator).__name__
    )
    check_n_hidden(estimator)


def check_n_hidden(estimator: Any) -> None:
    """Raise ValueError if the number of neurons is odd."""
    if estimator.n_hidden % 2:
        raise ValueError(
            f"The 'n_hidden' parameter of {type(estimator).__name__} must be even, because "
            f"neurons come in pairs with opposite output signs. Got {estimator.n_hidden} instead."
        )


def decay_of_steps(estimator: Any, n_samples: int, solver: str) -> float:
    """`alpha` as the weight decay of a trainer.

    ValueError if a step of the given size by "sgd" would take more than the weights.
    """
    rate, weight_decay = estimator.learning_rate_init, estimator.alpha / n_samples
    if solver == "sgd" and not isinstance(rate, str) and rate * weight_decay >= 1:
        raise ValueError(
            f"learning_rate_init * alpha / n_samples must be < 1: with {rate:.3g} * "
            f"{weight_decay:.3g} a step would take away more than the weights.  Use a smaller "
            "alpha, or a smaller learning_rate_init or 'auto'"
        )
    return weight_decay
