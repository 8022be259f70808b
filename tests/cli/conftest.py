from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from archwright.cli import main

# Two workers: each takes one core, and many tests at once do not fight for them.
SMALL = (
    "--workers",
    "2",
    "--evaluations",
    "2",
    "--estimator.epochs",
    "1",
    "--space",
    "nasbench201",
    "--space.cells",
    "1",
)


class Result(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Tests may run side by side, and threads that wait for each other are slow then."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Runs a command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return Result(status, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def small() -> tuple[str, ...]:
    return SMALL


@pytest.fixture(scope="session")
def shell() -> Callable[..., Result]:
    """Runs a command as a user does, in a process of its own."""

    def run(*arguments: object, cwd: Path) -> Result:
        command = [sys.executable, "-W", "error::SyntaxWarning", "-m", "archwright", *map(str, arguments)]
        threads = {"OMP_NUM_THREADS": "1"}  # tests run side by side
        environment = {**os.environ, **threads}
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, env=environment)
        return Result(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def first(shell: Callable[..., Result], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """The folder of a finished main job, and what it printed."""
    folder = tmp_path_factory.mktemp("first")
    done = shell("search", *SMALL, "--train-epochs", "1", "--json", cwd=folder)
    assert done.status == 0, done.err
    return folder / "runs" / "digits-1", done


@pytest.fixture
def finished(first: tuple[Path, Result], tmp_path: Path) -> Path:
    """A copy of that run."""
    return Path(shutil.copytree(first[0], tmp_path / "finished"))


@pytest.fixture
def searched(finished: Path) -> Path:
    """The same before its winner was trained."""
    for name in ("result.json", "model.safetensors"):
        (finished / name).unlink()
    shutil.rmtree(finished / "export")
    return finished
