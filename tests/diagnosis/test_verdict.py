"""What a diagnosis says of estimates whose faults are known."""

from __future__ import annotations

import numpy as np
import pytest

import archwright as aw
from archwright.core.protocols import Relaxes
from archwright.diagnosis import diagnose
from archwright.diagnosis.verdict import verdict, warnings
from tests.diagnosis.small import Fake, noise, reference, space, truth

BEST = 0.8
"""The truth goes from .5 to .9."""


class Shared(Fake):
    """Shares weights, as far as anybody can see."""

    def relaxed(self, space, strategy, known, seed):
        raise AssertionError("nobody relaxes anything here")


def accuracy(of, **given):
    return Fake({"valid_accuracy": lambda trial: of(trial.architecture)}, **given)


def blind(architecture):
    """Of the better ones it doesn't know which are good."""
    return truth(architecture) if truth(architecture) < 0.72 else 0.72 + 0.1 * noise(architecture)


CANDIDATES = {
    "perfect": accuracy(truth, cost=0.8),
    "dear": accuracy(truth, cost=80.0),
    "reversed": accuracy(lambda it: -truth(it)),
    "rough": accuracy(lambda it: truth(it) + 0.35 * noise(it)),
    "faint": accuracy(lambda it: truth(it) + 0.8 * noise(it)),
    "random": accuracy(noise),
    "flat": accuracy(lambda it: 0.5),
    "size": accuracy(lambda it: 1000 * (truth(it) + 0.4 * noise(it, 3))),
    "top-blind": accuracy(blind),
    "shared": Shared({"valid_accuracy": lambda trial: min(truth(trial.architecture), BEST)}),
}


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    found = diagnose(
        space(),
        CANDIDATES,
        reference(),
        folder=tmp_path_factory.mktemp("said") / "kept",
        architectures=60,
        near_top=15,
        fidelities=(0.5, 0.05),
    )
    return verdict(found), warnings(found)


def about(sentences, start):
    return [sentence for sentence in sentences if sentence.startswith(start)]


def test_the_cheapest_that_will_do_comes_first(said):
    assert said[0][0] == "The cheapest that ranks as the reference does: perfect (τ = 1 [1, 1] at 1/10 of the cost)."
    assert len(said[0]) == 1 + len(CANDIDATES) + 2


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("perfect", "ranks as the reference does: τ = 1 [1, 1] at 1/10 of the cost; parameters alone give ."),
        ("dear", "ranks as the reference does: τ = 1 [1, 1] at 10 times the cost"),
        ("reversed", "ranks the other way round from the reference: τ = -1 [-1, -1] at about the same cost"),
        ("rough", "ranks roughly as the reference does: τ = ."),
        ("random", "can't be told from a random order: τ = "),
        ("flat", "can't be judged: all its scores are equal."),
        ("fidelity 0.05", "can't be told from a random order: τ = "),
    ],
)
def test_each_has_its_sentence(said, label, words):
    (sentence,) = about(said[0], f"{label} ")
    assert sentence.startswith(f"{label} {words}"), sentence


def test_sizes_stand_beside_it(said):
    assert "which is more" in about(said[0], "reversed")[0]
    assert "these 60 architectures can't tell the two apart" in about(said[0], "size")[0]


def test_warnings_appear_where_the_numbers_show_them(said):
    _, told = said
    assert about(told, "size mostly counts parameters: between the two τ = 1 [1, 1]")
    assert about(told, "Near the top top-blind can't be told from a random order: τ = ")
    assert not about(told, "Near the top rough")
    assert about(told, "fidelity 0.5 is too pessimistic, by ")
    text = " ".join(told)
    assert "about the best tenth" not in text  # who is the best nobody can say without `again`
    for label in ("perfect", "dear", "flat", "random"):
        assert label not in text.replace("a random order", "")


def test_a_low_fidelity_that_loses_the_order_near_the_top_is_told_to_rise_gradually(tmp_path):
    """The survey's first warning."""
    ref = Fake({"valid_accuracy": lambda trial: (truth if trial.fidelity == 1 else blind)(trial.architecture)})
    found = diagnose(space(), {}, ref, folder=tmp_path / "kept", architectures=60, near_top=15, fidelities=(0.25,))
    (sentence,) = about(warnings(found), "Near the top fidelity 0.25")
    assert "raise the fidelity gradually, as Hyperband and BOHB do" in sentence
    fair, top = found.lines[0].agreement["all"].tau, found.lines[0].agreement["near the top"].tau
    assert top.low <= 0 < fair.low


def noisy(size, sign=1.0, name="valid_accuracy"):
    """The truth, with noise of its own for each seed."""
    return Fake({name: lambda trial: sign * (truth(trial.architecture) + size * noise(trial.architecture, trial.seed))})


@pytest.mark.parametrize(("objective", "sign"), [("valid_accuracy", 1.0), ("valid_loss", -1.0)])
def test_shared_weights_that_lose_the_best_are_told(tmp_path, objective, sign):
    """The best are those of the reference asked again."""
    capped = Shared({objective: lambda trial: sign * min(truth(trial.architecture), BEST)})
    unbiased = Shared({objective: lambda trial: sign * (truth(trial.architecture) + 0.05 * noise(trial.architecture))})
    found = diagnose(
        space(),
        {"shared": capped, "unbiased": unbiased},
        noisy(0.05, sign, objective),
        folder=tmp_path / "kept",
        near_top=0,
        objective=objective,
        again=True,
    )
    told = warnings(found)
    (sentence,) = about(told, "shared is too pessimistic about the best tenth, by 0." if sign < 0 else "shared is too")
    assert sentence.endswith("more than about the others, as shared weights are known to be.")
    assert not about(told, "unbiased is")
    few = diagnose(
        space(),
        {"shared": capped},
        noisy(0.05, sign, objective),
        folder=tmp_path / "few",
        architectures=40,
        near_top=0,
        objective=objective,
        again=True,
    )
    assert next(line for line in few.lines if line.label == "shared").top_gap is None


def test_a_loss_that_is_higher_is_too_pessimistic(tmp_path):
    ref = Fake({"valid_loss": lambda trial: 3 - 2 * trial.fidelity - truth(trial.architecture)})
    given = {"architectures": 40, "near_top": 0, "objective": "valid_loss", "fidelities": (0.5,)}
    told = warnings(diagnose(space(), {}, ref, folder=tmp_path / "kept", **given))
    assert about(told, "fidelity 0.5 is too pessimistic, by 1 on average against the reference.")


def test_an_order_that_is_reversed_among_the_better_is_called_so(tmp_path):
    """Where there are enough to show it."""
    turned = accuracy(lambda it: truth(it) if truth(it) < 0.7 else 1.6 - truth(it))
    for count, words in ((60, "turned ranks the other way round: τ = -"), (18, "")):
        folder = tmp_path / str(count)
        found = diagnose(space(), {"turned": turned}, reference(), folder=folder, architectures=count, near_top=0)
        assert found.lines[0].tau.low > 0 > found.lines[0].agreement["better half"].tau.value
        told = about(warnings(found), "Among the better half")
        assert [one.startswith(f"Among the better half {words}") for one in told] == [True] * bool(words)


def test_few_architectures_say_so(tmp_path):
    found = diagnose(
        space(), {"perfect": accuracy(truth)}, reference(), folder=tmp_path / "kept", architectures=5, near_top=0
    )
    assert verdict(found) == ["perfect can't be judged: 5 architectures are too few (τ = 1 [1, 1])."]
    assert about(warnings(found), "5 architectures say little")


def test_the_same_answers_from_another_seed_bound_nothing(tmp_path):
    ref = Fake({"valid_accuracy": lambda trial: truth(trial.architecture)})
    found = diagnose(space(), {}, ref, folder=tmp_path / "kept", architectures=40, near_top=0, again=True)
    (sentence,) = about(warnings(found), "Asked from another seed")
    assert "gave the same numbers again" in sentence
    assert "no estimate can be expected" not in sentence
    assert found.ceiling is None


def test_the_size_of_the_sample_is_not_that_of_the_first_estimate(tmp_path):
    broken = accuracy(truth, fails=lambda trial: True)
    candidates = {"broken": broken, "perfect": accuracy(truth)}
    found = diagnose(space(), candidates, reference(), folder=tmp_path / "kept", architectures=40, near_top=0)
    assert not about(warnings(found), "0 architectures say little")


def test_shared_is_what_the_protocol_says():
    assert isinstance(CANDIDATES["shared"], Relaxes)
    assert not isinstance(CANDIDATES["perfect"], Relaxes)
    assert np.isfinite(truth(aw.Architecture((("a", 0), ("b", 0)))))
