"""The entry point of the command line.  It imports the commands when it is called, not before."""

import sys
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout

from .._base.files import is_standard_output
from ..parallel.launch import is_silent
from .process import end_at_interrupt, end_by_exception, exit_status, usable_streams


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, default=None
        The arguments.  None takes those of the process.

    Returns
    -------
    int
        Exit status: 0 for success, 1 for invalid data or a failed run, 130 for an interrupt, 143
        for SIGTERM.

    Raises
    ------
    SystemExit
        The arguments are invalid (status 2), or ask for help (status 0).
    """
    with usable_streams(), end_by_exception():
        with end_at_interrupt() if argv is None else nullcontext():
            from .commands import make_parser

        def command() -> None:
            arguments = make_parser().parse_args(argv)
            if is_silent() and not vars(arguments).get("on_ranks"):
                raise ValueError(
                    f"kroncy {arguments.command} runs in one process, and a launcher started "
                    "several: rank 0 does the work alone; leave mpiexec out"
                )
            outputs = [vars(arguments).get(name) for name in ("out", "model")]
            result_is_printed = any(path and is_standard_output(path) for path in outputs)
            # What a command tells must not mix with its result.
            with redirect_stdout(sys.stderr) if result_is_printed else nullcontext():
                arguments.run(arguments)

        return exit_status(command)
