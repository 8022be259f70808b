"""Recipes: their papers' numbers at full scale, and every one at work at a small one."""

import itertools
from dataclasses import replace
from operator import attrgetter

import pytest

import archwright as aw
from archwright.core.parts import describe, rebuildable
from archwright.recipes.recipe import faster, fewer, sizes, smaller
from archwright.tasks import Split, Splits, Task

PUBLISHED = {  # typed from the survey of the survey, SURVEY.md: what it gives of each system
    "amoebanet": {
        "strategy.population": 100,
        "strategy.sample": 25,
        "estimator.epochs": 25,
        "evaluations": 20_000,
        "space.operations": 8,
    },
    "asha": {"strategy.eta": 4, "estimator.epochs": 300},
    "auto_keras": {},
    "auto_net": {"space.max_layers": 6, "space.units": (64, 4096)},
    "baker_curves": {"estimator.by.least": 100, "estimator.threshold": 0.05},
    "bananas": {"space.operations": 7},
    "bohb": {
        "strategy.eta": 3,
        "strategy.of.share": 0.15,
        "strategy.of.candidates": 64,
        "strategy.of.interleaved": 1 / 3,
        "strategy.of.widened": 3.0,
    },
    "cgp_cnn": {
        "strategy.offspring": 2,
        "strategy.rate": 0.05,
        "estimator.epochs": 50,
        "space.rows": 5,
        "space.columns": 30,
        "space.levels_back": 10,
        "space.filters": (32, 64, 128),
        "space.kernels": (3, 5),
    },
    "darts_rnn": {
        "space.nodes": 8,
        "space.hidden": 300,
        "strategy.learning_rate": 3e-3,
        "strategy.weight_decay": 1e-3,
        "estimator.epochs": 50,
        "estimator.shared.batch_size": 256,
        "evaluations": 50,
    },
    "das": {},
    "domhan": {
        "estimator.by.walkers": 100,
        "estimator.by.steps": 2500,
        "estimator.by.burn_in": 500,
        "estimator.by.thin": 10,
        "estimator.threshold": 0.05,
    },
    "eas": {
        "space.widths": (16, 32, 64, 96, 128, 192, 256, 320, 384, 448, 512, 576, 640),
        "space.kernels": (1, 3, 5),
        "strategy.networks": 10,
        "strategy.wider": 4,
        "strategy.deeper": 5,
        "strategy.hidden": 50,
        "strategy.embedding": 16,
        "strategy.decay": 0.95,
        "estimator.of.epochs": 20,
        "estimator.of.hyperparameters.learning_rate": 0.02,
    },
    "enas_rnn": {
        "space.nodes": 12,
        "strategy.learning_rate": 3.5e-4,
        "strategy.entropy": 1e-4,
        "strategy.hidden": 100,
        "estimator.epochs": 150,
        "estimator.shared.batch_size": 64,
    },
    "freeze_thaw": {},
    "genetic_cnn": {
        "strategy.population": 20,
        "strategy.mutation": 0.8,
        "strategy.mutation_rate": 0.05,
        "strategy.crossover": 0.2,
        "strategy.crossover_share": 0.2,
        "evaluations": 20 + 50 * 20,
        "space.nodes": (3, 4, 5),
    },
    "hierarchical": {
        "strategy.population": 200,
        "strategy.share": 0.05,
        "strategy.remove": "none",
        "evaluations": 7000,
        "space.motifs": 6,
        "space.motif_nodes": 4,
        "space.nodes": 5,
    },
    "large_scale_evolution": {
        "strategy.population": 1000,
        "strategy.sample": 2,
        "strategy.remove": "worst",
    },
    "hyperband": {"strategy.eta": 3, "estimator.epochs": 81},
    "lemonade": {},
    "metaqnn": {
        "strategy.learning_rate": 0.01,
        "strategy.replay": 100,
        "strategy.horizon": 2700,
        "estimator.epochs": 20,
        "estimator.hyperparameters.learning_rate": 1e-3,
        "evaluations": 2700,
        "space.filters": (64, 128, 256, 512),
        "space.units": (512, 256, 128),
    },
    "nas_bowl": {},
    "nasbot": {},
    "nash": {
        "strategy.children": 8,
        "strategy.morphisms": 5,
        "estimator.of.epochs": 17,
        "estimator.of.hyperparameters.learning_rate": 0.05,
        "evaluations": 1 + 5 * 8,
    },
    "path_level": {"space.depth": 3},
    "nasnet": {
        "strategy.learning_rate": 3.5e-4,
        "strategy.entropy": 1e-5,
        "estimator.epochs": 20,
        "evaluations": 20_000,
        "space.blocks": 5,
        "space.operations": 13,
    },
    "pnas": {
        "strategy.beam": 256,
        "estimator.epochs": 20,
        "evaluations": 1160,
        "space.blocks": 5,
        "space.cells": 2,
        "space.filters": 24,
        "space.operations": 8,
    },
    "random_search": {"estimator.epochs": 300, "evaluations": 700},
    "rsws_rnn": {"space.nodes": 8, "space.hidden": 300, "evaluations": 4_000},
    "darts": {
        "space.cells": 8,
        "space.channels": 16,
        "space.nodes": 4,
        "space.operations": 7,  # and none, which is no operation here
        "strategy.learning_rate": 3e-4,
        "strategy.betas": (0.5, 0.999),
        "strategy.weight_decay": 1e-3,
        "estimator.epochs": 50,
        "estimator.shared.batch_size": 64,
        "estimator.shared.learning_rate": 0.025,
        "estimator.shared.weight_decay": 3e-4,
        "estimator.shared.gradient_clip": 5.0,
    },
    "darts_pt": {"strategy.of.learning_rate": 3e-4},
    "dr_nas": {"space.channels": 36},
    "enas_macro": {
        "space.layers": 12,
        "space.operations": 6,
        "strategy.learning_rate": 1e-3,
        "strategy.steps": 50,
        "strategy.samples": 20,
        "strategy.skip_target": 0.4,
        "strategy.skip_weight": 0.8,
        "estimator.epochs": 310,
    },
    "enas_micro": {
        "space.nodes": 5,
        "space.operations": 5,
        "strategy.learning_rate": 3.5e-3,
        "strategy.steps": 30,
        "strategy.samples": 10,
        "strategy.entropy": 1e-4,
        "strategy.limit": 1.1,
        "strategy.op_limit": 0.44,  # 1.1 / 2.5
        "estimator.epochs": 150,
        "estimator.shared.batch_size": 160,
        "estimator.shared.learning_rate": 0.05,
    },
    "fabrics": {},
    "fairnas": {},
    "gdas": {},
    "ghn": {"evaluations": 1000},
    "mask_connect": {},
    "one_shot": {},
    "pc_darts": {"strategy.parts": 4},
    "proxyless_nas": {
        "space.channels": (24, 40, 80, 96, 192, 320),
        "space.blocks": [4, 4, 4, 4, 4, 1],
        "space.strides": (2, 2, 2, 1, 2, 1),
        "strategy.learning_rate": 1e-3,
        "strategy.betas": (0.0, 0.999),
        "strategy.every": 5,
        "strategy.warmup": 40 / 160,
        "estimator.epochs": 160,
    },
    "robust_darts": {
        "space.space": "S2",
        "strategy.window": 5,
        "strategy.delta": 4,
        "strategy.factor": 1.3,
        "strategy.begin": 10,
    },
    "rsws": {
        "space.channels": 24,
        "estimator.epochs": 150,
        "estimator.shared.gradient_clip": 1.0,
        "evaluations": 5000,
    },
    "smash": {"evaluations": 500 + 100},
    "snas": {},
    "spos": {},
    "unrolled_darts": {"space.cells": 8, "space.channels": 16, "estimator.epochs": 50},
    "tpe": {"strategy.initial": 50, "strategy.gamma": 1 / 4, "evaluations": 800},
    "uct": {"space.blocks": 5},
    "zoph_le": {
        "strategy.hidden": 35,
        "strategy.layers": 2,
        "strategy.learning_rate": 6e-4,
        "estimator.epochs": 50,
        "evaluations": 12_800,
        "space.filters": (24, 36, 48, 64),
        "space.kernels": (1, 3, 5, 7),
        "space.least": 6,
        "space.layers": 6 + 2 * (12_800 // 1_600),
    },
}


def load():
    """The digits, but few of them."""
    splits = aw.tasks.digits().splits
    train, valid, test = (
        Split(split.inputs[:64], split.targets[:64]) for split in (splits.train, splits.valid, splits.test)
    )
    return Splits(train, valid, test, splits.classes)


@pytest.fixture(scope="module")
def task():
    return Task("few-digits", load, aw.tasks.digits().hyperparameters)


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "rhyme.txt"
    path.write_text("the cat sat on the mat, the rat sat on the cat.\n" * 60, encoding="utf-8")
    return aw.tasks.text_file(path, length=10)


def test_every_recipe_has_its_table():
    assert set(PUBLISHED) == set(aw.recipes.RECIPES)


@pytest.mark.parametrize("name", PUBLISHED)
def test_at_full_scale_a_recipe_has_its_papers_numbers(name, task):
    recipe = getattr(aw.recipes, name)(task)
    for path, wanted in PUBLISHED[name].items():
        part, _, field = path.partition(".")
        found = recipe.space.made_by["arguments"][field] if part == "space" else attrgetter(path)(recipe)
        assert (len(found) if field == "operations" else found) == wanted, path
    assert recipe.estimator.task is task
    assert recipe.paper.headline
    assert recipe.paper.rows


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_small_recipe_runs_and_its_winner_builds(name, task, text):
    task = text if name.endswith("_rnn") else task
    recipe = getattr(aw.recipes, name)(task, scale=1e-4)
    with recipe.search(seed=1) as run:
        evaluations = list(itertools.islice(run, 6))
    succeeded = [evaluation for evaluation in evaluations if evaluation.failure is None]
    assert len(succeeded) >= len(evaluations) / 2, [evaluation.failure for evaluation in evaluations]
    winner = run.history.best.evaluation
    network = recipe.space.build(winner.trial.architecture, task.signature)
    assert network.eval()(task.prepare(task.valid.inputs[:2])).shape == (2, *task.signature.output_shape)
    assert rebuildable(describe([recipe.space, recipe.strategy]))


class Quick:
    """Answers at once."""

    def estimate(self, space, trial):
        return aw.Evaluation(trial, {"valid_accuracy": len(trial.architecture) + trial.fidelity})


@pytest.mark.parametrize("scale", [1e-4, 3e-3, 0.03, 0.2, 1.0])
@pytest.mark.parametrize("name", ["asha", "bohb", "hyperband"])
def test_at_any_scale_some_are_promoted_up_to_full_fidelity(name, scale, task):
    recipe = replace(getattr(aw.recipes, name)(task, scale), estimator=Quick())
    run = recipe.search()
    for _ in run:
        pass
    history = run.history
    ended = [e for e in history if e.trial.fidelity == 1.0 and e.trial.parent is not None]
    assert ended
    for evaluation in ended:
        parent = history[evaluation.trial.parent].trial
        assert parent.architecture == evaluation.trial.architecture
        assert parent.fidelity < 1.0


@pytest.mark.parametrize("name", ["baker_curves", "domhan"])
def test_a_small_recipe_predicts_curves(name, task):
    recipe = getattr(aw.recipes, name)(task, scale=1e-4)
    with recipe.search(seed=2) as run:
        predicted = next((e for e in run if "predicted_at" in e.metrics), None)
    assert predicted is not None


def test_a_recipe_stops_at_its_budget(task):
    recipe = aw.recipes.cgp_cnn(task, scale=1e-4)
    run = recipe.search()
    for _ in run:
        pass
    assert run.history.spent == recipe.evaluations == 10
    assert run.ended == "the budget of 10 evaluations is spent"


@pytest.mark.parametrize("scale", [0.0, -1.0, 1.5, float("nan")])
def test_a_scale_is_a_share(scale, task):
    with pytest.raises(aw.ArchwrightError, match="more than 0 and at most 1"):
        aw.recipes.amoebanet(task, scale)


def test_the_rule_of_scales():
    assert [fewer(20_000, scale) for scale in (1.0, 0.01, 1e-6)] == [20_000, 200, 10]
    assert [smaller(100, scale, 4) for scale in (1.0, 0.01, 1e-6)] == [100, 10, 4]
    assert smaller(3, 1.0, least=4) == fewer(3, 1.0) == 3
    assert sizes((64, 128, 256, 512), 1.0) == (64, 128, 256, 512)
    assert sizes((512, 256, 128), 1e-4) == (6, 5, 4)
    assert [faster(6e-4, scale) for scale in (1.0, 0.25, 1e-6)] == [6e-4, 1.2e-3, 0.01]
