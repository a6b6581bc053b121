"""Plain NumPy twins of kroncy.linalg.matmul."""

import numpy as np


def strassen_winograd(a, b, levels):
    """The recursion of Higham, sec. 23.1, with strips peeled off at the top."""
    unit = 2**levels
    if min(*a.shape, b.shape[1]) < unit:
        return strassen_winograd(a, b, levels - 1)
    m, k, n = (size - size % unit for size in (*a.shape, b.shape[1]))
    c = np.empty((a.shape[0], b.shape[1]), a.dtype)
    c[:m, :n] = _recurse(a[:m, :k], b[:k, :n], levels) + a[:m, k:] @ b[k:, :n]
    c[:m, n:] = a[:m] @ b[:, n:]
    c[m:] = a[m:] @ b
    return c


def _recurse(a, b, levels):
    if levels == 0:
        return a @ b
    m, k, n = a.shape[0] // 2, a.shape[1] // 2, b.shape[1] // 2
    a11, a12, a21, a22 = a[:m, :k], a[:m, k:], a[m:, :k], a[m:, k:]
    b11, b12, b21, b22 = b[:k, :n], b[:k, n:], b[k:, :n], b[k:, n:]
    s1 = a21 + a22
    s2 = s1 - a11
    t1 = b12 - b11
    t2 = b22 - t1
    pairs = [
        (a11, b11), (a12, b21), (a12 - s2, b22), (a22, b21 - t2), (s1, t1), (s2, t2),
        (a11 - a21, b22 - b12),
    ]  # fmt: skip
    p1, p2, p3, p4, p5, p6, p7 = (_recurse(s, t, levels - 1) for s, t in pairs)
    u2 = p1 + p6
    u3 = u2 + p7
    return np.block([[p1 + p2, u2 + p5 + p3], [u3 + p4, u3 + p5]])


def error_bound(a, b, levels):
    """Winograd's bound (Higham, theorem 23.3) on the largest error of an entry of a b."""
    k = a.shape[1]
    k0 = -(-k // 2**levels)
    growth = 18**levels * (k0**2 + 6 * k0) - 6 * k if levels else k**2
    return growth * (np.finfo(a.dtype).eps / 2) * np.abs(a).max() * np.abs(b).max()
