"""What was trained, and how the training went."""

from functools import partial
from typing import Any

from ..._base.config import show_config
from ..._base.memory import format_bytes
from ...estimators.early_stopping import best_epoch, scores_in_words
from ...estimators.ensemble import KroneckerEnsemble
from ...estimators.ridge_part import base_in_words
from ...plot import plot_fired, plot_loss, plot_validation
from .html import Rows, picture, table


def summary(model: Any, member: Any, trainer: Any) -> str:
    """The model in one sentence."""
    last, epochs = trainer.history[-1], trainer.n_epochs_done
    members = f", {model.n_members} members" if isinstance(model, KroneckerEnsemble) else ""
    return (
        f"{type(model).__name__}{members}: {trainer.data.n_samples:,} samples of "
        f"{_count(trainer.data.n_features)} features, {trainer.n_hidden:,} neurons, "
        f"{epochs} epoch{'s' if epochs > 1 else ''}; training loss {last['loss']:.4g} in the last "
        f"one{'' if member is trainer else ' of the state that is kept'}."
    )


def learning_cards(member: Any, trainer: Any) -> list[str]:
    """The curves by which the training was steered, and the neurons that fire."""
    cards = []
    if getattr(member, "validation_scores_", None):
        metric, sign = member.validation_metric, member.validation_sign
        scores = [sign * score for score in member.validation_scores_]
        cards.append(picture(
            partial(plot_validation, scores, name=f"validation {metric}", lower_is_better=sign < 0),
            f"{metric} of the held-out samples after each epoch.  It chooses the epoch that is "
            f"kept: the one with the {'lowest' if sign < 0 else 'highest'}.",
        ))
    losses = getattr(member, "loss_curve_", None) or [e["loss"] for e in trainer.history]
    cards.append(picture(
        partial(plot_loss, losses),
        "Mean training loss of each epoch, each batch before its step.",
    ))
    flipped = trainer.history[-1]["flips"]
    cards.append(picture(
        partial(plot_fired, trainer.history),
        "Neurons that fire on a sample, and (neuron, sample) pairs that changed sides in each "
        f"epoch: {flipped:,} in the last.",
    ))
    return cards


def fact_cards(
    model: Any, member: Any, trainer: Any, note: dict[str, Any] | None
) -> list[str]:
    """Tables of facts."""
    return [
        table(title, rows)
        for title, rows in (
            ("Data", _data_rows(trainer, note)),
            ("Training", _training_rows(model, member, trainer)),
            ("Configuration", _configuration_rows(member, trainer)),
            ("Build", _build_rows()),
        )
    ]


def _count(n: float) -> str:
    return "infinitely many" if n == float("inf") else f"{n:,}"


def _data_rows(trainer: Any, note: dict[str, Any] | None) -> Rows:
    data = trainer.data
    yield "samples", f"{data.n_samples:,}"
    for number, mode in enumerate(data.modes, 1):
        yield f"factor {number}", mode.table.describe()
    yield "features d", _count(data.n_features)
    if data.has_features:
        size = trainer.n_hidden * data.n_features * trainer.dtype.itemsize
        yield "explicit weights", f"would take {format_bytes(size)}"
    yield "outputs", f"{trainer.network.n_outputs}"
    yield "rows", f"{'scaled to norm 1' if data.normalize else 'as given'}, bias {data.bias:g}"
    if note:
        yield "task", f"{note['task']} of {note['target']!r}"
        for side, name in zip(("left", "right"), note["sides"], strict=True):
            scaled = "" if note[side]["center"] is None else ", standardised"
            yield f"columns of a {name}", f"{len(note[side]['names'])}{scaled}"
        missing = {"error": "refused", "drop": "objects left out", "mean": "filled"}
        yield "missing cells", missing[note["missing"]]


def _training_rows(model: Any, member: Any, trainer: Any) -> Rows:
    history, counters = trainer.history, trainer.counters
    seconds = sum(epoch["seconds"] for epoch in history)
    iterations = sum(epoch["iterations"] for epoch in history)
    yield "epochs", f"{len(history)}"
    first, last = history[0]["loss"], history[-1]["loss"]
    yield "loss", f"{first:.4g} in the first epoch, {last:.4g} in the last"
    if getattr(member, "best_validation_score_", None) is not None:
        yield "validation", f"{scores_in_words(member, best_epoch(member))} at best"
    if isinstance(model, KroneckerEnsemble):
        yield "members", f"{model.n_members}, of which this is the first"
    yield "time", f"{seconds:.1f} s, {1e3 * seconds / iterations:.2f} ms per iteration"
    yield "iterations", f"{counters['iterations']:,}"
    yield "multiply-adds", f"{counters['multiply_adds']:.3g}"
    yield "Gram entries", f"{counters['gram_entries']:.3g}"
    yield "neurons that fire", f"{history[-1]['fired_share']:.2%}"
    held = trainer.coefficients.nnz
    yield "coefficients", f"{held:,}, {held / trainer.n_hidden / trainer.data.n_samples:.2%} of C"


def _configuration_rows(member: Any, trainer: Any) -> Rows:
    of_trainer = {
        "loss": "loss", "neurons": "n_hidden", "threshold": "threshold", "solver": "solver",
        "learning rate": "learning_rate", "batch size": "batch_size", "engine": "engine",
        "order": "order", "average": "average", "start": "start",
        "neurons in opposite pairs": "antithetic", "skip": "skip", "weight decay": "weight_decay",
        "precision": "dtype",
    }  # fmt: skip
    of_estimator = {
        "initial learning rate": "learning_rate_init_", "maximum number of epochs": "max_iter",
        "patience": "n_iter_no_change", "tolerance": "tol",
        "held-out fraction": "validation_fraction", "held out by": "validation_by",
        "seed": "random_state",
    }  # fmt: skip
    for name, attribute in of_trainer.items():
        yield name, _in_words(getattr(trainer, attribute))
    if member is not trainer:
        yield "base", base_in_words(member.base_, member.base_weights_)
        for name, attribute in of_estimator.items():
            yield name, _in_words(getattr(member, attribute))


def _in_words(value: Any) -> Any:
    if value is None:
        return "not given"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else value


def _build_rows() -> Rows:
    config = show_config(mode="dicts")
    yield "kroncy", config["version"]
    yield "OpenMP", f"{'on' if config['openmp'] else 'off'}, {config['threads']} threads by default"
    yield "SIMD", config["simd"]
    for blas in config["blas"]:
        yield "BLAS", f"{blas['library']} {blas['version']}, {blas['kernel']}"
