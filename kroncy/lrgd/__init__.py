"""Low-rank gradient descent."""
