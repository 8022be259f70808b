"""The report of a run: a page that stands alone and holds whatever kind of run it is given."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import time
import zlib
from html.parser import HTMLParser
from pathlib import Path

import pytest

import archwright as aw
from archwright import reports
from archwright.reports import charts, summary

VOID = {"meta", "link", "br", "hr", "img", "input"}
EVIL = "<script>alert('x')</script> & \"quoted\" $\\frac$"
TWO = ["valid_accuracy", "parameters"]


class Fake:
    """Answers at once, by a hash of the decisions; some it fails."""

    def __init__(self, failing: float = 0.0, extra: str = "", curve: int = 6) -> None:
        self.failing, self.extra, self.curve = failing, extra, curve

    def estimate(self, space, trial):
        one, two = (zlib.crc32(salt + trial.architecture.to_json().encode()) / 2**32 for salt in (b"", b"x"))
        if two < self.failing:
            raise RuntimeError(f"needs {one:.3f} GiB {EVIL}")
        accuracy = 0.5 + 0.4 * one * trial.fidelity
        curve = tuple(accuracy * (1 - 0.6 * math.exp(-step)) for step in range(self.curve - 1))
        metrics = {"valid_accuracy": accuracy, "parameters": float(round(10 ** (4 + 2 * two))), "epochs": 3.0}
        metrics |= {self.extra: 1 + one + two} if self.extra else {}
        return aw.Evaluation(trial, metrics, (*curve, accuracy)[: self.curve], cost=0.5)


class Careful(Fake):
    def preflight(self, space, trial):
        return {"parameters": self.estimate(space, trial).metrics["parameters"]}


class Net:
    def __init__(self, signature, width, rate, name):
        raise AssertionError("a report builds no network")


class Page(HTMLParser):
    """Checks that every tag is closed, and gathers text, attributes and rows."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open, self.words, self.ids, self.tags, self.labels, self.links = [], [], [], [], [], []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()
        assert self.open == []
        assert len(self.ids) == len(set(self.ids)), "two elements with one id"
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append((tag, given))
        self.ids += [given["id"]] if "id" in given else []
        self.labels += [given["aria-label"]] if "aria-label" in given else []
        self.links += [given[name] for name in ("src", "href", "srcset", "xlink:href", "data") if name in given]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    def count(self, tag, kind=""):
        return sum(
            name == tag and kind in given.get("class", "").split() if kind else name == tag for name, given in self.tags
        )


def record(folder, space=None, estimator=None, objectives=TWO, evaluations=30, strategy=None):
    space = space or aw.spaces.nasbench201(cells=1)
    search = aw.search(space, strategy or aw.strategies.Random(), estimator or Fake(), objectives=objectives, seed=3)
    for _ in aw.record(aw.budget(search, evaluations=evaluations), folder):
        pass
    return aw.load(folder)


def read(run, path=None):
    page = Page(reports.html(run, path))
    assert all(link.startswith(("#", "data:")) for link in page.links), "the page fetches something"
    assert "http:" not in page.source
    assert "https:" not in page.source
    assert "url(" not in re.sub(r"url\(#\w+\)", "", page.source)
    assert page.count("script") == 1, "only the page's own script"
    assert not re.search(r"\bNone\b|Undefined|#00000\d|#00001\d", page.text)
    for tag, given in page.tags:
        if tag == "svg":
            assert given["role"] == "img"
            assert given["aria-label"]
    return page


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    return record(tmp_path_factory.mktemp("runs") / "usual", estimator=Fake(failing=0.2), evaluations=60)


def test_usual_run_is_told_whole(usual):
    page = read(usual)
    best = usual.best
    metrics = best.evaluation.metrics
    assert f"evaluation {best.scored.position} : valid_accuracy {metrics['valid_accuracy']:.4g}" in page.text
    assert f"parameters {metrics['parameters']:,.0f}" in page.text
    assert "15,625 architectures" in page.text
    assert "maximise valid_accuracy, minimise parameters" in page.text
    failures = sum(bool(evaluation.failure) and evaluation.reused is None for evaluation in usual.history)
    assert failures > 0
    assert f"Failures: {failures}" in page.text
    assert "Hypervolume" in page.text
    assert f"parameters {max(s.evaluation.metrics['parameters'] for s in usual.history.succeeded):,.0f}" in page.text
    assert page.count("svg", "chart") == 4
    assert page.count("svg", "graph") >= 2
    assert page.count("tr", "best") == 2  # on the front, and among the best
    assert "nor_conv_3x3" in page.text
    assert json.dumps(usual.manifest["created"]) in page.text
    assert "test split" not in page.text


def test_the_page_lies_in_the_run_or_where_wanted(usual, tmp_path):
    assert reports.html(usual) == usual.folder / "report.html"
    wanted = tmp_path / "new" / "page.html"
    assert reports.html(usual, str(wanted)) == wanted
    assert [path.name for path in wanted.parent.iterdir()] == ["page.html"]
    with pytest.raises(aw.ArchwrightError, match="can't write"):
        reports.html(usual, tmp_path)
    with pytest.raises(aw.ArchwrightError, match="can't write"):
        reports.html(usual, wanted / "under-a-file.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new"]


def test_the_same_run_gives_the_same_page(usual, tmp_path):
    pages = [reports.html(usual, tmp_path / name).read_text() for name in ("a", "b")]
    first, second = (re.sub(r"Written .* by", "", page) for page in pages)
    assert first == second


def test_what_users_write_is_escaped(usual):
    page = read(usual)
    assert EVIL in page.text
    assert "<script>alert" not in page.source


def test_reasons_that_differ_in_a_number_are_one(usual):
    assert read(usual).count("li") - len(summary.cost(usual)) == 1


def test_a_result_is_told_apart(tmp_path):
    run = record(tmp_path / "run", evaluations=5)
    result = {
        "test_accuracy": 0.9123,
        "position": 2,
        "epochs": 20,
        "seed": 0,
        "seconds": 75.0,
        "train_losses": [2.0, 1.0, 0.5],
    }
    (run.folder / "result.json").write_text(json.dumps(result))
    page = read(run)
    assert "test_accuracy 0.9123" in page.text
    assert "trained on train and validation split together" in page.text
    assert any("Training loss over 3 epochs" in label for label in page.labels)


def test_nothing_evaluated(tmp_path):
    folder = tmp_path / "run"
    aw.record(aw.search(aw.spaces.nasbench201(cells=1), aw.strategies.Random(), Fake(), objectives=TWO), folder).close()
    page = read(aw.load(folder))
    assert "has no winner: nothing was evaluated" in page.text
    assert page.count("svg") == 0


def test_everything_failed(tmp_path):
    page = read(record(tmp_path / "run", estimator=Fake(failing=2.0), evaluations=12))
    assert "has no winner: all" in page.text
    assert page.count("svg") == 0
    assert "Failures: 12" in page.text


def test_one_evaluation(tmp_path):
    page = read(record(tmp_path / "run", evaluations=1, objectives="valid_accuracy"))
    assert "The winner is evaluation 0" in page.text
    assert "Objective against parameters" in page.text


def test_one_evaluation_of_two_objectives_and_curves_of_one_point(tmp_path):
    page = read(record(tmp_path / "run", evaluations=1, estimator=Fake(curve=1)))
    assert "1 architecture of 1 is on the front" in page.text


def test_three_objectives(tmp_path):
    run = record(tmp_path / "run", estimator=Fake(extra="latency_ms"), objectives=[*TWO, "latency_ms"], evaluations=200)
    page = read(run)
    assert "minimise latency_ms" in page.text
    assert f"{len(run.front)} architectures of 200 are on the front" in page.text


def test_a_metric_with_an_odd_name(tmp_path):
    page = read(record(tmp_path / "run", estimator=Fake(extra="sp$ee$d_<b>&")))
    assert "sp$ee$d_<b>&" in page.text
    moments = [summary.Moment(1, 1.0, 0.5, True)]
    chart = charts.over_time(moments, moments, "sp$ee$d_<b>&")
    assert "sp$ee$d_&lt;b&gt;&amp;" in chart
    assert "<b>" not in chart


def test_the_task_and_its_splits(tmp_path):
    estimator = Fake()
    estimator.task = aw.tasks.digits()
    page = read(record(tmp_path / "run", estimator=estimator, evaluations=3))
    assert "nasbench201 for digits" in page.text
    assert f"train {len(estimator.task.train):,}" in page.text
    assert f"sha256 {aw.load(tmp_path / 'run').manifest['task']['test']['sha256'][:16]}" in page.text


def test_an_unfinished_run(tmp_path):
    search = aw.search(aw.spaces.nasbench201(cells=1), aw.strategies.Random(), Fake(), objectives=TWO)
    recorded = aw.record(search, tmp_path / "run")
    next(recorded)
    page = read(aw.load(tmp_path / "run"))
    recorded.close()
    assert "The winner is evaluation 0" in page.text


def test_outliers_hide_nothing_and_the_best_is_seen():
    moments = [summary.Moment(n, float(n), 1.0 + n / 1000, True) for n in range(1, 50)]
    worst, best = summary.Moment(50, 50.0, 1e3, True), summary.Moment(51, 51.0, -7.0, True)
    chart = charts.over_evaluations([*moments, worst, best], [moments[0], best], "valid_loss")
    ticks = [float(text.replace("\N{MINUS SIGN}", "-")) for text in re.findall(r">(\N{MINUS SIGN}?\d+)</text>", chart)]
    assert -7 <= min(ticks) < -5
    assert max(ticks) <= 51


def test_excluded_ones_are_apart(tmp_path):
    run = record(tmp_path / "run", estimator=Careful(), objectives=[*TWO, "parameters <= 100000"], evaluations=10)
    excluded = sum(evaluation.rejected and evaluation.reused is None for evaluation in run.history)
    page = read(run)
    assert excluded > 0
    assert f"Excluded by a constraint, before any cost: {excluded}" in page.text
    assert "Failures:" not in page.text


def test_a_constraint_that_none_keeps(tmp_path):
    page = read(record(tmp_path / "run", objectives=["valid_accuracy", "parameters <= 1"], evaluations=5))
    assert "no evaluation kept the constraints" in page.text
    assert "lower fidelity, or breaks a constraint" in page.text


class Rungs:
    """Every architecture at a third of the resource, every third one in full."""

    def propose(self, space, history, rng):
        count = len(history) + len(history.pending)
        return aw.Trial(aw.spaces.sample(space, rng), fidelity=1.0 if count % 3 == 2 else 1 / 3)


def test_low_fidelities_are_no_incumbents(tmp_path):
    run = record(tmp_path / "run", strategy=Rungs(), objectives="valid_accuracy")
    page = read(run)
    assert run.best.evaluation.trial.fidelity == 1.0
    assert f"at the end {run.best.evaluation.metrics['valid_accuracy']:.4g}" in page.text


def test_a_space_of_the_users_own(tmp_path):
    space = aw.Space(Net, width=aw.Choice(16, 32), rate=aw.Real(0.1, 0.9), name=aw.Choice("<i>a</i>", "b"))
    page = read(record(tmp_path / "run", space=space))
    assert "infinitely many architectures" in page.text
    assert page.count("svg", "graph") == 0
    assert page.count("dl", "decisions") >= 2
    given = read(aw.load(tmp_path / "run", space=space))
    assert "<i>a</i>" in given.text


@pytest.mark.parametrize("make", [aw.spaces.cell, aw.spaces.multibranch, aw.spaces.chain])
def test_every_space_of_the_library_is_drawn(make, tmp_path):
    page = read(record(tmp_path / "run", space=make(), objectives="valid_accuracy", evaluations=8))
    assert page.count("svg", "graph") >= 5
    if make is aw.spaces.cell:
        assert "normal" in page.text
        assert "reduction" in page.text


def test_numbers_that_are_none(tmp_path):
    class Odd(Fake):
        def estimate(self, space, trial):
            answer = super().estimate(space, trial)
            metrics = {**answer.metrics, "parameters": math.nan, "valid_loss": math.inf}
            return aw.Evaluation(trial, metrics, (math.nan, math.inf, 0.5), 0.1)

    page = read(record(tmp_path / "run", estimator=Odd(), objectives="valid_accuracy"))
    assert "inf" in page.text


def test_five_thousand_evaluations(tmp_path):
    space = aw.Space(Net, width=aw.Integer(1, 10**9), rate=1, name="big")
    run = record(tmp_path / "run", space=space, evaluations=5000, estimator=Fake(failing=0.1))
    started = time.perf_counter()
    page = read(run)
    assert time.perf_counter() - started < 10
    assert len(page.source) < 2_000_000
    assert "5,000" in page.text
    assert "800 of 4," in page.text


def test_import_is_light():
    code = "import sys, archwright.reports; print([m for m in ('matplotlib', 'jinja2', 'torch') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
    assert reports.__all__ == ["comparison_html", "diagnosis_html", "html"]
    with pytest.raises(AttributeError):
        _ = reports.pdf
