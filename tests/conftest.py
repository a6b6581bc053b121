"""Puts tests/ on sys.path, so that each part finds its plain twins (reference_*.py)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
