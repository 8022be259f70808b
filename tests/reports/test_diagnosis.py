"""A diagnosis's page: it stands alone, and holds whatever diagnosis it is given."""

import re

import pytest

import archwright as aw
from archwright import reports
from archwright.diagnosis import Candidate, diagnose
from tests.diagnosis.small import Fake, noise, place, reference, space, truth
from tests.reports.test_page import EVIL, Page


def page(tmp_path, candidates=None, ref=None, **given):
    settings = {"architectures": 24, "near_top": 6, **given}
    found = diagnose(space(), candidates or {}, ref or reference(), folder=tmp_path / "kept", **settings)
    read = Page(reports.diagnosis_html(found))
    assert (tmp_path / "kept" / "diagnosis.html").is_file()
    assert all(link.startswith(("#", "data:")) for link in read.links)
    assert "nan" not in read.text.lower().split()
    return read


def test_it_is_whole_and_fetches_nothing(tmp_path):
    measured = {"one": lambda trial: 1e5 * noise(trial.architecture), "two": lambda trial: -truth(trial.architecture)}
    candidates = {
        EVIL: Fake({"valid_accuracy": lambda trial: noise(trial.architecture)}),
        "proxies": Candidate(Fake(measured), ("max:one", "min:two")),
        "some": Fake(
            {"valid_accuracy": lambda trial: truth(trial.architecture)},
            fails=lambda trial: place(trial.architecture) < 30,
        ),
    }
    noisy = reference()
    of = noisy.of["valid_accuracy"]
    noisy.of = {**noisy.of, "valid_accuracy": lambda trial: of(trial) + 0.1 * noise(trial.architecture, trial.seed)}
    found = page(tmp_path, candidates, noisy, fidelities=(0.1, 0.5), again=True)
    assert found.count("svg", "chart") == 2 + (2 + 1 + 4 + 1) + 2  # tau twice; each estimate and the parameters; ranks
    assert found.count("tr") == 1 + 8
    for words in (
        "6 estimates on",
        "Agreement with the reference",
        "Beware",
        "Without an answer",
        "it does not fit",
        "near the top (8, the best tenth and their mutants)",
        "the whole manifest",
        "proxies: two",
    ):
        assert words in found.text
    assert "<script>alert" not in found.source


@pytest.mark.parametrize("near_top", [0, 3])
def test_a_fidelity_alone_or_a_metric_alone(tmp_path, near_top):
    plain = Fake({"valid_accuracy": lambda trial: truth(trial.architecture)}, cost=0.0)
    early = page(tmp_path / "early", ref=plain, fidelities=(0.25,), near_top=near_top)
    assert early.count("svg", "chart") == 2 + 1 + 1
    assert ("near the top (" in early.text) == (near_top > 0)
    plain.of = {**plain.of, "extra": lambda trial: -noise(trial.architecture)}
    alone = page(tmp_path / "metric", {"extra": "min:extra"}, plain, near_top=near_top)
    assert alone.count("svg", "chart") == 1 + 1 + 1


def test_few_and_flat(tmp_path):
    flat = {"flat": Fake({"valid_accuracy": lambda trial: 0.5})}
    assert "can't be judged" in page(tmp_path / "few", flat, architectures=4, near_top=1).text
    assert "all its scores are equal" in page(tmp_path / "flat", flat).text


def test_the_same_answers_again_are_no_ceiling(tmp_path):
    """Of a reference that no seed changes, such as a table of one repetition."""
    plain = Fake({"valid_accuracy": lambda trial: truth(trial.architecture)})
    alone = page(tmp_path / "alone", ref=plain, again=True)
    assert alone.count("svg", "chart") == 0
    assert "gave the same numbers again" in alone.text
    beside = page(tmp_path / "beside", {"noise": "max:noise"}, with_noise(plain), again=True)
    assert beside.count("svg", "chart") == 1 + 1 + 1
    rising = page(tmp_path / "rising", ref=with_noise(plain), again=True, fidelities=(0.5,))
    assert "at 1 the reference itself, so 1" in rising.text


def with_noise(plain):
    return Fake({**plain.of, "noise": lambda trial: noise(trial.architecture)})


def test_long_labels_fit(tmp_path):
    label = "an estimator with a very long label that somebody wrote(of=training(epochs=12),proxies=[synflow,naswot])"
    found = page(tmp_path, {label: Fake({"valid_accuracy": lambda trial: noise(trial.architecture)})})
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", found.source)
    assert [text for text in texts if text.startswith("an estimator with a very long label that")]
    assert max(len(text) for text in texts) <= 56


def test_losses_and_many_estimates(tmp_path):
    ref = Fake({"valid_loss": lambda trial: 1 - truth(trial.architecture)})
    many = {
        f"estimate number {n}": Fake({"valid_loss": lambda trial, n=n: -noise(trial.architecture, n)}) for n in range(9)
    }
    found = page(tmp_path, many, ref, objective="valid_loss")
    assert "the 7 estimates with the largest τ" in found.text
    assert "points of %" not in found.text
    assert "worse than the best" in found.text
    assert "below the best" not in found.text


def test_it_can_be_written_elsewhere(tmp_path):
    found = diagnose(space(), {}, reference(), folder=tmp_path / "kept", architectures=12, fidelities=(0.5,))
    assert reports.diagnosis_html(found, tmp_path / "there.html") == tmp_path / "there.html"
    with pytest.raises(aw.ArchwrightError, match="can't write"):
        reports.diagnosis_html(found, tmp_path / "kept" / "scores.csv" / "no.html")
