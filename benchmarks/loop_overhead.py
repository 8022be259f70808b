"""What the loop itself costs: ask, look up, tell, over a dictionary of all 15,625 NAS-Bench-201 points.

    make bench        or        python benchmarks/loop_overhead.py

Every system answers the same questions from the same dictionary in the same run, so that only ratios between its lines
mean something: machines are noisy. Ours is the whole front door: canonical keys, repetitions found, history, and with
"stored" two SQLite transactions an evaluation. An answer that repeats a known one counts as an evaluation here, for
ours as for the others, which evaluate it again; "new" says how many of ours were not repetitions.
Peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import archwright as aw
from archwright.spaces.operators import enumerate_all

Timed = tuple[float, str]


def table() -> dict[tuple[int, ...], float]:
    """A made-up accuracy for each of the 15,625 cells: smooth in the decisions, with noise."""
    rng = random.Random(0)
    weights = [[rng.random() for _ in range(5)] for _ in range(6)]
    return {
        cell: sum(row[value] for row, value in zip(weights, cell, strict=True)) + 0.1 * rng.random()
        for cell in itertools.product(range(5), repeat=6)
    }


TABLE = table()


class Lookup:
    """The dictionary as an estimator."""

    def __init__(self, space: aw.Space) -> None:
        self.answers = {
            architecture: TABLE[tuple(int(value) for _, value in architecture)] for architecture in enumerate_all(space)
        }

    def estimate(self, space: aw.Space, trial: aw.Trial) -> aw.Evaluation:
        return aw.Evaluation(trial, {"score": self.answers[trial.architecture]})


def ours(strategy: Callable[[], Any], stored: bool) -> Callable[[int], Timed]:
    space = aw.spaces.nasbench201()
    estimator = Lookup(space)
    for architecture in estimator.answers:
        space.key(architecture)  # once a space, not once a search

    def run(evaluations: int) -> Timed:
        with tempfile.TemporaryDirectory() as folder:
            search = aw.search(space, strategy(), estimator, objectives="max:score", seed=random.randrange(10**6))
            if stored:
                search = aw.record(search, Path(folder) / "run")
            started = time.perf_counter()
            done = sum(1 for _ in itertools.islice(search, evaluations))  # fewer if it ends, all being known
            seconds = time.perf_counter() - started
            fresh = search.history.spent
            search.close()
        return done / seconds, f"{done:,} evaluations, {fresh:,} of them new"

    return run


def bare_loop(evaluations: int) -> Timed:
    """Regularised evolution as a bare loop: no space, no store, no repetition found; the floor."""
    rng = random.Random(0)
    population: deque[tuple[float, tuple[int, ...]]] = deque(maxlen=100)
    started = time.perf_counter()
    for _ in range(evaluations):
        if len(population) < 100:
            cell = tuple(rng.randrange(5) for _ in range(6))
        else:
            parent = max(rng.sample(population, 25))[1]
            place = rng.randrange(6)
            cell = (*parent[:place], rng.randrange(5), *parent[place + 1 :])
        population.append((TABLE[cell], cell))
    return evaluations / (time.perf_counter() - started), ""


def optuna_random(storage: bool) -> Callable[[int], Timed]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def run(evaluations: int) -> Timed:
        with tempfile.TemporaryDirectory() as folder:
            where = f"sqlite:///{folder}/study.db" if storage else None
            study = optuna.create_study(
                direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0), storage=where
            )
            started = time.perf_counter()
            for _ in range(evaluations):
                trial = study.ask()
                cell = tuple(trial.suggest_categorical(f"edge{index}", range(5)) for index in range(6))
                study.tell(trial, TABLE[cell])
            return evaluations / (time.perf_counter() - started), ""

    return run


def syne_tune_random() -> Callable[[int], Timed]:
    import datetime

    from syne_tune.backend.trial_status import Trial
    from syne_tune.config_space import randint
    from syne_tune.optimizer.baselines import RandomSearch

    def run(evaluations: int) -> Timed:
        space = {f"edge{index}": randint(0, 4) for index in range(6)}
        scheduler = RandomSearch(space, metrics=["score"], do_minimize=False, random_seed=0)
        started = time.perf_counter()
        for number in range(evaluations):
            suggested = scheduler.suggest()
            trial = Trial(trial_id=number, config=suggested.config, creation_time=datetime.datetime.now())
            scheduler.on_trial_add(trial)
            score = TABLE[tuple(trial.config[f"edge{index}"] for index in range(6))]
            scheduler.on_trial_complete(trial, {"score": score})
        return evaluations / (time.perf_counter() - started), ""

    return run


def contenders() -> Iterator[tuple[str, Callable[[], Callable[[int], Timed]], int]]:
    """Name, how to make it, and how many evaluations are enough to time it."""
    random_search, evolution = aw.strategies.Random, aw.strategies.RegularizedEvolution
    yield "bare loop of regularised evolution", lambda: bare_loop, 100_000
    yield "archwright, random, in memory", lambda: ours(random_search, stored=False), 20_000
    yield "archwright, regularised evolution, in memory", lambda: ours(evolution, stored=False), 20_000
    yield "archwright, random, stored", lambda: ours(random_search, stored=True), 5_000
    yield "archwright, regularised evolution, stored", lambda: ours(evolution, stored=True), 5_000
    yield "Syne Tune, random, ask and tell", syne_tune_random, 5_000
    yield "Optuna, random, in memory", lambda: optuna_random(storage=False), 2_000
    yield "Optuna, random, SQLite", lambda: optuna_random(storage=True), 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds; the median counts")
    rounds = parser.parse_args().rounds
    ready = []
    for name, make, evaluations in contenders():
        try:
            ready.append((name, make(), evaluations, []))
        except ImportError as error:
            print(f"{name}: left out ({error})")
    for _ in range(rounds):
        for _name, run, evaluations, speeds in ready:
            speeds.append(run(evaluations))
    print(f"{'evaluations per second':48} {'median':>9} {'least':>9} {'most':>9}")
    for name, _, _, speeds in ready:
        values = [speed for speed, _ in speeds]
        print(f"{name:48} {statistics.median(values):9,.0f} {min(values):9,.0f} {max(values):9,.0f}  {speeds[-1][1]}")


if __name__ == "__main__":
    main()
