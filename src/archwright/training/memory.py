"""Whether an error says that memory ran out."""

from __future__ import annotations

import torch

WORDS = ("can't allocate memory", "not enough memory")
"""How torch says it of a CPU, by a plain RuntimeError; the second on Windows."""


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, a GPU's or the machine's: it may pass, and is no fault of what was computed."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in WORDS)
