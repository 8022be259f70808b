from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TABLE = """# {"archwright_table": 1, "name": "mine", "space": {"name": "nasbench201", "arguments": {"cells": 1}}}
architecture,valid_accuracy@0.5,valid_accuracy@1#0,valid_accuracy@1#1,seconds,test_accuracy
|none~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|,0.1,0.2,0.3,4,0.25
|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|,0.4,0.5,0.6,4,0.55
"""


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARCHWRIGHT_BENCH_DATA", str(tmp_path / "kept"))
    (tmp_path / "table.csv").write_text(TABLE)
    return tmp_path / "table.csv"


def test_import_and_show_a_table_of_ones_own(cli: Callable[..., Any], table: Path) -> None:
    done = cli("benchmark", "import", table)
    assert (done.status, done.out.strip()) == (0, str(table.parent / "kept" / "mine.csv")), done.err
    shown = cli("benchmark", "show", "mine")
    assert shown.status == 0, shown.err
    for text in (
        "mine, 2 architectures of <space nasbench201>",
        "best 0.55",
        "seconds",
        "2 repetitions",
        "fidelity 0.5",
    ):
        assert text in shown.out
    data = cli("benchmark", "show", table, "--json").data
    assert data["optimum"] == 0.55
    assert data["fidelities"]["1"] == {"valid_accuracy": 2, "seconds": 1, "test_accuracy": 1}
    assert data["fidelities"]["0.5"] == {"valid_accuracy": 1, "seconds": 1, "test_accuracy": 1}


def test_import_into_a_folder(cli: Callable[..., Any], table: Path, tmp_path: Path) -> None:
    done = cli("benchmark", "import", table, "--out", tmp_path / "here", "--json")
    assert done.data == {"table": str(tmp_path / "here" / "mine.csv")}


def test_show_a_benchmark_of_the_library(
    cli: Callable[..., Any], bench_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHWRIGHT_BENCH_DATA", str(bench_data))
    data = cli("benchmark", "show", "nasbench201", "--json").data
    assert (data["architectures"], data["optimum"], data["cost"]) == (15_625, pytest.approx(0.943733), True)
    data = cli("benchmark", "show", "nasbench201", "--benchmark.dataset", "cifar100", "--json").data
    assert data["optimum"] == pytest.approx(0.7351, abs=5e-5)


def test_list_benchmarks(cli: Callable[..., Any]) -> None:
    names = [part["name"] for part in cli("list", "benchmarks", "--json").data]
    assert names == ["ecnas", "nasbench101", "nasbench201"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("show", "nothing.csv"), "there is no table nothing.csv"),
        (("show", "nasbench102"), "did you mean nasbench101 or nasbench201"),
        (("show", "nasbench101"), "archwright benchmark import"),
        (("import", "nothing.csv"), "there is no nothing.csv"),
        (("import", "."), "meta.pickle.pbz2"),
        (("import", "bad.pth"), "bad.pth is refused"),
    ],
)
def test_mistakes_are_one_line(
    cli: Callable[..., Any], table: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    Path("bad.pth").write_text("nothing")
    done = cli("benchmark", *arguments)
    assert done.status == 2
    assert complaint in done.err
    assert len([line for line in done.err.splitlines() if line.startswith("archwright: error")]) == 1


def test_help(cli: Callable[..., Any]) -> None:
    for verb in ("import", "show"):
        assert "Exit status: 0 done" in cli("benchmark", verb, "--help").out
