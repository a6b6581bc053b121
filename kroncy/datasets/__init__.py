"""Data sets that are installed with kroncy."""

from .flights import load_flights, load_flights_pairs

__all__ = ["load_flights", "load_flights_pairs"]
