"""kroncy: do the work in the few directions that matter, never in all d of them."""

from ._base.config import show_config

__all__ = ["show_config"]
