"""Anybody's own benchmark: written, read again, and the mistakes in between."""

import json
import math
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

import archwright as aw
from archwright.benchmarks.table import BadTable, Benchmark, RowsApart, Table

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def net(signature, width, depth):
    """Never built here."""


SPACE = aw.Space(net, width=aw.Choice(8, 16, 32), depth=aw.Integer(1, 4))
ARCHITECTURES = list(aw.spaces.enumerate_all(SPACE))


@pytest.fixture
def benchmark():
    rng = np.random.default_rng(0)
    names = "valid_accuracy@0.1 valid_accuracy@1#0 valid_accuracy@1#1 seconds@0.1 seconds@1 test_accuracy"
    columns = {name: rng.random(len(ARCHITECTURES)) for name in names.split()}
    columns["valid_accuracy@1#1"][3] = math.nan
    columns["valid_accuracy@1#0"][5] = columns["valid_accuracy@1#1"][5] = math.nan
    return Benchmark(
        "mine", SPACE, Table(columns, ARCHITECTURES.index, ARCHITECTURES.__getitem__), fidelity_of="50 epochs"
    )


@pytest.mark.parametrize("kind", [".csv", ".csv.gz", ".npz"])
def test_what_is_saved_is_loaded(benchmark, tmp_path, kind):
    path = aw.benchmarks.save(benchmark, tmp_path / f"mine{kind}")
    loaded = aw.benchmarks.load(path, SPACE)
    assert (loaded.name, loaded.objective, loaded.score) == ("mine", "valid_accuracy", "test_accuracy")
    assert loaded.fidelity_of == "50 epochs"
    for name, column in benchmark.table.columns.items():
        np.testing.assert_array_equal(loaded.table.columns[name], column)
    for row, architecture in enumerate(ARCHITECTURES):
        assert loaded.table.architecture(row) == architecture
        for trial in (aw.Trial(architecture, 0.1), aw.Trial(architecture, seed=1), aw.Trial(architecture)):
            assert loaded.estimator.estimate(SPACE, trial) == benchmark.estimator.estimate(SPACE, trial)
    with path.open("rb") as first, aw.benchmarks.save(loaded, tmp_path / f"again{kind}").open("rb") as second:
        assert kind == ".csv.gz" or first.read() == second.read()  # gzip writes the time


def test_repetitions_that_are_missing(benchmark):
    """Seeds go round those that a row has; a mean is over these; none at all is an empty place."""
    columns = benchmark.table.columns
    for seed in (0, 1, 2):
        answer = benchmark.estimator.estimate(SPACE, aw.Trial(ARCHITECTURES[3], seed=seed))
        assert answer.metrics["valid_accuracy"] == columns["valid_accuracy@1#0"][3]
    assert "valid_accuracy" not in benchmark.estimator.estimate(SPACE, aw.Trial(ARCHITECTURES[5])).metrics
    mean = benchmark.table.mean("valid_accuracy")
    assert mean[3] == columns["valid_accuracy@1#0"][3]
    assert math.isnan(mean[5])
    assert mean[0] == pytest.approx((columns["valid_accuracy@1#0"][0] + columns["valid_accuracy@1#1"][0]) / 2)
    best = max(value for value in mean.tolist() if value == value)
    assert benchmark.optimum("valid_accuracy") == best


def test_a_space_of_the_library_is_made_again(tmp_path):
    space = aw.spaces.chain()
    architectures = [aw.spaces.sample(space, np.random.default_rng(seed)) for seed in range(20)]
    table = Table({"valid_loss": np.arange(20.0)}, architectures.index, architectures.__getitem__)
    path = aw.benchmarks.save(Benchmark("chains", space, table, "min:valid_loss", "valid_loss"), tmp_path / "c.csv.gz")
    loaded = aw.benchmarks.load(path)
    assert loaded.space.declaration() == space.declaration()
    assert [loaded.table.row(architecture) for architecture in architectures] == list(range(20))
    assert pickle.loads(pickle.dumps(loaded)).table.row(architectures[7]) == 7
    assert loaded.optimum() == 0.0  # it is minimised


def test_equal_graphs_share_a_row_unless_each_has_its_own(tmp_path):
    text = "|nor_conv_3x3~0|+|none~0|{}~1|+|none~0|none~1|skip_connect~2|"
    head = {"archwright_table": 1, "name": "two", "space": {"name": "nasbench201", "arguments": {}}}
    header = "architecture,valid_accuracy,test_accuracy"
    lines = [f"# {json.dumps(head)}", header, f"{text.format('skip_connect')},0.5,0.4"]
    path = tmp_path / "two.csv"
    path.write_text("\n".join(lines))
    loaded = aw.benchmarks.load(path)
    from archwright.spaces.nas_bench_201 import from_string

    same = from_string("|skip_connect~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|skip_connect~2|")
    assert loaded.table.row(same) == 0
    assert loaded.table.row(from_string(text.format("nor_conv_1x1"))) is None
    path.write_text("\n".join([*lines, "|skip_connect~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|skip_connect~2|,1,1"]))
    assert aw.benchmarks.load(path).table.row(same) == 1  # read anew, and this very architecture first


@pytest.mark.parametrize("kind", [".csv", ".npz"])
def test_rows_apart_stay_apart(tmp_path, kind):
    """Two cells that are one graph, measured apart; the description is that of the space itself."""
    from archwright.spaces.nas_bench_201 import from_string

    text = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|"
    twins = [from_string(text), from_string("|skip_connect~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|skip_connect~2|")]
    plain = aw.spaces.nasbench201()
    assert plain.key(twins[0]) == plain.key(twins[1])
    table = Table({"valid_accuracy": np.array([0.5, 0.5]), "ms": np.array([1.0, 2.0])}, twins.index, twins.__getitem__)
    path = aw.benchmarks.save(Benchmark("timed", RowsApart(plain), table), tmp_path / f"timed{kind}")
    for loaded in (aw.benchmarks.load(path), aw.benchmarks.load(path, plain)):
        again = aw.benchmarks.load(aw.benchmarks.save(loaded, tmp_path / f"again{kind}"))
        for space in (loaded.space, again.space):
            assert space.key(twins[0]) != space.key(twins[1])
        search = aw.search(again.space, Each(twins), again.estimator, objectives="min:ms")
        assert [(found.metrics["ms"], found.reused) for found in search] == [(1.0, None), (2.0, None)]


class Each:
    ends = True

    def __init__(self, architectures):
        self.architectures = architectures

    def propose(self, space, history, rng):
        return aw.Trial(self.architectures[history.asked]) if history.asked < len(self.architectures) else None


def written(tmp_path, benchmark, change, name="t.csv"):
    path = aw.benchmarks.save(benchmark, tmp_path / "t.csv")
    lines = path.read_text().splitlines()
    (tmp_path / name).write_text("\n".join(change(lines)))
    return tmp_path / name


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda lines: lines[1:], "begin with its header"),
        (lambda lines: ["# {}", *lines[1:]], "begin with its header"),
        (lambda lines: [lines[0].replace('table": 1', 'table": 9'), *lines[1:]], "newer archwright"),
        (lambda lines: [lines[0], lines[1].replace("tecture", ""), *lines[2:]], "lacks the column architecture"),
        (lambda lines: [*lines[:2], lines[2] + ",7"], "row 1 has 8 fields, and the header has 7$"),
        (
            lambda lines: [*lines[:2], '{"width":0,"depth":1}' + lines[2][lines[2].index("}") + 1 :]],
            "row 1 has 8 fields, and the header has 7; JSON with commas has to be quoted as CSV",
        ),
        (lambda lines: [*lines[:3], lines[3].replace("width", "height")], "row 2: the architecture lacks a decision"),
        (lambda lines: [*lines[:2], re.sub(r"0\.\d+$", "good", lines[2])], "test_accuracy holds something else"),
        (lambda lines: [lines[0], lines[1].replace("@1#0", "@x"), *lines[2:]], "metric@fidelity#seed|metric.@fidelity"),
        (lambda lines: lines[:2], "no rows"),
        (
            lambda lines: [*lines[:5], lines[3]],
            r"rows 2 and 4 are of the same architecture, .*; write repetitions as columns metric#seed",
        ),
        (
            lambda lines: [lines[0], lines[1].replace("@1#1", "@1#0"), *lines[2:]],
            "two columns called valid_accuracy@1#0",
        ),
        (
            lambda lines: [lines[0], lines[1].replace("@1#1", "@1.#0"), *lines[2:]],
            "of the same metric, fidelity and seed",
        ),
    ],
)
def test_damaged_tables(tmp_path, benchmark, change, complaint):
    with pytest.raises(aw.ArchwrightError, match=complaint):
        aw.benchmarks.load(written(tmp_path, benchmark, change), SPACE)


def test_mistakes(tmp_path, benchmark):
    with pytest.raises(BadTable, match=r"of your own: give it, .*; on the command line, .* file\.py:name"):
        aw.benchmarks.load(aw.benchmarks.save(benchmark, tmp_path / "mine.csv"))
    with pytest.raises(BadTable, match=r"\.csv\.gz, \.csv, \.npz, not mine\.xls"):
        aw.benchmarks.save(benchmark, tmp_path / "mine.xls")
    with pytest.raises(BadTable, match="there is no table nowhere"):
        aw.benchmarks.load("nowhere")
    (tmp_path / "text.npz").write_text("none")
    with pytest.raises(BadTable, match="no readable table"):
        aw.benchmarks.load(tmp_path / "text.npz")
    np.savez(tmp_path / "object.npz", header=np.array({"a": print}, dtype=object))
    with pytest.raises(BadTable, match=r"no readable table.*allow_pickle"):
        aw.benchmarks.load(tmp_path / "object.npz")


def test_an_imported_table_is_found_by_its_name(tmp_path, benchmark, monkeypatch):
    monkeypatch.setenv("ARCHWRIGHT_BENCH_DATA", str(tmp_path / "kept"))
    kept = aw.benchmarks.import_table(aw.benchmarks.save(benchmark, tmp_path / "other name.csv"))
    assert kept == tmp_path / "kept" / "mine.csv"
    assert aw.benchmarks.load("mine", SPACE).optimum() == benchmark.optimum()
    with pytest.raises(BadTable, match="begin with its header"):
        aw.benchmarks.import_table(written(tmp_path, benchmark, lambda lines: lines[1:], "bad.csv"))
    for name in ("../mine", "/tmp/mine", "", ".mine", "nasbench201"):
        renamed = written(tmp_path, benchmark, lambda lines, name=name: [lines[0].replace("mine", name), *lines[1:]])
        with pytest.raises(BadTable, match="give it a name of letters"):
            aw.benchmarks.import_table(renamed)
    assert [file.name for file in (tmp_path / "kept").iterdir()] == ["mine.csv"]


def blocks_of_the_page():
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_the_page_about_it_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    _, *own = blocks_of_the_page()
    for block in own:
        exec(compile(block, PAGE.name, "exec"), names)
    assert (tmp_path / "squares.npz").exists()


def test_its_search_on_a_published_benchmark_runs(bench_data, monkeypatch):
    monkeypatch.setenv("ARCHWRIGHT_BENCH_DATA", str(bench_data))
    names = {"__name__": "page"}
    exec(compile(blocks_of_the_page()[0], PAGE.name, "exec"), names)
    assert names["search"].elapsed == pytest.approx(12_000)
    assert 50 < names["search"].history.spent < 200
