"""kroncy: do the work in the few directions that matter, never in all d of them."""

from ._base.config import show_config
from .sgd.tree import AsynchronousTree

__all__ = ["AsynchronousTree", "show_config"]
