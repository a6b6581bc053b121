"""Exceptions of kroncy's own."""


class DivergenceError(FloatingPointError):
    """The loss grew without bound; the trainer is back at its last good state."""

    def __init__(self, iteration, rate):
        super().__init__(
            f"the loss diverged at iteration {iteration}; use a learning rate below {rate:.3g}, "
            f"for example {rate / 4:.3g}"
        )

    def __reduce__(self):
        return FloatingPointError, self.args
