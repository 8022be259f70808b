import numpy as np
import pytest
from scipy.stats import kstest, multivariate_normal, truncnorm

import archwright as aw
from archwright.core.choices import Choice, Integer, Real
from archwright.core.history import History
from archwright.core.rng import Streams
from archwright.core.trial import Evaluation, Trial
from archwright.spaces.operators import sample
from archwright.spaces.space import Space
from archwright.strategies import BOHB, KernelDensity
from archwright.strategies.kernel_density import Kernels, Points
from archwright.strategies.rungs import is_promotion
from archwright.testing import check_strategy, spaces_to_survive
from tests.strategies.test_rungs import edges, made, note, run


def numbers_of(count, columns, seed=0):
    return np.random.default_rng(seed).random((count, columns))


def test_of_numbers_it_is_the_mean_of_normal_densities_of_the_normal_reference_rule():
    points, at = numbers_of(30, 3), numbers_of(7, 3, seed=1)
    kernels = Kernels(points, np.zeros(3, dtype=int))
    widths = 1.06 * points.std(axis=0) * 30 ** (-1 / 7)
    assert kernels.widths == pytest.approx(widths)
    wanted = [np.mean([multivariate_normal.pdf(x, point, np.diag(widths**2)) for point in points]) for x in at]
    assert np.exp(kernels.log(at)) == pytest.approx(wanted)


def test_of_options_it_is_a_probability_whatever_the_options_are_called():
    rng = np.random.default_rng(0)
    points = np.stack([rng.choice(3, 20, p=[0.7, 0.2, 0.1]), rng.integers(4, size=20)], axis=1).astype(float)
    options = np.array([3, 4])
    everything = np.array([[a, b] for a in range(3) for b in range(4)], dtype=float)
    kernels = Kernels(points, options)
    probabilities = np.exp(kernels.log(everything))
    assert probabilities.sum() == pytest.approx(1.0)
    # by the definition: a kernel is 1 - width at the point, and the rest is shared by the other options
    shares = [np.bincount(points[:, column].astype(int)) / 20 for column in range(2)]
    widths = [1.06 * np.sqrt((1 - (share**2).sum()) / 2) * 20 ** (-1 / 6) for share in shares]
    widths = [min(width, 1 - 1 / count) for width, count in zip(widths, options, strict=True)]
    for x, probability in zip(everything, probabilities, strict=True):
        kernel = [
            np.prod([1 - w if x[c] == point[c] else w / (options[c] - 1) for c, w in enumerate(widths)])
            for point in points
        ]
        assert probability == pytest.approx(np.mean(kernel))
    renamed = Kernels((points + 1) % options, options)
    assert np.exp(renamed.log((everything + 1) % options)) == pytest.approx(probabilities)


def test_where_all_agree_the_density_is_narrow_and_finite():
    points = np.array([[0.5, 2.0, 0.0]] * 10)
    kernels = Kernels(points, np.array([0, 4, 1]))
    assert kernels.widths.tolist() == [1e-3, 1e-3, 0.0]
    assert np.isfinite(kernels.log(np.array([[0.9, 1.0, 0.0], [0.5, 2.0, 0.0]]))).all()
    rng = np.random.default_rng(0)
    assert all(kernels.draw(rng, 3.0)[2] == 0.0 for _ in range(20))


def test_candidates_are_drawn_from_the_kernels_widened_and_truncated():
    kernels = Kernels(np.array([[0.1, 1.0]] * 5 + [[0.3, 1.0]] * 5), np.array([0, 4]))
    width = kernels.widths[0]
    kernels.points = kernels.points[:1]
    kernels.widths = np.array([width, 0.1])
    rng = np.random.default_rng(1)
    drawn = np.array([kernels.draw(rng, 3.0) for _ in range(4000)])
    low, high = (0.0 - 0.1) / (3 * width), (1.0 - 0.1) / (3 * width)
    assert kstest(drawn[:, 0], truncnorm(low, high, 0.1, 3 * width).cdf).pvalue > 0.01
    shares = np.bincount(drawn[:, 1].astype(int), minlength=4) / 4000
    assert shares == pytest.approx([0.1 / 3, 0.9, 0.1 / 3, 0.1 / 3], abs=0.015)  # as they are


def test_vectors_go_both_ways():
    streams = Streams(0)
    for space in spaces_to_survive().values():
        points = Points(space)
        for number in range(50):
            architecture = sample(space, streams[number])
            vector = points.vector(architecture)
            assert vector.shape == (points.width,)
            back = points.architecture(space, np.nan_to_num(vector))
            for (name, value), (other, again) in zip(architecture, back, strict=True):
                assert name == other
                assert again == pytest.approx(value)


def test_what_is_not_decided_is_imputed_from_those_that_decide_it():
    space = Space(made, kind=Choice("a", {"x": Real(0.0, 1.0), "n": Integer(1, 5)}, {"never": Real(0.0, 1.0)}))
    history, streams = History("min:loss"), Streams(0)
    drawn = (sample(space, streams[number]) for number in range(200))
    for architecture in [each for each in drawn if each["kind"] != 2][:60]:
        note(history, Trial(architecture), metrics={"loss": 1.0})
    points = KernelDensity().learned(space, history)
    imputed = points.density(points.known).points
    kind, x, n, never = np.array([points.vectors[position] for position in range(60)]).T
    assert imputed[:, 0].tolist() == kind.tolist()
    for column, known in ((1, x), (2, n)):
        decided = ~np.isnan(known)
        assert 10 < decided.sum() < 50
        assert imputed[decided, column].tolist() == known[decided].tolist()
        assert set(imputed[~decided, column]) <= set(known[decided])
        assert len(set(imputed[~decided, column])) > 1
    assert np.isnan(never).all()
    assert len(set(imputed[:, 3])) > 20  # nobody decides it: at random


def history_of(space, count, loss, seed=0):
    history, streams = History("min:loss"), Streams(seed)
    for number in range(count):
        trial = Trial(sample(space, streams[number]))
        note(history, trial, metrics={"loss": loss(trial.architecture)})
    return history


def test_it_is_random_until_there_are_three_points_more_than_decisions():
    space = edges(5, 6)

    def asked(count):
        history = history_of(space, count, lambda architecture: 0.0)
        strategy, streams = KernelDensity(interleaved=0.0), Streams(9)
        return strategy.propose(space, history, streams[0]).architecture == sample(space, streams[0])

    assert asked(8)
    assert not asked(9)


def test_in_a_wide_space_rejections_alone_never_make_densities_of_too_few(monkeypatch):
    class Rationed:
        metrics = frozenset({"loss", "size"})

        def preflight(self, space, trial):
            return {"size": float(sum(value for _, value in trial.architecture))}

        def estimate(self, space, trial):
            size = self.preflight(space, trial)["size"]
            return Evaluation(trial, {"loss": -size, "size": size}, cost=1.0)

    sizes, density = [], Points.density
    monkeypatch.setattr(Points, "density", lambda self, some: sizes.append(len(some)) or density(self, some))
    space = Space(made, bits=[Choice(0, 1) for _ in range(205)])
    goals = ["min:loss", "size <= 89"]  # about one in thirty
    search = aw.budget(
        aw.search(space, KernelDensity(candidates=2), Rationed(), objectives=goals, seed=0), evaluations=45
    )
    assert sum(evaluation.rejected for evaluation in search) > 200
    assert sizes
    assert min(sizes) >= 206


def test_a_share_of_its_proposals_is_random():
    space = edges(5, 6)
    history = history_of(space, 40, lambda architecture: 0.0)

    def drawn(interleaved):
        strategy, streams, count = KernelDensity(interleaved=interleaved, candidates=4), Streams(1), 0
        for number in range(150):
            trial = strategy.propose(space, history, streams[number])
            rng = streams[number]
            rng.random()
            count += trial.architecture == sample(space, rng)
        return count / 150

    assert drawn(1.0) == 1.0
    assert 0.2 < drawn(1 / 3) < 0.47


def test_it_asks_where_good_and_bad_differ_most():
    space = Space(made, x=Real(0.0, 1.0), y=Real(0.0, 1.0))
    history = history_of(space, 60, lambda a: (a["x"] - 0.2) ** 2 + (a["y"] - 0.8) ** 2)
    strategy, streams = KernelDensity(interleaved=0.0), Streams(2)
    asked = [strategy.propose(space, history, streams[number]).architecture for number in range(20)]
    losses = [(a["x"] - 0.2) ** 2 + (a["y"] - 0.8) ** 2 for a in asked]
    known = [scored.losses[0] for scored in history.succeeded]
    assert max(losses) < np.median(known)
    assert np.mean(losses) < np.quantile(known, 0.2)


def test_one_density_over_all_decisions_sees_how_they_interact():
    points = np.array([[0.0, 0.0], [1.0, 1.0]] * 20)  # each decision alone tells nothing
    good = Kernels(points, np.array([2, 2]))
    assert good.log(np.array([[0.0, 0.0], [1.0, 1.0]])).min() > good.log(np.array([[0.0, 1.0], [1.0, 0.0]])).max() + 0.3


class Interacting:
    """A decision that has to be small, as all of them, and two that have to agree."""

    def estimate(self, space, trial):
        values = [value for _, value in trial.architecture]
        return Evaluation(trial, {"loss": sum(values) + 2.0 * (values[0] != values[1])}, cost=1.0)


def test_it_finds_better_ones_than_random_search():
    def best(strategy, seed):
        search = aw.search(edges(), strategy, Interacting(), objectives="min:loss", seed=seed)
        for _ in aw.budget(search, evaluations=60):
            pass
        return search.history.best.losses[0]

    found = [best(KernelDensity(), seed) for seed in range(4)]
    drawn = [best(aw.strategies.Random(), seed) for seed in range(4)]
    assert sum(found) < sum(drawn) / 1.5


def test_bohb_models_the_highest_fidelity_of_which_there_is_enough():
    strategy = BOHB(KernelDensity(interleaved=0.0), lowest=1 / 9)
    history = run(strategy, 300, seed=1).history
    brackets = aw.strategies.Hyperband(lowest=1 / 9).brackets
    assert strategy.brackets == brackets
    drawn = run(aw.strategies.Hyperband(lowest=1 / 9), 300, seed=1).history

    def starts(history):
        late = [e for e in history if not is_promotion(history, e.trial)][-60:]
        return np.mean([sum(value for _, value in e.trial.architecture) for e in late])

    assert starts(history) < starts(drawn) - 3


def test_several_objectives_are_served():
    space, history, streams = edges(6, 4), History(["min:loss", "min:cost"]), Streams(0)
    for number in range(60):
        trial = Trial(sample(space, streams[number]))
        values = [float(value) for _, value in trial.architecture]
        note(history, trial, metrics={"loss": sum(values), "cost": -values[0]})
    asked = [KernelDensity(interleaved=0.0).propose(space, history, streams[100 + n]) for n in range(30)]
    for name in ("edges[1]", "edges[2]", "edges[3]"):
        assert np.mean([trial.architecture[name] for trial in asked]) < 1.8  # 2.5 on average


def test_it_keeps_its_promises():
    check_strategy(KernelDensity(candidates=4), evaluations=30)
    check_strategy(BOHB(KernelDensity(candidates=4), lowest=1 / 9), evaluations=40)
