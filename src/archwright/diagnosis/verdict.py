"""What a diagnosis shows, and what it warns of, in plain words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from archwright.compare import display
from archwright.diagnosis.result import ALL, HALF, LEARNT, TOP, Diagnosis, Line
from archwright.diagnosis.statistics import Figure

STRONG, FAIR = 0.6, 0.3
"""The low ends of tau's interval from which an estimate ranks as the reference does, and roughly as it does.

With tau of .6 four of five pairs are in the right order, with .3 about two of three.
"""

BY_SIZE = 0.8
"""From this tau with parameters or FLOPs on, an estimate says little else: nine of ten pairs are in one order."""

FEW, ENOUGH = 10, 30
"""Fewer than `FEW` architectures tell nothing (all their resamples may be in one order, by chance); with fewer than
`ENOUGH` tau's interval is about .4 wide, or wider."""


def verdict(diagnosis: Diagnosis) -> list[str]:
    """What was found: the cheapest that will do, then a sentence for each estimate."""
    lines = diagnosis.of_kind("fidelity", "estimator", "metric")
    return [*_headline(diagnosis, [line for line in lines if _tells(line)]), *(_about(diagnosis, it) for it in lines)]


def warnings(diagnosis: Diagnosis) -> list[str]:
    """What to beware of, each with the number that shows it; what these numbers don't show is left out."""
    told = filter(_tells, diagnosis.of_kind("fidelity", "estimator", "metric"))
    of_lines = (sentence for line in told for sentence in _about_line(diagnosis, line))
    return [*_about_noise(diagnosis), *of_lines, *_about_sample(diagnosis)]


def setting(diagnosis: Diagnosis) -> str:
    """What was diagnosed, in a line."""
    fair, near = int(diagnosis.fair.sum()), int((~diagnosis.fair).sum())
    mutants = f" and {near} near the top" if near else ""
    label = f"; the reference: {diagnosis.reference.label}" if diagnosis.reference.label != "reference" else ""
    judged = diagnosis.reference.by.metric.replace("_", " ")
    return f"{fair} random architectures{mutants}, judged by {judged}{label}"


def with_interval(figure: Figure) -> str:
    """.71 [.62, .78]."""
    return "–" if math.isnan(figure.value) else f"{_short(figure.value)} [{_short(figure.low)}, {_short(figure.high)}]"


def cost(share: float) -> str:
    """1/9 of the cost."""
    if math.isnan(share):
        return ""
    if share == 0:
        return "no cost"
    if share < 0.95:
        return f"1/{1 / share:,.0f} of the cost" if share < 0.4 else f"{share:.0%} of the cost"
    return "about the same cost" if share <= 1.05 else f"{share:,.3g} times the cost"


def _headline(diagnosis: Diagnosis, lines: list[Line]) -> Iterator[str]:
    good = [line for line in lines if line.tau.low >= STRONG]
    cheap = [line for line in good if line.cost < 1]
    if len(lines) < 2:  # the sentence about it says all
        return
    if cheap:
        best = min(cheap, key=lambda line: (line.cost, -line.tau.value))
        yield f"The cheapest that ranks as {_does(diagnosis)}: {best.label} ({_figures(best)})."
        return
    best = max(good or lines, key=lambda line: line.tau.value)
    none = f"None of the {len(lines)} can be shown to rank as {_does(diagnosis)}; the nearest"
    words = f"The nearest to {_called(diagnosis)}" if good else none
    yield f"{words}: {best.label} ({_figures(best)})."


def _about(diagnosis: Diagnosis, line: Line) -> str:
    return f"{_start(_tier(diagnosis, line))}{_beside_size(diagnosis, line)}."


def _tier(diagnosis: Diagnosis, line: Line) -> str:
    tau, rank = line.tau, _verb(line.label, "rank")
    if not _tells(line):
        return f"{line.label} can't be judged: {_why_not(line)}"
    if tau.low >= STRONG:
        found = f"{line.label} {rank} as {_does(diagnosis)}"
    elif tau.low >= FAIR:
        found = f"{line.label} {rank} roughly as {_does(diagnosis)}"
    elif tau.low > 0:
        found = f"{line.label} {rank} only a little like {_called(diagnosis)}"
    elif tau.high < 0:
        found = f"{line.label} {rank} the other way round from {_called(diagnosis)}"
    else:
        found = f"{line.label} can't be told from a random order"
    return f"{found}: {_figures(line)}"


def _tells(line: Line) -> bool:
    return line.agreement[ALL].count >= FEW and not math.isnan(line.tau.value)


def _why_not(line: Line) -> str:
    count = line.agreement[ALL].count
    if count >= FEW:
        return "all its scores are equal"
    known = f" (τ = {with_interval(line.tau)})" if not math.isnan(line.tau.value) else ""
    return f"{count} architecture{'s are' if count != 1 else ' is'} too few{known}"


def _figures(line: Line) -> str:
    at = f" at {words}" if (words := cost(line.cost)) else ""
    return f"τ = {with_interval(line.tau)}{at}"


def _beside_size(diagnosis: Diagnosis, line: Line) -> str:
    sizes = [size for size in diagnosis.of_kind("size") if not math.isnan(size.tau.value)]
    if not sizes or not _tells(line):
        return ""
    size = max(sizes, key=lambda size: size.tau.value)
    over = line.over[size.label]
    if math.isnan(over.value):
        return ""
    alone = f"{_size(size.label)} alone give {_short(line.tau.value - over.value)}"  # on the same architectures
    if over.low > 0:
        return f"; {alone}"
    if over.high < 0:
        return f"; {alone}, which is more"
    return f"; {alone}, and these {line.agreement[ALL].count} architectures can't tell the two apart"


def _about_noise(diagnosis: Diagnosis) -> Iterator[str]:
    called = _called(diagnosis)
    for line in filter(_tells, diagnosis.of_kind("again")):
        if diagnosis.repeats(line):
            yield (
                f"Asked from another seed, {called} gave the same numbers again, as a table of one repetition does: "
                "that says nothing about noise, so it is no bound for the estimates."
            )
            continue
        yield (
            f"Asked from another seed, {called} {_verb(called, 'agree')} with "
            f"{'themselves' if _is_plural(called) else 'itself'} at τ = {with_interval(line.tau)}: no estimate can be "
            "expected to rank better."
        )


def _about_line(diagnosis: Diagnosis, line: Line) -> Iterator[str]:
    yield from _about_top(line)
    yield from _about_gap(diagnosis, line)
    sizes = {name: figure for name, figure in line.with_size.items() if figure.value >= BY_SIZE}
    if sizes:
        name = max(sizes, key=lambda name: sizes[name].value)
        yield (
            f"{_start(line.label)} mostly {_verb(line.label, 'count')} {_size(name)}: between the two "
            f"τ = {with_interval(sizes[name])}."
        )


def _about_top(line: Line) -> Iterator[str]:
    """Warning 1 of the survey: what looks safe over all may change the order of the best."""
    region = TOP if TOP in line.agreement else HALF
    inside, over_all = line.agreement[region].tau, line.tau
    if not over_all.low > 0 or math.isnan(inside.value) or line.agreement[region].count < FEW:
        return
    where = "Near the top" if region == TOP else "Among the better half"
    advice = (
        "; raise the fidelity gradually, as Hyperband and BOHB do, rather than choose a winner by it"
        if line.column.kind == "fidelity"
        else ""
    )
    if inside.high < 0:
        yield (
            f"{where} {line.label} {_verb(line.label, 'rank')} the other way round: τ = {with_interval(inside)} there, "
            f"{_short(over_all.value)} over all{advice}."
        )
    elif inside.low <= 0:
        yield (
            f"{where} {line.label} can't be told from a random order: τ = {with_interval(inside)} there, "
            f"{_short(over_all.value)} over all{advice}."
        )
    elif inside.high < over_all.value:
        yield (
            f"{where} {line.label} {_verb(line.label, 'rank')} less well: τ = {with_interval(inside)} there, "
            f"{_short(over_all.value)} over all{advice}."
        )


def _about_gap(diagnosis: Diagnosis, line: Line) -> Iterator[str]:
    """Warnings 1 and 3: lower fidelities under-estimate, shared weights the best most."""
    metric, is_ = line.column.by.metric, "are" if _is_plural(line.label) else "is"
    if line.gap is not None and line.gap.high < 0 and line.column.kind == "fidelity":
        yield (
            f"{_start(line.label)} {is_} too pessimistic, by {amount(-line.gap.value, metric)} on average against "
            f"{_called(diagnosis)}."
        )
    if line.top_gap is not None and line.top_gap.high < 0 and line.column.shares_weights:
        yield (
            f"{_start(line.label)} {is_} too pessimistic about the best tenth, by "
            f"{amount(-line.top_gap.value, metric)} more than about the others, as shared weights are known to be."
        )


def _about_sample(diagnosis: Diagnosis) -> Iterator[str]:
    wanted, asked = diagnosis.manifest["architectures"], int(diagnosis.fair.sum())
    if asked < wanted:
        yield f"Of the {wanted} architectures asked for the space has only {asked}, as far as random draws found."
    known = int(diagnosis.regions[ALL].sum())
    if known < ENOUGH:
        yield f"{known} architectures say little: the intervals are wide, and {2 * ENOUGH} or more are wanted."
    yield from _about_prices(diagnosis)
    yield from _failures(_called(diagnosis), diagnosis.unanswered, len(diagnosis.architectures))
    total = len(diagnosis.architectures) - sum(diagnosis.unanswered.values())
    for line in diagnosis.lines:
        if line.column.kind != "size":
            yield from _failures(line.label, line.failures, total)


def _about_prices(diagnosis: Diagnosis) -> Iterator[str]:
    columns = [column for column in diagnosis.columns if column.kind not in ("metric", "size")]
    unknown = dict.fromkeys(column.run for column in columns if diagnosis.is_unpriced(column))
    for run in unknown:
        label = next(column.label for column in columns if column.run == run)
        yield (
            f"{_start(_named(label))}: some answers were kept by Cached, without what they had cost, so the costs that "
            "hang on them are left out."
        )


def _failures(label: str, reasons: Mapping[str, int], total: int) -> Iterator[str]:
    if known := reasons.get(LEARNT, 0):
        yield (
            f"{_start(label)} had learnt from {known} of {total} architectures, which are left out, since there it "
            "remembers: let it learn from another sample."
        )
        reasons = {reason: count for reason, count in reasons.items() if reason != LEARNT}
    if reasons:
        count, common = sum(reasons.values()), max(reasons, key=reasons.__getitem__)
        often = f"{reasons[common]} times: " if len(reasons) > 1 else ""
        yield f"{_start(label)}: no answer for {count} of {total} architectures, which are left out ({often}{common})."


def amount(value: float, metric: str) -> str:
    """0.0123 of an accuracy -> 1.23 points of %."""
    return f"{display.figure(value, metric)}{' points of %' if display.is_share(metric) else ''}"


def _size(label: str) -> str:
    return "FLOPs" if label == "flops" else label


def _called(diagnosis: Diagnosis) -> str:
    return _named(diagnosis.reference.label)


def _named(label: str) -> str:
    return "the reference" if label == "reference" else label


def _does(diagnosis: Diagnosis) -> str:
    return f"{_called(diagnosis)} {'do' if _is_plural(_called(diagnosis)) else 'does'}"


def _is_plural(label: str) -> bool:
    return label.endswith("epochs")


def _verb(label: str, stem: str) -> str:
    return stem if _is_plural(label) else f"{stem}s"


def _short(value: float) -> str:
    """0.71 -> .71."""
    return f"{value:.2f}".replace("0.", ".", 1) if abs(value) < 0.995 else f"{value:.0f}"


def _start(text: str) -> str:
    return text[:1].upper() + text[1:] if text.startswith("the ") else text
