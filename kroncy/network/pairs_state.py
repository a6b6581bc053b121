"""The check of what the engine "pairs" has stored in the middle of an epoch."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .state import BLOCK_WORDS, check_array, check_bits, check_csr, check_values

MOST_ROWS = 2048  # of a segment, and of its steps


def check_pairs_arrays(
    arrays: Mapping[str, NDArray], signs: NDArray, outer: NDArray[np.int64],
    table_shape: tuple[int, int, int, int],
) -> None:
    """Raise ValueError unless these are arrays of an engine like the one described.

    Parameters
    ----------
    arrays : dict of ndarray
        As `PairsEngine.arrays` returned them in the middle of an epoch.
    signs : ndarray of shape (n_hidden, n_outputs)
        In the dtype of the engine.
    outer : ndarray of int64, shape (n_samples,)
        Outer object of each training sample.
    table_shape : tuple of int
        Groups of neurons, neurons of a group, inner objects, outer objects of a full panel.
    """
    (m, k), dtype, n = signs.shape, signs.dtype, len(outer)
    most = table_shape[-1]
    order, ends, panels = (arrays[f"pairs_{name}"] for name in ("order", "ends", "panels"))
    _check_numbers(order, "pairs_order", n)
    _check_numbers(ends, "pairs_ends", len(order) + 1)
    _check_numbers(panels, "pairs_panels", len(ends))
    lengths = np.diff(ends, prepend=0)
    whole = len(ends) > 0 and ends[-1] == len(order)
    if not whole or not 0 < lengths.min() <= lengths.max() <= MOST_ROWS:
        raise ValueError(f"pairs_ends must cut pairs_order into parts of 1 to {MOST_ROWS} samples")
    if panels.shape != ends.shape or panels[0] != 0 or np.any((np.diff(panels) & ~1) != 0):
        raise ValueError("pairs_panels must number the panels of pairs_ends from 0 on")
    panel_of = np.repeat(panels, lengths)
    pairs = np.unique(np.stack([panel_of, outer[order]]), axis=1)
    if np.bincount(pairs[0]).max() > most:
        raise ValueError(f"pairs_panels must have at most {most} objects each")
    if "pairs_linear" not in arrays:
        return
    objects, linear, table = (arrays[f"pairs_{name}"] for name in ("objects", "linear", "table"))
    has_table = len(table) > 0
    _check_numbers(objects, "pairs_objects", int(outer.max()) + 1)
    if not len(np.unique(objects)) == len(objects) <= most:
        raise ValueError(f"pairs_objects must be at most {most} different objects")
    read = panel_of == 0
    if not has_table:
        read[ends[0] :] = False
    if not np.isin(outer[order[read]], objects).all():
        raise ValueError("pairs_objects must hold those of the samples in its panel")
    left = 0 if has_table and linear.shape[1:2] == (0,) else int(ends[0])
    check_values(linear, "pairs_linear", (table_shape[0], left, most), dtype)
    check_values(table, "pairs_table", (table_shape[0] * has_table, *table_shape[1:]), dtype)
    steps = arrays["pairs_steps"]
    _check_numbers(steps, "pairs_steps", n)
    if len(steps) > MOST_ROWS:
        raise ValueError(f"pairs_steps must be at most {MOST_ROWS} samples, got {len(steps)}")
    check_values(arrays["pairs_step_skip"], "pairs_step_skip", (len(steps), k), dtype)
    if k > 1:
        check_csr(arrays, "pairs_step", (m, MOST_ROWS), dtype)
        return
    bits = arrays["pairs_step_bits"]
    check_bits(bits, "pairs_step_bits", (len(steps), -(-m // 256) * BLOCK_WORDS), m)
    check_values(arrays["pairs_step_values"], "pairs_step_values", (len(steps),), dtype)


def _check_numbers(numbers: NDArray, name: str, end: int) -> None:
    """ValueError unless these are integers in [0, end)."""
    check_array(numbers, name, (numbers.size,), np.int64)
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < end:
        raise ValueError(f"{name} must lie in [0, {end})")
