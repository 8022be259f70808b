"""`archwright compare`: what it prints, what it refuses, and that it goes on."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archwright.cli.listed import listed
from archwright.core.errors import ArchwrightError

OWN = """
import numpy as np
import archwright as aw
from archwright.spaces.operators import sample

class Cell:
    pass

def net(a, b):
    return None

rng = np.random.default_rng(0)
valid = rng.permutation(25) / 100 + 0.5
table = aw.benchmarks.Table(
    {"valid_accuracy": valid, "test_accuracy": valid + 0.01, "seconds": np.full(25, 10.0)},
    lambda architecture: architecture["a"] * 5 + architecture["b"],
    lambda row: aw.Architecture((("a", row // 5), ("b", row % 5))),
)
bench = aw.benchmarks.Benchmark("grid", aw.Space(net, a=aw.Choice(*range(5)), b=aw.Choice(*range(5))), table)
small = aw.benchmarks.Benchmark("grid", aw.Space(net, a=aw.Choice(*range(5)), b=aw.Choice(*range(4))), table)

class Mine:
    def __init__(self, rate: float = 0.5, layers: tuple[int, ...] = ()):
        self.rate, self.layers = rate, layers
    def propose(self, space, history, rng):
        return aw.Trial(sample(space, rng))

class Cheat(Mine):
    def propose(self, space, history, rng):
        return aw.Trial(bench.table.architecture(int(valid.argmax())))
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "own_parts.py").write_text(OWN)
    return tmp_path


BUDGET = "--seeds 3 --evaluations 6 --jobs 1"


def test_compare_tells_all(cli: Callable[..., Any], own: Path) -> None:
    line = f'compare own_parts.py:bench --strategies "local-search,own_parts.py:Mine(rate=0.1,layers=[1,2])" {BUDGET}'
    done = cli(*shlex.split(line), "--quiet")
    assert done.status == 0, done.err
    assert "3 strategies × 3 seeds on grid, 6 evaluations a search" in done.out
    for word in ("local-search", "Mine", "random", "optimum of the table", "75.00", "can't tell 3 strategies apart"):
        assert word in done.out
    folder = own / "runs" / "compare-grid-1"
    assert {"comparison.html", "table.csv", "curves.csv", "searches.csv", "result.json"} <= {
        file.name for file in folder.iterdir()
    }
    before = (folder / "searches.jsonl").read_bytes()
    again = cli(*shlex.split(line), "--json")
    assert (
        folder / "searches.jsonl"
    ).read_bytes() == before  # the same command finds its folder, and nothing is repeated
    assert again.data["folder"] == "runs/compare-grid-1"
    assert "9 searches, 9 done already" in again.err
    assert again.data["manifest"]["strategies"]["Mine"]["state"] == {"rate": 0.1, "layers": [1, 2]}
    assert [line["searches"] for line in again.data["table"]] == [3, 3, 3]
    other = cli(*shlex.split(line.replace("rate=0.1", "rate=0.2")), "--json")
    assert other.data["folder"] == "runs/compare-grid-2"


def test_more_judges(cli: Callable[..., Any], bench_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHWRIGHT_BENCH_DATA", str(bench_data))
    line = f"compare nasbench201 --strategies random --also cifar100,cifar10,imagenet16 --benchmark.epochs 12 {BUDGET}"
    done = cli(*line.split(), "--json")
    assert done.data["optimum"] == pytest.approx(
        {"cifar10": 0.94373, "cifar100": 0.73513, "imagenet16": 0.47311}, abs=1e-4
    )
    assert done.data["verdict"][0].startswith("Only random search was run")


def test_strategies_of_a_file(cli: Callable[..., Any], own: Path) -> None:
    (own / "s.yaml").write_text('a: local-search\nb: {name: "own_parts.py:Mine", rate: 0.3}\n')
    (own / "s.toml").write_text("x = 'random'\n")
    done = cli(
        *f"compare own_parts.py:bench --strategies s.yaml --strategies s.toml,exhaustive {BUDGET} --json".split()
    )
    assert list(done.data["manifest"]["strategies"]) == ["a", "b", "x", "exhaustive"]
    assert done.data["manifest"]["baseline"] == "x"


MISTAKES = [
    ("own_parts.py:bench --strategies randm", "there is no strategy 'randm'; did you mean random?"),
    ("nasbench20 --strategies random", "there is no benchmark 'nasbench20'; did you mean nasbench201"),
    ("nowhere.csv --strategies random", "there is no table"),
    ("own_parts.py:Mine --strategies random", "own_parts.py:Mine is no benchmark but a Mine"),
    ("own_parts.py:bench --strategies own_parts.py:bench", "own_parts.py:bench is no strategy but a Benchmark"),
    ("own_parts.py:bench --strategies 'regularized-evolution(populaton=10)'", "'populaton'; did you mean population?"),
    (
        "own_parts.py:bench --strategies 'regularized-evolution(population=x)'",
        "population: found 'x', wanted a valid integer",
    ),
    ("own_parts.py:bench --strategies 'random(evaluations=10)'", "a budget of its own would be unfair"),
    ("own_parts.py:bench --strategies 'random('", "lacks a )"),
    ("own_parts.py:bench --strategies 'random)'", "has a ) too many"),
    ("own_parts.py:bench --strategies 'regularized-evolution(10)'", "found '10', wanted field=value"),
    ("own_parts.py:bench --strategies random,random", "random is named twice"),
    ("own_parts.py:bench --strategies nowhere.yaml", "nowhere.yaml can't be read: No such file"),
    ("own_parts.py:bench --strategies own_parts.py:Cheat", "Cheat holds"),
    ("own_parts.py:bench --strategies random --objective test_accuracy", "test_accuracy can't steer a search"),
    ("own_parts.py:bench --strategies random --also own_parts.py:small", "it is about another space"),
    ("own_parts.py:bench --strategies random --strategy.rate 1", "there is no part 'strategy'"),
    ("own_parts.py:bench --strategies random --seeds 0", "at least 1 seed"),
    ("own_parts.py:bench --strategies random --seconds -1", "seconds has to be more than 0"),
    ("own_parts.py:bench --strategies random --jobs 0", "at least 1 job"),
]


@pytest.mark.parametrize(("line", "message"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_one_line_says_what_is_wrong(cli: Callable[..., Any], own: Path, line: str, message: str) -> None:
    given = shlex.split(f"compare {line}")
    budget = [
        "--evaluations",
        "6",
        *([] if "--seeds" in line else ["--seeds", "3"]),
        *([] if "--jobs" in line else ["--jobs", "1"]),
    ]
    done = cli(*given, *budget, "--quiet")
    assert (done.status, done.out) == (2, "")
    assert message in done.err
    assert len(done.err.splitlines()) == 1
    assert not (own / "runs").exists()


def test_the_syntax_of_lists() -> None:
    found = listed(["a, b(x=1,y=[1,2]),fast=b(x=(2))", "mine.py:Own"], "--it")
    assert {label: given for label, (given, _) in found.items()} == {
        "a": {"name": "a"},
        "b(x=1,y=[1,2])": {"name": "b", "x": "1", "y": "1,2"},
        "fast": {"name": "b", "x": "(2)"},
        "Own": {"name": "mine.py:Own"},
    }
    for wrong in ("a((", "=a", "a(x)b", "(x=1)"):
        with pytest.raises(ArchwrightError, match="--it"):
            listed([wrong], "--it")
    assert np.size(list(listed([""], "--it"))) == 0
