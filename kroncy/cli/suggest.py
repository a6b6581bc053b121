"""kroncy suggest: settings for pairs in CSV files, as options of kroncy train."""

import argparse
from typing import Any

from .. import ntk
from ..ntk.suggestions import Suggestion
from .options import FLAGS, PARAMETERS, add_table_options, add_training_options, in_options
from .samples import encode_target, read_training

EPILOG = """\
Looks at a thousand of the pairs, takes seconds, and trains nothing.  The settings are those with
which an infinitely wide network does best; see the documentation of kroncy.ntk.suggest.

example:
  kroncy suggest --left L.csv --right R.csv --pairs P.csv --target affinity
"""
# Settings of the trainer that are parameters of another name.
NAMES = {"learning_rate": "learning_rate_init", "n_epochs": "max_iter"}


def add_parser(commands: Any) -> None:
    """The options of the command."""
    suggest = commands.add_parser(
        "suggest", help="propose options of kroncy train", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_table_options(suggest)
    add_training_options(suggest)
    for flag, parameter, kind, text in PARAMETERS:
        if parameter in ("bias", "n_threads"):
            suggest.add_argument(flag, dest=parameter, type=kind, metavar="X", help=text)
    suggest.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Print a line for each setting, with its reason, and all of them as one line."""
    tables = read_training(arguments)
    data = tables.data(1.0 if arguments.bias is None else arguments.bias)
    loss, y = encode_target(tables.pairs.target)
    found = ntk.suggest(data, y, loss=loss, n_threads=arguments.n_threads)
    print(options_in_words(found))


def options_in_words(found: Suggestion) -> str:
    """The settings as options, each with its reason, then together."""
    values = {name: getattr(found, name) for name in found.reasons}
    options = {
        FLAGS[NAMES.get(name, name)]: f"{value:.4g}" if isinstance(value, float) else str(value)
        for name, value in values.items()
    }
    width = max(len(f"{flag} {value}") for flag, value in options.items())
    lines = [
        f"{flag + ' ' + value:<{width}}   {in_options(reason)}"
        for (flag, value), reason in zip(options.items(), found.reasons.values(), strict=True)
    ]
    together = " ".join(f"{flag} {value}" for flag, value in options.items())
    return "\n".join([*lines, "", f"kroncy train ... {together}"])
