"""NamedSamples: samples of named objects, and other pairs of them encoded in the same way."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from .pair_frames import PairFrames, by_pair, like_pairs, pair_ids
from .sample_set import SampleSet
from .tables import Labels


class NamedSamples(SampleSet):
    """What a `SampleSet` made from frames can do with their ids."""

    @property
    def ids(self) -> tuple[Labels, ...] | None:
        """Id of each sample's object, an array (n_samples,) for each factor.

        None unless the data were made by `KroneckerData.from_frames`.
        """
        return None if self._frames is None else pair_ids(self._modes)

    def like(self, pairs: Any, left: Any = None, right: Any = None) -> Self:
        """Other pairs, encoded by the rule of this data set.

        Parameters
        ----------
        pairs : data frame
            With the columns of ids that the frame of pairs of this data set had.
        left, right : data frame, or tuple (data frame, matrix), optional
            Objects with the columns that the frames of this data set had.  An object that is in
            neither of them is looked up in this data set.

        Returns
        -------
        KroneckerData
            With ``len(pairs)`` samples.

        Raises
        ------
        ValueError
            This data set was not made by `KroneckerData.from_frames`; a frame has other columns,
            missing cells, unknown categories, or ids that occur twice; or an id is unknown.
        TypeError
            A column has another kind of values than before, or an argument is no data frame.

        Notes
        -----
        To see what a column tells a model, score pairs whose objects have that column shuffled::

            for column in drugs.columns.drop("drug"):
                shuffled = drugs.assign(**{column: rng.permutation(drugs[column])})
                print(column, model.score(data.like(pairs, left=shuffled), y))

        Examples
        --------
        >>> import pandas as pd
        >>> from kroncy import KroneckerData
        >>> drugs = pd.DataFrame({"drug": ["a", "b"], "weight": [1.0, 2.0]})
        >>> pairs = pd.DataFrame({"one": ["a"], "two": ["b"]})
        >>> data = KroneckerData.from_frames(
        ...     drugs, drugs, pairs, left_on=("drug", "one"), right_on=("drug", "two"),
        ...     normalize=False,
        ... )
        >>> new = pd.DataFrame({"drug": ["c"], "weight": [5.0]})
        >>> data.like(pd.DataFrame({"one": ["c"], "two": ["b"]}), left=new).to_dense()
        array([[10.]])
        """
        modes, frames = like_pairs(
            self._modes, self._require_frames(), pairs, (left, right),
            normalize=self._normalize, bias=self._bias,
        )  # fmt: skip
        return self._new(modes, self._normalize, self._bias, frames)

    def by_pair(self, values: ArrayLike, columns: Any = None) -> Any:
        """Values of the samples with their ids, in pandas.

        Parameters
        ----------
        values : array-like of shape (n_samples,) or (n_samples, k)
            A value, or several, for each sample.
        columns : sequence, optional
            Names of the values of a sample, such as `classes_` for probabilities.

        Returns
        -------
        pandas.Series or pandas.DataFrame
            With an index of the ids of both objects.  A Series if there is one value for each
            sample, without a name.

        Raises
        ------
        ValueError
            This data set was not made by `KroneckerData.from_frames`, there is not a value for
            each sample, or not a name for each of its values.
        TypeError
            `columns` is no sequence.
        ImportError
            pandas is not installed.

        Notes
        -----
        pandas aligns by index: with the measured values ``data.by_pair(y)``, predictions can be
        subtracted; with ``y``, whose index is another one, they cannot.

        Examples
        --------
        >>> import pandas as pd
        >>> from kroncy import KroneckerData
        >>> drugs = pd.DataFrame({"drug": ["a", "b"], "weight": [1.0, 2.0]})
        >>> pairs = pd.DataFrame({"one": ["a"], "two": ["b"]})
        >>> data = KroneckerData.from_frames(
        ...     drugs, drugs, pairs, left_on=("drug", "one"), right_on=("drug", "two")
        ... )
        >>> data.by_pair([0.5])
        one  two
        a    b      0.5
        dtype: float64
        """
        frames = self._require_frames()
        array = np.asarray(values)
        if array.shape[:1] != (self.n_samples,) or array.ndim > 2:
            raise ValueError(
                f"values must have a value for each of {self.n_samples} samples, got shape "
                f"{array.shape}"
            )
        return by_pair(array, pair_ids(self._modes), frames.pair_columns, columns)

    def _require_frames(self) -> PairFrames:
        if self._frames is None:
            raise ValueError("only data made by KroneckerData.from_frames have ids and a rule")
        return self._frames
