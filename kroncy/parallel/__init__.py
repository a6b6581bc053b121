"""Ranks: processes that train one network together, and which of its neurons each of them has."""
