"""ONNX and torch programs, and what all formats have in common."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from archwright import export
from archwright.core.errors import ArchwrightError
from archwright.export.to_torch import ABOUT
from archwright.tasks import arrays, csv_file
from archwright.tasks.task import Split, Splits, Task

Opened = Callable[[Path], tuple[Callable[[Tensor], Tensor], dict[str, str]]]

SUFFIXES = {"source": ".py", "onnx": ".onnx", "torch": ".pt2"}


@pytest.fixture
def model() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 2)).train()


def test_importing_it_imports_no_torch() -> None:
    code = "import sys, archwright.export as e; assert list(e.FORMATS) and 'torch' not in sys.modules; e.source"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["resnet", "nasnet", "shared"])
@pytest.mark.parametrize("format", ["onnx", "torch"])
def test_networks_in_other_formats(models: ModuleType, name: str, format: str, tmp_path: Path) -> None:
    if format == "onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnxscript")
    model, example = models.trained(name)
    exported = export.export(model, tmp_path / "net", example, format)

    assert exported.path == tmp_path / f"net{SUFFIXES[format]}"
    assert list(tmp_path.iterdir()) == list(exported.files)
    assert exported.max_difference <= 1e-5
    assert model.training


@pytest.fixture(params=["onnx", "torch"])
def opened(request: pytest.FixtureRequest) -> tuple[str, Opened]:
    """A format, and what opens its file: the function inside, and the texts."""

    def onnx(path: Path) -> tuple[Callable[[Tensor], Tensor], dict[str, str]]:
        session = pytest.importorskip("onnxruntime").InferenceSession(path)
        texts = session.get_modelmeta().custom_metadata_map
        return lambda batch: torch.as_tensor(session.run(None, {"input": batch.numpy()})[0]), texts

    def program(path: Path) -> tuple[Callable[[Tensor], Tensor], dict[str, str]]:
        found = {ABOUT: ""}
        module = torch.export.load(path, extra_files=found).module()
        texts = json.loads(found[ABOUT])
        return module, {name: text if isinstance(text, str) else json.dumps(text) for name, text in texts.items()}

    if request.param == "onnx":
        pytest.importorskip("onnxscript")
    return request.param, {"onnx": onnx, "torch": program}[request.param]


def test_raw_inputs_are_enough(opened: tuple[str, Opened], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    format, open_file = opened
    raw = torch.randint(256, (60, 1, 3, 3), dtype=torch.uint8)
    task = arrays(raw, ["cat", "dog"] * 30)
    model = nn.Sequential(nn.Flatten(), nn.Linear(9, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))
    path = export.export(model, tmp_path / "net", task, format, title="mine").path
    assert not [
        record for record in caplog.records if record.levelname == "WARNING"
    ]  # torch's exporter would tell of packages that it misses

    network, texts = open_file(path)
    assert torch.allclose(network(raw[:5].float()), model.eval()(task.prepare(raw[:5])), atol=1e-5)
    assert texts == {"title": "mine", "input": "pixels from 0 to 255", "classes": '["cat", "dog"]'}


def test_numbers_come_back_in_the_targets_units(opened: tuple[str, Opened], tmp_path: Path) -> None:
    format, open_file = opened
    inputs = torch.randn(60, 4) * 1e3
    task = arrays(inputs, torch.randn(60) * 1e5 + 3e5)
    model = nn.Linear(4, 1)
    network, _ = open_file(export.export(model, tmp_path / "net", task, format).path)

    targets = task.train.targets
    wanted = model(task.prepare(inputs[:5])) * targets.std() + targets.mean()
    assert torch.allclose(network(inputs[:5]), wanted, rtol=1e-4)


def test_a_tables_columns_are_named(opened: tuple[str, Opened], tmp_path: Path) -> None:
    format, open_file = opened
    (tmp_path / "table.csv").write_text("\n".join(["x,y", *(f"{row},{row % 2}" for row in range(30))]))
    path = export.export(nn.Linear(1, 2), tmp_path / "net", csv_file(tmp_path / "table.csv"), format).path
    assert open_file(path)[1]["features"] == '["x"]'


def test_a_task_may_prepare_in_its_own_way(opened: tuple[str, Opened], tmp_path: Path) -> None:
    class Squared(Task):
        def prepare(self, inputs: Tensor) -> Tensor:
            return inputs.float() ** 2

    format, open_file = opened
    split = Split(torch.randn(8, 4), torch.arange(8) % 2)
    task = Squared("squared", partial(Splits, split, split, split, ("a", "b")))
    model = nn.Linear(4, 2)
    network, texts = open_file(export.export(model, tmp_path / "net", task, format).path)
    assert torch.allclose(network(split.inputs**2), model(split.inputs**2), atol=1e-5)
    assert texts["input"] == "prepared as the task squared does"


@pytest.mark.parametrize("format", ["source", "onnx", "torch"])
def test_a_task_with_one_example_to_validate_on(format: str, tmp_path: Path) -> None:
    if format == "onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnxscript")
    task = arrays(torch.randn(6, 4), torch.randn(6))
    assert len(task.valid) == 1
    assert export.export(nn.Linear(4, 1), tmp_path / "net", task, format).path.exists()


@pytest.mark.parametrize("format", ["source", "torch"])
def test_errors_leave_nothing_behind(format: str, tmp_path: Path) -> None:
    class Random(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + torch.rand_like(x)

    with pytest.raises(export.ExportError, match="largest difference between outputs is 0"):
        export.export(Random(), tmp_path / "net", torch.rand(3, 2), format)
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_file_survives_a_failure(model: nn.Module, tmp_path: Path) -> None:
    path = export.source(model, tmp_path / "net.py", torch.rand(3, 4)).path
    before = path.read_bytes()
    with torch.no_grad():
        model[0].weight.fill_(torch.nan)  # type: ignore[union-attr, operator]
    with pytest.raises(export.ExportError, match="is nan"):
        export.source(model, path, torch.rand(3, 4))
    assert path.read_bytes() == before


@pytest.mark.parametrize("format", ["onnx", "torch"])
def test_a_branch_on_data_can_be_too_much(models: ModuleType, format: str, tmp_path: Path) -> None:
    if format == "onnx":
        pytest.importorskip("onnxscript")
    with pytest.raises(export.ExportError, match="Branching can't be exported"):
        export.export(models.Branching(), tmp_path / "net", torch.rand(3, 8), format)
    assert list(tmp_path.iterdir()) == []


def test_mistakes_are_told(model: nn.Module, tmp_path: Path) -> None:
    example = torch.rand(3, 4)
    with pytest.raises(ArchwrightError, match="did you mean onnx"):
        export.export(model, tmp_path / "net", example, "onx")
    with pytest.raises(ArchwrightError, match=r"must end in \.py"):
        export.source(model, tmp_path / "net.txt", example)
    with pytest.raises(ArchwrightError, match="at least 2"):
        export.source(model, tmp_path / "net.py", example[:1])
    with pytest.raises(ArchwrightError, match="the model itself fails"):
        export.torch_program(nn.Linear(5, 2), tmp_path / "net.pt2", example)
    (tmp_path / "file").touch()
    with pytest.raises(ArchwrightError, match="can't write"):
        export.source(model, tmp_path / "file" / "net.py", example)
    (tmp_path / "taken.py").mkdir()
    with pytest.raises(ArchwrightError, match="can't write"):
        export.source(model, tmp_path / "taken.py", example)
    assert model.training


def test_onnx_says_how_to_be_installed(model: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(export.ExportError, match=r"pip install 'archwright\[onnx\]'"):
        export.onnx(model, tmp_path / "net.onnx", torch.rand(3, 4))
