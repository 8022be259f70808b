"""The frame of every exporter: write aside, load anew, compare, and only then put in place."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from archwright.core.errors import ArchwrightError
from archwright.export.result import Exported, ExportError

TOLERANCE = 1e-5

T = TypeVar("T")


def publish(
    model: nn.Module,
    path: str | Path,
    example: Tensor,
    suffix: str,
    write: Callable[[nn.Module, Path, Tensor], None],
    read: Callable[[Path], Callable[[Tensor], object]],
    wrap: Callable[[nn.Module], nn.Module] = lambda model: model,
) -> Exported:
    """Lets `write` make files in a folder aside, checks what `read` loads from them, and moves them to `path`.

    Args:
        model: what is exported: in evaluation mode and on the CPU during the call, and as before after it.
        path: where the main file goes; without a suffix it gets the format's own.
        example: (n, *input_shape) float32, n at least 2.
        suffix: the format's own, such as ".onnx".
        write: writes the model to the path that it is given, and files beside it, with the example on the CPU.
        read: the written model as a function of a batch.
        wrap: what is written in place of the model, such as one with the scales of its data round it.

    Raises:
        ExportError: nothing was left at `path` that was not there before.
    """
    model = getattr(model, "_orig_mod", model)  # of a compiled module, what was compiled
    name, model = type(model).__name__, wrap(model)
    path = Path(path) if Path(path).suffix else Path(path).with_suffix(suffix)
    if path.suffix != suffix:
        raise ExportError(f"{path}: the file's name must end in {suffix}")
    if len(example) < 2:
        raise ExportError("the example must be a batch of at least 2, to see which axis is the batch")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
            aside = Path(folder) / path.name
            with _evaluating(model):
                example = example.detach().cpu()
                batches = (example, example[:1])  # two sizes, so that a file made for one of them is found out
                wanted = [_run("the model itself", model, batch) for batch in batches]
                _attempt(f"{name} can't be exported to {suffix}", lambda: write(model, aside, example))
                written = _attempt(f"the written {suffix} file does not load", lambda: read(aside))
                given = [_run("the written file", written, batch) for batch in batches]
            difference = _difference(wanted, given)
            if not difference <= TOLERANCE:  # not ">": a NaN must fail
                raise ExportError(
                    f"the written {suffix} file computes something else than {name}: the largest "
                    f"difference between outputs is {difference:.3g}, allowed is {TOLERANCE:.0e}"
                )
            # The main file comes last: whoever sees it also has the weights beside it.
            names = sorted((file.name for file in aside.parent.iterdir() if file.is_file()), key=path.name.__eq__)
            for name in names:
                os.replace(aside.with_name(name), path.with_name(name))
    except OSError as error:
        raise ExportError(f"can't write {path}: {error.strerror or error}") from error
    return Exported(path, tuple(path.with_name(name) for name in reversed(names)), difference)


def _attempt(what: str, action: Callable[[], T]) -> T:
    try:
        return action()
    except (ArchwrightError, OSError):
        raise
    except Exception as error:
        raise ExportError(f"{what}: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """The kind of an error and the first line of what it says, for a message of one line."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().splitlines()  # torch colours some of its messages
    if isinstance(error, ArchwrightError):
        return lines[0]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


@contextlib.contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, the CPU, no gradients; and nobody else's random numbers are drawn."""
    modes = {module: module.training for module in model.modules()}
    device = next((tensor.device for tensor in model.state_dict().values()), torch.device("cpu"))
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            model.eval().cpu()
            yield
    finally:
        model.to(device)
        for module, training in modes.items():
            module.training = training


def _run(who: str, network: Callable[[Tensor], object], batch: Tensor) -> list[Tensor]:
    # A clone, since a network may begin with an operation in place.
    return _attempt(f"{who} fails on a batch of {len(batch)}", lambda: tensors(network(batch.clone())))


def _difference(wanted: list[list[Tensor]], given: list[list[Tensor]]) -> float:
    """The largest over the batches and the outputs; NaN if there is any."""
    for one, other in zip(wanted, given, strict=True):
        if [tensor.shape for tensor in one] != [tensor.shape for tensor in other]:
            shapes = " instead of ".join(str([tuple(tensor.shape) for tensor in found]) for found in (other, one))
            raise ExportError(f"the written file gives outputs of shape {shapes}")
    pairs = zip(itertools.chain(*wanted), itertools.chain(*given), strict=True)
    differences = [_relative(*pair) for pair in pairs if pair[0].numel()]
    return float(torch.stack(differences).max()) if differences else 0.0  # of tensors, since max() loses a NaN


def _relative(wanted: Tensor, given: Tensor) -> Tensor:
    wanted, given = wanted.double(), given.double()
    return (wanted - given).abs().max() / wanted.abs().max().clamp(min=1)


def tensors(outputs: object) -> list[Tensor]:
    """All tensors of a network's outputs, which may be nested tuples, lists and dicts."""
    if isinstance(outputs, Tensor):
        return [outputs]
    if isinstance(outputs, dict):
        outputs = list(outputs.values())
    return [tensor for item in outputs for tensor in tensors(item)] if isinstance(outputs, (tuple, list)) else []
