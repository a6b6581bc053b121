"""The suite runs on the installed package; the plain twins in reference*.py live beside it."""

import sys
from pathlib import Path

import hypothesis

sys.path.insert(0, str(Path(__file__).parent))

hypothesis.settings.register_profile("kroncy", deadline=None, max_examples=40, derandomize=True)
hypothesis.settings.load_profile("kroncy")
