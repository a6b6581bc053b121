"""Rows outside the training set that are read again and again."""


class BoundRows:
    """Rows outside the training set, ready for repeated prediction; made by `KroneckerSGD.bind`."""

    def __init__(self, outputs):
        self._outputs = outputs

    def outputs(self):
        """Current outputs, shape (n,) or (n, n_outputs)."""
        return self._outputs()
