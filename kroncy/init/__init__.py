"""Pre-activations before training, z(0): random streams, the gaussian and the gram start."""
