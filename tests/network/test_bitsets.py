import numpy as np
import pytest

from kroncy.network import bitsets


@pytest.mark.parametrize("n_neurons", [1, 63, 64, 65, 200, 256])
def test_bits_come_back(n_neurons):
    fired = np.random.default_rng(n_neurons).random((5, n_neurons)) < 0.4
    bits = bitsets.pack(fired, 8)
    assert bits.shape == (5, 8) and bits.dtype == np.uint64
    np.testing.assert_array_equal(bitsets.unpack(bits, n_neurons), fired)
    assert bool(bits[0, 0] >> np.uint64(0) & np.uint64(1)) == fired[0, 0]
    assert bitsets.none_beyond(bits, n_neurons)


def test_bits_beyond_are_seen():
    bits = np.zeros((2, 4), dtype=np.uint64)
    bits[1, 1] = 1 << 6
    assert not bitsets.none_beyond(bits, 70)
    assert bitsets.none_beyond(bits, 71)
    assert not bitsets.none_beyond(bits, 64)
    bits[1, 3] = 1
    assert not bitsets.none_beyond(bits, 71) and not bitsets.none_beyond(bits, 192)
    assert bitsets.none_beyond(bits, 193)
