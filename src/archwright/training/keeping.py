"""The state of a training as a file, from which it goes on."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from archwright.runtime.files import write_if_possible
from archwright.training.loop import Fit


def keep_state(fit: Fit, path: Path, **more: float) -> bool:
    """Writes the state of a training, whole; where it can't be written, warns and says False: trainings end without.

    Args:
        more: what else to keep, which `read_state` gives back under its name.
    """
    content = io.BytesIO()  # by way of memory, where no disk is full: what fails below is the writing and nothing else
    torch.save({**fit.state(), **more}, content)
    return write_if_possible(path, content.getbuffer(), "a training that would continue from there begins anew")


def read_state(path: Path) -> dict[str, Any]:
    """A state that was kept, for `Fit.load_state`: on the CPU, since loading it moves what belongs elsewhere.

    Adam's counts of steps stay, as in a fresh training: on a GPU, each step would wait for each of them.
    """
    return torch.load(path, map_location="cpu", weights_only=True)  # type: ignore[no-any-return]
