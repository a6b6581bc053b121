"""One epoch: a random order, cut into parts short enough for Ctrl-C and the progress bar."""

import time

from tqdm.auto import tqdm

from .._base.exceptions import DivergenceError

PART_SECONDS = 0.2  # between two looks at signals and the bar; long beside an iteration


def run_epoch(trainer, progress):
    """Every sample once, in random order; appends a record to ``trainer.history``.

    Raises
    ------
    DivergenceError
        After the trainer was put back to where the epoch began.
    """
    good = trainer.snapshot()
    before, began = trainer.counters, time.perf_counter()
    order = trainer._generator.permutation(trainer.data.n_samples)
    epoch, total = trainer.n_epochs_done + 1, 0.0
    with tqdm(
        total=len(order), desc=f"epoch {epoch}", unit=" samples", disable=not progress, leave=False
    ) as bar:
        for part in _parts(order, trainer.batch_size):
            total, done = trainer._run_batches(part, trainer.batch_size, total)
            if done < len(part):
                error = DivergenceError(trainer._iterations + 1, trainer.learning_rate)
                trainer.restore(good)
                raise error
            bar.update(done)
            if progress:
                bar.set_postfix(loss=f"{total / bar.n:.4g}", refresh=False)
    counts = {name: count - before[name] for name, count in trainer.counters.items()}
    trainer.history.append(
        {
            "epoch": epoch,
            "loss": total / len(order),
            "seconds": time.perf_counter() - began,
            "iterations": counts["iterations"],
            "fired_share": counts["neurons_fired"] / (counts["samples"] * trainer.n_hidden),
            "flips": counts["neurons_flipped"],
        }
    )


def _parts(order, batch_size):
    """Consecutive parts of `order`, each whole batches worth about PART_SECONDS."""
    begin, batches = 0, 1
    while begin < len(order):
        began = time.perf_counter()
        yield order[begin : begin + batches * batch_size]
        begin += batches * batch_size
        seconds = max(time.perf_counter() - began, 1e-9)
        batches = max(1, min(2 * batches, int(batches * PART_SECONDS / seconds)))
