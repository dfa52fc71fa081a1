"""The tests of this room share what quantization_spaces.py has."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
