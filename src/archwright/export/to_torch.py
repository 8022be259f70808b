"""A torch program: what `torch.export` makes, to be loaded with `torch.export.load` and no other code."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from archwright.export.between import Between
from archwright.export.checking import publish
from archwright.export.result import Exported

if TYPE_CHECKING:
    from archwright.tasks.task import Task

ABOUT = "archwright.json"
"""The file inside a torch program that says what its inputs and outputs are."""


def torch_program(model: nn.Module, path: str | Path, given: Tensor | Task, *, title: str = "") -> Exported:
    """Writes `model` as a `.pt2` file for batches of any size: `torch.export.load(path).module()(batch)`.

    With a task, the file reads raw inputs and answers in the targets' units. The title, what the inputs are and the
    names of the classes lie in it as JSON: `torch.export.load(path, extra_files=found)` reads it into
    `found = {ABOUT: ""}`.

    Args:
        model: any trained module.
        path: a `.pt2` file.
        given: the task that the model learnt, or (n, *input_shape) as the model reads it, n at least 2.
        title: says which model it is.

    Raises:
        ExportError: torch.export can't capture the model, or the file computes something else.
    """
    between = Between.of(given)

    def write(model: nn.Module, aside: Path, batch: Tensor) -> None:
        torch.export.save(program(model, batch), aside, extra_files={ABOUT: json.dumps(between.described(title))})

    def read(aside: Path) -> nn.Module:
        return torch.export.load(aside).module()

    return publish(model, path, between.raw, ".pt2", write, read, between.wrapped)


def program(model: nn.Module, batch: Tensor) -> torch.export.ExportedProgram:
    """The model captured for any batch size; everything else about the inputs stays as in `batch`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about torch's own calls and attributes; the outputs are checked instead
        return torch.export.export(model, (batch,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
