"""Engine and memory of a training, decided before it is made."""

from dataclasses import replace

import numpy as np
import pytest

from kroncy import KroneckerData, KroneckerSGD
from kroncy.network.planning import check_memory, resolve
from kroncy.network.settings import NetworkSettings


def test_state_and_z0_count_together():
    rng = np.random.default_rng(7)
    data = KroneckerData([rng.standard_normal((40, 60)), rng.standard_normal((40, 50))])
    rows = data.astype(np.float32)
    options = {
        "n_hidden": 512, "threshold": 1.0, "start": "gaussian", "engine": "lazy", "compress": False,
    }
    settings = NetworkSettings(**options)
    plan, engine = resolve(rows, settings)
    assert engine == "lazy" and check_memory(plan, settings) is None
    state = 2**30 - check_memory(plan, replace(settings, memory_limit=2**30))
    assert 0 < plan.nbytes < state
    KroneckerSGD(data, np.zeros(40), memory_limit=state + plan.nbytes, **options)
    with pytest.raises(MemoryError, match="memory_limit"):
        KroneckerSGD(data, np.zeros(40), memory_limit=state + plan.nbytes - 1, **options)
