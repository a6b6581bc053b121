"""Results do not depend on the threads of BLAS and OpenMP, bit for bit, whatever they are."""

import os
import subprocess
import sys

SCRIPT = """
import hashlib
import numpy as np
import warnings
from kroncy import (
    KroneckerData, KroneckerClassifier, KroneckerLRGD, KroneckerRegressor, KroneckerSGD,
    KroneckerRidge, LimitKernelRegressor, ntk,
)

warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
pairs = [rng.integers(0, 150, 500), rng.integers(0, 120, 500)]
data = KroneckerData([rng.normal(size=(150, 700)), rng.normal(size=(120, 500))], pairs)
rows = KroneckerData.power(rng.normal(size=(400, 30)), bias=1.0)
y = rng.normal(size=500)


def say(name, *values):
    digest = hashlib.sha256()
    for value in values:
        digest.update(np.ascontiguousarray(value).tobytes())
    print(name, digest.hexdigest())


for start in ("gaussian", "gram"):
    for which, target in ((data, y), (rows, y[:400])):
        for engine in ("lazy", "tree", "explicit"):
            if engine == "explicit" and (start == "gram" or which is data):
                continue
            sgd = KroneckerSGD(
                which, target, n_hidden=256, start=start, engine=engine, random_state=0
            ).run(1)
            new = sgd.predict(which.take(range(90)))
            say(f"{start} {engine}", [sgd.learning_rate], sgd.outputs(), new)
model = KroneckerRegressor(256, max_iter=2, random_state=0).fit(data, y)
say("regressor", model.predict(data))
model = KroneckerClassifier(256, max_iter=2, random_state=0).fit(data, y > 0)
say("classifier", model.predict_proba(data))
newton = KroneckerSGD(
    rows, y[:400], n_hidden=256, solver="gauss-newton", batch_size=200, random_state=0
).run(2)
say("gauss-newton", newton.outputs())
say("lrgd", KroneckerLRGD(rows, y[:400], n_hidden=128, rank=5, random_state=0).run(5).outputs())
say("limit", LimitKernelRegressor(1e-3).fit(data, y).predict(data))
many = [rng.integers(0, 160, 15000), rng.integers(0, 110, 15000)]
many = KroneckerData([rng.normal(size=(160, 300)), rng.normal(size=(110, 300))], many)
target = rng.normal(size=15000)
say("ridge", KroneckerRidge(300.0).fit(many, target).predict(many))
limit = LimitKernelRegressor(10.0, solver="cg", tol=1e-3).fit(many, target)
say("limit by conjugate gradients", limit.predict(many.take(range(500))))
say("gram", data.gram(range(300)), ntk.tangent_kernel(newton, range(300)), ntk.movement(newton))
print("theory", repr(ntk.extreme_eigenvalues(ntk.limit_gram(rows, 1.0))))
print("suggest", repr(ntk.suggest(rows, y[:400], max_samples=200).settings))
"""


def test_the_same_bits_for_any_number_of_blas_threads():
    found = []
    for threads in ("1", "2"):
        limits = {f"{name}_NUM_THREADS": threads for name in ("OMP", "OPENBLAS", "MKL", "BLIS")}
        done = subprocess.run(
            [sys.executable, "-P", "-c", SCRIPT], env=os.environ | limits, capture_output=True,
            text=True, timeout=300,
        )
        assert done.returncode == 0, done.stderr
        found.append(done.stdout.splitlines())
    assert len(found[0]) == 19
    assert found[0] == found[1]
