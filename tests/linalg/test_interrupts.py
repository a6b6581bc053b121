"""matmul and Ctrl-C: a long product ends soon, and its parts are the product."""

import signal
import threading

import numpy as np
import pytest
from reference_capi import api, at
from threadpoolctl import threadpool_limits

from kroncy.linalg import matmul, strassen


@pytest.mark.parametrize("options", [{}, {"levels": 0, "n_threads": 2}, {"levels": 2}])
def test_a_long_product_ends_soon_after_an_interrupt(options):
    assert threading.current_thread() is threading.main_thread()
    a = np.ones((60_000, 4000), np.float32)
    b, out = np.ones((4000, 2500), np.float32), np.empty((60_000, 2500), np.float32)
    out[...] = np.nan

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            matmul(a, b, out=out, **options)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert np.any(out != 4000)  # a product that does not look at signals is complete by then
    assert np.array_equal(matmul(a[:32], b), a[:32] @ b)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "shape", [(2000, 300, 777), (777, 300, 2000), (9001, 700, 17), (3, 900, 4000)]
)
def test_a_product_has_the_same_bits_for_any_number_of_threads(shape, dtype):
    m, k, n = shape
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(m, k)).astype(dtype), rng.normal(size=(k, n)).astype(dtype)
    whole = matmul(a, b, levels=0, n_threads=1)
    np.testing.assert_allclose(whole, a @ b, rtol=0, atol=np.finfo(dtype).eps * k * 10)
    for n_threads in (2, 5):
        assert np.array_equal(matmul(a, b, levels=0, n_threads=n_threads), whole)
    out = np.empty((m, n), dtype)
    assert matmul(a, b, levels=0, n_threads=2, out=out) is out and np.array_equal(out, whole)


@pytest.mark.parametrize("parts", [1, 3, 1000])
@pytest.mark.parametrize("rows", [1, 16, 1001])
def test_a_long_product_by_blas_is_made_in_parts(monkeypatch, rows, parts):
    """Python runs signal handlers between two of them."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(rows, 40)), rng.normal(size=(40, 777))
    monkeypatch.setattr(strassen, "LONG", a.size * 777 / parts)
    out = np.full((rows, 777), np.nan)
    assert matmul(a, b, levels=0, out=out) is out
    np.testing.assert_allclose(out, a @ b, rtol=0, atol=1e-13)
    np.testing.assert_allclose(matmul(a, b, levels=0), a @ b, rtol=0, atol=1e-13)


@pytest.mark.parametrize("shape", [(3400, 3001, 1111), (1111, 3001, 3400)])
def test_rounds_between_signals_have_the_bits_of_one_product(shape):
    """The C API does not look at signals: it makes the product in one round."""
    m, k, n = shape  # above 10**10 multiplications
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(m, k)).astype(np.float32), rng.normal(size=(k, n)).astype(np.float32)
    found = np.empty((m, n), np.float32)
    with threadpool_limits(1, user_api="blas"):
        assert api.matmul_f32(0, 0, m, n, k, at(a), k, at(b), n, at(found), n, 0, None, 0, 2) == 0
    assert np.array_equal(matmul(a, b, levels=0, n_threads=2), found)
    assert np.array_equal(matmul(a, b, levels=0, n_threads=1), found)
