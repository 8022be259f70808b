"""The examples run, and the README's first screen is one of them."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from archwright.testing import check_strategy

ROOT = Path(__file__).parents[1]


def test_the_miniature_runs_on_torch_alone(tmp_path):
    blocker = tmp_path / "archwright.py"
    blocker.write_text("raise ImportError('the miniature stands alone')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-W", "error", ROOT / "examples" / "miniature.py"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    accuracies = [float(number) for number in re.findall(r"([\d.]+) trained longer", done.stdout)]
    assert len(accuracies) == 2
    assert min(accuracies) > 0.4  # guessing gives 0.25
    imported = set(
        re.findall(r"^(?:from|import) (\w+)", (ROOT / "examples" / "miniature.py").read_text(), re.MULTILINE)
    )
    assert imported == {"__future__", "collections", "dataclasses", "random", "torch", "typing"}


def test_the_miniature_fits_in_a_head():
    code = [line for line in (ROOT / "examples" / "miniature.py").read_text().splitlines() if line.strip()]
    assert len(code) < 220


def test_own_module(tmp_path):
    command = [sys.executable, "-W", "error", ROOT / "examples" / "own_module.py", tmp_path / "run"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(re.search(r"test accuracy ([\d.]+)", done.stdout)[1]) > 0.8
    module = runpy.run_path(str(tmp_path / "run" / "model.py"))
    assert module["load"]() is not None


def test_the_first_screen_of_the_readme_runs(tmp_path, monkeypatch):
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    quick = code.replace("evaluations=20", "evaluations=2").replace("best.train(task)", "best.train(task, epochs=1)")
    assert quick != code
    (tmp_path / "first_screen.py").write_text(quick)
    done = subprocess.run(
        [sys.executable, "first_screen.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model.py").exists()
    assert (tmp_path / "model.safetensors").exists()


def test_the_guides_strategy_keeps_the_contract():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "guide.md").read_text(), re.DOTALL)
    (code,) = (block for block in blocks if "class BestNeighbour" in block)
    names = {"__name__": "guide"}
    exec(compile(code, "guide.md", "exec"), names)
    check_strategy(names["BestNeighbour"]())


@pytest.mark.parametrize("page", ["compare.md", "diagnose.md", "estimation.md", "guide.md"])
def test_python_in_the_docs_compiles(page):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        compile(block, page, "exec")


def test_the_comparison_of_the_docs_runs(bench_data, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ARCHWRIGHT_BENCH_DATA", str(bench_data))
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "compare.md").read_text(), re.DOTALL)
    exec(compile(code.replace("seeds=12", "seeds=3"), "compare.md", "exec"), {"__name__": "compare"})
    assert "3 seeds can't tell 3 strategies apart" in capsys.readouterr().out
    assert (tmp_path / "runs" / "first-comparison" / "comparison.html").exists()
