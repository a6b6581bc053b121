"""kroncy report: one self-contained HTML page about a trained model."""

from .page import write_report

__all__ = ["write_report"]
