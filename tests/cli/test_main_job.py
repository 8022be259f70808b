from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from archwright.core.objective import Goal
from archwright.runtime.store import Store, alone

OWN = """
import torch
from torch import nn
import archwright as aw

class Net(nn.Module):
    def __init__(self, signature, width):
        super().__init__()
        size = 1
        for side in signature.input_shape:
            size *= side
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(size, width), nn.Linear(width, signature.outputs))

    def forward(self, x):
        return self.layers(x)

def crashing(signature, width):
    import os
    if width == 8:
        os._exit(7)
    return Net(signature, width)

space = aw.Space(Net, width=aw.Choice(4, 8, 16))
fragile = aw.Space(crashing, width=aw.Choice(8, 16))
number = 3

def made(widths: tuple[int, ...] = (4, 8)):
    return aw.Space(Net, width=aw.Choice(*widths))
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    return file


def test_it_searches_trains_scores_reports_and_exports(first: Any) -> None:
    folder, done = first
    data = done.data
    assert data["run"] == "runs/digits-1"
    assert data["ended"] == "the budget of 2 evaluations is spent"
    assert data["evaluations"] == 2
    assert 0 < data["winner"]["metrics"]["valid_accuracy"] <= 1
    assert not any(name.startswith("test_") for name in data["winner"]["metrics"])
    assert set(data["test"]) == {"test_accuracy", "test_loss"}
    assert data["result"]["epochs"] == 1
    for name in ("report", "weights"):
        assert (folder.parent.parent / data["files"][name]).is_file()
    assert "1 evaluated, best: valid_accuracy" in done.err


def test_the_exported_source_runs_alone(first: Any) -> None:
    folder, done = first
    assert (folder / "export" / "model.py").is_file(), done.err
    assert (folder / "export" / "model.safetensors").is_file()
    assert "archwright" not in [
        line.split()[1].partition(".")[0]
        for line in (folder / "export" / "model.py").read_text().splitlines()
        if line.startswith(("import ", "from "))
    ]


def test_resume_continues_to_a_larger_budget(cli: Callable[..., Any], searched: Path) -> None:
    before = json.loads((searched / "manifest.json").read_text())
    done = cli("resume", searched, "--evaluations", "3", "--workers", "2", "--train-epochs", "1", "--json", "--quiet")
    assert done.status == 0, done.err
    assert done.data["evaluations"] == 3
    assert done.data["test"]
    assert "archwright: error" not in done.err
    after = json.loads((searched / "manifest.json").read_text())
    assert after.pop("budget") == {**before.pop("budget"), "evaluations": 3}
    assert after == before


def test_resume_goes_on_as_it_was_asked_to_last(
    cli: Callable[..., Any], searched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted in the first trial, and then continued as the message says."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    wanted = ("--evaluations", 4, "--workers", 1, "--trial-minutes", 5, "--train-epochs", 1)
    with monkeypatch.context() as patched:
        patched.setattr("archwright.runtime.store.Store.asked", interrupted)
        done = cli("resume", searched, *wanted)
    assert done.status == 130, done.err
    kept = json.loads((searched / "job.json").read_text())
    assert (kept["workers"], kept["trial_minutes"], kept["train_epochs"]) == (1, 5, 1)
    done = cli("resume", searched, "--json")
    assert done.status == 0, done.err
    assert done.data["evaluations"] == 4
    assert done.data["ended"] == "the budget of 4 evaluations is spent"


@pytest.mark.parametrize("verb", ["resume", "search"])
def test_a_larger_budget_for_what_is_trained_is_refused_before_a_trial(
    cli: Callable[..., Any], finished: Path, small: tuple[str, ...], verb: str
) -> None:
    before = (finished / "manifest.json").read_bytes()
    more = ("--evaluations", 3)
    command = ("resume", finished, *more) if verb == "resume" else ("search", *small, *more, "--out", finished)
    refused = cli(*command)
    assert refused.status == 2
    assert "has trained and scored evaluation" in refused.err
    assert "go on with --search-only, or search anew in another folder" in refused.err
    assert (finished / "manifest.json").read_bytes() == before
    assert cli("show", finished, "--json").data["evaluations"] == 2
    done = cli(*command, "--search-only", "--json")
    assert done.status == 0, done.err
    assert done.data["evaluations"] == 3


@pytest.mark.parametrize("verb", ["resume", "search"])
def test_what_is_trained_is_reported_and_exported_though_its_search_was_cut_off(
    cli: Callable[..., Any], finished: Path, small: tuple[str, ...], verb: str
) -> None:
    """By the minutes, in a trial; and the process died after the training."""
    with Store(finished, write=True) as store:
        history, _ = store.load(Goal.of("valid_accuracy"))
        store.asked(2, replace(history[0].trial, seed=7), 2)
    manifest = json.loads((finished / "manifest.json").read_text())
    manifest["budget"] = {"evaluations": 9, "epochs": None, "minutes": 60.0}
    (finished / "manifest.json").write_text(json.dumps(manifest))
    shutil.rmtree(finished / "export")
    (finished / "report.html").unlink()
    scored = (finished / "result.json").read_bytes()
    same = ("search", *small, "--evaluations", 9, "--minutes", 60, "--out", finished)
    done = cli(*(("resume", finished) if verb == "resume" else same), "--json")
    assert done.status == 0, done.err
    assert done.data["ended"] == "its winner is trained; to search on, say --search-only"
    assert (done.data["evaluations"], done.data["pending"]) == (2, 1)
    assert "has its trained model, evaluation" in done.err
    assert {"report", "source", "weights"} <= done.data["files"].keys()
    assert (finished / "result.json").read_bytes() == scored
    with alone(finished):  # nothing stays locked
        pass


def test_of_several_objectives_any_point_of_the_front_can_be_trained(cli: Callable[..., Any], own: Path) -> None:
    options = ("--space", f"{own}:space", "--strategy", "exhaustive", "--estimator.epochs", 1, "--workers", 2)
    wanted = ("--objective", "min:parameters", "--objective", "valid_accuracy", "--out", "run")
    done = cli("search", *options, *wanted, "--search-only", "--json")
    assert done.status == 0, done.err
    front = [point["position"] for point in cli("show", "run", "--json").data["front"]]
    assert len(front) > 1
    assert f"the Pareto front has {len(front)} points: archwright train run trains the best by parameters" in done.err
    assert "archwright train run --evaluation N" in done.err
    told = cli("train", "run", "--space", f"{own}:space", "--evaluation", 9)
    assert (told.status, "run has no evaluation 9: it has evaluations 0 to 2" in told.err) == (2, True)
    trained = cli("train", "run", "--space", f"{own}:space", "--evaluation", front[1], "--epochs", 1, "--json")
    assert trained.status == 0, trained.err
    assert trained.data["result"]["position"] == front[1]
    assert cli("train", "run", "--space", f"{own}:space", "--evaluation", front[1]).status == 0
    refused = cli("train", "run", "--space", f"{own}:space", "--evaluation", front[0])
    assert refused.status == 2
    assert f"has trained and scored evaluation {front[1]} already" in refused.err
    again = cli("resume", "run", "--space", f"{own}:space")
    assert again.status == 0, again.err
    assert "a better one since" not in again.err  # neither point of the front beats the other


def test_a_search_says_which_point_of_the_front_it_trains(cli: Callable[..., Any], own: Path) -> None:
    options = ("--space", f"{own}:space", "--strategy", "exhaustive", "--estimator.epochs", 1, "--workers", 2)
    wanted = ("--objective", "min:parameters", "--objective", "valid_accuracy", "--out", "run", "--train-epochs", 1)
    done = cli("search", *options, *wanted, "--json")
    assert done.status == 0, done.err
    here = done.data["result"]["position"]
    assert f"of which the best by parameters, evaluation {here}, is trained" in done.err
    assert "search with --search-only, look with archwright show, then archwright train run --evaluation N" in done.err


def test_resume_on_another_device_computes_there(
    cli: Callable[..., Any], searched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the search had been begun on a machine with a GPU."""
    path = searched / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["estimator"]["arguments"]["device"] = "cuda"
    path.write_text(json.dumps(manifest))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    refused = cli("resume", searched, "--evaluations", "3", "--search-only")
    assert refused.status == 2
    assert "no usable GPU; use --device cpu" in refused.err
    assert cli("show", searched, "--json").data["evaluations"] == 2
    done = cli("resume", searched, "--evaluations", "3", "--device", "cpu", "--search-only", "--json")
    assert done.status == 0, done.err
    assert (done.data["evaluations"], done.data["failed"]) == (3, 0)
    manifest["estimator"]["arguments"]["device"] = "cpu"
    manifest["budget"]["evaluations"] = 3
    assert json.loads(path.read_text()) == manifest
    assert cli("resume", searched, "--search-only").status == 0  # it goes on there


def test_resume_of_a_finished_run_scores_nothing_again(cli: Callable[..., Any], finished: Path) -> None:
    before = (finished / "result.json").read_bytes()
    done = cli("resume", finished)
    assert done.status == 0, done.err
    assert "test split is scored once" in done.err
    assert (finished / "result.json").read_bytes() == before


def test_the_same_search_in_the_same_folder_goes_on(
    cli: Callable[..., Any], searched: Path, small: tuple[str, ...]
) -> None:
    done = cli("search", *small, "--out", searched, "--search-only")
    assert done.status == 0, done.err
    assert "2 in" in done.out


def test_another_search_in_the_same_folder_is_refused(
    cli: Callable[..., Any], searched: Path, small: tuple[str, ...]
) -> None:
    done = cli("search", *small, "--seed", "5", "--out", searched, "--search-only")
    assert done.status == 2
    assert "holds another search: its seed is 0, not 5" in done.err


def test_a_space_of_ones_own_from_a_file(cli: Callable[..., Any], own: Path) -> None:
    options = (
        "--workers",
        2,
        "--estimator.epochs",
        1,
        "--strategy",
        "exhaustive",
        "--train-epochs",
        1,
        "--out",
        "run",
        "--json",
    )
    done = cli("search", "--space", f"{own}:made", "--space.widths", "4,8,16", *options)
    assert done.status == 0, done.err
    assert done.data["evaluations"] == 3
    assert done.data["winner"]["words"]["width"] in ("4", "8", "16")
    refused = cli("resume", "run")
    assert refused.status == 2
    assert "the space of run is your own: give it again, --space file.py:name" in refused.err
    shown = cli("show", "run")
    assert shown.status == 0
    assert "your own" in shown.out
    assert cli("resume", "run", "--space", f"{own}:space", "--json").status == 0


def test_a_candidate_that_kills_its_process_is_one_failure(cli: Callable[..., Any], own: Path) -> None:
    options = (
        "--workers",
        2,
        "--estimator.epochs",
        1,
        "--strategy",
        "exhaustive",
        "--search-only",
        "--json",
        "--out",
        "run",
    )
    done = cli("search", "--space", f"{own}:fragile", *options)
    assert done.status == 0, done.err
    assert (done.data["evaluations"], done.data["failed"]) == (2, 1)
    assert "exited with status 7" in cli("show", "run").out


def test_a_folder_of_images(cli: Callable[..., Any], tmp_path: Path, own: Path) -> None:
    generator = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for index in range(12):
            pixels = generator.integers(0, 255, (10, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{index}.png")
    done = cli(
        *(
            "search",
            "./photos",
            "--workers",
            2,
            "--task.size",
            8,
            "--evaluations",
            1,
            "--estimator.epochs",
            1,
            "--train-epochs",
            1,
        ),
        *("--space", f"{own}:space", "--objective", "valid_accuracy", "--objective", "latency_ms", "--json"),
    )
    assert done.status == 0, done.err
    assert done.data["run"] == "runs/photos-1"
    assert done.data["winner"]["metrics"]["latency_ms"] > 0
    manifest = json.loads(Path("runs/photos-1/manifest.json").read_text())
    assert manifest["task"]["input_shape"] == [3, 8, 8]


def test_an_npz_file_of_numbers(cli: Callable[..., Any], tmp_path: Path, own: Path) -> None:
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(80, 5)).astype(np.float32)
    np.savez(tmp_path / "table.npz", inputs=inputs, targets=inputs.sum(axis=1))
    options = ("--workers", 2, "--evaluations", 1, "--estimator.epochs", 1, "--train-epochs", 2, "--json")
    images_only = cli("search", "table.npz", *options)
    assert images_only.status == 2
    assert "builds networks for images" in images_only.err
    assert "for vectors there is autonet (--space autonet)" in images_only.err
    assert not Path("runs").exists()
    done = cli("search", "table.npz", "--space", f"{own}:space", *options)
    assert done.status == 0, done.err
    assert "valid_r2" in done.data["winner"]["metrics"]
    assert "test_rmse" in done.data["test"]


def test_a_table_needs_nothing_but_its_file(cli: Callable[..., Any], tmp_path: Path) -> None:
    rows = [f"{row},{('low', 'high')[row % 2]},{row % 7 + 10 * (row % 2)}.5" for row in range(80)]
    (tmp_path / "cars.csv").write_text("\n".join(["id,range,price", *rows]))
    options = ("--task.ignore", "[id]", "--evaluations", 1, "--estimator.epochs", 1, "--train-epochs", 2, "--json")
    done = cli("search", "cars.csv", *options)
    assert done.status == 0, done.err
    assert "test_r2" in done.data["test"]
    text = Path("runs/cars-1/export/model.py").read_text()
    assert 'FEATURES = ("range=high", "range=low")' in text
    assert "outputs = restore(model(prepare(inputs)))" in text
    mistake = cli("search", "cars.csv", "--task.target", "prize", *options)
    assert mistake.status == 2
    assert "there is no column 'prize'; did you mean price?" in mistake.err


def test_no_architecture_that_keeps_the_constraint(cli: Callable[..., Any], own: Path) -> None:
    options = (
        "--workers",
        2,
        "--strategy",
        "exhaustive",
        "--objective",
        "valid_accuracy",
        "--objective",
        "parameters <= 10",
    )
    done = cli("search", "--space", f"{own}:space", *options, "--json", "--out", "run")
    assert done.status == 1
    assert "run has no winner" in done.data["error"]
    assert "parameters <= 10" in done.data["error"]
    assert done.err.count("archwright: error:") == 1


def test_ctrl_c_keeps_what_is_done(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "archwright", "search", "--space.cells", "1", "--estimator.epochs", "1"]
    command += ["--evaluations", "500", "--workers", "2", "--out", "run"]

    def listen() -> None:  # a shell starts background jobs deaf to SIGINT, and tests may be one
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, preexec_fn=listen) as process:
        assert process.stderr is not None
        try:
            while " evaluated, best" not in process.stderr.readline():
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            begun = time.monotonic()
            lines = process.stderr.readlines()
            assert process.wait(30) == 130
            assert time.monotonic() - begun < 10
        finally:
            process.kill()
    assert lines[-1] == "archwright: error: interrupted; what has finished is kept, go on with: archwright resume run\n"
    assert not any("Traceback" in line for line in lines)
    assert (tmp_path / "run" / "history.sqlite").is_file()
