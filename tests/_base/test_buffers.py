import numpy as np
import pytest

from kroncy._base._buffers import aligned_empty


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint16, np.int64])
@pytest.mark.parametrize("shape", [(1,), (3, 5), (7, 1, 2), (0, 4), (1000, 33)])
def test_arrays_begin_on_a_cache_line(shape, dtype):
    for _ in range(5):
        array = aligned_empty(shape, dtype)
        assert array.shape == shape and array.dtype == dtype
        assert array.flags.c_contiguous and array.flags.writeable
        assert array.ctypes.data % 64 == 0 or not array.size
        array[...] = 1
