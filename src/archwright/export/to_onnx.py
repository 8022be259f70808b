"""ONNX, for runtimes other than PyTorch."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from archwright.export.checking import publish
from archwright.export.result import Exported, ExportError
from archwright.export.to_torch import program

_ONE_FILE = 1_500_000_000  # bytes; the protobuf that an ONNX file is can't pass 2 GB


def onnx(model: nn.Module, path: str | Path, example: Tensor) -> Exported:
    """Writes `model` as an `.onnx` file for batches of any size, and checks it with onnxruntime.

    The input is called "input", the first axis "batch". Very large weights go to a file beside it.

    Raises:
        ExportError: the extra `archwright[onnx]` is missing, the model can't be captured, or the file computes
            something else.
    """
    runtime = {name: _required(name) for name in ("onnx", "onnxscript", "onnxruntime")}["onnxruntime"]

    def write(model: nn.Module, aside: Path, batch: Tensor) -> None:
        size = sum(tensor.nbytes for tensor in model.state_dict().values())
        captured = program(model, batch)  # here and not by the ONNX exporter, whose errors hide the reason
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about calls within torch and onnxscript; the outputs are checked instead
            torch.onnx.export(
                captured,
                (),
                aside,
                dynamo=True,
                verbose=False,
                input_names=["input"],
                dynamic_shapes=({0: "batch"},),
                external_data=size > _ONE_FILE,
            )

    def read(aside: Path) -> Callable[[Tensor], object]:
        session = runtime.InferenceSession(aside, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return lambda batch: [torch.as_tensor(output) for output in session.run(None, {name: batch.numpy()})]

    return publish(model, path, example, ".onnx", write, read)


def _required(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        message = f"ONNX export needs {name}: python -m pip install 'archwright[onnx]' (onnx, onnxscript, onnxruntime)"
        raise ExportError(message) from error
