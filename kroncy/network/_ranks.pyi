from typing import Any

from ..parallel.shard import Shard

REPEATED: set[str]

class Ranks:
    shard: Shard
    n_neurons: int
    n_blocks: int
    n_batches: int
    is_first: bool
    alone: bool
    failed: bool
    stopped: bool
    def __init__(self, shard: Shard) -> None: ...
    def total(self, value: Any) -> Any: ...
    def add_counters(self, counters: dict[str, int]) -> dict[str, int]: ...
    def divide_counters(self, counters: dict[str, int]) -> dict[str, int]: ...
    def check(self) -> None: ...
    def settle_failure(self, failed: bool) -> bool: ...
