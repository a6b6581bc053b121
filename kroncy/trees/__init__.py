"""Max-trees over many rows: find the entries above a threshold.  Stands alone."""
