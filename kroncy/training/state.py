"""The state of a trainer as plain values and arrays, and the check of those of a file."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._base.validation import check_bool, check_integer, check_real
from ..network.network import Network
from ..network.state import check_values
from ..parallel.communicator import Communicator
from .options import TrainingOptions
from .progress import Progress
from .step_size import is_auto
from .targets import check_offset, check_prepared, check_sample_weight

OPTIONS = ("loss", "batch_size", "weight_decay", "solver", "damping", "order", "average")
MOST = 2**63 - 1  # of whatever is counted


def to_members(
    network: Network,
    targets: NDArray[np.float64],
    sample_weight: NDArray[np.float64] | None,
    offset: NDArray[np.float64] | None,
    options: TrainingOptions,
    learning_rate: float,
    progress: Progress,
    duals: NDArray[np.float64] | None,
) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """JSON values and named arrays of a trainer, for `from_members`."""
    network_meta, arrays = network.get_state()
    meta = {name: getattr(options, name) for name in OPTIONS}
    meta |= {
        "learning_rate": learning_rate,
        "auto": is_auto(options.learning_rate),
        "network": network_meta,
        "iterations": progress.iterations,
        "history": list(progress.history),
        "generator": progress.generator,
        "weighted": sample_weight is not None,
        "offset": offset is not None,
    }
    arrays |= {"targets": targets.copy()}
    if sample_weight is not None:
        arrays["sample_weight"] = sample_weight
    if offset is not None:
        arrays["offset"] = offset
    if duals is not None:
        arrays["duals"] = duals
    return meta, arrays


def from_members(
    meta: Mapping[str, Any], arrays: Mapping[str, NDArray], comm: Communicator
) -> dict[str, Any]:
    """The arguments of `TrainingLoop` for what `to_members` returned; ValueError if damaged."""
    rate = check_real(meta["learning_rate"], "learning_rate")
    asked = "auto" if check_bool(meta["auto"], "auto") else rate
    options = TrainingOptions(**{name: meta[name] for name in OPTIONS}, learning_rate=asked)
    if check_bool(meta["weighted"], "weighted") != ("sample_weight" in arrays):
        raise ValueError("weighted and sample_weight contradict each other")
    if check_bool(meta["offset"], "offset") != ("offset" in arrays):
        raise ValueError("offset and its array contradict each other")
    network = Network.from_state(meta["network"], arrays, comm)
    if network.settings.average != bool(options.average):
        raise ValueError("average contradicts the sums of the iterates that the network holds")
    n = network.data.n_samples
    check_integer(options.batch_size, "batch_size", maximum=n)
    check_values(arrays["targets"], "targets", (n, network.n_outputs), np.float64)
    check_prepared(arrays["targets"], options.loss)
    has_ridge = options.solver == "gauss-newton" and options.weight_decay > 0
    if has_ridge:
        check_values(arrays["duals"], "duals", (n, network.n_outputs), np.float64)
    generator = make_generator(meta["generator"])
    return {
        "network": network,
        "targets": arrays["targets"],
        "sample_weight": check_sample_weight(arrays.get("sample_weight"), n),
        "offset": check_offset(arrays.get("offset"), (n, network.n_outputs), options.loss),
        "options": options,
        "duals": arrays["duals"] if has_ridge else None,
        "generator": generator,
        "learning_rate": rate,
        "progress": Progress(
            check_integer(meta["iterations"], "iterations", minimum=0, maximum=MOST),
            check_history(meta["history"]),
            generator.bit_generator.state,
        ),
    }


def make_generator(state: Mapping[str, Any]) -> np.random.Generator:
    """A generator in a state of PCG64, which is of full period: its increment is odd."""
    if state["state"]["inc"] % 2 != 1:
        raise ValueError("the increment of the random number generator must be odd")
    generator = np.random.Generator(np.random.PCG64())
    generator.bit_generator.state = state
    return generator


def check_history(history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Records of epochs with the names, kinds and ranges that `TrainingLoop.run` gives them."""
    records = []
    for epoch, record in enumerate(history, start=1):
        records.append(
            {
                "epoch": check_integer(record["epoch"], "epoch", minimum=epoch, maximum=epoch),
                "loss": check_real(record["loss"], "loss", minimum=0.0),
                "learning_rate": check_real(
                    record["learning_rate"], "learning_rate", minimum=0.0, strict=True
                ),
                "seconds": check_real(record["seconds"], "seconds", minimum=0.0),
                "iterations": check_integer(
                    record["iterations"], "iterations", minimum=1, maximum=MOST
                ),
                "fired_share": check_real(
                    record["fired_share"], "fired_share", minimum=0.0, maximum=1.0
                ),
                "flips": check_integer(record["flips"], "flips", minimum=0, maximum=MOST),
            }
        )
    return records
