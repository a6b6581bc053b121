"""An argument of a benchmark script that is one of several names."""

import argparse


def one_of(known):
    """A `type` for argparse: where `nargs` is "*", `choices` would refuse that none is given."""
    def check(text):
        if text not in known:
            raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(known)}")
        return text

    return check
