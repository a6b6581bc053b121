from ._lazy import LazyEngine

class TreeEngine(LazyEngine):
    nodes_read: int
    nodes_written: int
