"""A comparison's page: it stands alone, and holds whatever comparison it is given."""

import re

import numpy as np
import pytest

import archwright as aw
from archwright import reports
from archwright.reports.charts import ENTRY, beside, inches, relaxation, wrapped
from tests.compare.small import InOrder, small
from tests.reports.test_page import EVIL, Page


def page(strategies, tmp_path, benchmark=None, **given):
    settings = {"seeds": 8, "evaluations": 6, "jobs": 1, **given}
    comparison = aw.compare(benchmark or small(), strategies, **settings)
    return Page(reports.comparison_html(comparison, tmp_path / "page.html"))


def test_it_is_whole_and_fetches_nothing(tmp_path):
    strategies = {EVIL: InOrder(), "local": aw.strategies.LocalSearch()}
    found = page(strategies, tmp_path, also={"harder": small(offset=0.1)})
    assert all(link.startswith(("#", "data:")) for link in found.links)
    assert found.source.count("<script>") == 1
    assert found.count("svg", "chart") == 2 + 2 * 2 + 2  # a strip, two regrets and a diagram for each judge
    assert found.text.count("optimum of the table") >= 1
    for words in (
        "3 strategies on small",
        "Regret on the way",
        "Who can be told apart",
        "Overhead of the strategies",
        "8 seeds",
    ):
        assert words in found.text
    assert found.source == Page(tmp_path / "page.html").source


@pytest.mark.parametrize("seeds", [1, 2])
def test_few_seeds(tmp_path, seeds):
    found = page([InOrder()], tmp_path, seeds=seeds)
    assert "can't tell 2 strategies apart" in found.text
    assert found.count("svg", "chart") == 3 + (seeds > 1)


def test_many_strategies_and_no_clock(tmp_path):
    strategies = {f"strategy number {start}": InOrder(start) for start in range(14)}
    found = page(strategies, tmp_path, benchmark=small(seconds=False))
    assert "simulated seconds" not in found.text
    assert found.count("svg", "chart") == 3
    assert "strategy number 13" in found.text


def test_no_regret_left_and_no_winner(tmp_path):
    flat = small(valid_accuracy=np.full(25, 0.5), test_accuracy=np.full(25, 0.9))
    assert "can't tell" in page([InOrder()], tmp_path, benchmark=flat).text
    empty = small(valid_accuracy=np.where(np.arange(25) < 6, np.nan, 0.5))
    assert "found no winner" in page([InOrder()], tmp_path, benchmark=empty).text


def test_a_comparison_in_a_folder_has_its_page_there(tmp_path):
    comparison = aw.compare(small(), [InOrder()], seeds=2, evaluations=3, jobs=1, out=tmp_path / "kept")
    assert reports.comparison_html(comparison) == tmp_path / "kept" / "comparison.html"
    nowhere = aw.compare(small(), [InOrder()], seeds=2, evaluations=3, jobs=1)
    with pytest.raises(aw.ArchwrightError, match="say where to write"):
        reports.comparison_html(nowhere)
    with pytest.raises(aw.ArchwrightError, match="say where to write"):
        nowhere.write()


def test_scores_that_a_table_lacks(tmp_path):
    """All in some searches' beginnings, or in all of them: what is known is drawn."""
    scores = small().table.columns["test_accuracy"]
    gaps = small(test_accuracy=np.where(np.arange(25) % 3 == 0, np.nan, scores))
    found = page([InOrder(), aw.strategies.LocalSearch()], tmp_path, benchmark=gaps)
    assert "has no test_accuracy for some winners" in found.text
    assert "nan" not in found.text.lower().split()
    hardly = small(valid_accuracy=np.arange(25) / 100, test_accuracy=np.where(np.arange(25) < 1, 0.5, np.nan))
    found = page([InOrder(3)], tmp_path, benchmark=hardly)
    assert found.count("svg", "chart") == 1  # no regret and no ranks are known
    assert "nothing can be compared" in found.text


def test_one_strategy_has_no_ranks(tmp_path):
    found = page([aw.strategies.Random()], tmp_path)
    assert found.count("svg", "chart") == 3
    assert "Who can be told apart" not in found.text


LONG = "regularized-evolution(population=10,sample=3,mutate=one-decision-at-a-time,survive=the-youngest)"


def test_long_labels_fit(tmp_path):
    """matplotlib warns, which is an error here, where labels leave no room for a chart."""
    names = {f"{number} {LONG}": InOrder(number) for number in range(4)}
    found = page(names, tmp_path)
    for chart in re.findall(r'<svg class="chart".*?</svg>', found.source, re.DOTALL):
        texts = [text for text in re.findall(r"<text[^>]*>([^<]*)</text>", chart) if "population" in text]
        assert texts
        assert max(map(len, texts)) <= ENTRY
        width = float(re.search(r'viewBox="0 0 (\S+) ', chart)[1])
        assert 380 <= width <= 640


def charts(page):
    return re.findall(r'<svg class="chart".*?</svg>', page.source, re.DOTALL)


def test_labels_that_begin_with_an_underscore_are_in_the_legend(tmp_path):
    found = page({"_mine": InOrder(), "_child0": InOrder(3)}, tmp_path)
    regrets = [chart for chart in charts(found) if "Regret on" in chart]
    assert len(regrets) == 2
    for chart in regrets:
        assert all(f">{label}<" in chart for label in ("_mine", "_child0", "random"))


def test_candidates_that_begin_with_an_underscore_are_in_the_legend():
    choices = {"op": ["_none", "skip"], "other": ["skip", "_none"]}
    svg = relaxation(choices, [{"op": [0.5, 0.5], "other": [0.4, 0.6]}, {"op": [0.9, 0.1], "other": [0.2, 0.8]}])
    assert [svg.count(f">{label}<") for label in ("_none", "skip")] == [1, 1]


def test_days_of_training_are_those_of_all_workers(tmp_path):
    slow = small(seconds=False, **{"seconds@1": np.full(25, 86400.0)})  # a day an evaluation, four at a time
    found = page([InOrder()], tmp_path, benchmark=slow, seconds=3 * 86400.0, evaluations=None, workers=4, seeds=2)
    assert re.search(r"\b48\.0\W+days of training", found.text)


def test_a_legend_has_as_many_columns_as_fit():
    assert beside(["a", "b", "c", "d"], 5.4) == 3
    assert beside(["a" * 30, "b" * 30, "c" * 30], 5.4) == 2
    assert beside(["a" * 55, "b" * 30, "c" * 30], 5.4) == 1
    assert wrapped("a" * 300, 20).splitlines() == ["a" * 20, "a" * 20, "a" * 19 + "…"]
    assert wrapped("of four words or", 4).splitlines() == ["of", "four", "wor…"]
    assert inches("wider", 18) == pytest.approx(2 * inches("wider", 9), rel=0.02)
