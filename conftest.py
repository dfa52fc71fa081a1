"""What pytest leaves alone: modules that need a package which is not installed."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("triton") else ["sklearn_pb/kernels/_triton.py"]
