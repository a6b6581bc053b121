"""Foundations: thread policy, memory budgets, boundary checks, BLAS.  Imports nothing of kroncy."""
