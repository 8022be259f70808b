"""A trained network as files that outlive this library: readable PyTorch source, ONNX, or a torch program.

Every exporter checks itself: it loads what it wrote anew and demands the model's own outputs, or raises `ExportError`
and leaves no file. torch is imported when an exporter is used, not before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from archwright.core.errors import one_of
from archwright.core.lazy import lazy
from archwright.export.result import Exported, ExportError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    from archwright.export.to_onnx import onnx
    from archwright.export.to_source import source
    from archwright.export.to_torch import torch_program
    from archwright.tasks.task import Task

__all__ = ["FORMATS", "ExportError", "Exported", "export", "onnx", "source", "torch_program"]

__getattr__ = lazy(
    __name__,
    {
        "archwright.export.to_onnx": ["onnx"],
        "archwright.export.to_source": ["source"],
        "archwright.export.to_torch": ["torch_program"],
    },
)


class _Formats(Mapping[str, Callable[..., Exported]]):
    """Exporters by format name; to read the names imports none of them."""

    _exporters = {"source": "source", "onnx": "onnx", "torch": "torch_program"}

    def __getitem__(self, name: str) -> Callable[..., Exported]:
        exporter: Callable[..., Exported] = __getattr__(self._exporters[name])
        return exporter

    def __iter__(self) -> Iterator[str]:
        return iter(self._exporters)

    def __len__(self) -> int:
        return len(self._exporters)


FORMATS: Mapping[str, Callable[..., Exported]] = _Formats()


def export(
    model: nn.Module, path: str | Path, given: Tensor | Task, format: str = "source", *, title: str = ""
) -> Exported:
    """Writes `model` in the format of that name.

    Args:
        model: any trained module; its mode and device are as before afterwards.
        path: the file to write; parent folders are made.
        given: the task that the model learnt, so that the file knows how raw inputs are standardised and what outputs
            mean; or (n, *input_shape) as the model reads it, n at least 2. The model's outputs on it, or on some of
            the task's inputs, are what the file must give too.
        format: a name in `FORMATS`.
        title: says which model it is, in the file.

    Raises:
        ExportError: the model can't be written so, or what was written computes something else.
    """
    if format not in FORMATS:
        raise ExportError(one_of("export format", format, FORMATS))
    return FORMATS[format](model, path, given, title=title)
