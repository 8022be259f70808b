"""Parts of the user's own, given again by name, are what the search was begun with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

FIELDS = """
import threading
from dataclasses import dataclass, replace
from torch import nn
import archwright as aw
from archwright.estimators.wrapped import Wrapped

class Net(nn.Linear):
    def __init__(self, signature, bias):
        super().__init__(signature.input_shape[0] * 64, signature.outputs, bias)

    def forward(self, x):
        return super().forward(x.flatten(1))

space = aw.Space(Net, bias=aw.Choice(True, False))

@dataclass(frozen=True)
class Turns:
    first: int = 0

    def propose(self, space, history, rng):
        return aw.Trial(list(aw.spaces.enumerate_all(space))[(history.asked + self.first) % 2], seed=history.asked)

@dataclass(frozen=True)
class Priced(Wrapped):
    price: float = 1e-6

    @property
    def metrics(self):
        return self.of.metrics | {"net_gain"}

    def estimate(self, space, trial, briefing=None):
        made = self.of.estimate(space, trial)
        gain = made.metrics["valid_accuracy"] - self.price * made.metrics["parameters"]
        return replace(made, metrics={**made.metrics, "net_gain": gain})

class Plain:
    metrics = frozenset({"valid_accuracy"})

    def __init__(self, task, scale: float = 1.0):
        self.hidden, self.scale = task, scale

    def estimate(self, space, trial):
        return aw.Evaluation(trial, {"valid_accuracy": self.scale}, cost=1.0)

class Locked(Plain):
    def __init__(self, task):
        super().__init__(task)
        self.lock = threading.Lock()

def few(seed: int = 0):
    digits, Split = aw.tasks.digits(seed=seed).splits, aw.tasks.Split
    parts = [Split(part.inputs[:60], part.targets[:60]) for part in (digits.train, digits.valid, digits.test)]
    return aw.tasks.Task("few", lambda: aw.tasks.Splits(*parts, digits.classes))
"""


def test_fields_of_own_parts_are_kept(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "fields_of_mine.py").write_text(FIELDS)
    parts = {part: f"fields_of_mine.py:{name}" for part, name in (("space", "space"), ("task", "few"))}
    parts |= {"strategy": "fields_of_mine.py:Turns", "estimator": "fields_of_mine.py:Priced"}
    fields = ("--strategy.first", 1, "--estimator.price", "1e-5", "--estimator.of.epochs", 1, "--task.seed", 3)
    named = [item for part in ("space", "strategy", "estimator") for item in (f"--{part}", parts[part])]
    limits = ("--objective", "max:net_gain", "--out", "run", "--search-only", "--json")
    done = cli("search", parts["task"], *named, *fields, *limits, "--evaluations", 1)
    assert done.status == 0, done.err
    kept = json.loads(Path("run/job.json").read_text())["parts"]
    assert kept["strategy"] == {"name": parts["strategy"], "first": "1"}
    assert kept["estimator"] == {"name": parts["estimator"], "price": "1e-5", "of": {"epochs": "1"}}
    named += ["--task", parts["task"]]
    done = cli("resume", "run", *named, "--evaluations", 2, "--search-only", "--json")
    assert (done.status, done.data["evaluations"]) == (0, 2), done.err
    assert json.loads(Path("run/job.json").read_text())["parts"] == kept
    told = ("--space", parts["space"], "--task", parts["task"])
    done = cli("train", "run", *told, "--epochs", 1, "--json")
    assert done.status == 0, done.err
    done = cli("export", "run", *told)
    assert done.status == 0, done.err
    (tmp_path / "run" / "job.json").write_text('{"workers": 1}')  # as older versions left a run
    refused = cli("resume", "run", *named, "--evaluations", 4, "--search-only")
    assert refused.status == 2
    assert "if it was made with fields of its own, such as --strategy.population 3, write a name in" in refused.err
    (tmp_path / "run" / "result.json").unlink()
    refused = cli("train", "run", *told, "--epochs", 1)
    assert refused.status == 2
    assert "if the task was made with fields of its own, such as --task.seed 3, give a name in" in refused.err


def test_an_own_estimator_that_tells_no_task_is_made_again(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "fields_of_mine.py").write_text(FIELDS)
    named = ("--space", "fields_of_mine.py:space", "--estimator", "fields_of_mine.py:Plain")
    limits = ("--strategy", "exhaustive", "--search-only", "--json", "--out", "run")
    done = cli("search", "digits", *named, "--estimator.scale", 0.5, *limits, "--evaluations", 1)
    assert done.status == 0, done.err
    refused = cli("resume", "run", *named[:2])
    assert refused.status == 2
    assert "the estimator of run is or holds a part of your own: give it again, --estimator file.py" in refused.err
    done = cli("resume", "run", *named, "--evaluations", 2, "--search-only", "--json")
    assert done.status == 0, done.err
    assert done.data["winner"]["metrics"]["valid_accuracy"] == 0.5


def test_no_file_is_run_because_a_run_names_it(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "fields_of_mine.py").write_text(FIELDS)
    (tmp_path / "foreign.py").write_text("open('was_run', 'w')\nPart = None\n")
    named = ("--space", "fields_of_mine.py:space", "--estimator", "fields_of_mine.py:Priced")
    options = ("--strategy", "exhaustive", "--evaluations", 1, "--estimator.of.epochs", 1, "--search-only")
    done = cli("search", "digits", *named, *options, "--out", "run")
    assert done.status == 0, done.err
    path = tmp_path / "run" / "job.json"
    job = json.loads(path.read_text())
    job["parts"]["estimator"]["of"] = "foreign.py:Part"
    path.write_text(json.dumps(job))
    refused = cli("resume", "run", *named, "--evaluations", 2, "--search-only")
    assert refused.status == 2
    assert "no file is run because a run's folder names it" in refused.err
    assert not (tmp_path / "was_run").exists()


def test_a_part_that_can_not_travel_is_told_before_the_first_trial(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "fields_of_mine.py").write_text(FIELDS)
    named = ("--space", "fields_of_mine.py:space", "--estimator", "fields_of_mine.py:Locked")
    refused = cli("search", "digits", *named, "--evaluations", 3, "--out", "run")
    assert refused.status == 2
    assert "can't send estimator.lock to a worker process" in refused.err
    assert "make them in the method that uses them" in refused.err
    assert not (tmp_path / "run").exists()
