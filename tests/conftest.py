"""The suite runs on the installed package; the plain twins in reference*.py live beside it."""

import sys
from pathlib import Path

import hypothesis
import pytest

from kroncy._base._team import share_from

sys.path.insert(0, str(Path(__file__).parent))

hypothesis.settings.register_profile("kroncy", deadline=None, max_examples=40, derandomize=True)
hypothesis.settings.load_profile("kroncy")


@pytest.fixture(autouse=True, scope="session")
def every_loop_is_shared():
    """Small inputs reach the code of several threads as well."""
    before = share_from(0, 0)
    yield
    share_from(*before)
