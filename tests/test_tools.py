"""The linters of tools/ find what they are for, and leave the rest alone."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def tool(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


WORDS = tool("check_words")

OLD = {
    "the C door; checked at the door; Doors": 3,
    "room = work_room(n); the room of the caller; room_of(x)": 4,
    "blocks thrown away; it throws away; thrown\n    # away": 3,
    "nobody waits for it; the other's word": 2,
    "KeptEntries; n_kept; kept_values; kroncy_kept_update": 4,
    "kroncy.sgd.trainer; tests/sgd/test_tree.py; kroncy/_network.py; _joining; assembly.py": 5,
    "_loop.run_batches; PANEL_BYTES; epochs have not sufficed": 3,
    "GaussianStart; needs_start; self._ensure_start": 3,
}

ORDINARY = """
outdoor, bathrooms, leaves room for growth, headroom
kept as it is; def test_a_start_at_the_minimum_is_kept; a kept argument
nobody can store it; 64-bit words; sgd.run(3); self._network; a loop; network; looping
start="gram"; start_outputs; PANEL; ROW_BYTES
"""


@pytest.mark.parametrize("text", OLD)
def test_old_words_are_found(text):
    patterns, _ = WORDS.read_words()
    assert len(list(WORDS.find(patterns, text))) == OLD[text]


def test_every_pattern_finds_something():
    patterns, _ = WORDS.read_words()
    assert all(pattern.search("\n".join(OLD)) for pattern in patterns.values())


def test_ordinary_words_pass():
    patterns, _ = WORDS.read_words()
    assert not list(WORDS.find(patterns, ORDINARY))


def test_files_and_their_names_are_looked_through(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(WORDS, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").write_text(
        "[tool.kroncy-words]\nskip = ['b.md']\n'an API' = '\\bdoors?\\b'\n"
    )
    for name in ("a.md", "b.md", "the door.md"):
        (tmp_path / name).write_text("one\nDoor\n")
    files = [str(tmp_path / name) for name in ("a.md", "b.md", "the door.md")]
    assert WORDS.main(files) == "3 old words"
    assert "a.md:2: 'Door': say an API" in capsys.readouterr().out
    assert WORDS.main(files[1:2]) == 0
