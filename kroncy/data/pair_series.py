"""PairSeries: predictions by pair, which scikit-learn can treat as an array.

This module imports pandas, so it is imported where a Series is made.
"""

from typing import Any

import numpy as np
import pandas
from numpy.typing import NDArray


class PairSeries(pandas.Series):
    """A Series that can be reshaped.

    scikit-learn's TransformedTargetRegressor and StackingRegressor reshape what a regressor
    predicts, and a Series of pandas has no `reshape`.  What is made from it is a plain Series.
    """

    def reshape(self, *shape: Any) -> NDArray[Any]:
        """The values in another shape.

        Parameters
        ----------
        *shape : int or tuple of int
            As of ``numpy.ndarray.reshape``.

        Returns
        -------
        ndarray
        """
        return np.asarray(self).reshape(*shape)
