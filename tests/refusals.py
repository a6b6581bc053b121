"""Tests of bad input as a table: a name, a call, and what its ValueError says."""

import pytest


def refuses(cases):
    """A test function for ``{name: (call, message)}``."""

    @pytest.mark.parametrize("name", cases)
    def test_bad_input(name):
        call, message = cases[name]
        with pytest.raises(ValueError, match=message):
            call()

    return test_bad_input
