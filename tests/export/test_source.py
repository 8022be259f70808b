"""Every network is exported, and then run by a Python that has neither Archwright nor safetensors."""

from __future__ import annotations

import ast
import importlib.util
import re
import shutil
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from archwright import export
from archwright.export.checking import tensors
from archwright.tasks import arrays
from archwright.tasks.task import Split, Splits, Task

NAMES = [
    "resnet",
    "densenet",
    "nasnet",
    "own tensors",
    "shared",
    "transformer",
    "split",
    "vectors",
    "images",
    "one layer",
]

STRANGER = """
import importlib.util, sys, torch

torch.set_num_threads(1)

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("archwright", "safetensors"):
            raise ImportError(name)

sys.meta_path.insert(0, Block())
outputs = {}
for path in sys.argv[2:]:
    spec = importlib.util.spec_from_file_location("stranger", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.load()
    example = torch.load(path + ".example", weights_only=True)
    with torch.inference_mode():
        outputs[path] = [network(example.clone()), network(example[:1].clone())]
torch.save(outputs, sys.argv[1])
"""


def written(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("written", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_the_network(models: ModuleType, name: str, tmp_path: Path) -> None:
    model, example = models.trained(name)
    modes = [module.training for module in model.modules()]
    state = {key: value.clone() for key, value in model.state_dict().items()}
    random = torch.random.get_rng_state()

    exported = export.source(model, tmp_path / "deep" / "net.py", example, title=f"The {name}")

    assert exported.max_difference <= 1e-5
    assert exported.files == (tmp_path / "deep" / "net.py", tmp_path / "deep" / "net.safetensors")
    assert sorted(file.name for file in (tmp_path / "deep").iterdir()) == ["net.py", "net.safetensors"]
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.random.get_rng_state(), random)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    network = written(exported.path).load()
    assert state.keys() <= network.state_dict().keys()
    assert not network.training
    if name != "own tensors":  # there, tensors that no state dict has became buffers
        assert state.keys() == network.state_dict().keys()
        count = [sum(p.numel() for p in module.parameters()) for module in (model, network)]
        assert count[0] == count[1]


def test_every_name_is_tested(models: ModuleType) -> None:
    assert set(models.TRACEABLE) == set(NAMES)


def test_a_python_without_archwright_computes_the_same(models: ModuleType, tmp_path: Path) -> None:
    wanted = {}
    for name in NAMES:
        model, example = models.trained(name)
        path = tmp_path / f"{name.replace(' ', '_')}.py"
        export.source(model, path, example)
        torch.save(example, f"{path}.example")
        with torch.inference_mode():
            wanted[str(path)] = [model.eval()(example.clone()), model(example[:1].clone())]

    command = [sys.executable, "-I", "-W", "error", "-c", STRANGER, str(tmp_path / "outputs.pt"), *wanted]
    subprocess.run(command, check=True, cwd=tmp_path)

    given = torch.load(tmp_path / "outputs.pt", weights_only=True)
    for path, outputs in wanted.items():
        for one, other in zip(tensors(outputs), tensors(given[path]), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_it_imports_torch_only_and_runs_as_a_script(models: ModuleType, tmp_path: Path) -> None:
    model, example = models.trained("transformer")
    path = export.source(model, tmp_path / "net.py", example).path

    tree = ast.walk(ast.parse(path.read_text()))
    names = {a.name for node in tree if isinstance(node, ast.Import) for a in node.names}
    assert names <= {"json", "math", "torch", "torch.nn.functional"}
    done = subprocess.run([sys.executable, "-I", str(path)], check=True, capture_output=True, text=True)
    assert "parameters" in done.stdout
    assert "output shape (2, 10)" in done.stdout


def test_a_network_that_reads_tokens_runs_as_a_script(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 9))
    path = export.source(model, tmp_path / "net.py", torch.randint(9, (3, 5))).path

    done = subprocess.run([sys.executable, "-I", str(path)], check=True, capture_output=True, text=True)
    assert "output shape (2, 5, 9)" in done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_it_is_neat(models: ModuleType, name: str, tmp_path: Path) -> None:
    model, example = models.trained(name)
    classes = [f"class {number}" for number in range(30)]
    inputs = example.repeat(-(-90 // len(example)), *[1] * (example.dim() - 1))[:90]
    task = Task("neat", partial(Splits, *[Split(inputs, torch.arange(90) % 30)] * 3, classes=tuple(classes)))
    path = export.source(model, tmp_path / "net.py", task).path

    assert max(map(len, path.read_text().splitlines())) <= 120
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent)) or shutil.which("ruff")
    if ruff:
        options = ["--isolated", "--line-length", "120", "--no-cache", str(path)]
        subprocess.run([ruff, "format", "--diff", "-q", *options], check=True)
        subprocess.run([ruff, "check", "-q", "--select", "E,F,W,I,B,UP,C4", *options], check=True)


def test_blocks_of_one_form_are_one_class_and_numbers_its_parameters(models: ModuleType, tmp_path: Path) -> None:
    model, example = models.trained("nasnet")
    text = export.source(model, tmp_path / "net.py", example).path.read_text()

    assert len(re.findall(r"^class ", text, re.MULTILINE)) == 6
    assert "SeparableConv(channels=out_channels, stride=stride)" in text
    assert "Cell(in_channels=6, out_channels=8, preprocess1_in_channels=12, stride=2)" in text
    assert "add = self.ops[0](s0) + self.ops[1](s1)\n" in text
    assert "return self.classifier(self.pool(cells3).flatten(1))" in text


def test_what_is_shared_stays_shared(models: ModuleType, tmp_path: Path) -> None:
    model, example = models.trained("shared")
    network = written(export.source(model, tmp_path / "net.py", example).path).load()

    assert network.second is network.first
    assert network.blocks[0][0] is network.first
    assert network.blocks[1][1] is network.first
    assert network.decoder.weight is network.first.weight


def test_raw_inputs_are_prepared_as_in_training(tmp_path: Path) -> None:
    raw = torch.randint(256, (60, 3, 2, 2), dtype=torch.uint8)
    task = arrays(raw, ["cat", 'd"og'] * 30)
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    exported = export.source(model, tmp_path / "net.py", task, title='a "title"\\ """ 1/0\n')

    module = written(exported.path)
    assert torch.allclose(module.prepare(raw), task.prepare(raw), atol=1e-6)
    assert module.CLASSES == ("cat", 'd"og')
    assert "a 'title'/ ''' 1/0" in module.__doc__
    assert "float32 (batch, 3, 2, 2): pixels from 0 to 255, red, green and blue of image files" in module.__doc__
    assert torch.equal(module.load(exported.files[1])(task.prepare(raw)), model.eval()(task.prepare(raw)))


def test_a_regression_answers_in_its_own_units(tmp_path: Path) -> None:
    targets = torch.randn(60, 2) * torch.tensor([1e5, 1e-3]) + torch.tensor([3e5, 0.0])
    task = arrays(torch.randn(60, 4), targets)
    model = nn.Linear(4, 2)
    module = written(export.source(model, tmp_path / "net.py", task).path)

    inputs = task.valid.inputs
    outputs = module.load()(module.prepare(inputs))
    mean, deviation = task.train.targets.mean(0), task.train.targets.std(0)
    assert torch.allclose(module.restore(outputs), model(task.prepare(inputs)) * deviation + mean, rtol=1e-4)
    assert "outputs = restore(model(prepare(inputs)))" in module.__doc__
    assert not hasattr(module, "CLASSES")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.int32, torch.uint8])
def test_buffers_of_every_type_and_of_no_size(dtype: torch.dtype, tmp_path: Path) -> None:
    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("numbers", torch.tensor([1, 2, 3], dtype=dtype))
            self.register_buffer("nothing", torch.empty(0, 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.numbers

    path = export.source(Holder(), tmp_path / "net.py", torch.rand(2, 3)).path
    assert written(path).load().numbers.dtype is dtype


def test_a_branch_on_data_is_named(models: ModuleType, tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(8, 8), models.Branching())
    with pytest.raises(export.ExportError, match=r"Branching\.forward .*--format torch or --format onnx"):
        export.source(model, tmp_path / "net.py", torch.rand(3, 8))
    assert list(tmp_path.iterdir()) == []
    assert model.training


def test_a_function_that_is_not_public_is_named(tmp_path: Path) -> None:
    class Wrapped(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.ops.aten.relu(x) + x

    with pytest.raises(export.ExportError, match="'relu', which is not a public function"):
        export.source(Wrapped(), tmp_path / "net.py", torch.rand(3, 8))


def test_a_baked_in_batch_size_is_found(tmp_path: Path) -> None:
    class Baked(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * (1.0 if x.shape[0] > 1 else 2.0)

    with pytest.raises(export.ExportError, match="largest difference between outputs is 0"):
        export.source(Baked(), tmp_path / "net.py", torch.ones(3, 2) * 0.5)
    assert list(tmp_path.iterdir()) == []


def test_an_argument_that_differs_from_call_to_call_and_decides_is_named(tmp_path: Path) -> None:
    class Inner(nn.Module):
        def forward(self, x: torch.Tensor, flag: bool = True) -> torch.Tensor:
            return x.exp() if flag else -x

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Inner()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x) + self.inner(x, False)

    with pytest.raises(export.ExportError, match=r"Inner\.forward .*'flag' decides about it"):
        export.source(Outer(), tmp_path / "net.py", torch.rand(3, 2))


def test_sizes_make_tensors_and_operations_in_place_keep_their_order(tmp_path: Path) -> None:
    class InPlace(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            before = x * 2
            self.relu(x)
            after = x * 3 + torch.zeros(x.size(0), len(x.shape)) + torch.ones(x.shape[0], 1)
            return before - (after - x) ** 2 - (-x) ** 2

    exported = export.source(InPlace(), tmp_path / "net.py", torch.randn(3, 2))
    text = exported.path.read_text()
    assert text.index("x * 2") < text.index("self.relu(x)") < text.index("x * 3")


def test_a_compiled_module_is_what_was_compiled(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.GRU(3, 4, num_layers=2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # importing the compiler, torch warns of its own parts
        compiled = torch.compile(model)
    network = written(export.source(compiled, tmp_path / "net.py", torch.rand(3, 2)).path).load()
    assert network.state_dict().keys() == model.state_dict().keys()
