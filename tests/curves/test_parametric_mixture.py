import numpy as np
import pytest
from scipy.stats import norm

from archwright.core.errors import ArchwrightError
from archwright.core.parts import describe, rebuildable
from archwright.curves import ParametricMixture
from archwright.curves.families import FAMILIES
from archwright.curves.parametric_mixture import NOISE, Posterior, after_flat_start

pytest.importorskip("emcee")

QUICK = ParametricMixture(steps=200, burn_in=100)


def rising(epochs, end=0.8, noise=0.01, seed=0):
    t = np.arange(1.0, epochs + 1)
    return end - 0.6 * t**-0.7 + noise * np.random.default_rng(seed).standard_normal(epochs)


def test_its_defaults_are_the_papers_and_its_programs():
    mixture = ParametricMixture()
    assert (mixture.walkers, mixture.steps, mixture.burn_in, mixture.thin) == (100, 2500, 500, 10)
    assert len(mixture.families) == 11
    assert rebuildable(describe(mixture))


def test_the_posterior_of_all_walkers_is_that_of_each():
    scores, horizon = rising(9), 50
    posterior = Posterior(ParametricMixture(recency=10.0), scores, horizon, limit=1.0)
    starts = [family.start for family in FAMILIES.values()]
    rng = np.random.default_rng(1)
    row = np.array([value for start in starts for value in start] + [1 / 11] * 11 + [0.05])
    rows = row * rng.uniform(0.9, 1.1, (6, len(row)))
    rows[2, -1] = 2 * NOISE[1]  # out of bounds
    rows[3, -12:-1] *= 5  # above 1 at the end
    rows[4, -2] = -0.01  # a negative weight

    def one(row):
        parameters, weights, noise = row[:-12], row[-12:-1], row[-1]
        if not NOISE[0] < noise < NOISE[1] or weights.min() <= 0:
            return -np.inf

        def mixture(epoch):
            total, place = 0.0, 0
            for weight, family in zip(weights, FAMILIES.values(), strict=True):
                count = len(family.start)
                total += weight * float(family.curve(np.array(float(epoch)), *parameters[place : place + count]))
                place += count
            return total

        if not mixture(1) <= mixture(horizon) <= 1:
            return -np.inf
        terms = [norm.logpdf(score, mixture(epoch), noise) for epoch, score in enumerate(scores, 1)]
        recency = [10 ** (place / 8) for place in range(9)]
        return sum(np.array(recency) * (np.array(terms) + 0.5 * np.log(2 * np.pi)))

    np.testing.assert_allclose(posterior(rows), [one(row) for row in rows], rtol=1e-9)
    assert np.isfinite(posterior(rows)).tolist() == [True, True, False, False, False, True]


def test_samples_are_those_of_the_posterior_on_a_grid():
    """One family that is linear in its parameters: u = wc and v = wa, so a grid over (u, v, w, noise) is the truth."""
    scores, horizon, recency = np.array([0.21, 0.38, 0.41, 0.5, 0.49]), 12, 3.0
    x = np.arange(1.0, 6.0)
    u, v, w, noise = np.meshgrid(
        np.linspace(0.2, 1.6, 61), np.linspace(0, 1.2, 61), np.linspace(0.02, 0.98, 17), np.geomspace(0.005, 1.0, 30),
        indexing="ij",
    )  # fmt: skip
    log = -2 * np.log(w) + np.log(noise)  # from (c, a) to (u, v), and the grid of the noise is even in its logarithm
    for epoch, score, weight in zip(x, scores, recency ** np.linspace(0, 1, 5), strict=True):
        log += weight * norm.logpdf(score, u - v / np.log(1 + epoch), noise)
    ends = u - v / np.log(1 + horizon)
    allowed = (np.abs(u / w - 0.5) < 2.5) & (np.abs(v / w) < 5) & (ends <= 1)
    mass = np.where(allowed, np.exp(log - log.max()), 0.0)
    mean = (mass * ends).sum() / mass.sum()
    variance = (mass * (noise**2 + (ends - mean) ** 2)).sum() / mass.sum()

    mixture = ParametricMixture(families=("ilog2",), walkers=64, steps=1500, burn_in=500, thin=5, recency=recency)
    found = mixture.predict(scores, horizon, seed=3)
    assert found.mean == pytest.approx(mean, abs=0.15 * variance**0.5)
    assert found.std == pytest.approx(variance**0.5, rel=0.2)


def test_a_curve_that_levels_off_is_extrapolated():
    found = QUICK.predict(rising(30), 100, seed=1)
    truth = rising(100, noise=0)[-1]
    low, high = found.interval(0.95)
    assert low < truth < high
    assert abs(found.mean - truth) < 0.03
    assert len(found.samples) == 100 * 10


def test_the_same_seed_gives_the_same_samples_and_global_randomness_is_left_alone():
    before = np.random.get_state()[1].copy()
    first, again, other = (QUICK.predict(rising(8), 20, seed=seed) for seed in (1, 1, 2))
    assert (first.samples == again.samples).all()
    assert (first.samples != other.samples).any()
    assert (np.random.get_state()[1] == before).all()


def test_scores_of_another_range_are_mapped_and_mapped_back():
    losses = -6.0 + 4.0 * (rising(12) - 0.2)
    found = QUICK.predict(losses, 40, seed=1)
    assert losses[-1] - 0.2 < found.mean < -2.5


@pytest.mark.parametrize(
    "curve",
    [[0.5] * 8, [0.0] * 8, [1.0] * 8, [0.3], [0.3, 0.4], np.linspace(0.9, 0.2, 9), [-3.0] * 5, [-1e6, -500.0, -300.0]],
    ids=["constant", "zero", "one", "single", "two", "falling", "negative", "diverged"],
)
def test_any_curve_has_a_prediction(curve):
    found = QUICK.predict(curve, 30)
    assert np.isfinite([found.mean, found.std]).all()
    assert found.std > 0
    if min(curve) >= 0:
        assert found.samples.min() >= 0
        assert found.samples.max() <= 1


def test_a_flat_start_is_passed_over():
    assert after_flat_start(np.array([0.1] * 10 + [0.3, 0.5, 0.6])) == 5  # from there a rise is five epochs ahead
    assert after_flat_start(np.array([0.1, 0.2, 0.3])) == 0
    assert after_flat_start(np.array([0.1, 0.12, 0.11, 0.12])) == 0  # nothing rises: all of it stays
    assert after_flat_start(np.array([0.4])) == 0
    late = np.concatenate([np.full(10, 0.1), rising(20)])
    shifted = QUICK.predict(late[5:], 35, seed=1)
    assert QUICK.predict(late, 40, seed=1).mean == shifted.mean


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"families": ("pow5",)}, "did you mean"),
        ({"walkers": 90}, "at least 96 walkers"),
        ({"walkers": 101}, "even"),
        ({"steps": 500}, "none is left"),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    with pytest.raises(ArchwrightError, match=message):
        ParametricMixture(**settings)


def test_it_says_how_to_install_what_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "emcee", None)
    with pytest.raises(ArchwrightError, match=r"pip install 'archwright\[curves\]'"):
        QUICK.predict([0.1, 0.2], 10)
