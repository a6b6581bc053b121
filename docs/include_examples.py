"""Copy the example extensions into docs/c-api.md: `python docs/include_examples.py`."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "c-api.md"
# A file name alone on its line, then a code block with the content of that file.
BLOCK = re.compile(r"^`(examples/[\w/.]+)`:\n\n```(\w+)\n.*?^```\n", re.DOTALL | re.MULTILINE)


def current_block(match):
    """Return the matched block with the present content of its file."""
    name, language = match.groups()
    return f"`{name}`:\n\n```{language}\n{(ROOT / name).read_text()}```\n"


if __name__ == "__main__":
    DOCUMENT.write_text(BLOCK.sub(current_block, DOCUMENT.read_text()))
