"""A minimiser's day: an expensive function of many variables, stopped, continued and looked at."""

import numpy as np
import pytest

import kroncy.lrgd
from kroncy.plot import new_figure, plot_spectrum


class Simulation:
    """A function of 300 parameters of which three combinations matter, and its number of calls."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.directions = np.linalg.qr(rng.normal(size=(300, 3)))[0].T
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        a, b, c = self.directions @ x
        return (a - 1) ** 2 + 3 * (b + 2 - a) ** 2 + np.cosh(c)


def test_a_day(tmp_path):
    fun = Simulation()
    x0 = np.ones(300)

    # How many directions matter?
    found = kroncy.lrgd.identify_subspace(Simulation(), x0, random_state=0)
    assert found.rank == 3 and found.certified
    angles = np.linalg.svd(fun.directions @ found.basis, compute_uv=False)
    np.testing.assert_allclose(angles, 1, atol=1e-4)
    figure, axes = new_figure(1)
    plot_spectrum(found, axes[0])
    figure.savefig(tmp_path / "spectrum.png")
    labels = [text.get_text() for text in axes[0].get_legend().get_texts()]
    assert labels[0] == "subspace: rank 3" and any("gap: a factor of" in text for text in labels)

    # The night job is killed; in the morning it goes on without repeating a call.
    path = tmp_path / "run.checkpoint"

    class Killed(Exception):
        pass

    def kill(intermediate_result):
        if intermediate_result.nit == 3:
            raise Killed

    with pytest.raises(Killed) as stopped:
        kroncy.lrgd.minimize(fun, x0, checkpoint=path, callback=kill, random_state=0)
    assert fun(stopped.value.kroncy_x) < fun(x0)
    before = fun.calls
    result = kroncy.lrgd.minimize(fun, x0, resume=path)
    assert result.success and result.fun == pytest.approx(1, abs=1e-10)
    whole = Simulation()
    alone = kroncy.lrgd.minimize(whole, x0, random_state=0)
    np.testing.assert_array_equal(result.x, alone.x)
    assert fun.calls - before < whole.calls == alone.nfev < 300  # less than one gradient

    # With what is known now, a variation of the problem is cheap.
    again = kroncy.lrgd.minimize(Simulation(), x0 + 0.1, subspace=found, random_state=0)
    assert again.success and again.nfev < alone.nfev
