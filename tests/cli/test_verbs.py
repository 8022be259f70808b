from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

VERBS = ("search", "resume", "show", "report", "train", "export", "list")


def test_show(cli: Callable[..., Any], finished: Path) -> None:
    done = cli("show", finished)
    assert done.status == 0, done.err
    for text in ("nasbench201(cells=1", "max:valid_accuracy", "test_accuracy", "The best 2", "edges[0] ="):
        assert text in done.out
    assert len(done.out.splitlines()) < 40


def test_show_as_json(cli: Callable[..., Any], finished: Path) -> None:
    data = cli("show", finished, "--json", "--top", 1).data
    assert len(data["top"]) == 1
    assert data["top"][0] == data["winner"] == data["front"][0]
    assert data["manifest"]["seed"] == 0
    assert data["failures_by_reason"] == {}


def test_show_to_a_reader_who_has_had_enough(first: Any) -> None:
    command = f"{sys.executable} -m archwright show {first[0]} --json | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_report(cli: Callable[..., Any], finished: Path, tmp_path: Path) -> None:
    done = cli("report", finished, "--output", tmp_path / "page.html")
    assert done.status == 0, done.err
    assert done.out.strip() == str(tmp_path / "page.html")
    assert "<html" in (tmp_path / "page.html").read_text()


def test_train(cli: Callable[..., Any], searched: Path) -> None:
    untrained = cli("export", searched)
    assert untrained.status == 2
    assert f"train it first: archwright train {searched}" in untrained.err
    (searched / "report.html").unlink()
    done = cli("train", searched, "--epochs", 1, "--json")
    assert done.status == 0, done.err
    assert done.data["result"]["epochs"] == 1
    page = (searched / "report.html").read_text()
    assert all(text in page for text in ("test_accuracy", f"{done.data['test']['test_accuracy']:.4g}"))
    again = cli("train", searched)
    assert again.status == 0
    assert "a test split is scored once" in again.err
    assert f"{done.data['test']['test_accuracy']:.4g}" in again.out


def test_a_training_that_is_interrupted_says_how_it_goes_on(
    cli: Callable[..., Any], searched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("archwright.winner.Winner.train", interrupted)
    done = cli("train", searched, "--evaluation", 0)
    assert done.status == 130
    assert done.err.splitlines()[-1].endswith("what has finished is kept, go on with: the same command")


@pytest.mark.parametrize(("format", "suffix"), [("source", ".py"), ("torch", ".pt2"), ("onnx", ".onnx")])
def test_export(cli: Callable[..., Any], finished: Path, tmp_path: Path, format: str, suffix: str) -> None:
    done = cli("export", finished, "--format", format, "--output", tmp_path / f"made{suffix}", "--json")
    assert done.status == 0, done.err
    assert done.data["path"] == str(tmp_path / f"made{suffix}")
    assert all(Path(file).is_file() for file in done.data["files"])


def test_export_in_a_format_that_is_none(cli: Callable[..., Any], finished: Path) -> None:
    done = cli("export", finished, "--format", "onx")
    assert done.status == 2
    assert "there is no export format 'onx'; did you mean onnx?" in done.err


def test_list(cli: Callable[..., Any]) -> None:
    done = cli("list")
    assert done.status == 0, done.err
    for text in (
        "regularized-evolution",
        "population: int = 100",
        "hyperparameters.learning_rate: float",
        "nasbench201",
    ):
        assert text in done.out
    strategies = {part["name"]: part for part in cli("list", "strategies", "--json").data}
    assert {"name": "population", "type": "int", "default": 100} in strategies["regularized-evolution"]["fields"]
    wrong = cli("list", "stratgies")
    assert (wrong.status, "did you mean strategies" in wrong.err) == (2, True)


def test_version_and_help(cli: Callable[..., Any]) -> None:
    assert cli("--version").out.startswith("archwright ")
    for verb in VERBS:
        done = cli(verb, "--help")
        assert done.status == 0
        assert "Exit status: 0 done" in done.out


def test_help_imports_no_torch() -> None:
    code = "import sys; from archwright.cli import main; main(['search', '--help']); assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


@pytest.mark.parametrize("verb", ["resume", "show", "report", "train", "export"])
def test_no_such_run(cli: Callable[..., Any], verb: str) -> None:
    done = cli(verb, "nowhere")
    assert (done.status, done.err) == (2, "archwright: error: there is no run nowhere\n")


def test_a_foreign_folder(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("")
    assert "thesis is no run of archwright" in cli("show", "thesis").err
    done = cli("search", "--out", "thesis")
    assert (done.status, "not empty and no run of archwright" in done.err) == (2, True)
    assert [file.name for file in (tmp_path / "thesis").iterdir()] == ["chapter.tex"]


def test_a_run_of_a_newer_version(cli: Callable[..., Any], finished: Path) -> None:
    manifest = json.loads((finished / "manifest.json").read_text())
    (finished / "manifest.json").write_text(json.dumps({**manifest, "format": 99}))
    for verb in ("show", "resume", "train"):
        done = cli(verb, finished, "--json")
        assert done.status == 2
        assert "newer archwright" in done.data["error"]


def test_a_fault_of_ours_has_a_traceback_with_debug_only(
    cli: Callable[..., Any], finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archwright.cli.show.outcome_text", lambda *_: 1 / 0)
    done = cli("show", finished)
    assert done.status == 1
    assert done.err.startswith("archwright: error: ZeroDivisionError: division by zero")
    assert "Traceback" not in done.err
    with pytest.raises(ZeroDivisionError):
        cli("--debug", "show", finished)
    monkeypatch.setitem(os.environ, "ARCHWRIGHT_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        cli("show", finished)
