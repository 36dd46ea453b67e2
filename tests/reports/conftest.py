"""Lets the tests of this folder import `synthetic_records`, which importlib mode would not find."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
