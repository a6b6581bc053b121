"""kroncy report: one self-contained HTML page about a trained model."""

import base64
import html
import io

import numpy as np

from .. import ntk
from .._base.config import show_config
from .._base.files import open_output
from .._base.memory import format_bytes
from ..estimators.early_stopping import best_epoch, scores_in_words
from ..ntk.measurements import kernel_of_bits
from ..plot import (
    new_figure,
    plot_cost,
    plot_fired,
    plot_gram_spectrum,
    plot_movement,
    plot_rate,
    plot_validation,
)
from .demo import COST_FEATURES, measure_costs

EXAMINED = 1024  # samples whose Gram matrix is looked at; more are represented by so many of them

STYLE = """\
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; color: #222; background: #f6f6f4;
       margin: 0 auto; max-width: 70rem; padding: 1.5rem; }
h1 { margin: 0 0 .25rem; } h2 { margin: 2rem 0 .75rem; font-size: 1.25rem; }
.lead { color: #555; margin: 0 0 1rem; }
.tables, .figures { display: grid; gap: 1rem;
                    grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr)); }
.card { background: #fff; border: 1px solid #ddd; border-radius: 6px; padding: 1rem; margin: 0; }
.card h3 { margin: 0 0 .5rem; font-size: 1rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
td { padding: .15rem .5rem .15rem 0; vertical-align: top; overflow-wrap: anywhere; }
td:first-child { color: #666; white-space: nowrap; width: 1%; padding-right: 1.5rem; }
img { width: 100%; height: auto; display: block; }
figcaption { font-size: .9rem; color: #444; margin-top: .5rem; }
pre { background: #fff; border: 1px solid #ddd; border-radius: 6px; padding: 1rem; margin: 0;
      font-size: .85rem; white-space: pre-wrap; }
"""


def write_report(model, path, *, title, note=None):
    """Write the page about `model`, an estimator or a KroneckerSGD, to `path`.

    Raises
    ------
    ValueError
        The model has not been trained.
    ImportError
        matplotlib is not installed.
    """
    trainer = getattr(model, "trainer_", model)
    if not trainer.history:
        done = trainer.counters["iterations"]
        raise ValueError(
            f"{title} has no complete epoch to report ({done} iterations): train it first, with "
            "fit() or run(), and save it again"
        )
    figures = []
    for what, draw in (
        ("the course of the training", lambda: _loss_figures(model, trainer)),
        ("the tangent kernel and the neurons", lambda: _theory_figures(trainer)),
        ("the cost of an iteration, measured", lambda: [_cost_figure(trainer)]),
    ):
        print(f"report: {what}", flush=True)
        figures += draw()
    pictures = "\n".join(
        f'<figure class="card"><img alt="{html.escape(caption)}" src="{image}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        for image, caption in figures
    )
    tables = "\n".join(
        f'<section class="card"><h3>{name}</h3>{_table(rows)}</section>'
        for name, rows in (
            ("Data", _data_rows(trainer, note)),
            ("Training", _training_rows(model, trainer)),
            ("Configuration", _configuration_rows(model, trainer)),
            ("Build", _build_rows()),
        )
    )
    print("report: the convergence theorem", flush=True)
    found = ntk.theory(
        trainer.data,
        n_hidden=trainer.n_hidden,
        threshold=trainer.threshold,
        batch_size=trainer.batch_size,
        max_samples=EXAMINED,
        n_threads=trainer.n_threads,
    )
    name = html.escape(title)
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>kroncy report: {name}</title>
<style>
{STYLE}</style>
</head>
<body>
<h1>{name}</h1>
<p class="lead">{html.escape(_summary(model, trainer))}</p>
<div class="tables">
{tables}
</div>
<h2>How training went, and what the theory says</h2>
<div class="figures">
{pictures}
</div>
<h2>The convergence theorem on these data</h2>
<pre>{html.escape(str(found))}</pre>
</body>
</html>
"""
    with open_output(path) as stream:
        stream.write(page.encode(errors="backslashreplace"))


def _summary(model, trainer):
    last, epochs = trainer.history[-1], trainer.n_epochs_done
    return (
        f"{type(model).__name__}: {trainer.data.n_samples:,} samples of "
        f"{_count(trainer.data.n_features)} features, {trainer.n_hidden:,} neurons, "
        f"{epochs} epoch{'s' if epochs > 1 else ''}; training loss {last['loss']:.4g} in the last "
        f"one{'' if model is trainer else ' of the state that is kept'}."
    )


def _count(n):
    return "infinitely many" if n == float("inf") else f"{n:,}"


def _table(rows):
    cells = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(str(value))}</td></tr>"
        for name, value in rows
    )
    return f"<table>{cells}</table>"


def _data_rows(trainer, note):
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


def _training_rows(model, trainer):
    history, counters = trainer.history, trainer.counters
    seconds = sum(epoch["seconds"] for epoch in history)
    iterations = sum(epoch["iterations"] for epoch in history)
    yield "epochs", f"{len(history)}"
    first, last = history[0]["loss"], history[-1]["loss"]
    yield "loss", f"{first:.4g} in the first epoch, {last:.4g} in the last"
    if getattr(model, "best_validation_score_", None) is not None:
        yield "validation", f"{scores_in_words(model, best_epoch(model))} at best"
    yield "time", f"{seconds:.1f} s, {1e3 * seconds / iterations:.2f} ms per iteration"
    yield "iterations", f"{counters['iterations']:,}"
    yield "multiply-adds", f"{counters['multiply_adds']:.3g}"
    yield "Gram entries", f"{counters['gram_entries']:.3g}"
    yield "neurons that fire", f"{history[-1]['fired_share']:.2%}"
    held = trainer.coefficients.nnz
    yield "coefficients", f"{held:,}, {held / trainer.n_hidden / trainer.data.n_samples:.2%} of C"


def _configuration_rows(model, trainer):
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
        "held-out fraction": "validation_fraction", "seed": "random_state",
    }  # fmt: skip
    for name, attribute in of_trainer.items():
        yield name, _in_words(getattr(trainer, attribute))
    if model is not trainer:
        yield "base", _base_in_words(model)
        for name, attribute in of_estimator.items():
            yield name, _in_words(getattr(model, attribute))


def _base_in_words(model):
    if model.base_ is None:
        return "none"
    of_base, of_network = model.base_weights_
    return (
        f"ridge regression, alpha {model.base_.alpha:.4g}; weights: {of_base:g} of it, "
        f"{of_network:g} of the network"
    )


def _in_words(value):
    if value is None:
        return "not given"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else value


def _build_rows():
    config = show_config(mode="dicts")
    yield "kroncy", config["version"]
    yield "OpenMP", f"{'on' if config['openmp'] else 'off'}, {config['threads']} threads by default"
    yield "SIMD", config["simd"]
    for blas in config["blas"]:
        yield "BLAS", f"{blas['library']} {blas['version']}, {blas['kernel']}"


def _loss_figures(model, trainer):
    losses = [epoch["loss"] for epoch in trainer.history]
    predicted = bound = None
    caption = "Mean training loss of each epoch, each batch before its step."
    if _is_linear(trainer):
        predicted, bound, text = predicted_curves(trainer)
        caption += text
    yield _picture(lambda ax: plot_rate(losses, predicted, bound, ax)), caption
    if getattr(model, "validation_scores_", None):
        metric = f"{'minus ' if model.validation_sign < 0 else ''}{model.validation_metric}"
        yield (
            _picture(lambda ax: plot_validation(model.validation_scores_, ax, name=metric)),
            f"{metric} of the held-out samples after each epoch; the best state is kept.",
        )


def _is_linear(trainer):
    """Whether training is that of `ntk.predicted_loss` while H stays what it is."""
    plain = trainer.sample_weight is None and trainer.weight_decay == 0
    return plain and trainer.loss == "squared" and trainer.solver == "sgd"


def predicted_curves(trainer):
    """What H at the start says of the loss of each epoch of plain SGD on the squared loss.

    Returns
    -------
    predicted : ndarray of shape (n_epochs,)
        Mean loss of each epoch, each iteration before its step, while H stays what it was.
    bound : ndarray of shape (n_epochs,), or None
        On the expected mean loss of all iterations up to the end of each epoch.
    caption : str
    """
    network, rows = trainer.network, _examined(trainer)
    outputs, bits = network.initial_reading()
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


def _theory_figures(trainer):
    rows = _examined(trainer)
    gram = ntk.tangent_kernel(trainer, rows)
    limit = ntk.limit_gram(
        trainer.data.take(rows), trainer.threshold, skip=trainer.skip, n_threads=trainer.n_threads
    )
    part = "" if len(rows) == trainer.data.n_samples else f" ({len(rows)} of the samples)"
    (low, high), (low_limit, high_limit) = map(ntk.extreme_eigenvalues, (gram, limit))
    yield (
        _picture(lambda ax: plot_gram_spectrum(gram, limit, ax)),
        f"Eigenvalues of H now{part}: {max(low, 0):.3g} to {high:.3g}; in the limit of infinite "
        f"width {max(low_limit, 0):.3g} to {high_limit:.3g}. Of repeated rows they are 0, up to "
        "rounding.",
    )
    flipped = ntk.flips(trainer).mean() / trainer.n_hidden
    yield (
        _picture(lambda ax: plot_fired(trainer.history, ax)),
        "Neurons that fire on a sample, and (neuron, sample) pairs that changed sides in each "
        f"epoch. Since the start {flipped:.2%} of all pairs have: the proof needs few.",
    )
    norm = float(trainer.data.n_features) ** 0.5 if trainer.data.has_features else None
    yield (
        _picture(lambda ax: plot_movement(ntk.movement(trainer), norm, ax)),
        "How far the neurons moved, from C and G alone: no weight was formed.",
    )


def _cost_figure(trainer):
    n, m = min(trainer.data.n_samples, 512), min(trainer.n_hidden, 1024)
    costs = measure_costs(n, m, trainer.n_threads, 0)
    return (
        _picture(lambda ax: plot_cost(COST_FEATURES, costs, ax)),
        f"The cost of an iteration does not depend on d (made-up data, n = {n}, m = {m}, measured "
        "while this page was made).",
    )


def _examined(trainer):
    n = trainer.data.n_samples
    if n <= EXAMINED:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, EXAMINED, replace=False))


def _picture(draw):
    """What `draw` puts into an Axes, as an address that holds the picture itself."""
    figure, axes = new_figure(1)
    figure.set_size_inches(5.6, 3.6)
    draw(axes[0])
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=160)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
