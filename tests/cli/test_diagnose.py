"""`archwright diagnose`: what it prints, what it refuses, and that it goes on."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

OWN = """
import numpy as np
import archwright as aw

def net(a, b):
    return None

rng = np.random.default_rng(0)
valid = rng.permutation(100) / 200 + 0.4
table = aw.benchmarks.Table(
    {
        "valid_accuracy@1": valid,
        "valid_accuracy@0.25": valid + 0.1 * rng.normal(size=100),
        "score": -valid,
        "seconds@1": np.full(100, 8.0),
        "seconds@0.25": np.full(100, 2.0),
        "test_accuracy": valid,
    },
    lambda architecture: architecture["a"] * 10 + architecture["b"],
    lambda row: aw.Architecture((("a", row // 10), ("b", row % 10))),
)
bench = aw.benchmarks.Benchmark("grid", aw.Space(net, a=aw.Choice(*range(10)), b=aw.Choice(*range(10))), table)

class Mine:
    def __init__(self, scale: float = 1.0):
        self.scale = scale
    metrics = frozenset({"mine"})
    def estimate(self, space, trial):
        return aw.Evaluation(trial, {"mine": self.scale * float(valid[table.row(trial.architecture)])}, cost=0.5)
"""

SAMPLE = "--architectures 12 --near-top 3 --quiet"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "own_parts.py").write_text(OWN)
    return tmp_path


def test_a_table_is_diagnosed(cli: Callable[..., Any], own: Path) -> None:
    line = f"diagnose --benchmark own_parts.py:bench --fidelities 0.25 --metrics min:score,min:seconds {SAMPLE}"
    done = cli(*shlex.split(line))
    assert done.status == 0, done.err
    for words in ("12 random architectures and 3 near the top", "fidelity 0.25", "score ranks as the reference does"):
        assert words in done.out
    folder = own / "runs" / "diagnose-grid-1"
    names = {"diagnosis.html", "table.csv", "scores.csv", "result.json", "diagnosis.json"}
    assert names <= {file.name for file in folder.iterdir()}
    again = cli(*shlex.split(line), "--json")
    assert again.data["folder"] == "runs/diagnose-grid-1"
    early, score, seconds = again.data["lines"]
    assert seconds["agreement"]["all"]["tau"]["value"] is None  # all equal
    assert (early["label"], early["cost"], early["seconds"]) == ("fidelity 0.25", 0.25, 2.0)
    assert score["agreement"]["all"]["tau"]["value"] == 1.0
    assert (score["cost"], again.data["reference"]["seconds"]) == (None, 8.0)
    other = cli(*shlex.split(line.replace("--near-top 3", "--near-top 2")), "--json")
    assert other.data["folder"] == "runs/diagnose-grid-2"
    for verb in ("show", "report"):
        assert f"see {folder.relative_to(own)}/diagnosis.html" in cli(verb, "runs/diagnose-grid-1").err


def test_a_fidelity_may_be_a_fraction_or_rounded(cli: Callable[..., Any], own: Path) -> None:
    text = OWN.replace("@0.25", "@0.3333333333333333")
    (own / "own_parts.py").write_text(text)
    for asked in ("1/3", "0.33333"):
        done = cli(*shlex.split(f"diagnose --benchmark own_parts.py:bench --fidelities {asked} {SAMPLE} --json"))
        assert done.status == 0, done.err
        assert [(one["label"], one["seconds"]) for one in done.data["lines"]] == [("fidelity 0.333", 2.0)]


def test_own_estimators_are_judged_by_what_is_said(cli: Callable[..., Any], own: Path) -> None:
    mine = '--estimators "own_parts.py:Mine,back=own_parts.py:Mine(scale=-2,judged_by=[min:mine])"'
    done = cli(*shlex.split(f"diagnose --benchmark own_parts.py:bench {mine} {SAMPLE} --out here --json"))
    assert done.status == 0, done.err
    assert [(one["label"], one["column"]["objective"]) for one in done.data["lines"]] == [
        ("own_parts.py:Mine", "max:mine"),
        ("back", "min:mine"),
    ]
    assert [one["agreement"]["all"]["tau"]["value"] for one in done.data["lines"]] == [1.0, 1.0]
    assert done.data["lines"][0]["cost"] == pytest.approx(0.5 / 8)
    assert done.data["files"]["page"] == "here/diagnosis.html"


def test_estimates_are_added_to_the_first_folder_that_has_room_for_them(cli: Callable[..., Any], own: Path) -> None:
    """One label for two estimators is two folders; all that was asked in one stays there."""

    def made(*more: str) -> tuple[str, list[str]]:
        done = cli(*shlex.split(f"diagnose --benchmark own_parts.py:bench {SAMPLE} --json"), *more)
        assert done.status == 0, done.err
        return done.data["folder"], [one["label"] for one in done.data["lines"]]

    plain, turned = (("--estimators", f"mine=own_parts.py:Mine(judged_by=[{way}:mine])") for way in ("max", "min"))
    assert made(*plain) == ("runs/diagnose-grid-1", ["mine"])
    assert made(*turned) == ("runs/diagnose-grid-2", ["mine"])
    assert made("--metrics", "min:score") == ("runs/diagnose-grid-1", ["mine", "score"])
    assert made(*turned) == ("runs/diagnose-grid-2", ["mine"])
    assert made(*plain) == ("runs/diagnose-grid-1", ["mine", "score"])


def test_nas_bench_201(cli: Callable[..., Any], bench_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHWRIGHT_BENCH_DATA", str(bench_data))
    line = f"diagnose --benchmark nasbench201 --benchmark.epochs 200 --fidelities 0.06 {SAMPLE} --again --json"
    done = cli(*line.split())
    assert [one["label"] for one in done.data["lines"]] == ["12 epochs", "200 epochs, again", "parameters"]


def test_digits(cli: Callable[..., Any], tmp_path: Path) -> None:
    line = """diagnose digits --space nasbench201 --space.cells 1 --space.channels 2 --reference.epochs 2
        --fidelities 0.5 --estimators zero-cost(proxies=synflow) --architectures 4 --near-top 0 --workers 2 --json"""
    done = cli(*line.split())
    assert done.status == 0, done.err
    lines = done.data["lines"]
    assert [one["label"] for one in lines] == ["1 epoch", "zero-cost", "parameters", "flops"]
    assert all(one["answered"] == 4 for one in lines)
    assert done.data["verdict"][0].startswith("1 epoch can't be judged: 4 architectures are too few")
    assert lines[1]["seconds"] > 0
    assert done.data["reference"]["label"] == "2 epochs"
    kept = tmp_path / "runs" / "diagnose-digits-1"
    assert (kept / "reference" / "history.sqlite").exists()
    assert not list((kept / "reference").glob("checkpoints/*.pt"))  # the second epoch went on from the first


TABLE = "--benchmark own_parts.py:bench"
LEVEL = f"{TABLE} --fidelities 0.25"
MISTAKES = [
    (TABLE, "nothing to diagnose: give candidates, or fidelities"),
    (f"{LEVEL} --space nasbench201", "--space: a benchmark brings its own space"),
    (f"{LEVEL} --reference.epochs 3", "--reference: a benchmark brings its own"),
    (f"{TABLE} --fidelities 0.25,x", "--fidelities: found 'x', wanted numbers between 0 and 1"),
    (f"{TABLE} --fidelities 1/0", "--fidelities: found '1/0', wanted numbers between 0 and 1, such as 0.25 or 1/3"),
    (f"{TABLE} --fidelities 1.5", "above 0 and below 1, not 1.5"),
    (f"{TABLE} --fidelities 0.24", "the table was measured at fidelity 0.25, 1, not at 0.24"),
    (f"{TABLE} --estimators zero-cost", "give one beside --benchmark: archwright diagnose digits ..."),
    (f"{TABLE} --estimators mean(seeds=2)", "give one beside --benchmark: archwright diagnose digits ..."),
    (f"{TABLE} --metrics score", "write max:score or min:score"),
    (f"{TABLE} --metrics max:scre", "there is no metric 'scre'; did you mean score?"),
    (f"{TABLE} --estimators wait-sharing", "there is no estimator 'wait-sharing'"),
    (f"{TABLE} --estimators 'own_parts.py:Mine(scale=x)'", "scale: found 'x', wanted a valid number"),
    (f"{TABLE} --estimators 'own_parts.py:Mine(judged_by=max:x)'", "there is no metric 'x'"),
    (f"{TABLE} --estimators predicted", "predicted has nothing to learn from, and would never answer: give it"),
    (f"{TABLE} --estimators own_parts.py:bench", "own_parts.py:bench is no estimator but a Benchmark"),
    ("--benchmark nasbench20 --fidelities 0.25", "there is no benchmark 'nasbench20'; did you mean nasbench201"),
    (f"{LEVEL} --objective test_accuracy", "test_accuracy can't steer a search"),
    (f"{LEVEL} --strategy.rate 1", "there is no part 'strategy'"),
    (f"{LEVEL} --workers 0", "--workers: found 0, wanted greater than 0"),
    ("digits --fidelities 0.11,1/3 --reference.epochs 3", "fidelities 0.11 and 0.333 of 3 epochs are both 1 epoch"),
    ("digits --reference trainin --fidelities 0.5", "there is no estimator 'trainin'; did you mean training?"),
    ("digits --reference.epoch 3 --fidelities 0.5", "--reference.epoch: there is no field of training 'epoch'"),
    ("digits --space own_parts.py:nowhere --fidelities 0.5", "there is no name 'nowhere'"),
]


@pytest.mark.parametrize(("line", "message"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_one_line_says_what_is_wrong(cli: Callable[..., Any], own: Path, line: str, message: str) -> None:
    done = cli(*shlex.split(f"diagnose {line} --quiet"))
    assert (done.status, done.out) == (2, "")
    assert message in done.err
    assert len(done.err.splitlines()) == 1
    assert not (own / "runs").exists()
