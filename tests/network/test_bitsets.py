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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pre_activations_above_a_threshold(dtype, monkeypatch):
    monkeypatch.setattr(bitsets, "ROWS", 3)
    z = np.random.default_rng(0).standard_normal((8, 70)).astype(dtype)
    z[0, 0] = dtype(0.1)  # at the threshold as the dtype rounds it: not above
    bits = bitsets.pack_above(z, 0.1, 4)
    np.testing.assert_array_equal(bits, bitsets.pack(z > dtype(0.1), 4))
    assert not bits[0, 0] & np.uint64(1)
