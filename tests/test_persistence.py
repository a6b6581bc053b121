"""save and load: whole, exact, and clear about every file that is not a model."""

import io
import json
import os
import threading
import zipfile

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression

import kroncy
from kroncy import KroneckerClassifier, KroneckerData, KroneckerRegressor, KroneckerSGD
from kroncy.persistence import digest, read_model, write_model

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4))
Y = X[:, 0] * X[:, 1] + X[:, 2]
OPTIONS = {"n_hidden": 64, "max_iter": 4, "random_state": 0, "n_threads": 1}


@pytest.fixture(scope="module")
def fitted():
    return KroneckerRegressor(**OPTIONS).fit(X, Y)


@pytest.fixture
def stored(fitted, tmp_path):
    path = tmp_path / "model.npz"
    kroncy.save(fitted, path)
    return path


def members(path):
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


def rewrite(path, changes):
    np.savez(path, **(members(path) | changes))


def as_json(value):
    return np.frombuffer(json.dumps(value).encode(), dtype=np.uint8)


def header_of(path):
    return json.loads(members(path)["header"].tobytes())


def test_regressor_round_trip(fitted, stored):
    loaded = kroncy.load(stored)
    assert type(loaded) is KroneckerRegressor
    assert loaded.get_params() == fitted.get_params()
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))
    for name in ("n_iter_", "loss_curve_", "validation_scores_", "best_validation_score_",
                 "n_features_in_", "learning_rate_init_"):
        assert getattr(loaded, name) == getattr(fitted, name)


@pytest.mark.parametrize("kind", [str, object, np.int64])
def test_classifier_round_trip(kind, tmp_path):
    labels = np.digitize(Y, [-0.5, 0.5])
    labels = labels if kind is np.int64 else labels.astype(str).astype(kind)
    model = KroneckerClassifier(layout=(1, 3), **OPTIONS).fit(X, labels)
    kroncy.save(model, tmp_path / "model")
    loaded = kroncy.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.classes_.dtype == model.classes_.dtype
    assert loaded.layout == (1, 3)


def test_kernels_and_frames_round_trip(tmp_path):
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = KroneckerRegressor(**OPTIONS).fit(frame, Y)
    kroncy.save(model, tmp_path / "model")
    assert kroncy.load(tmp_path / "model").feature_names_in_.tolist() == list("abcd")
    data = KroneckerData.from_kernels([X[:20] @ X[:20].T] * 2, RNG.integers(20, size=(2, 60)))
    model = KroneckerRegressor(**OPTIONS).fit(data, Y[:60])
    kroncy.save(model, tmp_path / "model")
    loaded = kroncy.load(tmp_path / "model")
    assert loaded.n_features_in_ == 20 * 20
    np.testing.assert_array_equal(loaded.predict(data), model.predict(data))


def test_trainer_goes_on_bit_for_bit(tmp_path):
    def new():
        return KroneckerSGD(
            KroneckerData.power(X), Y, n_hidden=64, random_state=0, skip=0.5, weight_decay=1e-3
        )

    whole, half = new().run(4), new().run(2)
    kroncy.save(half, tmp_path / "trainer")
    loaded = kroncy.load(tmp_path / "trainer").run(2)
    np.testing.assert_array_equal(loaded.outputs(), whole.outputs())
    assert [epoch["loss"] for epoch in loaded.history] == [e["loss"] for e in whole.history]


def test_loaded_estimator_can_go_on(fitted, stored):
    loaded = kroncy.load(stored).partial_fit(X[:40], Y[:40])
    assert loaded.n_iter_ == fitted.n_iter_ + 1


def test_checkpoint_holds_the_best_and_the_last_state(tmp_path):
    noisy = Y + 3 * RNG.normal(size=len(Y))
    outputs, path = [], tmp_path / "model"

    def keep(model):
        outputs.append(model.trainer_.outputs())
        write_model(model, path, {"from": "test"}, resumable=True)
        np.testing.assert_array_equal(model.trainer_.outputs(), outputs[-1])

    options = OPTIONS | {"max_iter": 12, "n_iter_no_change": 12, "learning_rate": "constant"}
    model = KroneckerRegressor(**options).fit(X, noisy, monitor=keep)
    best = int(np.argmax(model.validation_scores_))
    assert best < len(outputs) - 1
    np.testing.assert_array_equal(kroncy.load(path).trainer_.outputs(), outputs[best])
    last, note = read_model(path, resume=True)
    np.testing.assert_array_equal(last.trainer_.outputs(), outputs[-1])
    assert note == {"from": "test"} and last.n_iter_ == 12


def test_model_arrays_are_plain(stored):
    assert all(array.dtype != object for array in members(stored).values())


def test_every_truncation_is_found(stored):
    whole = stored.read_bytes()
    for size in np.linspace(0, len(whole) - 1, 60).astype(int):
        stored.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"model\.npz"):
            kroncy.load(stored)


def test_every_flipped_byte_is_found_or_harmless(fitted, stored):
    whole, expected = stored.read_bytes(), fitted.predict(X)
    for position in np.random.default_rng(1).integers(len(whole), size=200):
        stored.write_bytes(
            whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :]
        )
        try:
            loaded = kroncy.load(stored)
        except ValueError as error:
            assert "model.npz" in str(error)
        else:  # a byte of the archive that carries nothing, such as a time stamp
            np.testing.assert_array_equal(loaded.predict(X), expected)


def test_tampered_array_is_found(stored):
    values = members(stored)["array.best.c_values"]
    rewrite(stored, {"array.best.c_values": values * 1.001})
    with pytest.raises(ValueError, match="checksum"):
        kroncy.load(stored)


def test_added_member_is_found(stored):
    rewrite(stored, {"array.extra": np.zeros(3)})
    with pytest.raises(ValueError, match="checksum"):
        kroncy.load(stored)


@pytest.mark.parametrize(
    ("version", "advice"),
    [([2, 3], "install a newer kroncy"), ([0, 9], "use the version of kroncy that wrote it")],
)
def test_other_major_version_is_rejected(stored, version, advice):
    rewrite(stored, {"header": as_json(header_of(stored) | {"version": version})})
    major, minor = version
    message = rf"version {major}\.{minor}, but kroncy {kroncy.__version__} reads 1\.x: .*{advice}"
    with pytest.raises(ValueError, match=message):
        kroncy.load(stored)


@pytest.mark.parametrize(
    "header", [[], {}, {"format": "other"}, {"format": "kroncy model"}, {"format": None}]
)
def test_foreign_header_is_refused(stored, header):
    rewrite(stored, {"header": as_json(header)})
    with pytest.raises(ValueError, match="not a model file of kroncy"):
        kroncy.load(stored)


def test_unknown_model_class_is_refused(stored):
    rewrite(stored, {"header": as_json(header_of(stored) | {"model": "Pickle"})})
    with pytest.raises(ValueError, match=r"'Pickle', which is not a model of this kroncy$"):
        kroncy.load(stored)
    rewrite(stored, {"header": as_json(header_of(stored) | {"model": "Later", "version": [1, 9]})})
    with pytest.raises(ValueError, match=r"'Later'.*: a newer one wrote the file$"):
        kroncy.load(stored)


def test_foreign_files_are_refused(tmp_path):
    path = tmp_path / "file"
    other, pickled, plain = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.savez(other, a=np.zeros(3))
    np.savez(pickled, header=np.array([{"a": 1}], dtype=object))
    with zipfile.ZipFile(plain, "w") as archive:
        archive.writestr("header", "hello")
    for content in (b"", b"text", other.getvalue(), pickled.getvalue(), plain.getvalue()):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="file"):
            kroncy.load(path)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        kroncy.load(tmp_path / "none.npz")


def test_only_fitted_models_of_kroncy_are_saved(tmp_path):
    path = tmp_path / "model"
    with pytest.raises(TypeError, match="KroneckerRegressor"):
        kroncy.save(LinearRegression(), path)
    with pytest.raises(NotFittedError):
        kroncy.save(KroneckerRegressor(), path)
    assert not list(tmp_path.iterdir())


def test_failed_save_leaves_the_old_file(fitted, stored):
    before = stored.read_bytes()
    model = KroneckerRegressor(**(OPTIONS | {"random_state": np.random.RandomState(0)})).fit(X, Y)
    with pytest.raises(TypeError, match="RandomState"):
        kroncy.save(model, stored)
    assert stored.read_bytes() == before
    assert [path.name for path in stored.parent.iterdir()] == ["model.npz"]


def test_a_link_stays_and_permissions_are_kept(fitted, stored):
    stored.write_bytes(b"")
    stored.chmod(0o640)
    link = stored.with_name("link.npz")
    link.symlink_to(stored.name)
    kroncy.save(fitted, link)
    assert link.is_symlink() and stored.stat().st_mode & 0o777 == 0o640
    np.testing.assert_array_equal(kroncy.load(stored).predict(X), fitted.predict(X))


def test_a_pipe_is_written_to(fitted, tmp_path):
    pipe, copy = tmp_path / "pipe", tmp_path / "copy"
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: copy.write_bytes(pipe.read_bytes()), daemon=True)
    reader.start()
    kroncy.save(fitted, pipe)
    reader.join(60)
    assert pipe.is_fifo()
    np.testing.assert_array_equal(kroncy.load(copy).predict(X), fitted.predict(X))


def test_interrupted_write_leaves_the_old_file(fitted, stored, monkeypatch):
    before = stored.read_bytes()

    def interrupt(stream, **_):
        stream.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("kroncy.persistence.np.savez", interrupt)
    with pytest.raises(KeyboardInterrupt):
        kroncy.save(fitted, stored)
    assert stored.read_bytes() == before
    assert [path.name for path in stored.parent.iterdir()] == ["model.npz"]


# -- forged files, whose checksum matches ---------------------------------------------------------


def forge(path, *, meta=None, arrays=None):
    """Write the file again with other values, and a checksum of these."""
    changed = {key: array for key, array in members(path).items() if key != "checksum"}
    if meta is not None:
        values = json.loads(changed["meta"].tobytes())
        meta(values)
        changed["meta"] = as_json(values)
    if arrays is not None:
        arrays(changed)
    np.savez(path, **changed, checksum=np.frombuffer(digest(changed), dtype=np.uint8))


def wrap_around(arrays):
    """Row ends whose differences, in int64, are all positive, although they are far apart."""
    ends = arrays["array.best.c_indptr"].astype(np.int64)
    ends[1:5] = 2**63 - 1, -(2**63), -1, 0
    arrays["array.best.c_indptr"] = ends


FORGED_META = {
    "an unknown parameter": lambda meta: meta["parameters"].update(depth=3),
    "a parameter out of range": lambda meta: meta["parameters"].update(max_iter=-1),
    "an odd number of neurons": lambda meta: meta["parameters"].update(n_hidden="many"),
    "too many threads": lambda meta: meta["parameters"].update(n_threads=10**9, layout=3),
    "a layout": lambda meta: meta["parameters"].update(layout=[True, 3]),
    "an unknown attribute": lambda meta: meta["values"].update(predict=3),
    "no attribute": lambda meta: meta["values"].pop("n_iter_"),
    "epochs": lambda meta: meta["values"].update(n_iter_=7),
    "a loss": lambda meta: meta["values"].update(loss_curve_=["low"]),
    "columns": lambda meta: meta["values"].update(n_features_in_=17),
    "a seed": lambda meta: meta["values"].update(_seed=-1),
    "a score": lambda meta: meta.update(scores=[float("nan"), 0]),
    "batches": lambda meta: meta["trainer"]["best"].update(batch_size=10**18),
    "an engine": lambda meta: meta["trainer"]["best"]["network"]["settings"].update(engine="auto"),
    "a generator": lambda meta: meta["trainer"]["best"]["generator"]["state"].update(inc=2),
    "no state": lambda meta: meta.pop("trainer"),
}
FORGED_ARRAYS = {
    "row ends": wrap_around,
    "a foreign member": lambda arrays: arrays.update(more=np.zeros(3)),
    "a foreign array": lambda arrays: arrays.update({"array.best.more": np.zeros(3)}),
    "a foreign attribute": lambda arrays: arrays.update({"array.attribute.fit": np.zeros(3)}),
    "no values": lambda arrays: arrays.pop("array.best.c_values"),
    "a spread": lambda arrays: arrays.update({"array.attribute._y_scale": np.array(0.0)}),
    "dates": lambda arrays: arrays.update({"array.best.signs": np.zeros(64, "M8[s]")}),
    "no meta": lambda arrays: arrays.pop("meta"),
}


@pytest.mark.parametrize("change", FORGED_META.values(), ids=FORGED_META)
def test_forged_values_are_refused(stored, change):
    forge(stored, meta=change)
    with pytest.raises(ValueError, match=r"model\.npz"):
        kroncy.load(stored)


@pytest.mark.parametrize("change", FORGED_ARRAYS.values(), ids=FORGED_ARRAYS)
def test_forged_arrays_are_refused(stored, change):
    forge(stored, arrays=change)
    with pytest.raises(ValueError, match=r"model\.npz"):
        kroncy.load(stored)
