import numpy as np
import pytest
import torch
from torch import nn

from archwright.predictors.ensemble import BETAS, Ensemble


def data(count=45, width=7):
    rng = np.random.default_rng(3)
    features = rng.random((count, width))
    return features, 5.0 + 3.0 * features @ rng.standard_normal(width)


def one_by_one(ensemble, features, targets, seed, asked):
    """The same training without the batched product: ordinary networks, one after the other."""
    generator = torch.Generator().manual_seed(seed)
    sizes = [features.shape[1], *[ensemble.width] * ensemble.layers, 1]
    start = ensemble.start(sizes, generator)
    orders = [list(ensemble.batches(len(targets), generator)) for _ in range(ensemble.epochs)]
    mean, spread = targets.mean(), targets.std()
    inputs, answers = torch.tensor(features).float(), torch.tensor((targets - mean) / spread).float()
    predictions = []
    for member in range(ensemble.members):
        layers = []
        for place, (weight, bias) in enumerate(zip(start[::2], start[1::2], strict=True)):
            layer = nn.Linear(weight.shape[1], weight.shape[2])
            layer.weight.data, layer.bias.data = weight[member].T.clone(), bias[member, 0].clone()
            layers += [layer, nn.ReLU()] if place < ensemble.layers else [layer]
        network = nn.Sequential(*layers)
        adam = torch.optim.Adam(network.parameters(), lr=ensemble.rate, betas=BETAS)
        for epoch in orders:
            for order in epoch:
                adam.zero_grad()
                nn.functional.l1_loss(network(inputs[order[member]])[:, 0], answers[order[member]]).backward()
                adam.step()
        predictions.append(mean + spread * network(torch.tensor(asked).float())[:, 0].detach().numpy())
    return np.array(predictions)


def test_it_trains_as_separate_networks_would():
    features, targets = data()
    ensemble = Ensemble(members=3, layers=2, width=6, epochs=8, batch=16)
    asked = np.random.default_rng(5).random((9, 7))
    fitted = ensemble.fit(features, targets, seed=11).predict(asked)
    assert fitted.shape == (3, 9)
    np.testing.assert_allclose(fitted, one_by_one(ensemble, features, targets, 11, asked), rtol=1e-3)


def test_its_members_agree_where_there_are_data_and_less_so_elsewhere():
    features, targets = data(90)
    ensemble = Ensemble(layers=2, epochs=100).fit(features, targets, seed=0)
    inside, outside = ensemble.predict(features), ensemble.predict(features + 4.0)
    assert np.abs(inside.mean(axis=0) - targets).mean() < 0.2 * targets.std()
    assert outside.std(axis=0).mean() > 3.0 * inside.std(axis=0).mean()


def test_its_randomness_is_the_seed_alone():
    features, targets = data(12)
    before = torch.random.get_rng_state()
    first, again, other = (Ensemble(epochs=3).fit(features, targets, seed).predict(features) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("count", [1, 3])
def test_few_and_equal_targets_are_predicted(count):
    predicted = Ensemble(epochs=2).fit(np.ones((count, 2)), np.full(count, 7.0), seed=0).predict(np.ones((4, 2)))
    assert np.isfinite(predicted).all()
