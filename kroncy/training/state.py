"""The state of a trainer as plain values and arrays, and the check of those of a file."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._base.validation import check_integer, check_real
from ..network.network import Network
from ..network.state import check_values
from .loop import Progress
from .options import TrainingOptions
from .targets import check_sample_weight

OPTIONS = ("loss", "batch_size", "weight_decay", "solver", "damping")


def to_members(
    network: Network,
    targets: NDArray[np.float64],
    sample_weight: NDArray[np.float64] | None,
    options: TrainingOptions,
    learning_rate: float,
    progress: Progress,
) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """JSON values and named arrays of a trainer, for `from_members`."""
    network_meta, arrays = network.get_state()
    meta = {name: getattr(options, name) for name in OPTIONS}
    meta |= {
        "learning_rate": learning_rate,
        "network": network_meta,
        "iterations": progress.iterations,
        "history": list(progress.history),
        "generator": progress.generator,
    }
    arrays |= {"targets": targets.copy()}
    if sample_weight is not None:
        arrays["sample_weight"] = sample_weight
    return meta, arrays


def from_members(
    meta: Mapping[str, Any], arrays: Mapping[str, NDArray]
) -> dict[str, Any]:
    """The arguments of `TrainingLoop` for what `to_members` returned; ValueError if damaged."""
    options = {name: meta[name] for name in OPTIONS}
    network = Network.from_state(meta["network"], arrays)
    check_values(
        arrays["targets"], "targets", (network.data.n_samples, network.n_outputs), np.float64
    )
    generator = np.random.Generator(np.random.PCG64())
    generator.bit_generator.state = meta["generator"]
    return {
        "network": network,
        "targets": arrays["targets"],
        "sample_weight": check_sample_weight(
            arrays.get("sample_weight"), network.data.n_samples
        ),
        "options": TrainingOptions(
            **options, learning_rate=check_real(meta["learning_rate"], "learning_rate")
        ),
        "generator": generator,
        "progress": Progress(
            check_integer(meta["iterations"], "iterations", minimum=0),
            check_history(meta["history"]),
            generator.bit_generator.state,
        ),
    }


def check_history(history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Records of epochs with the names, kinds and ranges that `TrainingLoop.run` gives them."""
    records = []
    for record in history:
        records.append(
            {
                "epoch": check_integer(record["epoch"], "epoch", minimum=1),
                "loss": check_real(record["loss"], "loss", minimum=0.0),
                "learning_rate": check_real(
                    record["learning_rate"], "learning_rate", minimum=0.0, strict=True
                ),
                "seconds": check_real(record["seconds"], "seconds", minimum=0.0),
                "iterations": check_integer(record["iterations"], "iterations", minimum=1),
                "fired_share": check_real(
                    record["fired_share"], "fired_share", minimum=0.0, maximum=1.0
                ),
                "flips": check_integer(record["flips"], "flips", minimum=0),
            }
        )
    return records
