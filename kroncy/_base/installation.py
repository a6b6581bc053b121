"""Whether this copy of kroncy can run: a source folder has no compiled modules."""

import sys
from importlib.util import find_spec
from pathlib import Path


def check_compiled() -> None:
    """Raise an ImportError that says what to do where the compiled modules are missing."""
    if find_spec("kroncy._base._runtime") is not None:
        return
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
    raise ImportError(
        f"kroncy cannot be imported from {package}: its modules are not compiled there for "
        f"Python {version}. {advice}"
    )
