"""What is shown of a run whose evaluations are of several fidelities."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import archwright as aw


def net(signature: Any, width: int) -> None:
    """Never built here."""


class Early:
    """Losses are smaller at a lower fidelity."""

    metrics = frozenset({"valid_loss"})

    def estimate(self, space: Any, trial: aw.Trial) -> aw.Evaluation:
        width = float(trial.architecture["width"])
        return aw.Evaluation(trial, {"valid_loss": (width + 1) * trial.fidelity}, cost=trial.fidelity)


class Rungs:
    """Four at a tenth, then the last two of these in full."""

    def propose(self, space: Any, history: Any, rng: Any) -> aw.Trial:
        number = history.asked
        return aw.Trial(aw.Architecture((("width", number % 4),)), fidelity=0.1 if number < 4 else 1.0)


def recorded(folder: Path, evaluations: int) -> Path:
    space = aw.Space(net, width=aw.Choice(1, 2, 3, 4))
    search = aw.budget(aw.search(space, Rungs(), Early(), objectives="min:valid_loss"), evaluations=evaluations)
    with aw.record(search, folder) as run:
        for _ in run:
            pass
    return folder


def test_what_was_measured_in_full_comes_first(cli: Callable[..., Any], tmp_path: Path) -> None:
    folder = recorded(tmp_path / "rungs", 6)
    data = cli("show", folder, "--json", "--top", 3).data
    assert [(item["position"], item["fidelity"]) for item in data["top"]] == [(4, 1.0), (5, 1.0), (0, 0.1)]
    assert data["top"][0] == data["winner"]
    best = cli("show", folder, "--top", 3).out.partition("The best 3")[2].splitlines()
    assert best[1].split()[:3] == ["evaluation", "fidelity", "valid_loss"]
    assert [line.split()[:2] for line in best[2:5]] == [["4", "1"], ["5", "1"], ["0", "0.1"]]


def test_equal_fidelities_are_not_told(cli: Callable[..., Any], tmp_path: Path) -> None:
    assert "fidelity" not in cli("show", recorded(tmp_path / "alike", 4)).out.partition("The best")[2]
