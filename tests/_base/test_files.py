"""Output files: replaced in one step where they can be, written to where they cannot."""

import os
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from kroncy._base.files import check_writable, is_replaceable, is_standard_output, open_output

NOBODY = 65534  # a user who is not root


def write(path, content=b"new"):
    with open_output(path) as stream:
        stream.write(content)


def only(folder):
    """The names in a folder: no temporary file is left beside them."""
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_complete_or_as_before(tmp_path):
    path = tmp_path / "file"
    write(path, b"old")
    with pytest.raises(KeyboardInterrupt), open_output(path) as stream:
        stream.write(b"half")
        stream.flush()
        assert path.read_bytes() == b"old"
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old" and only(tmp_path) == ["file"]
    write(path)
    assert path.read_bytes() == b"new" and only(tmp_path) == ["file"]


def test_a_link_stays_and_its_target_is_written(tmp_path):
    (tmp_path / "there").mkdir()
    target = tmp_path / "there" / "target"
    for link, name in (("first", "there/target"), ("second", "first")):
        (tmp_path / link).symlink_to(name)
        write(tmp_path / link, link.encode())
        assert target.read_bytes() == link.encode()
        assert (tmp_path / link).is_symlink() and not target.is_symlink()
    assert only(tmp_path) == ["first", "second", "there"] and only(target.parent) == ["target"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
def test_permissions_are_kept(tmp_path, mode):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(mode)
    with open_output(path) as stream:
        (new,) = set(tmp_path.iterdir()) - {path}
        assert stat.S_IMODE(new.stat().st_mode) == mode  # no reader sees more in between
        stream.write(b"new")
    assert stat.S_IMODE(path.stat().st_mode) == mode and path.read_bytes() == b"new"


def test_a_new_file_has_the_usual_permissions(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "file")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_the_owner_is_kept(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    os.chown(path, 1234, 4321)
    write(path)
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)


def test_the_time_is_that_of_writing(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    os.utime(path, (1, 1))
    write(path)
    assert path.stat().st_mtime > 1e9


def test_a_pipe_is_written_to(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()), daemon=True)
    reader.start()
    check_writable(path)
    write(path, b"x" * 10**6)
    reader.join(60)
    assert read == [b"x" * 10**6] and stat.S_ISFIFO(path.stat().st_mode)
    assert not is_replaceable(path) and only(tmp_path) == ["pipe"]


def test_a_pipe_without_a_reader_is_an_error(tmp_path):
    read, written = os.pipe()
    os.close(read)
    with pytest.raises(BrokenPipeError, match=f"output /dev/fd/{written} cannot be written: Bro"):
        write(f"/dev/fd/{written}")
    os.close(written)


def test_a_full_device_is_named_and_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="output /dev/full cannot be written: No space left"):
        write("/dev/full")


def test_a_device_is_written_to():
    before = os.stat("/dev/null")
    write("/dev/null")
    assert os.path.samestat(before, os.stat("/dev/null")) and not is_replaceable("/dev/null")


def test_an_open_descriptor_goes_on_where_it_is(tmp_path):
    path, link = tmp_path / "file", tmp_path / "link"
    with open(path, "wb") as file:
        file.write(b"first ")
        file.flush()
        for name in ("/dev/fd", "/proc/self/fd"):
            write(f"{name}/{file.fileno()}", b"more ")
        link.symlink_to(f"/dev/fd/{file.fileno()}")
        write(link, b"last")
    assert path.read_bytes() == b"first more more last" and link.is_symlink()
    with pytest.raises(OSError, match="link cannot be written: No such file"):
        check_writable(link)


def test_standard_output(tmp_path):
    code = (
        "from kroncy._base.files import *\n"
        "print(is_standard_output('/dev/stdout'), flush=True)\n"
        "with open_output('/dev/stdout') as stream: stream.write(b'new')\n"
    )
    path = tmp_path / "file"
    with open(path, "wb") as file:
        subprocess.run([sys.executable, "-P", "-c", code], stdout=file, check=True)
    assert path.read_bytes() == b"True\nnew"
    assert not is_standard_output(path) and not is_standard_output("/dev/null")


def test_unwritable_places_are_found_beforehand(tmp_path):
    with pytest.raises(IsADirectoryError, match=r"--out .* is a directory; name a file$"):
        check_writable(tmp_path, "--out")
    with pytest.raises(FileNotFoundError, match=r"--out .* cannot be written: No such file"):
        check_writable(tmp_path / "none" / "model.npz", "--out")
    (tmp_path / "dangling").symlink_to("none/model.npz")
    with pytest.raises(FileNotFoundError, match="cannot be written"):
        write(tmp_path / "dangling")
    (tmp_path / "dangling").unlink()
    check_writable(tmp_path / "model.npz")
    assert not only(tmp_path)


@pytest.fixture
def unprivileged_folder():
    """A folder of a user who may not write to every file, as whom the test runs."""
    with tempfile.TemporaryDirectory() as folder:
        if os.geteuid() != 0:
            yield Path(folder)
            return
        os.chown(folder, NOBODY, -1)
        os.setresuid(NOBODY, NOBODY, 0)
        try:
            yield Path(folder)
        finally:
            os.setresuid(0, 0, 0)


def test_a_write_protected_file_is_refused(unprivileged_folder):
    path = unprivileged_folder / "file"
    path.write_bytes(b"old")
    path.chmod(0o400)
    with pytest.raises(PermissionError, match="cannot be written: it is write-protected"):
        write(path)
    assert path.read_bytes() == b"old" and only(unprivileged_folder) == ["file"]
