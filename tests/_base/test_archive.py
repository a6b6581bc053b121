"""Archives whose directory or members lie are refused before anything is allocated for them."""

import io
import os
import threading
import zipfile
from contextlib import suppress

import numpy as np
import pytest

from kroncy._base.archive import Archive


def content_of(array):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array)
    return stream.getvalue()


def write(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


ARRAY = np.arange(12.0).reshape(3, 4)
PLAIN = content_of(ARRAY)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("array", [
    ARRAY, np.asfortranarray(ARRAY), np.empty(0), np.array(3), np.array(["a", "bc"]),
])
def test_arrays_are_read(tmp_path, array, compression):
    path = write(tmp_path / "file", [("a.npy", content_of(array))], compression)
    with Archive(path) as archive:
        assert archive.names == ("a",)
        found = archive.read_all()["a"]
    assert found.dtype == array.dtype and found.shape == array.shape
    np.testing.assert_array_equal(found, array)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("members", "problem"), [
    ([("a.npy", PLAIN), ("a.npy", PLAIN)], "'a' occurs twice"),
    ([("a.npy", PLAIN), ("README", b"hello")], "'README' is no array"),
    ([("a.npy", b"hello")], "'a' is damaged"),
    ([("a.npy", PLAIN + b"more")], "'a' is damaged: shape"),
    ([("a.npy", PLAIN[:-8])], "'a' is damaged: shape"),
    ([("a.npy", PLAIN.replace(b"(3, 4)", b"(9, 9)"))], "'a' is damaged: shape"),
    ([("a.npy", PLAIN.replace(b"(3, 4), }     ", b"(999999999, 4)}"[:14]))], "'a' is damaged"),
    ([("a.npy", PLAIN.replace(b"'<f8'", b"'|O' "))], "'a' is damaged"),
    ([("a.npy", PLAIN.replace(b"(3, 4)", b"(-3,4)"))], "'a' is damaged"),
])
def test_lies_are_refused(tmp_path, members, problem):
    with pytest.raises(ValueError, match=problem), Archive(write(tmp_path / "f", members)) as file:
        file.read_all()


def test_a_member_beyond_the_memory_is_refused_with_the_estimate(tmp_path, monkeypatch):
    path = write(tmp_path / "file", [("a.npy", PLAIN)])
    monkeypatch.setattr("kroncy._base.memory.available_memory", lambda: 100)
    with Archive(path) as archive, pytest.raises(MemoryError, match="needs 224 bytes"):
        archive.read("a")


@pytest.fixture
def pipe(tmp_path):
    """Makes a pipe that delivers the content of a file once."""
    writers = []

    def make(path):
        name = tmp_path / "pipe"
        os.mkfifo(name)
        writers.append(threading.Thread(target=deliver, args=(path.read_bytes(), name)))
        writers[0].start()
        return name

    yield make
    for writer in writers:
        writer.join(timeout=10)
        assert not writer.is_alive()


def deliver(content, name):
    with suppress(BrokenPipeError), open(name, "wb") as stream:
        stream.write(content)


@pytest.mark.parametrize("part", [2**20, 100])
def test_a_pipe_is_read_as_a_file_is(tmp_path, monkeypatch, pipe, part):
    path = write(tmp_path / "file", [("a.npy", PLAIN), ("b.npy", PLAIN)])
    monkeypatch.setattr("kroncy._base.archive.PIPE_BYTES", part)
    with Archive(pipe(path)) as archive:
        found = archive.read_all()
    assert list(found) == ["a", "b"]
    np.testing.assert_array_equal(found["b"], ARRAY)


def test_a_pipe_without_end_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch, pipe):
    path = write(tmp_path / "file", [("a.npy", content_of(np.zeros(100_000)))])
    read = []

    def left():
        read.append(1000)
        return 5000 - sum(read)

    monkeypatch.setattr("kroncy._base.archive.PIPE_BYTES", 1000)
    monkeypatch.setattr("kroncy._base.memory.available_memory", left)
    with pytest.raises(MemoryError, match="pipe is a pipe, of which 4 kB are in memory: what foll"):
        Archive(pipe(path))


def test_a_pipe_that_delivers_no_archive_is_refused_at_its_start(tmp_path, pipe):
    (tmp_path / "file").write_bytes(b"drug,target\n" * 100_000)
    with pytest.raises(ValueError, match="it is no"):
        Archive(pipe(tmp_path / "file"))
