import numpy as np
import pytest
from scipy import integrate, stats

from archwright.core.choices import Choice, Integer, Real, from_unit
from archwright.strategies.models.parzen import NEWEST, Counted, Parzen, cell, density, weights_by_age


def mixture(centres, widths, shares):
    """Truncated normal distributions of scipy's."""
    parts = [stats.truncnorm(-c / w, (1 - c) / w, loc=c, scale=w) for c, w in zip(centres, widths, strict=True)]
    return lambda kind, x: sum(share * getattr(part, kind)(x) for share, part in zip(shares, parts, strict=True))


def test_a_real_is_a_mixture_of_truncated_normal_distributions():
    parzen = Parzen(Real(2.0, 4.0), [2.2, 2.6, 3.8])  # 0.1, 0.3 and 0.9 of the range; the prior at 0.5
    # By hand: the farther neighbour of each, the prior's among them; the outer ones have one neighbour.
    np.testing.assert_allclose(parzen.widths, [np.clip(0.2, 0.25, 1), np.clip(0.2, 0.25, 1), 0.4, 1.0])
    reference = mixture([0.1, 0.3, 0.9, 0.5], parzen.widths, [0.25] * 4)
    for value in (2.0, 2.5, 3.1, 4.0):
        assert np.exp(parzen.log_density(value)) == pytest.approx(reference("pdf", (value - 2.0) / 2.0))


@pytest.mark.parametrize("choice", [Real(-3.0, 5.0), Real(1e-5, 1.0, log=True)])
def test_a_reals_density_integrates_to_one(choice):
    values = [float(from_unit(choice, share)) for share in (0.02, 0.05, 0.5, 0.51, 0.97)]
    parzen = Parzen(choice, values)
    total, _ = integrate.quad(lambda share: np.exp(parzen.log_density(from_unit(choice, share))), 0.0, 1.0, limit=200)
    assert total == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("choice", [Integer(3, 9), Integer(1, 64, log=True), Integer(5, 5)])
def test_an_integers_probabilities_are_what_falls_into_its_cells(choice):
    values = [choice.low, choice.high, choice.low, (choice.low + choice.high) // 2]
    parzen = Parzen(choice, values)
    reference = mixture(parzen.centres, parzen.widths, parzen.shares)
    found = []
    for value in range(choice.low, choice.high + 1):
        left, right = cell(choice, value)
        found.append(np.exp(parzen.log_density(value)))
        assert found[-1] == pytest.approx(reference("cdf", right) - reference("cdf", left), rel=1e-6)
        for share in (left + 1e-9, (left + right) / 2, right - 1e-9):
            assert from_unit(choice, share) == value
    assert sum(found) == pytest.approx(1.0)


def test_draws_follow_the_density():
    rng = np.random.default_rng(8)
    real = Parzen(Real(0.0, 1.0), [0.1, 0.12, 0.8])
    reference = mixture(real.centres, real.widths, real.shares)
    drawn = [real.draw(rng) for _ in range(2000)]
    assert stats.kstest(drawn, lambda x: reference("cdf", x)).pvalue > 0.05
    integer, counted = Parzen(Integer(1, 6), [2, 2, 3]), Counted(Choice("a", "b", "c"), [2, 2, 0])
    for made, values in ((integer, range(1, 7)), (counted, range(3))):
        counts = np.bincount([made.draw(rng) for _ in range(3000)], minlength=max(values) + 1)[list(values)]
        expected = [3000 * np.exp(made.log_density(value)) for value in values]
        assert stats.chisquare(counts, expected).pvalue > 0.05


def test_options_are_counted_with_one_more_for_each():
    assert Counted(Choice("a", "b", "c"), [1, 1, 2]).shares.tolist() == pytest.approx([1 / 6, 3 / 6, 2 / 6])
    assert Counted(Choice("only"), []).log_density(0) == 0.0


def test_without_values_the_prior_is_left():
    assert isinstance(density(Choice("a", "b"), ()), Counted)
    prior = density(Real(0.0, 10.0), ())
    assert np.exp(prior.log_density(5.0)) == pytest.approx(stats.truncnorm(-0.5, 0.5, loc=0.5, scale=1.0).pdf(0.5))


def test_older_values_weigh_less():
    assert weights_by_age(3).tolist() == [1.0, 1.0, 1.0]
    weights = weights_by_age(NEWEST + 4)
    assert weights[:4].tolist() == pytest.approx(np.linspace(1 / (NEWEST + 4), 1.0, 4).tolist())
    assert weights[4:].tolist() == [1.0] * NEWEST
