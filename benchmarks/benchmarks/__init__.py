"""asv benchmarks, one file per stage; public names of kroncy only, so that old commits run too."""
