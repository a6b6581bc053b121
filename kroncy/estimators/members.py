"""Members of an ensemble: trained side by side, averaged, and stored together."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._base.callbacks import wants_stop
from .base import BaseKroneckerEstimator
from .state import State, add_prefix, take_prefix, unlike

Monitor = Callable[[int, BaseKroneckerEstimator], object]


def train_members(
    members: Sequence[BaseKroneckerEstimator],
    side_by_side: int,
    monitor: Monitor | None,
    *samples: Any,
    **options: Any,
) -> None:
    """Call `fit` of each member with these samples, of some at a time in threads.

    Should one of them raise, or Ctrl-C interrupt, the others end with the epoch that they are in.
    """
    lock, ended = threading.Lock(), threading.Event()

    def after_epoch(number: int, member: BaseKroneckerEstimator) -> bool:
        with lock:
            return ended.is_set() or wants_stop(monitor, number, member)

    def train(number: int) -> None:
        if not ended.is_set():
            members[number].fit(*samples, monitor=partial(after_epoch, number), **options)

    if side_by_side == 1:
        for number in range(len(members)):
            train(number)
        return
    with ThreadPoolExecutor(side_by_side) as pool:
        try:
            for done in [pool.submit(train, number) for number in range(len(members))]:
                done.result()
        except BaseException:
            ended.set()
            raise


def moments(
    predictions: Sequence[NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation over the members."""
    stacked = np.stack(predictions)
    return stacked.mean(axis=0), stacked.std(axis=0, ddof=1)


def first_member(model: Any) -> Any:
    """The first member of an ensemble, or the model where it is none."""
    return getattr(model, "estimators_", [model])[0]


def split_members(members: Sequence[BaseKroneckerEstimator]) -> State:
    """The state of each member; arrays that are those of the first are stored with it only."""
    metas: list[dict[str, Any]] = []
    stored: dict[str, NDArray] = {}
    first: dict[str, NDArray] = {}
    for number, member in enumerate(members):
        meta, arrays = member.get_state()
        own = unlike(arrays, first)
        first = first or arrays
        stored |= add_prefix(f"member{number}.", own)
        metas.append({"state": meta, "shared": sorted(arrays.keys() - own.keys())})
    return {"states": metas}, stored


def join_members(
    kind: type[BaseKroneckerEstimator], meta: Mapping[str, Any], arrays: Mapping[str, NDArray]
) -> list[BaseKroneckerEstimator]:
    """The members that `split_members` described; ValueError unless they are of one kind."""
    members = []
    first = take_prefix("member0.", arrays)
    used = 0
    for number, each in enumerate(meta["states"]):
        own = take_prefix(f"member{number}.", arrays)
        used += len(own)
        own |= {name: first[name] for name in each["shared"]}
        members.append(kind.from_state(each["state"], own))
    if used != len(arrays):
        raise ValueError("there are arrays of more members than are described")
    _check_alike(members)
    return members


def _check_alike(members: Sequence[BaseKroneckerEstimator]) -> None:
    """ValueError unless the predictions of the members can be averaged."""
    first = members[0]
    for member in members[1:]:
        member.trainer_.data.check_compatible(first.trainer_.data, "the data of a member")
        for name in ("validation_indices_", "validation_targets_", "n_features_in_", "classes_"):
            mine: Any = getattr(member, name, None)
            theirs: Any = getattr(first, name, None)
            if not np.array_equal(mine, theirs):
                raise ValueError(f"members have different {name}")
        shapes = [np.shape(each.validation_predictions_) for each in (member, first)]
        outputs = [each.trainer_.network.n_outputs for each in (member, first)]
        if shapes[0] != shapes[1] or outputs[0] != outputs[1]:
            raise ValueError("members have different numbers of outputs")
