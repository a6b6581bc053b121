"""Training loops: KroneckerSGD, Gauss-Newton, KroneckerLRGD, step size, checkpoints."""
