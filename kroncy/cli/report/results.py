"""What is predicted for held-out samples, beside what was measured."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    log_loss,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
)

from ...estimators.calibration import root_mean_square
from ...estimators.ensemble import KroneckerEnsemble
from ...estimators.members import first_member
from ...kernels.scores import concordance
from ...plot import (
    plot_calibration,
    plot_confusion,
    plot_errors,
    plot_precision_recall,
    plot_predictions,
    plot_roc,
    plot_spread,
)
from .html import Rows, Section, picture, table

MOST_OUTPUTS = 3  # of several targets, whose predictions are drawn
FEW = 3  # held-out pairs of an object, below which its error says little
ENOUGH = 5  # objects with more, for the others to be left out
NEW = {
    "pairs": "whose objects occur in training pairs too: new objects are predicted worse",
    "left": "whose left objects occur in no training pair",
    "right": "whose right objects occur in no training pair",
    "both": "whose objects occur in no training pair",
}


def result_section(model: Any, note: dict[str, Any] | None) -> Section | None:
    """How good the predictions for held-out samples are; None if none were held out."""
    if getattr(model, "validation_predictions_", None) is None:
        return None
    draw = _label_cards if is_classifier(model) else _number_cards
    member = first_member(model)
    what = NEW[member.validation_by]
    count = len(model.validation_targets_)
    cards = [table(f"{count:,} held-out pairs", _scores(model)), *draw(model, note, what)]
    return Section("What it predicts", cards)


def _scores(model: Any) -> Rows:
    measured, predicted = model.validation_targets_, model.validation_predictions_
    if is_classifier(model):
        labels = model.classes_[predicted.argmax(axis=1)]
        yield "right labels", f"{accuracy_score(measured, labels):.1%}"
        shares = [np.mean(measured == label) for label in model.classes_]
        yield "the most frequent label", f"{max(shares):.1%} of the pairs"
        if len(np.unique(measured)) == len(model.classes_):
            yield "balanced accuracy", f"{balanced_accuracy_score(measured, labels):.3f}"
            chances = predicted[:, 1] if len(model.classes_) == 2 else predicted
            area = roc_auc_score(measured, chances, multi_class="ovr")
            yield "area under the ROC curve", f"{area:.3f}"
        yield "log loss", f"{log_loss(measured, predicted, labels=model.classes_):.4f}"
        return
    for name, y, f in _targets(measured, predicted):
        yield f"RMSE{name}", f"{root_mean_square(y - f):.4g}"
        yield f"MAE{name}", f"{mean_absolute_error(y, f):.4g}"
        yield f"R2{name}", f"{r2_score(y, f):.4f}"
        yield f"concordance{name}", f"{concordance(y, f):.4f}"
        yield f"standard deviation of the measured values{name}", f"{np.std(y):.4g}"


def _targets(
    measured: NDArray, predicted: NDArray
) -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    """Suffix of the name, measured and predicted values of each target."""
    if measured.ndim == 1:
        yield "", measured, predicted
        return
    for k in range(measured.shape[1]):
        yield f" of target {k + 1}", measured[:, k], predicted[:, k]


def _number_cards(model: Any, note: dict[str, Any] | None, what: str) -> Iterator[str]:
    measured, predicted = model.validation_targets_, model.validation_predictions_
    is_ensemble = isinstance(model, KroneckerEnsemble)
    std = model.validation_std_ if is_ensemble else None
    target = note["target"] if note else "target"
    for k, (name, y, f) in zip(range(MOST_OUTPUTS), _targets(measured, predicted), strict=False):
        spread = std if std is None or std.ndim == 1 else std[:, k]
        yield picture(
            partial(plot_predictions, y, f, std=spread, name=target),
            f"Measured and predicted values{name} of held-out pairs, {what}.  The best epoch was "
            "chosen by these pairs, so that others are predicted slightly worse.",
        )
    if is_ensemble and model.calibration_ is not None:
        found = model.calibration_
        yield picture(
            partial(plot_spread, found),
            f"Error against the spread of the {model.n_members} members: errors are "
            f"{found.ratio:.2g} times the spread, and {found.within:.0%} of the pairs are within "
            "it.  A rising line says that the spread tells good predictions from bad ones; it is "
            "no error bar.",
        )
    errors = ((measured - predicted) ** 2).reshape(len(measured), -1).mean(axis=1)
    yield from _object_cards(model, note, errors, np.sqrt, "RMSE")


def _label_cards(model: Any, note: dict[str, Any] | None, what: str) -> Iterator[str]:
    labels, chances, classes = (
        model.validation_targets_, model.validation_predictions_, model.classes_
    )
    yield picture(
        partial(plot_roc, labels, chances, classes),
        f"ROC curve of held-out pairs, {what}.",
    )
    yield picture(
        partial(plot_precision_recall, labels, chances, classes),
        "Precision and recall; dotted is the precision of naming pairs at random.",
    )
    yield picture(
        partial(plot_confusion, labels, classes[chances.argmax(axis=1)], classes),
        "How often each label is predicted.",
    )
    yield picture(
        partial(plot_calibration, labels, chances, classes),
        "Calibration: of pairs to which a probability is given, how many have the label.",
    )
    true = np.searchsorted(classes, labels)
    likelihood = np.maximum(chances[np.arange(len(labels)), true], np.finfo(float).tiny)
    yield from _object_cards(model, note, -np.log(likelihood), np.asarray, "log loss")


def _object_cards(
    model: Any, note: dict[str, Any] | None, errors: NDArray[np.float64], as_error: Any, name: str
) -> Iterator[str]:
    """The objects of each side whose pairs are predicted worst, where pairs share objects."""
    objects = model.validation_objects_
    overall = float(as_error(errors.mean()))
    for number in {0, objects.shape[1] - 1}:
        used, position, counts = np.unique(
            objects[:, number], return_inverse=True, return_counts=True
        )
        if len(used) == len(objects):
            continue
        mean = as_error(np.bincount(position, errors) / counts)
        chosen = counts >= FEW
        if chosen.sum() < ENOUGH:
            chosen[:] = True
        side, names = _names(note, number, used)
        yield picture(
            partial(
                plot_errors, [names[at] for at in np.flatnonzero(chosen)], mean[chosen],
                counts[chosen], overall=overall, name=name,
            ),
            f"{name} by {side}: the worst of {chosen.sum():,} with "
            f"{'at least ' + str(FEW) if chosen.sum() < len(used) else 'any'} held-out pairs, "
            "whose number is in brackets.",
        )


def _names(
    note: dict[str, Any] | None, number: int, used: NDArray[np.int64]
) -> tuple[str, list[str]]:
    """What a side is called, and its objects."""
    if note is None:
        return f"object of factor {number + 1}", [str(object) for object in used.tolist()]
    side = "right" if number else "left"
    ids = note[side]["ids"]
    return note["sides"][number], [ids[object] for object in used.tolist()]
