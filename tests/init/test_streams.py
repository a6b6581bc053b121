"""Streams of normals against NumPy's own generators."""

import numpy as np

from kroncy.init.streams import Streams


def test_streams_are_philox_of_seed_and_neuron():
    for dtype in (np.float32, np.float64):
        drawn = Streams(7, 40, False, dtype, 2).normals([5, 39], 10001)
        for neuron, row in zip([5, 39], drawn, strict=True):
            generator = np.random.Generator(np.random.Philox(key=[7, neuron]))
            assert np.array_equal(row, generator.standard_normal(10001, dtype=dtype))
