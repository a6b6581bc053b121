"""What a cell or a name says; without NumPy, which takes long to import."""

import unicodedata

MISSING = {"", "na", "n/a", "nan", "null", "none"}  # cells without a value, in lower case


def normalized(text: str) -> str:
    """Letters with accents as one character each, where Unicode has two ways to write them."""
    return unicodedata.normalize("NFC", text)


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value."""
    return cell.lower() in MISSING
