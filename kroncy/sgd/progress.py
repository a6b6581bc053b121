"""Epochs in parts: short enough for Ctrl-C and the progress bar, long enough for the hot loop."""

import time

from tqdm.auto import tqdm

PART_SECONDS = 0.2


class EpochProgress:
    """Cuts an epoch into whole batches worth about PART_SECONDS and shows a bar if asked to."""

    def __init__(self, n_samples, epoch, batch_size, visible):
        self._batch_size = batch_size
        self._bar = tqdm(
            total=n_samples,
            desc=f"epoch {epoch}",
            unit=" samples",
            disable=not visible,
            leave=False,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._bar.close()

    def parts(self, order):
        """Consecutive parts of `order`, each a whole number of batches."""
        begin, batches = 0, 1
        while begin < len(order):
            size = batches * self._batch_size
            began = time.perf_counter()
            yield order[begin : begin + size]
            begin += size
            seconds = max(time.perf_counter() - began, 1e-9)
            batches = max(1, min(2 * batches, int(batches * PART_SECONDS / seconds)))

    def update(self, n_samples, total_loss):
        """Move the bar on by `n_samples`; `total_loss` is the sum since the epoch began."""
        self._bar.update(n_samples)
        if not self._bar.disable and self._bar.n:
            self._bar.set_postfix(loss=f"{total_loss / self._bar.n:.4g}", refresh=False)
