"""matmul and Ctrl-C: a long product ends soon, and its parts are the product."""

import signal
import threading
import time

import numpy as np
import pytest

from kroncy.linalg import matmul, strassen


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers")
@pytest.mark.parametrize("options", [{}, {"levels": 0, "n_threads": 2}, {"levels": 2}])
def test_a_long_product_ends_soon_after_an_interrupt(options):
    assert threading.current_thread() is threading.main_thread()
    a = np.ones((60_000, 4000), np.float32)
    b, out = np.ones((4000, 2500), np.float32), np.empty((60_000, 2500), np.float32)
    fired = []

    def interrupt(*_):
        fired.append(time.perf_counter())
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    began = time.perf_counter()
    try:
        with pytest.raises(KeyboardInterrupt):
            matmul(a, b, out=out, **options)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    # On an idle core a part takes a fraction of a second, the whole product ten times as long.
    assert fired[0] - began < 5
    assert np.array_equal(matmul(a[:32], b), a[:32] @ b)


@pytest.mark.parametrize("shape", [(3000, 300, 600), (600, 300, 3000)])
def test_parts_are_equal_to_one_product_bit_for_bit(monkeypatch, shape):
    m, k, n = shape
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(m, k)), rng.normal(size=(k, n))
    whole = matmul(a, b)
    monkeypatch.setattr(strassen, "PART", m * k * n // 5)
    assert np.array_equal(matmul(a, b), whole)
    out = np.empty((m, n))
    assert matmul(a, b, out=out) is out and np.array_equal(out, whole)
