"""What a comparison shows and what it can't, in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from archwright.compare.statistics import Pair, Ranking, seeds_needed

if TYPE_CHECKING:
    from archwright.compare.comparison import Comparison


FEW = 6
"""Of so many strategies every group is told; of more the diagram tells it better."""


def verdict(comparison: Comparison) -> list[str]:
    """A sentence for each thing that can be said, the most important first."""
    ranking = comparison.rankings[comparison.judges[0]]
    return [
        *_conclusions(comparison, ranking),
        *_other_judges(comparison),
        *_about_missing(comparison),
        *_reservations(comparison),
    ]


def probability(p: float) -> str:
    """p = 0.012, p < 0.001."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def _conclusions(comparison: Comparison, ranking: Ranking) -> Iterator[str]:
    names, seeds = list(ranking.ranks), ranking.seeds
    needed = seeds_needed(len(names))
    if len(names) < 2:
        yield "Only random search was run, so nothing is compared: name strategies to compare with it."
    elif not seeds:
        yield "On no seed has every winner a test score, so nothing can be compared."
    elif seeds < needed:
        yield (
            f"{_seeds(seeds)} can't tell {len(names)} strategies apart, whatever the figures look like: even who wins "
            f"each time may do so by chance. It takes at least {needed} seeds, and small differences take hundreds."
        )
    elif len(names) == 2:
        yield _about_two(ranking.pairs[0], comparison, ranking)
    elif not ranking.any_differ:
        yield (
            f"These {seeds} seeds can't tell any of the {len(names)} strategies apart "
            f"(Friedman test, {probability(ranking.friedman or 0.0)})."
        )
    else:
        yield from _about_random(comparison, ranking)
        yield _about_best(comparison, ranking)
        for group in ranking.groups() if len(names) <= FEW else []:
            if names[0] not in group:
                yield f"These {seeds} seeds can't tell apart: {_list([_called(comparison, name) for name in group])}."


def _about_two(pair: Pair, comparison: Comparison, ranking: Ranking) -> str:
    better, worse = _called(comparison, pair.better), _called(comparison, pair.worse)
    if not ranking.any_differ or not pair.told_apart:
        return f"Between {better} and {worse} these {ranking.seeds} seeds can't tell ({probability(pair.p)})."
    equal = ranking.seeds - pair.wins - pair.losses
    counts = f"better on {pair.wins} seeds, worse on {pair.losses}" + (f", equal on {equal}" if equal else "")
    return f"{_start(better)} is better than {worse} ({counts}; {probability(pair.p)}){_though(comparison, pair)}."


def _about_random(comparison: Comparison, ranking: Ranking) -> Iterator[str]:
    baseline = comparison.baseline
    pairs = [ranking.pair(baseline, name) for name in ranking.ranks if name != baseline]
    better = [pair for pair in pairs if pair.told_apart and pair.worse == baseline]
    worse = [pair for pair in pairs if pair.told_apart and pair.better == baseline]
    unclear = [name for name in ranking.ranks if name != baseline and not ranking.told_apart(name, baseline)]
    called = _called(comparison, baseline)
    if better:
        notes = "".join(_though(comparison, pair) for pair in better)
        names = [pair.better for pair in better]
        yield f"Better than {called}: {_list(names)} ({_at_most(better)}){notes}."
    if worse:
        yield f"Worse than {called}: {_list([pair.worse for pair in worse])} ({_at_most(worse)})."
    if unclear:
        yield f"These {ranking.seeds} seeds can't tell {_list(unclear, 'or')} from {called}."


def _about_best(comparison: Comparison, ranking: Ranking) -> str:
    best, *rest = ranking.ranks
    told = [ranking.pair(best, name) for name in rest if ranking.told_apart(best, name)]
    unclear = [name for name in rest if not ranking.told_apart(best, name)]
    against = _against(ranking, best)
    begin = f"{_start(_called(comparison, best))} has the best average rank ({ranking.ranks[best]:.2f})"
    if against:
        return f"{begin}, but {_list([_called(comparison, name) for name in against])} beat it pair by pair."
    if not unclear:
        return f"{begin} and is better than every other ({_at_most(told)})."
    others = _list([_called(comparison, name) for name in unclear], "or")
    return f"{begin}, but these {ranking.seeds} seeds can't tell it from {others}."


def _against(ranking: Ranking, best: str) -> list[str]:
    """Who is better than the best by rank, pair by pair: they win less often, but by more."""
    others = (name for name in ranking.ranks if name != best)
    return [name for name in others if ranking.told_apart(best, name) and ranking.pair(best, name).better == name]


def _other_judges(comparison: Comparison) -> Iterator[str]:
    for judge in comparison.judges[1:]:
        ranking = comparison.rankings[judge]
        if ranking.any_differ:
            best, *others = ranking.ranks
            unclear = [_called(comparison, name) for name in others if not ranking.told_apart(best, name)]
            against = _against(ranking, best)
            rest = f"can't be told from {_list(unclear, 'or')}" if unclear else "is better than every other"
            if against:
                rest = f"is beaten pair by pair by {_list([_called(comparison, name) for name in against])}"
            called = _called(comparison, best)
            yield f"Judged by {judge}, {called} has the best average rank ({ranking.ranks[best]:.2f}) and {rest}."


def _reservations(comparison: Comparison) -> Iterator[str]:
    for line in comparison.lines:
        if line.winnerless:
            yield (
                f"{line.winnerless} of {line.searches} searches of {line.strategy} found no winner: they have the last "
                "rank and are in no mean."
            )
        if line.early:
            why = next(search.ended for search in comparison.of(line.strategy) if not search.complete)
            yield (
                f"{line.early} of {line.searches} searches of {line.strategy} ended before the budget was spent: "
                f"{why.partition(';')[0]}."
            )


def _about_missing(comparison: Comparison) -> Iterator[str]:
    seeds = comparison.manifest["seeds"]
    for judge in comparison.judges:
        left_out = comparison.unjudged(judge)
        if left_out:
            times = Counter(name for names in left_out.values() for name in names)
            whose = _list([f"{count} of {_called(comparison, name)}" for name, count in times.items()])
            score = comparison.terms["judges"][judge]["score"]
            yield (
                f"The table of {judge} has no {score} for some winners ({whose}): their seeds, {len(left_out)} of "
                f"{seeds}, are in none of its tests and means."
            )


def _called(comparison: Comparison, label: str) -> str:
    return "random search" if label == comparison.baseline else label


def _though(comparison: Comparison, pair: Pair) -> str:
    """Ranks and means may disagree: a strategy that mostly wins may lose by far when it loses."""
    judge = comparison.judges[0]
    sign = 1 if comparison.terms["judges"][judge]["maximize"] else -1
    means = {line.strategy: sign * line.scores[judge].mean for line in comparison.lines}
    if means[pair.better] < means[pair.worse]:
        return f", although its mean is worse: where {pair.better} loses, it loses by more"
    return ""


def _at_most(pairs: Sequence[Pair]) -> str:
    highest = max(pair.p for pair in pairs)
    return probability(highest) if len(pairs) == 1 or highest < 0.001 else probability(highest).replace("=", "≤")


def _list(names: Sequence[str], last: str = "and") -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"


def _seeds(count: int) -> str:
    return "One seed" if count == 1 else f"{count} seeds"


def _start(text: str) -> str:
    return "Random search" if text == "random search" else text
