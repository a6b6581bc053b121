"""Exceptions that only kroncy raises."""


class DivergenceError(FloatingPointError):
    """The training loss grew without bound or stopped being finite.

    The object that raises it is restored to its last state with a finite loss, so training can
    go on with a smaller learning rate.

    Parameters
    ----------
    iteration : int
        The iteration at which the loss diverged, counted from 1.
    learning_rate : float
        The learning rate in use.

    Attributes
    ----------
    iteration : int
        As given.
    learning_rate : float
        As given.

    Examples
    --------
    >>> import kroncy
    >>> print(kroncy.DivergenceError(7, 2.0))
    the loss diverged at iteration 7; use a learning rate below 2, for example 0.5
    """

    def __init__(self, iteration: int, learning_rate: float) -> None:
        super().__init__(
            f"the loss diverged at iteration {iteration}; use a learning rate below "
            f"{learning_rate:.3g}, for example {learning_rate / 4:.3g}"
        )
        self.iteration, self.learning_rate = iteration, learning_rate

    def __reduce__(self) -> tuple[type["DivergenceError"], tuple[int, float]]:
        # An exception is pickled with its message alone, which __init__ does not take.
        return type(self), (self.iteration, self.learning_rate)
