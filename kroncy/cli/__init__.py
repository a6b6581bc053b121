"""The command line: demo, train, suggest, predict, report and info."""

from .entry import main

__all__ = ["main"]
