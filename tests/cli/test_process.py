"""The command line as a process: signals, streams and exit status."""

import csv
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import kroncy
from kroncy import cli

SLOW = (
    "--left L.csv --right R.csv --pairs P.csv --model M.npz --target y --hidden 4096 --threads 1 "
    "--overwrite"
)
QUICK = SLOW.replace("4096", "64") + " --epochs 2"


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Three files in the current folder, which take a few seconds to train on."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for side in "LR":
        write(f"{side}.csv", [["id", "a"], *([f"{side}{k}", rng.normal()] for k in range(40))])
    pairs = [[f"L{i}", f"R{j}", rng.normal()] for i in range(40) for j in range(40)]
    write("P.csv", [["l", "r", "y"], *pairs])
    return tmp_path


def write(name, rows):
    with open(name, "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)


def start(arguments, **options):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen([sys.executable, "-P", "-m", "kroncy", *arguments.split()], **pipes)


def finish(process, seconds=120):
    try:
        out, err = process.communicate(timeout=seconds)
    finally:
        process.kill()
    return process.returncode, (out or b"").decode(), (err or b"").decode()


def run(arguments, **options):
    return finish(start(arguments, **options))


# -- Signals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_ends_training_at_the_last_epoch(files, number, status):
    process = start(f"train {SLOW} --tol 0 --patience 1000 --epochs 1000")
    for line in process.stdout:
        if line.startswith(b"epoch   2"):
            break
    process.send_signal(number)
    got, _, err = finish(process)
    assert got == status
    assert err.startswith("kroncy: interrupted; M.npz contains epoch ") and err.count("\n") == 1
    assert sorted(os.listdir()) == ["L.csv", "M.npz", "P.csv", "R.csv"]
    assert kroncy.load("M.npz").n_iter_ >= 1


def test_a_signal_while_a_file_is_written_leaves_nothing(files, monkeypatch, capsys):
    savez = np.savez

    def slow_savez(stream, **members):
        savez(stream, **members)
        assert len(os.listdir()) == 4
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

    monkeypatch.setattr("kroncy.persistence.np.savez", slow_savez)
    assert cli.main(f"train {QUICK}".split()) == 143
    assert capsys.readouterr().err == "kroncy: interrupted before the first epoch was complete\n"
    assert sorted(os.listdir()) == ["L.csv", "P.csv", "R.csv"]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_an_interrupt_of_imports_is_quiet(tmp_path):
    # Imports that never end, in place of libraries that take a second.
    code = "import time\nprint('importing', flush=True)\ntime.sleep(60)\n"
    (tmp_path / "numpy.py").write_text(code)
    paths = [str(tmp_path), *filter(None, sys.path)]
    process = start("info", env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)})
    assert process.stdout.readline() == b"importing\n"
    process.send_signal(signal.SIGINT)
    assert finish(process, 10) == (130, "", "kroncy: interrupted\n")


def test_ignored_signals_stay_ignored(files):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        assert cli.main(f"train {QUICK}".split()) == 0
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


# -- Streams --------------------------------------------------------------------------------------


def test_closed_streams(files):
    def close():
        for descriptor in (0, 1, 2):
            os.close(descriptor)

    assert run(f"train {QUICK}", preexec_fn=close) == (0, "", "")
    assert kroncy.load("M.npz").n_iter_ == 2


def unusable(kind):
    """A text stream that cannot be written to."""
    if kind == "closed":
        return None
    read, written = os.pipe()
    os.close(read)
    if kind == "full":
        written = os.open("/dev/full", os.O_WRONLY)
    return os.fdopen(written, "w")


@pytest.mark.parametrize("kind", ["closed", "without a reader", "full"])
def test_unusable_standard_error_changes_no_status(files, monkeypatch, kind):
    for options, status in (("", 0), ("--left none", 1), ("--epochs 1", 0)):  # the last one warns
        stream = unusable(kind)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", stream)
            assert cli.main(f"train {QUICK} {options}".split()) == status
        if stream is not None:
            stream.close()  # nothing is left in it that would fail at exit
    assert kroncy.load("M.npz").n_iter_ == 1


@pytest.mark.parametrize(
    ("kind", "message"),
    [("without a reader", ""), ("full", "kroncy: No space left on device\n")],
)
def test_unusable_standard_output_is_a_failure(monkeypatch, capsys, kind, message):
    stream = unusable(kind)
    monkeypatch.setattr(sys, "stdout", stream)
    assert cli.main(["info"]) == 1
    stream.close()
    assert capsys.readouterr().err == message


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_characters_that_the_encoding_lacks(files, monkeypatch, encoding):
    target = "IC\u2085\u2080"
    rows = Path("P.csv").read_text().replace("l,r,y", f"l,r,{target}")
    Path("P.csv").write_text(rows, encoding="utf-8")

    def told(command, status):
        streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", streams[0])
            patch.setattr(sys, "stderr", streams[1])
            assert cli.main(command.split()) == status
        return b"".join(stream.buffer.getvalue() for stream in streams).decode(encoding)

    told(f"train {QUICK.replace('--target y', f'--target {target}')}", 0)
    tables = "--left L.csv --right R.csv --pairs P.csv --model M.npz"
    assert "1,600 predictions of 'IC\\u2085\\u2080'" in told(f"predict {tables} --out o.csv", 0)
    assert "regression of 'IC\\u2085\\u2080'" in told("info --model M.npz", 0)
    assert "other columns: 'IC\\u2085\\u2080'" in told(f"train {QUICK}", 1)


def test_streams_are_as_before(monkeypatch, capsys):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", stream)
    assert cli.main(["info"]) == 0
    assert stream.errors == "strict"


def test_a_result_in_standard_output_is_alone(files):
    with open("piped.npz", "wb") as piped:
        got, out, err = run(f"train {QUICK} --model /dev/stdout", stdout=piped)
    assert got == 0 and "model: /dev/stdout" in err
    assert kroncy.load("piped.npz").n_iter_ == 2
    cli.main(f"train {QUICK}".split())
    for name in "/dev/stdout", "-":
        got, out, err = run(
            f"predict --left L.csv --right R.csv --pairs P.csv --model M.npz --out {name}"
        )
        assert got == 0 and err == "1,600 predictions of 'y': /dev/stdout\n"
        rows = list(csv.reader(io.StringIO(out)))
        assert rows[0] == ["l", "r", "prediction"] and len(rows) == 1601
    assert sorted(os.listdir()) == ["L.csv", "M.npz", "P.csv", "R.csv", "piped.npz"]
