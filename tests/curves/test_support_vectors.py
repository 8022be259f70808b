import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import KFold

from archwright.core.errors import ArchwrightError
from archwright.core.rng import seed_for
from archwright.curves import Known, LatentCurves, SupportVectors
from archwright.curves.support_vectors import features
from tests.curves.made_up import population


def test_features_are_scores_differences_and_numbers():
    assert features([1, 4, 9, 16, 26], (7.0, 8.0)).tolist() == [1, 4, 9, 16, 26, 3, 5, 7, 10, 2, 2, 3, 7, 8]
    assert features([3, 5], ()).tolist() == [3, 5, 2]
    assert features([3], (1.0,)).tolist() == [3, 1]


@pytest.mark.parametrize("unit", [1.0, -300.0])
def test_it_predicts_and_knows_how_well(unit):
    model = SupportVectors(least=60).fit(population(60, 0, unit=unit))
    new = population(60, 1, unit=unit)
    found = [model.predict(one.curve[:5], 20, one.numbers) for one in new]
    ends = np.array([one.curve[-1] for one in new])
    errors = np.abs(np.array([one.mean for one in found]) - ends)
    assert errors.mean() < 0.25 * ends.std()
    inside = [low <= end <= high for (low, high), end in zip((one.interval(0.9) for one in found), ends, strict=True)]
    assert 0.75 <= np.mean(inside) <= 1.0


def test_the_spread_is_the_cross_validated_error():
    settings, known = SupportVectors(least=20, draws=3), population(20, 2)
    learnt = settings.fit(known, seed=5)
    spread = learnt.predict(known[0].curve[:4], 20, known[0].numbers).std
    seed = seed_for("curves", 5, 20)
    regressions = learnt._models[20]
    _, model, error = regressions._made[4]
    inputs = np.array([features(one.curve[:4], one.numbers) for one in known])
    ends = np.array([one.curve[19] for one in known])
    targets = (ends - ends.mean()) / ends.std()
    apart = []
    for train, test in KFold(5, shuffle=True, random_state=seed_for("length", seed, 4) % 2**32).split(inputs):
        apart += list(clone(model).fit(inputs[train], targets[train]).predict(inputs[test]) - targets[test])
    assert error == pytest.approx(np.sqrt(np.mean(np.square(apart))))
    assert spread == pytest.approx(error * ends.std())


def test_the_same_curves_and_seed_give_the_same_prediction():
    known = population(20, 3)
    first, again, other = (
        SupportVectors(least=20, draws=4).fit(known, seed).predict(known[0].curve[:6], 20, (2.0,)) for seed in (1, 1, 2)
    )
    assert (first.mean, first.std) == (again.mean, again.std)
    assert first.mean != other.mean


def test_what_it_has_to_know_it_says():
    settings, known = SupportVectors(least=20), population(20, 4)
    with pytest.raises(ArchwrightError, match="learn from 20 complete curves first"):
        settings.predict([0.1], 20)
    with pytest.raises(ArchwrightError, match="at least 20 complete curves, and 19 are known"):
        settings.fit(known[:19])
    with pytest.raises(ArchwrightError, match="of 30 epochs, and 0 are known"):
        settings.fit(known).predict([0.1], 30, (1.0,))
    with pytest.raises(ArchwrightError, match="comes with 0 numbers"):
        settings.fit(known).predict([0.1], 20)
    with pytest.raises(ArchwrightError, match="folds"):
        SupportVectors(least=3)


def test_what_has_learnt_keeps_what_it_learnt_until_there_is_more():
    known, more = population(20, 5), population(21, 6)
    learnt = SupportVectors(least=20, draws=2).fit(known, seed=1)
    assert learnt.fit((), seed=2) is learnt
    assert learnt.fit(more).known == tuple(more)


def test_numbers_that_no_known_curve_has_are_left_aside():
    known = [Known(one.curve) for one in population(20, 7)]
    learnt = SupportVectors(least=20, draws=2).fit(known)
    assert learnt.predict(known[0].curve[:5], 20, (3.0, 7.0)) == learnt.predict(known[0].curve[:5], 20)


@pytest.mark.parametrize("awful", [-50.0, -1e9])
def test_a_training_that_diverged_does_not_drown_the_others(awful):
    known, new = population(40, 8), population(20, 9)
    settings = SupportVectors(least=40, draws=10)
    diverged = [
        Known(tuple(np.linspace(-1, awful, 20)), None, (2.0,)),
        Known((awful,) * 2 + known[0].curve[2:], None, (2.0,)),
    ]
    clean, others = (settings.fit(curves) for curves in (known, [*known, *diverged]))
    for one in new:
        before, after = (model.predict(one.curve[:8], 20, one.numbers) for model in (clean, others))
        assert after.mean == pytest.approx(before.mean, abs=0.05)
        assert after.std < 0.1


@pytest.mark.parametrize("settings", [SupportVectors(least=10, draws=2), LatentCurves(least=10, steps=5)])
def test_scores_that_are_no_numbers_are_neither_learnt_from_nor_predicted(settings):
    known = population(12, 10)
    odd = [Known((score, *known[0].curve[1:]), None, (2.0,)) for score in (np.nan, -np.inf)]
    found, wanted = (settings.fit(curves).predict(known[1].curve[:5], 20, (2.0,)) for curves in (known + odd, known))
    assert (found.mean, found.std) == (wanted.mean, wanted.std)
    for score in (np.nan, np.inf):
        with pytest.raises(ArchwrightError, match="no finite number"):
            settings.fit(known).predict([score, 0.5], 20, (2.0,))
    with pytest.raises(ArchwrightError, match="at least 10 complete curves of 20 epochs, and 9 are known"):
        settings.fit(known[:9] + odd).predict(known[1].curve[:5], 20, (2.0,))


def test_equal_curves_have_equal_ends():
    found = SupportVectors(least=10, draws=2).fit([Known((0.5,) * 8)] * 10).predict([0.5, 0.5], 8)
    assert (found.mean, found.std) == (pytest.approx(0.5), 0.0)
