"""What a cell or a name says; without NumPy, which takes long to import."""

import shlex
import unicodedata

MISSING = {"", "na", "n/a", "nan", "null", "none"}  # cells without a value, in lower case


def normalized(text: str) -> str:
    """Letters with accents as one character each, where Unicode has two ways to write them."""
    return unicodedata.normalize("NFC", text)


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value."""
    return cell.lower() in MISSING


def as_option(name: str) -> str:
    """A name as it is typed where an option takes several: one with a comma needs two quotes."""
    if "," in name or name.startswith('"'):
        name = '"' + name.replace('"', '""') + '"'
    return shlex.quote(name)
