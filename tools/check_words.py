"""Whether the texts say what the field says: no word of [tool.kroncy-words] in pyproject.toml.

    python tools/check_words.py [FILE ...]

Looks through the names and the contents of the given files, or of all that git knows.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
SUFFIXES = {".py", ".pyx", ".pxd", ".pyi", ".c", ".h", ".md", ".toml", ".sh", ".json", ""}


def read_words():
    """Advice -> compiled pattern, and the files that may hold the words."""
    words = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["kroncy-words"]
    skipped = {ROOT / name for name in words.pop("skip")}
    # A phrase may go over the end of a line, and there over the sign of a comment.
    patterns = {
        advice: re.compile(pattern.replace(" ", r"[\s#*/]+"), re.IGNORECASE)
        for advice, pattern in words.items()
    }
    return patterns, skipped


def find(patterns, text):
    """(line, what stands there, advice) of each old word in a text."""
    for advice, pattern in patterns.items():
        for match in pattern.finditer(text):
            yield text[: match.start()].count("\n") + 1, " ".join(match[0].split()), advice


def tracked():
    """Files that git knows, with those not added yet."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name]


def main(names):
    """Print each old word; how many, or 0."""
    patterns, skipped = read_words()
    paths = [Path(name).resolve() for name in names] or tracked()
    count = 0
    for path in sorted(set(paths) - skipped):
        if path.suffix not in SUFFIXES or not path.is_file():
            continue
        name = path.relative_to(ROOT).as_posix()
        for text, prefix in ((name, "the name"), (path.read_text(), "")):
            for line, found, advice in find(patterns, text):
                count += 1
                print(f"{name}:{prefix or line}: {found!r}: say {advice}")
    return f"{count} old words" if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
