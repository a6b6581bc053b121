"""One competitor of compare.py in a process of its own: reads a problem, prints one JSON line.

NumPy is all that it needs beyond the competitor's own package (SciPy for two of them).
"""

import json
import math
import sys
import time

import numpy as np

M = 1024  # neurons of every network of ours and of PyTorch
BATCH = 32
STAGES = 40  # of boosting
RATES = (0.25, 1.0, 4.0)  # times kroncy's automatic step; for Adam times 1e-3
THRESHOLD = math.sqrt(0.4 * math.log(M))


class Problem:
    """Arrays f0, f1 of factor rows, i0, i1 of pairs, y, and split: a position in PARTS."""

    def __init__(self, path, gigabytes):
        with np.load(path, allow_pickle=False) as stored:
            self.arrays = dict(stored)
        self.factors = [self.arrays["f0"], self.arrays["f1"]]
        self.indices = [self.arrays["i0"], self.arrays["i1"]]
        self.y, split = self.arrays["y"], self.arrays["split"]
        self.parts = {name: np.flatnonzero(split == k) for k, name in enumerate(PARTS)}
        self.classify = bool(self.arrays["classify"])
        self.d = math.prod(f.shape[1] for f in self.factors)
        self.limit = gigabytes * 1e9

    def require(self, n_bytes, what):
        if n_bytes > self.limit:
            raise MemoryError(
                f"{what} would take {n_bytes / 1e9:.1f} GB, the limit is {self.limit / 1e9:.0f} GB"
            )

    def rows(self, part):
        """The Kronecker rows themselves."""
        some = self.parts[part]
        a, b = (f[i[some]] for f, i in zip(self.factors, self.indices, strict=True))
        return (a[:, :, None] * b[:, None, :]).reshape(len(some), -1)

    def gram(self, left, right):
        product = 1.0
        for f, i in zip(self.factors, self.indices, strict=True):
            product = product * (f[i[self.parts[left]]] @ f[i[self.parts[right]]].T)
        return product

    def score(self, part, outputs):
        y = self.y[self.parts[part]]
        if not self.classify:
            return float(1 - np.mean((outputs - y) ** 2) / np.var(y))
        rank = np.empty(len(y))
        rank[np.argsort(outputs, kind="stable")] = np.arange(1, len(y) + 1)
        ones = y.sum()
        return float((rank[y == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(y) - ones)))


PARTS = ("train", "valid", "test")


def train(problem, make, settings, options):
    """The best setting of a network by its validation score; each gets the same seconds."""
    best = None
    for setting in settings:
        began = time.perf_counter()
        epoch, outputs = make(setting)
        setup = spent = time.perf_counter() - began
        seconds, reached, top = [], None, (-np.inf, None)
        while not seconds or (sum(seconds) < options["seconds"] and len(seconds) < 100):
            began = time.perf_counter()
            epoch()
            seconds.append(time.perf_counter() - began)
            spent += seconds[-1]
            valid = problem.score("valid", outputs("valid"))
            if not math.isfinite(valid):
                break
            if reached is None and valid >= options["target"]:
                reached = spent
            top = max(top, (valid, problem.score("test", outputs("test"))))
        found = {
            "setting": setting, "valid": top[0], "test": top[1], "epochs": len(seconds),
            "setup_seconds": setup, "epoch_seconds": float(np.median(seconds)),
            "seconds_to_target": reached,
        }  # fmt: skip
        if best is None or top[0] > best["valid"]:
            best = found
    return best


# -- competitors ----------------------------------------------------------------------------------


def kroncy_sgd(problem, options, engine="auto"):
    from kroncy import KroneckerData, KroneckerSGD

    if "k0" in problem.arrays:
        kernels = [problem.arrays["k0"], problem.arrays["k1"]]
        data = KroneckerData.from_kernels(kernels, problem.indices, normalize=False)
    else:
        data = KroneckerData(problem.factors, problem.indices, normalize=False)
    parts = {name: data.take(some) for name, some in problem.parts.items()}

    def make(rate):
        sgd = KroneckerSGD(
            parts["train"], problem.y[problem.parts["train"]], n_hidden=M, engine=engine,
            loss="logistic" if problem.classify else "squared", antithetic=True, n_threads=2,
            learning_rate=rate * options["rate"], batch_size=BATCH, random_state=0,
        )  # fmt: skip
        bound = {}

        def outputs(part):
            if part not in bound:
                bound[part] = sgd.bind(parts[part])
            return bound[part].outputs()

        make.engine = sgd.engine
        return lambda: sgd.run(1), outputs

    found = train(problem, make, RATES, options)
    return found | {"note": f"engine {make.engine}"}


def torch_network(problem, options, features):
    """The same network and SGD, the gradient by hand; `features` says what W multiplies."""
    import torch

    torch.set_num_threads(2)
    if features == "bilinear":
        problem.require(4 * M * problem.d, "W")
        tensors = [torch.as_tensor(f) for f in problem.factors]
        q = tensors[1].shape[1]
    else:
        made = dense_rows(problem) if features == "rows" else compressed_rows(problem)
        x = {name: torch.as_tensor(part) for name, part in made.items()}
    y = torch.as_tensor(problem.y[problem.parts["train"]], dtype=torch.float32)
    n = len(y)

    def make(rate):
        generator = torch.Generator().manual_seed(0)
        signs = torch.ones(M)
        signs[1::2] = -1  # neurons in pairs of equal weights and opposite signs: f = 0 at first
        width = problem.d if features == "bilinear" else x["train"].shape[1]
        w = torch.randn(M // 2, width, generator=generator).repeat_interleave(2, 0)
        if features == "bilinear":
            w = w.view(M, -1, q).transpose(0, 1).reshape(-1, M * q)

        def forward(part, some):
            if features != "bilinear":
                batch = x[part][some]
                return batch, batch @ w.T
            chosen = problem.parts[part][some.numpy()]
            a, b = (t[torch.as_tensor(i[chosen])] for t, i in zip(tensors, problem.indices))  # noqa: B905
            half = (a @ w).view(len(some), M, q)
            return (a, b), torch.bmm(half, b[:, :, None])[:, :, 0]

        def output(z):
            return torch.relu(z - THRESHOLD) @ signs / math.sqrt(M)

        def epoch():
            for some in torch.randperm(n, generator=generator).split(BATCH):
                batch, z = forward("train", some)
                f = output(z)
                error = (torch.sigmoid(f) if problem.classify else f) - y[some]
                error *= -rate * options["rate"] / len(some) / math.sqrt(M)
                change = (z > THRESHOLD) * torch.outer(error, signs)
                if features == "bilinear":
                    change = change[:, :, None] * batch[1][:, None, :]
                    w.addmm_(batch[0].T, change.view(len(some), -1))
                else:
                    w.addmm_(change.T, batch)

        def outputs(part):
            chunks = torch.arange(len(problem.parts[part])).split(256)
            return torch.cat([output(forward(part, some)[1]) for some in chunks]).numpy()

        return epoch, outputs

    with torch.no_grad():
        found = train(problem, make, RATES, options)
    if features == "compressed":
        found["note"] = f"{x['train'].shape[1]} coordinates"
    return found


def dense_rows(problem):
    n = sum(len(some) for some in problem.parts.values())
    problem.require(4 * problem.d * (n + M), f"{n} rows of {problem.d} features and W")
    return {name: problem.rows(name) for name in PARTS}


def compressed_rows(problem):
    """Coordinates in the rows' span: thin SVD of factors, or a Cholesky factor of G if shorter."""
    from scipy import linalg

    reduced = []
    for factor in problem.factors:
        u, s, _ = linalg.svd(factor, full_matrices=False)
        rank = int((s > 1e-5 * s[0]).sum())
        reduced.append((u[:, :rank] * s[:rank]).astype(np.float32))
    n = len(problem.parts["train"])
    if math.prod(f.shape[1] for f in reduced) <= n:
        problem.factors = reduced
        return {name: problem.rows(name) for name in PARTS}
    gram = problem.gram("train", "train").astype(np.float64)
    root = linalg.cholesky(gram + 1e-5 * np.eye(n), lower=True)
    return {
        name: linalg.solve_triangular(root, problem.gram("train", name), lower=True).T
        .astype(np.float32, order="C")
        for name in PARTS
    }  # fmt: skip


def sklearn_mlp(problem, options):
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    x = dense_rows(problem)
    y = problem.y[problem.parts["train"]]
    scale = math.sqrt(problem.d)  # unit rows have entries near 1 / sqrt(d); Adam wants them near 1
    x = {name: part * np.float32(scale) for name, part in x.items()}

    def make(rate):
        kind = MLPClassifier if problem.classify else MLPRegressor
        model = kind(
            hidden_layer_sizes=(100,), learning_rate_init=1e-3 * rate, batch_size=BATCH,
            random_state=0,
        )
        more = {"classes": [0, 1]} if problem.classify else {}

        def outputs(part):
            if problem.classify:
                return model.predict_proba(x[part])[:, 1]
            return model.predict(x[part])

        return lambda: model.partial_fit(x["train"], y, **more), outputs

    return train(problem, make, RATES, options)


def kernel_ridge(problem, options):
    """Conjugate gradients on (G + lambda I), G v by the vec trick: n (u_a + u_b) multiply-adds."""
    from scipy import sparse
    from scipy.sparse.linalg import LinearOperator, cg

    began = time.perf_counter()
    some = problem.parts["train"]
    used = [np.unique(i[some], return_inverse=True) for i in problem.indices]
    kernels = [f @ f[u].T for f, (u, _) in zip(problem.factors, used, strict=True)]
    (left, la), (right, lb) = used

    def multiply(v, part):
        rows = [i[problem.parts[part]] for i in problem.indices]
        objects, place = np.unique(rows[0], return_inverse=True)
        scattered = sparse.csr_array((np.ravel(v), (la, lb)), shape=(len(left), len(right)))
        half = (scattered.T @ kernels[0][objects].T).T
        return np.einsum("ij,ij->i", half[place], kernels[1][rows[1]])

    y = problem.y[some].astype(np.float64)
    mean, n = y.mean(), len(y)
    setup = time.perf_counter() - began
    best = None
    for ridge in (0.01, 0.1, 1.0, 10.0):
        began = time.perf_counter()
        operator = LinearOperator((n, n), lambda v, r=ridge: multiply(v, "train") + r * np.ravel(v))
        v, _ = cg(operator, y - mean, rtol=1e-4, maxiter=100)
        seconds = time.perf_counter() - began + setup
        valid = problem.score("valid", multiply(v, "valid") + mean)
        found = {
            "setting": ridge, "valid": valid, "setup_seconds": setup, "epoch_seconds": None,
            "test": problem.score("test", multiply(v, "test") + mean), "epochs": None,
            "seconds_to_target": seconds if valid >= options["target"] else None,
            "note": f"solved in {seconds:.2f} s",
        }  # fmt: skip
        if best is None or valid > best["valid"]:
            best = found
    return best


def boosting(problem, options):
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    def table(part):
        rows = [i[problem.parts[part]] for i in problem.indices]
        return np.hstack([f[r] for f, r in zip(problem.factors, rows, strict=True)])

    x = {name: table(name) for name in PARTS}
    y = problem.y[problem.parts["train"]]
    kind = HistGradientBoostingClassifier if problem.classify else HistGradientBoostingRegressor
    best = None
    for rate in (0.1, 0.2):
        began = time.perf_counter()
        model = kind(learning_rate=rate, max_iter=STAGES, random_state=0, early_stopping=False)
        model.fit(x["train"], y)
        seconds = time.perf_counter() - began
        stages = {}
        for part in ("valid", "test"):
            if problem.classify:
                outputs = (p[:, 1] for p in model.staged_predict_proba(x[part]))
            else:
                outputs = model.staged_predict(x[part])
            stages[part] = [problem.score(part, f) for f in outputs]
        passed = np.flatnonzero(np.array(stages["valid"]) >= options["target"])
        at = int(np.argmax(stages["valid"]))
        found = {
            "setting": rate, "valid": stages["valid"][at], "test": stages["test"][at],
            "epochs": at + 1, "setup_seconds": 0.0, "epoch_seconds": seconds / STAGES,
            "seconds_to_target": seconds * (passed[0] + 1) / STAGES if len(passed) else None,
            "note": "an epoch is a stage of trees",
        }  # fmt: skip
        if best is None or found["valid"] > best["valid"]:
            best = found
    return best


METHODS = {
    "kroncy": kroncy_sgd,
    "torch rows": lambda p, o: torch_network(p, o, "rows"),
    "torch bilinear": lambda p, o: torch_network(p, o, "bilinear"),
    "torch compressed": lambda p, o: torch_network(p, o, "compressed"),
    "sklearn MLP, rows": sklearn_mlp,
    "kernel ridge, CG": kernel_ridge,
    "gradient boosting": boosting,
}


def resident(name):
    """kB of this process; unlike ru_maxrss it starts anew with the program (Linux)."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name))


def main():
    method, path, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    problem = Problem(path, options["gigabytes"])
    before = resident("VmRSS")
    try:
        found = METHODS[method](problem, options)
    except (ImportError, MemoryError, ValueError, RuntimeError) as error:
        found = {"error": f"{type(error).__name__}: {error}"}
    found["memory_MB"] = round((resident("VmHWM") - before) / 1024)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
