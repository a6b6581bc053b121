"""Samples as pairs of objects: the order of visits, and sums over the objects of a panel."""
