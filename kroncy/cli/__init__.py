"""The command line: ``kroncy demo``, ``train``, ``predict``, ``report`` and ``info``."""

from .entry import main

__all__ = ["main"]
