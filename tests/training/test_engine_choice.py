"""Engine and memory of a training, decided before it is made."""

import numpy as np
import pytest

from kroncy import KroneckerData, KroneckerSGD
from kroncy.training.planning import check_memory, resolve


def test_state_and_z0_count_together():
    rng = np.random.default_rng(7)
    data = KroneckerData([rng.standard_normal((40, 60)), rng.standard_normal((40, 50))])
    rows = data.astype(np.float32)
    plan, engine = resolve(rows, "gaussian", "lazy", False, 512, 1.0, False)
    assert check_memory(plan, engine, 512, 1.0, None) is None
    state = 2**30 - check_memory(plan, engine, 512, 1.0, 2**30)
    assert 0 < plan.nbytes < state
    options = {
        "n_hidden": 512, "threshold": 1.0, "start": "gaussian", "engine": "lazy", "compress": False,
    }
    KroneckerSGD(data, np.zeros(40), memory_limit=state + plan.nbytes, **options)
    with pytest.raises(MemoryError, match="memory_limit"):
        KroneckerSGD(data, np.zeros(40), memory_limit=state + plan.nbytes - 1, **options)
