"""Whether this copy of kroncy can run: a source folder has no compiled modules."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path


def check_compiled() -> None:
    """Raise an ImportError that says what to do where no module is compiled."""
    if find_spec("kroncy._base._runtime") is None:
        raise _not_compiled()


@contextmanager
def compiled() -> Iterator[None]:
    """Say the same where imports in the block miss one of them, as after a change of branches."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("kroncy."):
            raise _not_compiled() from error
        raise


def _not_compiled() -> ImportError:
    package = Path(__file__).parents[1]
    version = ".".join(map(str, sys.version_info[:2]))
    if (package.parent / "setup.py").exists():
        advice = (
            "This is kroncy's source folder. Start Python in another folder to import the kroncy "
            "that is installed (`pip install .` installs it), or compile in this folder: "
            "`python setup.py build_ext --inplace`."
        )
    else:
        advice = "Install kroncy again with this Python: `pip install --force-reinstall kroncy`."
    return ImportError(
        f"kroncy cannot be imported from {package}: its modules are not all compiled there for "
        f"Python {version}. {advice}"
    )
