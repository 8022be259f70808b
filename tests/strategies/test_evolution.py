"""The parts of evolution against probabilities worked out by hand, the named strategies against their papers' words."""

import itertools
import json
from collections import Counter, deque

import numpy as np
import pytest
from sklearn.neighbors import KernelDensity

import archwright as aw
from archwright.core.history import History, Scored
from archwright.core.parts import describe
from archwright.core.rng import Streams
from archwright.registry import rebuild
from archwright.spaces.operators import mutate, sample
from archwright.strategies import CGP, LEMONADE, NSGA2, Evolution, GeneticCNN, RegularizedEvolution, TournamentEvolution
from archwright.strategies.evolving import select, survive, vary
from archwright.strategies.evolving.population import Population


def factory(**arguments):
    return arguments


SPACE = aw.Space(factory, edges=[aw.Choice(*range(5)) for _ in range(6)])


def losses_of(architecture):
    """Two objectives in conflict: every decision wants to be 4 by the one and 0 by the other."""
    values = [value for _, value in architecture]
    return {"loss": float(sum((value - 4) ** 2 for value in values)), "cost": float(sum(value**2 for value in values))}


class Sums:
    def estimate(self, space, trial):
        return aw.Evaluation(trial, losses_of(trial.architecture), cost=1.0)

    def preflight(self, space, trial):
        return {"cost": losses_of(trial.architecture)["cost"]}


def individuals(losses, violations=None):
    """Scored evaluations of random architectures with the given losses."""
    streams = Streams(5)
    outside = violations or [0.0] * len(losses)
    return [
        Scored(aw.Evaluation(aw.Trial(sample(SPACE, streams[n])), {"cost": loss[-1]}), n, loss, violation)
        for n, (loss, violation) in enumerate(zip(losses, outside, strict=True))
    ]


def shares(part, parents, draws=10_000):
    """How often each parent is selected."""
    rng = np.random.default_rng(0)
    drawn = Counter(part(parents, rng).position for _ in range(draws))
    return [drawn[scored.position] / draws for scored in parents]


def run(strategy, evaluations=150, objectives="min:loss", seed=0, space=SPACE):
    search = aw.budget(aw.search(space, strategy, Sums(), objectives=objectives, seed=seed), evaluations=evaluations)
    list(search)
    return search.history


# Selection


def test_a_tournament_is_won_as_often_as_samples_hold_nobody_better():
    parents = individuals([(3.0,), (1.0,), (4.0,), (0.0,), (2.0,)])
    triples = list(itertools.combinations(parents, 3))
    expected = [sum(min(t, key=lambda s: s.losses) is scored for t in triples) / len(triples) for scored in parents]
    assert shares(select.Tournament(3), parents) == pytest.approx(expected, abs=0.02)


def test_a_tournament_may_be_a_share_of_a_growing_population():
    parents = individuals([(float(loss),) for loss in range(40)])
    rng = np.random.default_rng(0)
    ranks = [select.Tournament(1, share=0.5)(parents, rng).position for _ in range(2000)]
    assert np.mean(ranks) == pytest.approx(41 / 21 - 1, abs=0.1)  # the expected minimum of 20 of 40


def test_of_an_ordered_population_the_foremost_is_drawn():
    parents = individuals([(9.0,), (5.0,), (7.0,)])
    assert shares(select.Foremost(2), parents) == pytest.approx([5 / 9, 3 / 9, 1 / 9], abs=0.02)


def test_roulette_is_in_proportion_to_the_distance_from_the_worst():
    parents = individuals([(-0.9,), (-0.5,), (-0.8,)])
    assert shares(select.Roulette(), parents) == pytest.approx([4 / 7, 0.0, 3 / 7], abs=0.02)


def test_roulette_among_equals_is_uniform_and_serves_several_objectives():
    assert shares(select.Roulette(), individuals([(1.0,)] * 4)) == pytest.approx([0.25] * 4, abs=0.02)
    ranked = individuals([(0.0, 0.0), (1.0, 1.0), (2.0, 2.0)])  # beaten by 0, 1 and 2
    assert shares(select.Roulette(), ranked) == pytest.approx([2 / 3, 1 / 3, 0.0], abs=0.02)


@pytest.mark.parametrize("metrics", [(), ("cost",)])
def test_parents_are_drawn_inversely_to_a_kernel_density(metrics):
    cheap = np.array([0.0, 0.1, 0.2, 0.3, 5.0])
    parents = individuals([(9.0 - place, float(place)) for place in cheap])
    scaled = cheap[:, None] / cheap.std()
    kernels = KernelDensity(bandwidth=len(cheap) ** (-1 / 5)).fit(scaled)
    expected = 1.0 / np.exp(kernels.score_samples(scaled))
    assert shares(select.InverseDensity(metrics), parents) == pytest.approx(expected / expected.sum(), abs=0.02)


def test_density_is_that_of_scikit_learn_up_to_a_factor():
    rng = np.random.default_rng(1)
    points, places = rng.normal(size=(30, 2)) * [1.0, 1000.0], rng.normal(size=(7, 2)) * [1.0, 1000.0]
    scale = points.std(axis=0)
    expected = np.exp(KernelDensity(bandwidth="scott").fit(points / scale).score_samples(places / scale))
    ours = select.density(points, places)
    assert ours / ours.sum() == pytest.approx(expected / expected.sum())


def test_density_can_always_be_divided_by():
    far = select.density(np.array([[0.0], [1e-9]]), np.array([[1e9]]))
    assert np.isfinite(1.0 / far).all()
    assert select.density(np.zeros((1, 2)), np.zeros((1, 2))) > 0
    assert select.density(np.zeros((3, 0)), np.zeros((3, 0))) == pytest.approx([3.0] * 3)


def test_density_among_a_metric_that_was_not_measured_is_refused():
    with pytest.raises(aw.BadObjective, match="flops"):
        select.InverseDensity(("flops",))(individuals([(1.0, 2.0)]), np.random.default_rng(0))


# Survival


def folded(part, children):
    population = Population([], [])
    for child in children:
        population = part(population, child)
    return population


def test_the_worse_of_a_random_pair_dies():
    """Of n, the one with r better ones dies in r of the n (n - 1) / 2 pairs; the best never does."""
    losses = [float(loss) for loss in np.random.default_rng(0).permutation(6)]
    deaths = Counter()
    for trial in range(4000):
        *first, late = individuals([(loss,) for loss in losses] + [(-1.0,)])
        late = Scored(late.evaluation, 6 + trial, late.losses, 0.0)
        alive = folded(survive.Stronger(6, 2), [*first, late]).parents
        assert len(alive) == 6
        assert alive[-1] is late
        (dead,) = {scored.losses for scored in first} - {scored.losses for scored in alive}
        deaths[dead[0]] += 1
    assert [deaths[float(rank)] / 4000 for rank in range(6)] == pytest.approx(
        [rank / 15 for rank in range(6)], abs=0.03
    )


def test_youngest_and_everyone():
    children = individuals([(float(loss),) for loss in range(7)])
    assert folded(survive.Youngest(3), children).parents == children[-3:]
    assert folded(survive.Everyone(), children).parents == children


def test_a_generation_takes_its_parents_place_when_it_is_complete():
    children = individuals([(float(loss),) for loss in range(8)])
    assert folded(survive.Generation(3), children[:2]) == ([], children[:2])
    assert folded(survive.Generation(3), children[:3]) == (children[:3], [])
    assert folded(survive.Generation(3), children) == (children[3:6], children[6:])


def test_the_elite_is_the_best_of_parents_and_children_and_the_younger_among_equals():
    children = individuals([(2.0,), (1.0,), (3.0,), (1.0,), (5.0,), (0.5,)])
    population = folded(survive.Elite(2, 2), children)
    assert [scored.position for scored in population.parents] == [5, 3]


def test_crowded_order_is_by_front_then_by_room():
    losses = [(0.0, 10.0), (1.0, 6.0), (3.0, 5.0), (10.0, 0.0), (11.0, 11.0), (0.0, 0.0)]
    ordered = survive.crowded(individuals(losses, [0.0] * 5 + [0.1]))
    assert [scored.position for scored in ordered] == [0, 3, 2, 1, 4, 5]  # the last violates a constraint


def test_the_front_is_that_of_the_history():
    history = run(Evolution(survive.Front(), select.Tournament(1), vary.Mutate(), 5), 120, ["min:loss", "min:cost"])
    alive = Evolution(survive.Front(), select.Tournament(1), vary.Mutate(), 5).alive(history)
    assert sorted(scored.losses for scored in alive) == [scored.losses for scored in history.front()]


# Variation


def test_a_chain_hands_on_and_either_keeps_its_probability():
    rng = np.random.default_rng(0)
    zero, four = (aw.Architecture(tuple((f"edges[{n}]", value) for n in range(6))) for value in (0, 4))
    parents = itertools.cycle([zero, four])
    crossed = [vary.CrossOver(0.25)(SPACE, lambda: next(parents), rng) for _ in range(3000)]
    assert np.mean([[value == 4 for _, value in child] for child in crossed]) == pytest.approx(0.25, abs=0.01)
    chained = vary.Chain(vary.CrossOver(0.0), vary.MutateEach(1.0))(SPACE, lambda: next(parents), rng)
    assert all(value != 0 for _, value in chained)
    part = vary.Either(0.3, vary.Copy(), vary.Mutate())
    assert np.mean([part(SPACE, lambda: zero, rng) == zero for _ in range(5000)]) == pytest.approx(0.3, abs=0.02)


def test_forced_mutants_compute_something_else_and_neutral_ones_the_same():
    space, streams = aw.spaces.nasbench201(), Streams(0)
    moved = 0
    for number in range(150):
        parent, rng = sample(space, streams[number]), streams[1000 + number]
        assert space.key(vary.Forced(0.05)(space, lambda p=parent: p, rng)) != space.key(parent)
        neutral = vary.Neutral(0.5)(space, lambda p=parent: p, rng)
        assert space.key(neutral) == space.key(parent)
        moved += neutral != parent
    assert moved > 10


def test_a_mutation_is_forced_as_far_as_the_space_has_a_point():
    space = aw.Space(factory, only=aw.Choice("this"))
    only = sample(space, Streams(0)[0])
    assert vary.Forced()(space, lambda: only, Streams(0)[1]) == only


# The composition


def test_regularised_evolution_is_the_textbook_loop():
    """The paper's algorithm with a queue, on the same random numbers, in place of parts over a history."""
    history, streams, population = run(RegularizedEvolution(12, 4), 300), Streams(0), deque(maxlen=12)
    for number, evaluation in enumerate(history):
        rng = streams[number]
        if number < 12:
            expected = sample(SPACE, rng)
        else:
            drawn = [population[index] for index in rng.permutation(12)[:4]]
            expected = mutate(SPACE, min(drawn, key=lambda pair: pair[0])[1], rng)
        assert evaluation.trial.architecture == expected
        population.append((losses_of(expected)["loss"], expected))


def test_a_child_names_the_parent_whose_weights_it_may_inherit():
    history = run(TournamentEvolution(10), 60)
    assert all(evaluation.trial.parent is None for evaluation in history[:10])
    for position, evaluation in enumerate(history[10:], start=10):
        parent = history[evaluation.trial.parent]
        assert evaluation.trial.parent < position
        pairs = zip(evaluation.trial.architecture, parent.trial.architecture, strict=True)
        assert sum(mine != theirs for mine, theirs in pairs) == 1


def test_plain_functions_are_parts():
    def last(parents, rng):
        return parents[-1]

    strategy = Evolution(survive.Everyone(), last, lambda space, draw, rng: mutate(space, draw(), rng), start=1)
    history = run(strategy, 20)
    assert [evaluation.trial.parent for evaluation in history] == [None, *range(len(history) - 1)]


def test_a_composition_is_made_again_from_its_description():
    strategy = Evolution(
        survive.Fresh(survive.Elite(4, 6)),
        select.InverseDensity(("cost",)),
        vary.Either(0.5, vary.Chain(vary.CrossOver(), vary.MutateEach()), vary.Forced(0.1)),
        start=3,
    )
    assert rebuild("strategies", json.loads(json.dumps(describe(strategy)))) == strategy


@pytest.mark.parametrize(
    "make",
    [
        lambda: TournamentEvolution(remove="weakest"),
        lambda: TournamentEvolution(population=3, sample=4),
        lambda: TournamentEvolution(share=1.5),
        lambda: GeneticCNN(crossover=2.0),
        lambda: GeneticCNN(mutation_rate=-0.1),
        lambda: GeneticCNN(population=0),
        lambda: CGP(offspring=0),
        lambda: CGP(rate=2.0),
        lambda: LEMONADE(children=0),
        lambda: NSGA2(population=0),
        lambda: RegularizedEvolution(3, 4),
    ],
)
def test_numbers_that_do_not_fit_are_refused_at_once(make):
    with pytest.raises(aw.ArchwrightError):
        make()


def test_one_cheap_metric_is_a_list_too():
    with pytest.raises(aw.ArchwrightError, match=r"cheap is a list of metrics, such as \['parameters'\]"):
        LEMONADE(cheap="parameters")


@pytest.mark.parametrize(
    "strategy",
    [
        RegularizedEvolution(10, 3),
        TournamentEvolution(10),
        TournamentEvolution(10, share=0.05, remove="none"),
        GeneticCNN(10),
        CGP(),
        NSGA2(10),
        LEMONADE(),
    ],
    ids=lambda strategy: type(strategy).__name__,
)
def test_each_finds_better_than_random_search(strategy):
    def mean(make):
        return np.mean([run(make, seed=seed).best.losses[0] for seed in range(5)])

    assert mean(strategy) < mean(aw.strategies.Random()) - 2.0


# The named ones


def test_cgp_drifts_at_no_cost():
    class Counts:
        def estimate(self, space, trial):
            edges = len(space.graph(trial.architecture).edges)
            return aw.Evaluation(trial, {"loss": abs(edges - 3.0)}, cost=1.0)

    space = aw.spaces.nasbench201()
    search = aw.budget(aw.search(space, CGP(rate=0.3), Counts(), objectives="min:loss", seed=1), evaluations=60)
    neutral = 0
    for evaluation in search:
        if evaluation.trial.parent is not None:
            parent = search.history[evaluation.trial.parent].trial.architecture
            same = space.key(parent) == space.key(evaluation.trial.architecture)
            neutral += same and parent != evaluation.trial.architecture
            assert not same or evaluation.cost == 0.0
    assert neutral > 5
    (elite,) = CGP(rate=0.3).evolution.alive(search.history)
    assert elite.losses == min(scored.losses for scored in search.history.succeeded[: elite.position + 1])


def test_genetic_cnn_swaps_whole_stages():
    space = aw.Space(factory, stages=[[aw.Choice(0, 1) for _ in range(5)] for _ in range(3)])
    rng = np.random.default_rng(0)
    zero, one = (
        aw.Architecture(tuple((f"stages[{s}][{n}]", value) for s in range(3) for n in range(5))) for value in (0, 1)
    )
    parents = itertools.cycle([zero, one])
    children = [vary.CrossOver(0.2, stages=True)(space, lambda: next(parents), rng) for _ in range(3000)]
    stages = np.array([[value for _, value in child] for child in children]).reshape(-1, 3, 5)
    assert (stages == stages[:, :, :1]).all()
    assert stages.mean() == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("strategy", [NSGA2(20), LEMONADE()], ids=["nsga2", "lemonade"])
def test_fronts_are_wider_than_those_of_random_search(strategy):
    def volume(make, seed):
        front = run(make, 400, ["min:loss", "min:cost"], seed).front()
        return aw.hypervolume([scored.losses for scored in front], (97.0, 97.0))

    ours, random = ([volume(make, seed) for seed in range(4)] for make in (strategy, aw.strategies.Random()))
    assert np.mean(ours) > np.mean(random) + 2 * np.std(random)


def test_nsga2_leaves_the_infeasible_behind():
    history = run(NSGA2(10), 100, ["min:loss", "min:cost", "cost <= 20"])
    alive = NSGA2(10).evolution.alive(history)
    assert len(alive) == 10
    assert all(scored.violation == 0.0 for scored in alive)
    assert len({scored.evaluation.trial.architecture for scored in alive}) == 10


def test_lemonade_evaluates_children_where_the_front_is_thin():
    """Among ten children the one that lies alone is taken more often than one in ten."""
    history = History(["min:loss", "min:cost"])
    for number in range(12):
        trial = aw.Trial(sample(SPACE, Streams(3)[number]))
        history.append(history.ask(trial), Sums().estimate(SPACE, trial))

    def distances(strategy):
        front = [scored.losses[1] for scored in strategy.evolution.alive(history)]
        costs = [losses_of(strategy.propose(SPACE, history, Streams(0)[n]).architecture)["cost"] for n in range(300)]
        return np.mean([min(abs(cost - place) for place in front) for cost in costs])

    assert distances(LEMONADE(preflight=Sums().preflight, children=20)) > 1.2 * distances(LEMONADE())


def test_lemonade_does_without_what_preflight_can_not_say():
    def fails(space, trial):
        raise ValueError("no such network")

    assert run(LEMONADE(start=3, preflight=fails), 30, ["min:loss", "min:cost"]).spent == 30
    with pytest.raises(aw.BadObjective, match="flops"):
        run(LEMONADE(start=3, cheap=("flops",), preflight=Sums().preflight), 30)


def test_a_proposal_costs_no_more_after_many(monkeypatch):
    """The population is folded: each evaluation is looked at once."""
    looked = 0
    original = History.scored

    def counted(self, position):
        nonlocal looked
        looked += 1
        return original(self, position)

    monkeypatch.setattr(History, "scored", counted)
    history = run(NSGA2(10), 200, ["min:loss", "min:cost"])
    assert looked <= len(history)
