"""Zero-cost proxies as an estimator: a score in the time of a few training steps, or less."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields, replace
from functools import cached_property
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from archwright.core.errors import ArchwrightError, check_list, in_one_line, one_of
from archwright.core.rng import Streams, seed_for
from archwright.core.trial import Evaluation, Trial
from archwright.estimators.costing import costs_of
from archwright.estimators.proxies import PROXIES, Probe, Proxy, Vote
from archwright.estimators.proxies.probe import borrowed
from archwright.objectives.costs import Cost, Flops, Parameters
from archwright.spaces.operators import sample
from archwright.spaces.space import Space
from archwright.tasks.task import Split, Task
from archwright.training.layout import images_laid_out, laid_out
from archwright.training.loop import pick_device
from archwright.training.seeding import seeded

ALL = (*PROXIES, Vote.metric)
"""The names of all proxies."""


@dataclass(frozen=True)
class ZeroCost:
    """Scores each architecture by its freshly initialised network, before any training.

    Metrics: one for each proxy, larger promises more; and the costs. Show parameters and FLOPs beside the proxies:
    they alone often rank as well. Where a network lacks what a proxy looks at (rectifiers for naswot), or the score is
    no finite number, that metric is left out, and `measure` tells why. If all are, the evaluation fails.

    Batches are drawn from the training split, without augmentation, by the trial's seed, which seeds the initial
    weights too; the reference implementations' batches are augmented as for training. A lower fidelity changes nothing.

    Attributes:
        task: data and loss.
        proxies: names, or proxies with settings of their own, such as ("snip", Zen(repeats=32)).
        batch: examples in a batch: 64, as in NAS-Bench-Suite-Zero.
        batches: how many, for proxies that look at several, such as zico: 2, as in its authors' code.
        costs: measured beside the proxies.
        device: auto, cpu, cuda, cuda:1, ...
    """

    task: Task
    proxies: tuple[str | Proxy | Vote, ...] = ("synflow", "jacob_cov", "naswot")
    batch: int = 64
    batches: int = 2
    costs: tuple[Cost, ...] = (Parameters(), Flops())
    device: str = "auto"

    def __post_init__(self) -> None:
        check_list("proxies", self.proxies, "names")
        named = (_metric(proxy) if isinstance(proxy, str) else proxy for proxy in self.proxies)
        object.__setattr__(self, "proxies", tuple(named))
        if not self.proxies:
            raise ArchwrightError(f"ZeroCost needs proxies; there are {', '.join(ALL)}")
        if self.batch < 2 or self.batches < 1:  # correlations, determinants and batch-norm compare examples
            raise ArchwrightError(f"1 batch of 2 examples is the least, not {self.batches} of {self.batch}")
        for proxy in self._asked:
            if proxy.batches > self.batches:
                raise ArchwrightError(f"{proxy.metric} needs {proxy.batches} batches, not {self.batches}")

    @property
    def metrics(self) -> frozenset[str]:
        """The names of all metrics."""
        asked = (proxy if isinstance(proxy, str) else proxy.metric for proxy in self.proxies)
        return frozenset({*asked, *(cost.metric for cost in self.costs)})

    def preflight(self, space: Space, trial: Trial) -> dict[str, float]:
        """The costs that need no device."""
        return costs_of(space, trial.architecture, self.task.signature, self.costs)

    def estimate(self, space: Space, trial: Trial) -> Evaluation:
        """Measures the proxies.

        Raises:
            ArchwrightError: none of them could be measured, with the reasons.
        """
        started = time.perf_counter()
        costs = self.preflight(space, trial)
        scores, reasons = self.measure(space, trial)
        if not scores:
            raise ArchwrightError("; ".join(f"{metric}: {reason}" for metric, reason in reasons.items()))
        costs |= self._costs_on_device(space, trial)
        return Evaluation(trial, scores | costs, cost=time.perf_counter() - started)

    def measure(self, space: Space, trial: Trial) -> tuple[dict[str, float], dict[str, str]]:
        """The proxies' scores; and of those that can't be measured the reasons. Both by metric."""
        device = pick_device(self.device)
        signature = self.task.signature
        with seeded(trial.seed, "weights", device=device):
            network = laid_out(space.build(trial.architecture, signature).to(device), device)
        scores: dict[str, float] = {}
        reasons: dict[str, str] = {}
        with borrowed(network):
            probe = Probe(network, signature, self._batches(trial.seed, device), self.task.loss, trial.seed)
            for proxy in self._asked:
                try:
                    score = proxy.measure(probe)
                except Exception as error:  # of this proxy alone, such as a second derivative that an op lacks
                    reasons[proxy.metric] = in_one_line(error)
                else:
                    if isfinite(score):
                        scores[proxy.metric] = score
                    else:
                        reasons[proxy.metric] = f"it is {score}"
        for vote in self._votes:
            try:
                scores[vote.metric] = vote.share(scores, self._population(space, vote))
            except ArchwrightError as error:
                reasons[vote.metric] = str(error)
        wanted = self.metrics
        return (
            {metric: score for metric, score in scores.items() if metric in wanted},
            {metric: reason for metric, reason in reasons.items() if metric in wanted},
        )

    def _costs_on_device(self, space: Space, trial: Trial) -> dict[str, float]:
        signature = self.task.signature
        return {
            cost.metric: cost.measure(space.build(trial.architecture, signature), signature)
            for cost in self.costs
            if cost.needs_device
        }

    def _batches(self, seed: int, device: torch.device) -> list[Split]:
        """The batches of a seed, kept for the next trial."""
        if (seed, device) not in self._drawn:
            train = self.task.train
            size = min(self.batch, len(train) // self.batches)
            if size < 2:
                raise ArchwrightError(f"{len(train)} training examples are too few for {self.batches} batches")
            generator = torch.Generator().manual_seed(seed_for(seed, "proxies"))
            order = torch.randperm(len(train), generator=generator)[: size * self.batches].to(train.inputs.device)
            self._drawn.clear()
            self._drawn[seed, device] = [self._prepared(train, picked, device) for picked in torch.split(order, size)]
        return self._drawn[seed, device]

    def _prepared(self, train: Split, picked: Tensor, device: torch.device) -> Split:
        given = Split(train.inputs[picked], train.targets[picked]).to(device)
        return Split(images_laid_out(self.task.prepare(given.inputs)), given.targets)

    @cached_property
    def _votes(self) -> list[Vote]:
        made = (Vote() if proxy == Vote.metric else proxy for proxy in self.proxies)
        return [proxy for proxy in made if isinstance(proxy, Vote)]

    @cached_property
    def _asked(self) -> list[Proxy]:
        """The proxies to measure, those that a vote asks among them, in the order of `PROXIES`."""
        named = [metric for vote in self._votes for metric in vote.of]
        given = [proxy for proxy in self.proxies if proxy != Vote.metric and not isinstance(proxy, Vote)]
        made = [PROXIES[_metric(proxy)]() if isinstance(proxy, str) else proxy for proxy in (*named, *given)]
        chosen = {proxy.metric: proxy for proxy in made}
        first = [metric for metric in PROXIES if metric in chosen]
        return [chosen.pop(metric) for metric in first] + list(chosen.values())

    def _population(self, space: Space, vote: Vote) -> list[dict[str, float]]:
        """The scores of the architectures that a vote compares with: measured once for a space."""
        if (space, vote) not in self._populations:
            voting = tuple(proxy for proxy in self._asked if proxy.metric in vote.of)
            estimator = replace(self, proxies=voting)
            streams = Streams(seed_for("vote", vote.seed))
            drawn = [Trial(sample(space, streams[number]), seed=vote.seed) for number in range(vote.population)]
            self._populations[space, vote] = [estimator.measure(space, trial)[0] for trial in drawn]
        return self._populations[space, vote]

    @cached_property
    def _drawn(self) -> dict[tuple[int, torch.device], list[Split]]:
        return {}

    @cached_property
    def _populations(self) -> dict[tuple[Space, Vote], list[dict[str, float]]]:
        return {}

    def __getstate__(self) -> dict[str, Any]:  # each worker draws and compares for itself
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _metric(name: str) -> str:
    """The metric of a proxy's name, hyphens or not."""
    joined = {metric.replace("_", ""): metric for metric in ALL}
    plain = name.lower().replace("-", "").replace("_", "")
    if plain not in joined:
        raise ArchwrightError(one_of("proxy", name, ALL))
    return joined[plain]
