"""Initial pre-activations z(0): streams of normals, the gaussian and the gram kind, one plan."""
