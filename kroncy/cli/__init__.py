"""The command line: `kroncy train`, `predict`, `report`, `demo`."""

from .commands import main

__all__ = ["main"]
