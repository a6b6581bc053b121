"""An iteration of the same mini-batch SGD in kroncy and in PyTorch, side by side in one run.

    python torch_sgd.py [d1e4] [d1e5] [small] [lowrank]       default: all four

Everyone trains the network of KroneckerSGD (squared loss, frozen signs, the threshold as a bias,
only W trained) on the same samples in the same batches, float32, 2 threads:

    kroncy lazy         C and G; one epoch of training has filled C
    kroncy explicit     W, rows expanded from the factors when they are read
    torch rows          W (m, d) and the rows X (n, d)
    torch bilinear      a^T W_r b without X: W as (p, m q), one GEMM and one bmm
    torch compressed    `torch rows` in coordinates of the rows' span, exact: thin SVD of each
                        factor, or a Cholesky factor of G where that has fewer columns
    torch kernel        z of all samples kept up to date from G: one GEMM an iteration, no W
    kroncy compressed   `explicit` in the coordinates of `torch compressed`

"by hand" writes the gradient out and adds it to the parameters in place; "autograd" is
loss.backward() and torch.optim.SGD.  Before any timing, all are checked to follow one trajectory.
Run alone on the machine: the first line says how much of two cores the process really got.
"""

import argparse
import json
import math

import numpy as np
import scipy
from iteration import cores_received, medians
from names import one_of

import kroncy
from kroncy import KroneckerData, KroneckerSGD

try:
    import torch
except ImportError:  # --help works without
    torch = None

THREADS = 2
BATCH = 32
LARGEST_STATE = 2e9  # bytes of W, beyond which the methods that hold it are left out
CONFIGS = {  # n samples, m neurons, factor widths p and q, rank of the factors
    "d1e4": (2048, 4096, (100, 100), None),
    "d1e5": (2048, 4096, (250, 400), None),
    "small": (8192, 4096, (8, 8), None),
    "lowrank": (4096, 4096, (1000, 1000), 8),
}


class Rows:
    """z = X w; parameters W (m, d)."""

    def __init__(self, rows, weights):
        self.rows, self.parameters = torch.as_tensor(rows), weights

    def forward(self, samples):
        self.batch = self.rows[samples]
        return self.batch @ self.parameters.T

    def add(self, change):
        self.parameters.addmm_(change.T, self.batch)

    def held(self):
        return self.rows, self.parameters


class Bilinear:
    """z_r = a^T W_r b; the parameters are W as (p, m q), so that each step has one large GEMM."""

    def __init__(self, factors, weights):
        self.left, self.right = (torch.as_tensor(factor) for factor in factors)
        p, q = self.left.shape[1], self.right.shape[1]
        self.parameters = weights.view(-1, p, q).transpose(0, 1).reshape(p, -1)

    def forward(self, samples):
        self.a, self.b = self.left[samples], self.right[samples]
        half = (self.a @ self.parameters).view(len(samples), -1, self.b.shape[1])
        return torch.bmm(half, self.b[:, :, None])[:, :, 0]

    def add(self, change):
        half = change[:, :, None] * self.b[:, None, :]
        self.parameters.addmm_(self.a.T, half.view(len(change), -1))

    def held(self):
        return self.left, self.right, self.parameters


class Kernel:
    """z of all samples, (n, m), changed by G wherever W would have changed."""

    def __init__(self, gram, preactivations):
        self.gram, self.parameters = torch.as_tensor(gram), preactivations

    def forward(self, samples):
        self.batch = samples
        return self.parameters[samples]

    def add(self, change):
        self.parameters.addmm_(self.gram[self.batch].T, change)

    def held(self):
        return self.gram, self.parameters


class Network:
    """The frozen parts: targets, signs, threshold, and the step length."""

    def __init__(self, y, signs, threshold, learning_rate):
        self.y, self.signs = (torch.as_tensor(v, dtype=torch.float32) for v in (y, signs))
        self.threshold, self.learning_rate = threshold, learning_rate

    def outputs(self, z):
        return torch.relu(z - self.threshold) @ self.signs / math.sqrt(len(self.signs))

    def by_hand(self, model):
        def step(samples):
            with torch.no_grad():
                z = model.forward(samples)
                error = self.outputs(z) - self.y[samples]
                error *= -self.learning_rate / len(samples) / math.sqrt(len(self.signs))
                model.add((z > self.threshold) * torch.outer(error, self.signs))

        return step

    def autograd(self, model):
        parameters = model.parameters.requires_grad_()
        optimizer = torch.optim.SGD([parameters], lr=self.learning_rate)

        def step(samples):
            error = self.outputs(model.forward(samples)) - self.y[samples]
            (0.5 * (error * error).mean()).backward()
            optimizer.step()
            optimizer.zero_grad()

        return step


def make_data(n, widths, rank, seed=0):
    """Dense factors of n random rows each; of low rank if `rank` is given."""
    rng = np.random.default_rng(seed)

    def factor(width):
        if rank is None:
            return rng.standard_normal((n, width), dtype=np.float32)
        rows, basis = rng.standard_normal((n, rank)), rng.standard_normal((rank, width))
        return (rows @ basis).astype(np.float32)

    return KroneckerData([factor(width) for width in widths])


def compress(data):
    """Data with the same inner products in fewer features, min(product of ranks, n)."""
    reduced = []
    for factor in data.factors:
        u, s, _ = scipy.linalg.svd(factor, full_matrices=False)
        rank = int((s > 1e-5 * s[0]).sum())
        reduced.append(u[:, :rank] * s[:rank])
    if math.prod(factor.shape[1] for factor in reduced) > len(data):
        root = np.linalg.cholesky(data.astype(np.float64).gram()).astype(np.float32)
        return KroneckerData(
            [root, np.ones((1, 1), np.float32)],
            [np.arange(len(data)), np.zeros(len(data), int)],
            normalize=False,
        )
    return KroneckerData(reduced, data.indices, normalize=False)


def kroncy_trainer(data, y, m, engine, **options):
    start = "gram" if engine == "lazy" else "gaussian"
    options = {"start": start, "random_state": 0, "n_threads": THREADS} | options
    return KroneckerSGD(data, y, n_hidden=m, engine=engine, **options)


def check():
    """All competitors take the same ten steps from the same W(0)."""
    for widths, rank in ((5, 7), None), ((9, 8), 2):
        n, m = 24, 128
        data, rng = make_data(n, widths, rank), np.random.default_rng(1)
        y, batches = rng.standard_normal(n), rng.integers(0, n, (10, 8))
        trainers = [
            kroncy_trainer(data, y, m, engine, start="gaussian", learning_rate=2.0, threshold=0.5)
            for engine in ("lazy", "explicit")
        ]
        weights = trainers[0].initial_weights(np.arange(m))
        x, small = data.to_dense(), compress(data).to_dense()
        assert small.shape[1] < x.shape[1]
        models = {
            "rows": lambda w, x=x: Rows(x, w),
            "bilinear": lambda w, data=data: Bilinear(data.factors, w),
            "compressed": lambda w, x=x, small=small: Rows(
                small, w @ torch.as_tensor(np.linalg.pinv(x, 1e-5) @ small)
            ),
            "kernel": lambda w, x=x: Kernel(x @ x.T, torch.as_tensor(x) @ w.T),
        }
        net = Network(y, trainers[0].signs, 0.5, 2.0)
        runs = []
        for name, model in models.items():
            for style in (net.by_hand, net.autograd) if name != "kernel" else (net.by_hand,):
                runs.append((model(torch.as_tensor(weights.copy())), style))
        steps = [style(model) for model, style in runs]
        began = trainers[0].outputs()
        for batch in batches:
            for trainer in trainers:
                trainer.step(batch)
            for step in steps:
                step(torch.as_tensor(batch))
            for trainer in trainers[1:]:
                np.testing.assert_allclose(trainer.outputs(), trainers[0].outputs(), atol=2e-5)
            for model, _ in runs:
                with torch.no_grad():
                    f = net.outputs(model.forward(torch.arange(n))).numpy()
                np.testing.assert_allclose(f, trainers[0].outputs(), atol=2e-5)
        assert np.abs(trainers[0].outputs() - began).max() > 0.1
    return len(runs) + len(trainers)


def competitors(data, y, m):
    """Name -> (features, bytes held, step, batch type) and the lazy trainer."""
    lazy = kroncy_trainer(data, y, m, "lazy").run(1)
    n, d, rate = len(data), data.n_features, lazy.learning_rate
    net, found = Network(y, lazy.signs, lazy.threshold, rate), {}

    def add_torch(name, features, model, *styles):
        held = sum(tensor.nbytes for tensor in model.held())
        for style in styles:
            found[f"torch {name}, {style}"] = features, held, getattr(net, style)(model)

    def add_explicit(name, data):
        trainer = kroncy_trainer(data, y, m, "explicit", learning_rate=rate)
        held = 4 * m * data.n_features + sum(f.nbytes for f in data.factors)
        found[name] = data.n_features, held, trainer.step

    nnz = lazy.coefficients.nnz
    found["kroncy lazy"] = d, 4 * n * m + 6 * nnz + 4 * n * n, lazy.step
    small = compress(data)
    if 4 * m * d < LARGEST_STATE:
        if m * d * n < 1e11:  # it reads all n samples once before training
            add_explicit("kroncy explicit", data)
        weights = torch.randn(m, d)
        add_torch("rows", d, Rows(data.to_dense(), weights), "by_hand", "autograd")
        bilinear = Bilinear(data.factors, weights.detach())
        add_torch("bilinear", d, bilinear, "by_hand", "autograd")
    if small.n_features < d:
        add_explicit("kroncy compressed", small)
        rows = Rows(small.to_dense(), torch.randn(m, small.n_features))
        add_torch("compressed", small.n_features, rows, "by_hand", "autograd")
    start = lazy.preactivations(np.arange(n))
    add_torch("kernel", n, Kernel(data.gram(), torch.as_tensor(start)), "by_hand")
    return found, nnz / (n * m)


def measure(name):
    """JSON lines of one configuration, each competitor against kroncy lazy."""
    n, m, widths, rank = CONFIGS[name]
    data, rng = make_data(n, widths, rank), np.random.default_rng(1)
    found, density = competitors(data, rng.standard_normal(n), m)
    order = np.concatenate([rng.permutation(n) for _ in range(4)]).reshape(-1, BATCH)

    def rounds(label, step, count):
        batches = [torch.as_tensor(b) if label.startswith("torch") else b for b in order]
        position = 0

        def call():
            nonlocal position
            for _ in range(count):
                step(batches[position % len(batches)])
                position += 1

        return call

    once = {label: rounds(label, step, 1) for label, (_, _, step) in found.items()}
    for call in once.values():
        call()
    first = {label: low for label, (_, low) in medians(once, 2).items()}
    counts = {label: max(1, min(32, int(40 / ms))) for label, ms in first.items()}
    each = sum(first[label] * count for label, count in counts.items())
    repeats = int(min(31, max(5, 12e3 / each))) // 2 * 2 + 1
    calls = {label: rounds(label, step, counts[label]) for label, (_, _, step) in found.items()}
    spread = medians(calls, repeats)
    assert torch.get_num_threads() == THREADS
    base = spread["kroncy lazy"][0] / counts["kroncy lazy"]
    for label, (features, held, _) in found.items():
        median, low = (ms / counts[label] for ms in spread[label])
        yield {
            "config": name, "n": n, "m": m, "d": data.n_features, "rank": rank, "batch": BATCH,
            "competitor": label.replace("_", " "), "features": features,
            "held_GB": round(held / 1e9, 3), "median_ms": round(median, 3),
            "min_ms": round(low, 3), "times kroncy lazy": round(median / base, 2),
            "density": round(density, 4), "repeats": repeats, "iterations": counts[label],
        }


def table(lines):
    """Markdown, one block a configuration."""
    for name in dict.fromkeys(line["config"] for line in lines):
        mine = [line for line in lines if line["config"] == name]
        top = mine[0]
        rank = f", factors of rank {top['rank']}" if top["rank"] else ""
        yield f"\n`{name}`: n = {top['n']}, m = {top['m']}, d = {top['d']}{rank}, " \
              f"batch {top['batch']}, C {100 * top['density']:.1f} % full\n"
        yield "| | features | state, GB | ms an iteration | least | over kroncy lazy |"
        yield "|---|---|---|---|---|---|"
        for line in sorted(mine, key=lambda line: line["median_ms"]):
            yield (
                f"| {line['competitor']} | {line['features']} | {line['held_GB']:.2f} | "
                f"{line['median_ms']:.2f} | {line['min_ms']:.2f} | "
                f"{line['times kroncy lazy']:.2f} |"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("configs", nargs="*", type=one_of(CONFIGS), metavar="config",
                        help=" ".join(CONFIGS))
    chosen = parser.parse_args().configs or list(CONFIGS)
    if torch is None:
        parser.error("PyTorch is not installed")
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    simd = kroncy.show_config(mode="dicts")["simd"]
    print(json.dumps({"cores": round(cores_received(), 2), "simd": simd,
                      "torch": torch.__version__, "numpy": np.__version__}), flush=True)
    print(json.dumps({"one trajectory": f"{check()} competitors"}), flush=True)
    results = []
    for config in chosen:
        for line in measure(config):
            print(json.dumps(line), flush=True)
            results.append(line)
    print(*table(results), sep="\n")
    print(json.dumps({"cores": round(cores_received(), 2)}))
