"""What the theory says of a training: predicted losses, the tangent kernel, movement."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import ntk
from ...ntk.measurements import flips_since, kernel_of_bits
from ...plot import plot_gram_spectrum, plot_movement, plot_rate
from .html import picture

EXAMINED = 512  # samples whose Gram matrix is looked at; more are represented by so many of them


def theory_cards(trainer: Any) -> list[str]:
    """The loss that was predicted, the spectrum, and how far neurons moved."""
    outputs, bits = trainer.network.initial_reading()  # once: z(0) takes as long as the rest
    return [*_rate_cards(trainer, outputs, bits), *_kernel_cards(trainer, bits)]


def theorem(trainer: Any) -> str:
    """What the convergence theorem asks for on these data."""
    found = ntk.theory(
        trainer.data,
        n_hidden=trainer.n_hidden,
        threshold=trainer.threshold,
        batch_size=trainer.batch_size,
        max_samples=EXAMINED,
        n_threads=trainer.n_threads,
    )
    return str(found)


def _rate_cards(
    trainer: Any, outputs: NDArray[np.float64], bits: NDArray[np.uint64]
) -> Iterator[str]:
    if not _is_linear(trainer):
        return
    losses = [epoch["loss"] for epoch in trainer.history]
    predicted, bound, text = _predicted_curves(trainer, outputs, bits)
    yield picture(
        partial(plot_rate, losses, predicted, bound),
        f"Mean training loss of each epoch, each batch before its step.{text}",
    )


def _is_linear(trainer: Any) -> bool:
    """Whether training is that of `ntk.predicted_loss` while H stays what it is."""
    plain = trainer.sample_weight is None and trainer.weight_decay == 0
    return plain and trainer.loss == "squared" and trainer.solver == "sgd"


def _predicted_curves(
    trainer: Any, outputs: NDArray[np.float64], bits: NDArray[np.uint64]
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None, str]:
    """What H at the start says of the loss of each epoch of plain SGD on the squared loss.

    `outputs` and `bits` are those before the first step.

    Returns
    -------
    predicted : ndarray of shape (n_epochs,)
        Mean loss of each epoch, each iteration before its step, while H stays what it was.
    bound : ndarray of shape (n_epochs,), or None
        On the expected mean loss of all iterations up to the end of each epoch.
    caption : str
    """
    network, rows = trainer.network, _examined(trainer)
    residual = (outputs - trainer.targets)[rows]
    kernel = kernel_of_bits(network, rows, bits[rows])
    per_epoch = [epoch["iterations"] for epoch in trainer.history]
    rates = np.repeat([epoch["learning_rate"] for epoch in trainer.history], per_epoch)
    losses = ntk.predicted_loss(kernel, residual, rates, len(rates))
    ends = np.cumsum(per_epoch)
    pairs = zip(ends, per_epoch, strict=True)
    predicted = np.array([losses[end - n : end].mean() for end, n in pairs])
    text = " Dashed: what the eigenvalues of H at the start predict for the mean outputs"
    if len(rows) < trainer.data.n_samples:
        return predicted, None, f"{text}, from {len(rows)} of the samples."
    rate = ntk.predicted_rate(kernel, rates.max(), trainer.batch_size)
    slack = 2 - rates * rate.batch_largest / trainer.batch_size
    if rate.smallest <= 1e-12 * rate.largest:
        return predicted, None, f"{text}; H is singular, so there is no strict bound."
    if slack.min() <= 0:
        return predicted, None, f"{text}; the steps are too bold for a strict bound."
    # The squared distance from the solution, r^T H^-1 r at first, pays for every iteration's loss.
    distance = float(np.sum(residual * np.linalg.solve(kernel, residual)))
    bound = distance / (2 * np.cumsum(rates * slack)[ends - 1])
    return predicted, bound, f"{text}. Dotted: their bound on the expected mean loss so far."


def _kernel_cards(trainer: Any, bits: NDArray[np.uint64]) -> Iterator[str]:
    rows = _examined(trainer)
    gram = ntk.tangent_kernel(trainer, rows)
    limit = ntk.limit_gram(
        trainer.data.take(rows), trainer.threshold, skip=trainer.skip, n_threads=trainer.n_threads
    )
    part = "" if len(rows) == trainer.data.n_samples else f" ({len(rows)} of the samples)"
    (low, high), (low_limit, high_limit) = map(ntk.extreme_eigenvalues, (gram, limit))
    yield picture(
        partial(plot_gram_spectrum, gram, limit),
        f"Eigenvalues of H now{part}: {max(low, 0):.3g} to {high:.3g}; in the limit of infinite "
        f"width {max(low_limit, 0):.3g} to {high_limit:.3g}. Of repeated rows they are 0, up to "
        "rounding.",
    )
    flipped = flips_since(trainer.network, bits).mean() / trainer.n_hidden
    norm = float(trainer.data.n_features) ** 0.5 if trainer.data.has_features else None
    yield picture(
        partial(plot_movement, ntk.movement(trainer), norm),
        "How far the neurons moved, from C and G alone: no weight was formed. Of all (neuron, "
        f"sample) pairs {flipped:.2%} have changed sides since the start: the proof needs few.",
    )


def _examined(trainer: Any) -> NDArray[np.int64]:
    n = trainer.data.n_samples
    if n <= EXAMINED:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, EXAMINED, replace=False))
