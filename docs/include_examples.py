"""Renew the example files that docs/c-api.md shows: `python docs/include_examples.py`."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "c-api.md"


def renewed(match):
    """The block with what its file holds now."""
    return f"`{match[1]}`:\n\n```{match[2]}\n{(ROOT / match[1]).read_text()}```\n"


if __name__ == "__main__":
    text = DOCUMENT.read_text()
    block = r"^`(examples/[\w/.]+)`:\n\n```(\w+)\n.*?^```\n"
    DOCUMENT.write_text(re.sub(block, renewed, text, flags=re.S | re.M))
