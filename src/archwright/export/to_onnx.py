"""ONNX, for runtimes other than PyTorch."""

from __future__ import annotations

import importlib
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from archwright.export.between import Between
from archwright.export.checking import publish
from archwright.export.result import Exported, ExportError
from archwright.export.to_torch import program

if TYPE_CHECKING:
    from archwright.tasks.task import Task

_ONE_FILE = 1_500_000_000  # bytes; the protobuf that an ONNX file is can't pass 2 GB


def onnx(model: nn.Module, path: str | Path, given: Tensor | Task, *, title: str = "") -> Exported:
    """Writes `model` as an `.onnx` file for batches of any size, and checks it with onnxruntime.

    The input is called "input", the first axis "batch". With a task, the file reads raw inputs and answers in the
    targets' units; the title, what the inputs are and the names of the classes (as JSON) are its metadata. Very large
    weights go to a file beside it.

    Args:
        model: any trained module.
        path: an `.onnx` file.
        given: the task that the model learnt, or (n, *input_shape) as the model reads it, n at least 2.
        title: says which model it is.

    Raises:
        ExportError: the extra `archwright[onnx]` is missing, the model can't be captured, or the file computes
            something else.
    """
    between = Between.of(given)
    runtime = {name: _required(name) for name in ("onnx", "onnxscript", "onnxruntime")}["onnxruntime"]

    def write(model: nn.Module, aside: Path, batch: Tensor) -> None:
        size = sum(tensor.nbytes for tensor in model.state_dict().values())
        captured = program(model, batch)  # here and not by the ONNX exporter, whose errors hide the reason
        with warnings.catch_warnings(), _quiet():
            warnings.simplefilter("ignore")  # about calls within torch and onnxscript; the outputs are checked instead
            made = torch.onnx.export(
                captured,
                (),
                dynamo=True,
                verbose=False,
                input_names=["input"],
                dynamic_shapes=({0: "batch"},),
            )
            assert made is not None  # it is for a program that was captured
            made.model.metadata_props.update({name: _text(value) for name, value in between.described(title).items()})
            made.save(aside, external_data=size > _ONE_FILE)

    def read(aside: Path) -> Callable[[Tensor], object]:
        session = runtime.InferenceSession(aside, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return lambda batch: [torch.as_tensor(output) for output in session.run(None, {name: batch.numpy()})]

    return publish(model, path, between.raw, ".onnx", write, read, between.wrapped)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch's exporter logs of packages that it would know too."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _required(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        message = f"ONNX export needs {name}: python -m pip install 'archwright[onnx]' (onnx, onnxscript, onnxruntime)"
        raise ExportError(message) from error
