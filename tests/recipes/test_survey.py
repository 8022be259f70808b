"""docs/survey.md is generated; here it is generated again."""

import csv
import runpy
from operator import attrgetter
from pathlib import Path

import archwright as aw

DOCS = Path(__file__).parents[2] / "docs"


def rows():
    with open(DOCS / "survey.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_page_is_up_to_date():
    page = runpy.run_path(str(DOCS / "survey.py"))["page"]()
    assert (DOCS / "survey.md").read_text(encoding="utf-8") == page, "run `make docs`"


def test_every_row_of_the_survey_is_there():
    wanted = [
        f"{kind}{number}" for kind, last in (("S", 27), ("R", 33), ("E", 4), ("A", 15)) for number in range(1, last + 1)
    ]
    assert [row["row"] for row in rows()] == wanted


def test_every_part_that_is_named_exists():
    for row in rows():
        for part in row["parts"].split():
            attrgetter(part)(aw)


def test_every_recipe_stands_in_some_row():
    known = {row["row"] for row in rows()}
    for name in aw.recipes.RECIPES:
        assert set(getattr(aw.recipes, name)(aw.tasks.digits()).paper.rows) <= known
