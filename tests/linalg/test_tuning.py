import json

import pytest

from kroncy.linalg import calibrate, crossover, tuning
from kroncy.linalg.cost import auto_levels


@pytest.fixture(autouse=True)
def clean(tmp_path, monkeypatch):
    """An empty cache directory, and no measurement of this process."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(tuning, "_calibrated", {})
    tuning._load.cache_clear()
    yield
    tuning._load.cache_clear()


def fake_ratio(ratios):
    def time_ratio(m, k, n, levels, dtype, n_threads, repeats):
        return ratios.get(n, 1.1)

    return time_ratio


def test_defaults_are_conservative():
    found = crossover()
    assert found["source"] == "default"
    assert found["float64"] == {1: 3072, 2: 4608}
    assert found["float32"] == {1: 4096, 2: 6144}


def test_calibration_takes_the_first_size_that_wins(monkeypatch):
    monkeypatch.setattr(tuning, "time_ratio", fake_ratio({2048: 0.97, 3072: 0.93}))
    found = calibrate(n_threads=1)
    assert found["source"] == "calibrated"
    assert found["float64"] == {1: 2048, 2: 4608}
    assert auto_levels(2048, 2048, 2048, n_threads=1) == 1
    assert not tuning.cache_file().exists()


def test_calibration_extrapolates(monkeypatch):
    monkeypatch.setattr(tuning, "time_ratio", fake_ratio({1024: 1.085}))
    assert calibrate(n_threads=1, max_size=1024)["float32"][1] == 2048


def test_saved_calibration_is_found(monkeypatch):
    monkeypatch.setattr(tuning, "time_ratio", fake_ratio({1536: 0.9}))
    calibrate(n_threads=1, save=True)
    monkeypatch.setattr(tuning, "_calibrated", {})
    found = crossover()
    assert found["float64"][1] == 1536
    assert found["source"] == str(tuning.cache_file())
    entries = json.loads(tuning.cache_file().read_text())
    assert list(entries) == [tuning._machine()]
    assert [path.name for path in tuning.cache_file().parent.iterdir()] == ["crossover.json"]


def test_calibration_keeps_other_machines(monkeypatch):
    tuning.cache_file().parent.mkdir()
    tuning.cache_file().write_text(json.dumps({"another": {"float64": {"1": 700}}}))
    monkeypatch.setattr(tuning, "time_ratio", fake_ratio({1024: 0.9}))
    calibrate(n_threads=1, save=True)
    assert "another" in json.loads(tuning.cache_file().read_text())


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"MACHINE": {"float64": {"1": -5}}}', '{"MACHINE": {"int": {"1": 999}}}']
)
def test_a_damaged_file_is_reported_and_ignored(text):
    tuning.cache_file().parent.mkdir()
    tuning.cache_file().write_text(text.replace("MACHINE", tuning._machine()))
    with pytest.warns(UserWarning, match="is damaged"):
        assert crossover()["source"] == "default"


def test_measures_something():
    assert tuning.time_ratio(64, 64, 64, 1, "float32", 1, 1) > 0


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"n_threads": 0}, ValueError, "n_threads must be >= 1"),
        ({"max_size": 100}, ValueError, "max_size must be >= 1024"),
        ({"max_size": 10**6}, ValueError, "max_size must be <= 8192"),
        ({"repeats": 0}, ValueError, "repeats must be >= 1"),
        ({"repeats": 1.5}, TypeError, "repeats must be an integer"),
        ({"save": 1}, TypeError, "save must be True or False"),
    ],
)
def test_bad_input(options, error, words):
    with pytest.raises(error, match=words):
        calibrate(**options)
