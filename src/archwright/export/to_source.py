"""A trained network as one readable file of plain PyTorch, with its weights beside it."""

from __future__ import annotations

import importlib.util
import itertools
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from archwright.export.between import Between
from archwright.export.checking import publish
from archwright.export.describing import Describer, plain
from archwright.export.layout import WIDTH, literal, wrap
from archwright.export.result import Exported
from archwright.export.tracing import record

if TYPE_CHECKING:
    from archwright.tasks.task import Task

# The names that safetensors has for torch's types.
_TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}

_READ = '''
def read(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file: the length of a header, the header in JSON, and the numbers."""
    data = bytearray(Path(path).read_bytes())
    begin = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:begin])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        tensors[name] = torch.empty(entry["shape"], dtype=TYPES[entry["dtype"]])
        if tensors[name].numel():
            start, stop = (begin + offset for offset in entry["data_offsets"])
            tensors[name] = torch.frombuffer(data[start:stop], dtype=tensors[name].dtype).view(entry["shape"])
    return tensors
'''

_LOAD = '''
def load(weights: str | Path | None = None, device: str | torch.device = "cpu") -> nn.Module:
    """The trained network in evaluation mode; weights are read from the file beside this one, or the one given."""
    model = NETWORK
    model.load_state_dict(read(weights or Path(__file__).with_suffix(".safetensors")), strict=True)
    return model.to(device).eval()
'''

_PREPARE = '''

def prepare(inputs: Tensor) -> Tensor:
    """Raw inputs standardised, as the network was trained on them."""
    return (inputs - MEAN.to(inputs.device)) / STD.to(inputs.device)
'''

_RESTORE = '''

def restore(outputs: Tensor) -> Tensor:
    """Answers of the network in the units of the targets."""
    return outputs * TARGET_STD.to(outputs.device) + TARGET_MEAN.to(outputs.device)
'''


def source(
    model: nn.Module,
    path: str | Path,
    given: Tensor | Task,
    *,
    title: str = "",
) -> Exported:
    """Writes `model` as Python source that imports only torch, with the weights in a `.safetensors` file beside it.

    The code is written anew from what the modules do in evaluation mode, not copied: one small class for all
    modules of the same form. Its parameters have the names of the model's state dict.

    Args:
        model: any trained module.
        path: a `.py` file.
        given: the task that the model learnt, or (n, *input_shape) as the model reads it, n at least 2. With a task
            the file has `prepare`, which standardises raw inputs, the names of the `CLASSES` and, for a table, of the
            `FEATURES`, and for a regression `restore`, which gives answers in the targets' units.
        title: the first line of the file's docstring.

    Raises:
        ExportError: a forward depends on the data, calls something that is not torch's, or a check failed.
    """
    between = Between.of(given)

    def write(model: nn.Module, aside: Path, batch: Tensor) -> None:
        described = Describer(model, record(model, (batch, batch[:1])))
        stored = {**model.state_dict(), **described.constants}
        save_file({name: tensor.clone().contiguous() for name, tensor in stored.items()}, _weights(aside))
        functions: list[str] = []
        names = {"FEATURES": between.features, "CLASSES": between.classes}
        constants = [line for name, texts in names.items() if texts for line in wrap(f"{name} = {literal(texts)}")]
        for prefix, scale, function in (("", between.inputs, _PREPARE), ("TARGET_", between.targets, _RESTORE)):
            if scale is not None:
                mean, deviation = scale
                constants += [*_tensor(f"{prefix}MEAN", mean), *_tensor(f"{prefix}STD", deviation)]
                functions += function.splitlines()
        types = sorted({f'"{_TYPES[tensor.dtype]}": {tensor.dtype}' for tensor in stored.values()})
        network = described.root.render(itertools.repeat(None))
        body = [
            *([""] if constants else []),
            *constants,
            *functions,
            *(line for found in described.classes for line in ("", "", *found.lines())),
            *("", "", *wrap(f"TYPES = {{{', '.join(types)}}}  # by their names in a safetensors file"), ""),
            *_READ.splitlines(),
            "",
            *_LOAD.replace("NETWORK", network).splitlines(),
            "",
            *_main(batch, model(batch.clone())),
        ]
        count = sum(parameter.numel() for parameter in model.parameters())
        name = plain(title) or f"{type(model).__name__}: a trained network."
        header = _header(name, aside, batch, count, between)
        aside.write_text("\n".join([*header, *_imports("\n".join(body)), *body]) + "\n", encoding="utf-8")

    return publish(model, path, between.prepared, ".py", write, _load)


def _header(title: str, path: Path, batch: Tensor, count: int, between: Between) -> Iterator[str]:
    shape = ", ".join(map(str, ("batch", *batch.shape[1:])))
    name = path.stem if path.stem.isidentifier() else "model"
    yield f'"""{title}'
    yield ""
    kind = str(batch.dtype).removeprefix("torch.")
    yield f"Input:   {kind} ({shape})" + (f": {between.words}" if between.words else "")
    if between.features:
        yield "         in the order of FEATURES"
    if between.classes:
        yield "Output:  a score for each of CLASSES, the highest for the likeliest"
    yield f"Weights: {_weights(path).name}, {count:,} parameters, beside this file"
    yield ""
    prepare, restore = between.inputs is not None, between.targets is not None
    yield f"    from {name} import load{', prepare' * prepare}{', restore' * restore}"
    yield ""
    yield '    model = load()  # in evaluation mode; load(device="cuda") puts it on a GPU'
    yield "    with torch.inference_mode():"
    call = f"model({'prepare(inputs)' if prepare else 'inputs'})"
    yield f"        outputs = {f'restore({call})' if restore else call}"
    yield ""
    yield "Written by Archwright, which it does not need: it imports only torch and the standard library."
    yield '"""'
    yield ""


def _imports(body: str) -> Iterator[str]:
    """What the body uses, in the order that isort likes."""
    yield "import json"
    yield from (f"import {name}" for name in ("math", "operator") if re.search(rf"\b{name}\.", body))
    if "OrderedDict(" in body:
        yield "from collections import OrderedDict"
    yield from ("from pathlib import Path", "", "import torch")
    if "F." in body:
        yield "import torch.nn.functional as F"
    yield "from torch import Tensor, nn"


def _main(batch: Tensor, outputs: object) -> Iterator[str]:
    shape = ", ".join(map(str, (2, *batch.shape[1:])))
    example = f"torch.randn({shape})" if batch.is_floating_point() else f"torch.zeros({shape}, dtype={batch.dtype})"
    yield ""
    yield 'if __name__ == "__main__":'
    yield "    model = load()"
    yield '    print(f"{sum(parameter.numel() for parameter in model.parameters()):,} parameters")'
    yield "    with torch.inference_mode():"
    yield f"        outputs = model({example})"
    if isinstance(outputs, Tensor):
        yield '    print("output shape", tuple(outputs.shape))'
    else:
        yield '    print("outputs", outputs)'


def _tensor(name: str, value: Tensor) -> Iterator[str]:
    """The shortest decimals that give the same float32."""
    numbers = [literal(float(str(numpy.float32(number)))) for number in value.detach().flatten().tolist()]
    shape = "" if value.dim() == 1 else f".view({', '.join(map(str, value.shape))})" if value.dim() else ".squeeze()"
    if len(numbers) <= 16:
        yield from wrap(f"{name} = torch.tensor([{', '.join(numbers)}]){shape}")
    else:
        filled = textwrap.fill(", ".join(numbers), WIDTH, initial_indent="    ", subsequent_indent="    ")
        yield from ("# fmt: off", f"{name} = torch.tensor([", filled, f"]){shape}", "# fmt: on")


def _weights(path: Path) -> Path:
    return path.with_suffix(".safetensors")


def _load(path: Path) -> Callable[[Tensor], object]:
    """The network from the file, in a namespace that nothing else sees."""
    spec = importlib.util.spec_from_file_location("exported", path)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network: Callable[[Tensor], object] = module.load()
    return network
