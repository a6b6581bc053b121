"""The command line: ``kroncy demo``, ``train``, ``predict``, ``report`` and ``info``."""

from .commands import main

__all__ = ["main"]
