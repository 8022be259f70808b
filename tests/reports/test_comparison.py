"""A comparison's page: it stands alone, and holds whatever comparison it is given."""

import numpy as np
import pytest

import archwright as aw
from archwright import reports
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
