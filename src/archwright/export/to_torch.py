"""A torch program: what `torch.export` makes, to be loaded with `torch.export.load` and no other code."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from archwright.export.checking import publish
from archwright.export.result import Exported


def torch_program(model: nn.Module, path: str | Path, example: Tensor) -> Exported:
    """Writes `model` as a `.pt2` file for batches of any size: `torch.export.load(path).module()(batch)`.

    Raises:
        ExportError: torch.export can't capture the model, or the file computes something else.
    """

    def write(model: nn.Module, aside: Path, batch: Tensor) -> None:
        torch.export.save(program(model, batch), aside)

    return publish(model, path, example, ".pt2", write, lambda aside: torch.export.load(aside).module())


def program(model: nn.Module, batch: Tensor) -> torch.export.ExportedProgram:
    """The model captured for any batch size; everything else about the inputs stays as in `batch`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about torch's own calls and attributes; the outputs are checked instead
        return torch.export.export(model, (batch,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
