"""The parser of the command line, and the commands demo and report."""

import argparse
from pathlib import Path
from typing import Any

from .._base.files import check_writable
from .._base.version import __version__
from ..persistence import read_model
from . import info as info_of
from . import predict, suggest, train
from .demo import run_demo
from .options import check_output, integer, output_file
from .report import write_report

DESCRIPTION = """\
Train wide two-layer networks on pairs: (drug, target), (user, item), (weather, flight).

The features of a pair are the Kronecker product of a row of the left table and a row of the right
table.  The product is never formed, so each table may have thousands of columns.
"""

EPILOG = """\
where to start:
  kroncy demo                     train on 32,000 real flights, and plot the result
  kroncy train --help             the format of the three CSV files, with an example
  kroncy suggest --help           options of kroncy train for your files, with reasons
  kroncy info                     the configuration of this build on this machine

exit status: 0 success, 1 invalid data or failed run, 2 invalid options, 130 interrupted,
143 terminated
"""

DEMO = """\
Train a classifier of late arrivals on a bundled sample of flights from New York.  Prints the
progress of the training and the time of an iteration for up to 100,000,000 features, and writes
the curves to flights.png.
"""

INFO = """\
Print the configuration of this build on this machine: OpenMP, threads, SIMD level, BLAS.  With
--model also describe a model file: its task, its samples, the network and the training.
"""

REPORT = """\
Write one self-contained HTML page about a model: what it predicts for held-out pairs, with the
objects that are hard; how the training went; and last what the theory says of it.  Needs
matplotlib (kroncy[plot]).
"""


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands; ``run`` of its result takes this result and runs the command."""
    parser = argparse.ArgumentParser(
        "kroncy", description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"kroncy {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    _add_demo(commands)
    train.add_parser(commands)
    suggest.add_parser(commands)
    predict.add_parser(commands)
    _add_report(commands)
    _add_info(commands)
    return parser


def _add_demo(commands: Any) -> None:
    demo = commands.add_parser(
        "demo", help="train on 32,000 real flights and plot the result", description=DEMO
    )
    demo.add_argument(
        "--out", default="kroncy-demo", metavar="DIR",
        help="directory of the plots (default: kroncy-demo)",
    )
    demo.add_argument(
        "--fast", action="store_true", help="fewer flights and neurons; takes seconds"
    )
    demo.add_argument("--epochs", type=integer(1), metavar="N", help="maximum number of epochs")
    demo.add_argument(
        "--threads", type=integer(1), metavar="N",
        help="number of threads; does not change the results",
    )
    demo.add_argument(
        "--seed", type=integer(0, 2**32 - 1), default=0, metavar="N",
        help="seed of the random numbers (default: 0)",
    )
    demo.set_defaults(run=_demo)


def _demo(arguments: argparse.Namespace) -> None:
    out = Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    check_writable(out / "flights.png", "--out")
    run_demo(
        out,
        fast=arguments.fast,
        epochs=arguments.epochs,
        n_threads=arguments.threads,
        seed=arguments.seed,
    )


def _add_report(commands: Any) -> None:
    report = commands.add_parser(
        "report", help="write a page about a model and its theory", description=REPORT
    )
    report.add_argument("model", metavar="NPZ", help="model file of kroncy train or kroncy.save")
    report.add_argument(
        "--out", type=output_file, required=True, metavar="HTML",
        help="file of the page; - writes to standard output",
    )
    report.set_defaults(run=_report)


def _report(arguments: argparse.Namespace) -> None:
    check_output(arguments, "--out")
    model, note = read_model(arguments.model)
    write_report(model, arguments.out, title=Path(arguments.model).name, note=note)
    print(f"report: {arguments.out}")


def _add_info(commands: Any) -> None:
    info = commands.add_parser(
        "info", help="describe this build, or a model file", description=INFO
    )
    info.add_argument("--model", metavar="NPZ", help="model file of kroncy train or kroncy.save")
    info.set_defaults(run=info_of.run)
