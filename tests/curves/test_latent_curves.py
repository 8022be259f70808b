import numpy as np
import pytest
import torch
from scipy.stats import norm

from archwright.core.errors import ArchwrightError
from archwright.curves import Known, LastValue, LatentCurves
from archwright.curves.latent_curves import Decoders, Units, basis, flattened, learnt_from, log_loss
from archwright.curves.learnt import Range
from tests.curves.made_up import population

UNITS = Units(Range(0.5, 0.25), np.zeros(1), np.ones(1))


@pytest.fixture(scope="module")
def learnt():
    return LatentCurves(steps=400).fit(population(60, 0), seed=1)


def decoders(latent=1, members=1):
    return Decoders(UNITS, basis(12), latent, members, torch.Generator().manual_seed(4))


def test_the_basis_falls_from_one_to_nothing():
    functions = basis(50)
    np.testing.assert_allclose(functions[0], 1)
    np.testing.assert_allclose(functions[-1], 0, atol=1e-15)
    assert (np.diff(functions, axis=0) < 0).all()
    t = 13.0  # the second column but one epoch, by hand: the logarithm's
    assert functions[12, 1] == pytest.approx(np.log(50 / t) / np.log(50))
    assert functions[12, 4] == pytest.approx(
        (0.03 / (0.03 + t / 50) - 0.03 / 1.03) / (0.03 / (0.03 + 1 / 50) - 0.03 / 1.03)
    )
    assert np.isfinite(basis(1)).all()


def test_a_decoded_curve_is_asymptote_mixture_and_noise():
    made = decoders(latent=2)
    z, number = np.array([0.3, -1.2]), np.array([0.7])
    hidden = np.concatenate([z, number])
    for weight in made.weights[:-1]:
        hidden = np.tanh(hidden @ weight[0].numpy())
    out = hidden @ made.weights[-1][0].numpy()
    mixture = np.exp(out[2:-3]) / np.exp(out[2:-3]).sum()
    share = np.arange(1, 13) / 12
    means, noise = made.decoded(torch.tensor(z)[None, None].float(), torch.tensor(number).float(), torch.arange(12))
    np.testing.assert_allclose(means[0, 0], out[0] - out[1] * basis(12) @ mixture, rtol=1e-4, atol=1e-6)
    parabola = out[-3] + out[-2] * share + out[-1] * share**2
    np.testing.assert_allclose(noise[0, 0], parabola - 1.5, rtol=1e-4, atol=1e-6)


def test_a_prediction_is_the_posterior_that_quadrature_gives():
    made = decoders()
    made.weights[0] *= 3
    curve, numbers = [0.52, 0.5, 0.55], (0.4,)
    z = torch.linspace(-6, 6, 6001)
    means, noise = (
        tensor[0].double().numpy() for tensor in made.decoded(z[None, :, None], torch.tensor([0.4]), torch.arange(12))
    )
    scores = (np.array(curve) - 0.5) / 0.25
    mass = np.exp(norm.logpdf(z.numpy()) + norm.logpdf(scores, means[:, :3], np.exp(noise[:, :3])).sum(axis=1))
    mass /= mass.sum()
    mean = (mass * means[:, -1]).sum()
    variance = (mass * (np.exp(2 * noise[:, -1]) + (means[:, -1] - mean) ** 2)).sum()
    found = made(curve, numbers, seed=2)
    assert found.mean == pytest.approx(0.5 + 0.25 * mean, abs=0.25 * 0.08 * variance**0.5)
    assert found.std == pytest.approx(0.25 * variance**0.5, rel=0.06)


def test_the_loss_is_the_normal_densitys():
    scores, means, noise = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
    expected = -torch.distributions.Normal(means, noise.exp()).log_prob(scores) - 0.5 * np.log(2 * np.pi)
    torch.testing.assert_close(log_loss(scores, means, noise), expected)


def test_weights_are_flattened_only_where_few_draws_have_any():
    even = torch.linspace(0, 1, 1000).double()
    torch.testing.assert_close(flattened(even), torch.softmax(even, 0))
    steep = 1e4 * even
    weights = flattened(steep)
    assert 1 / (weights**2).sum() >= 50
    assert (weights.diff() > 0).all()
    assert 1 / (torch.softmax(steep, 0) ** 2).sum() < 2


def test_it_learns_from_all_of_a_short_curve_and_from_the_beginning_of_a_long_one():
    assert learnt_from(40).tolist() == list(range(40))
    places = learnt_from(300).tolist()
    assert places[:10] == list(range(10))
    assert places[-1] == 299
    assert 60 <= len(places) <= 120


def test_it_predicts_and_knows_how_well(learnt):
    new = population(60, 1)
    ends = np.array([one.curve[-1] for one in new])
    found = [learnt.predict(one.curve[:5], 20, one.numbers, seed) for seed, one in enumerate(new)]
    errors = np.abs(np.array([one.mean for one in found]) - ends)
    last = np.abs([LastValue().predict(one.curve[:5], 20).mean - one.curve[-1] for one in new])
    assert errors.mean() < 0.15 * last.mean()
    inside = [low <= end <= high for (low, high), end in zip((one.interval(0.9) for one in found), ends, strict=True)]
    assert 0.75 <= np.mean(inside) <= 1.0


def test_more_of_a_curve_makes_it_surer(learnt):
    one = population(1, 7)[0]
    spreads = [learnt.predict(one.curve[:seen], 20, one.numbers).std for seen in (1, 4, 12)]
    assert spreads[0] > spreads[1] > spreads[2]


def test_its_randomness_is_the_seeds_alone():
    known = population(30, 3)
    before = torch.random.get_rng_state()
    first, again, other = (
        LatentCurves(steps=5).fit(known, seed).predict(known[0].curve[:6], 20, (2.0,), seed) for seed in (1, 1, 2)
    )
    assert (first.samples == again.samples).all()
    assert first.mean != other.mean
    assert torch.equal(before, torch.random.get_rng_state())


def test_extreme_and_equal_curves_are_survived():
    diverged = [Known((0.2, 0.4, 1e9, -1e12, 0.5))] * 3
    model = LatentCurves(steps=20).fit([*diverged, *[Known((0.1, 0.2, 0.3, 0.4, 0.5))] * 30])
    assert np.isfinite(model.predict([0.1, -1e9], 5).mean)
    equal = LatentCurves(steps=200).fit([Known((0.5,) * 6)] * 30).predict([0.5, 0.5], 6)
    assert equal.mean == pytest.approx(0.5, abs=0.1)
    assert np.isfinite(LatentCurves(steps=2).fit([Known((0.5,))] * 30).predict([0.5], 1).mean)


def test_settings_that_make_no_sense():
    with pytest.raises(ArchwrightError, match="at least 2 curves"):
        LatentCurves(least=1)
