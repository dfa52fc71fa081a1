"""An entropy coder for tensors of whole numbers."""

from ._coder import lanes_of, read, stream_bits, write
from ._plans import Plan, plan

__all__ = ["Plan", "lanes_of", "plan", "read", "stream_bits", "write"]
