"""A row of weights for every option that a space has: what an embedding and a softmax over options need."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import TYPE_CHECKING, cast

from archwright.core.protocols import SearchSpace
from archwright.spaces.encodings import OneHot
from archwright.strategies.decisions import options_of

if TYPE_CHECKING:
    from archwright.spaces.space import Space


def option_rows(space: SearchSpace) -> tuple[dict[str, int], int]:
    """The row of each decision's first option, by the decision's name; and how many rows there are.

    Decisions that differ in repetitions only, such as `layers[2].kernel` and `layers[5].kernel`, share their rows.
    """
    slots = OneHot(cast("Space", space)).slots
    widths: dict[str, int] = {}
    for name, choice in slots.items():
        widths[_stem(name)] = max(widths.get(_stem(name), 0), options_of(choice))
    starts = dict(zip(widths, accumulate(widths.values(), initial=0), strict=False))
    return {name: starts[_stem(name)] for name in slots}, sum(widths.values())


def _stem(name: str) -> str:
    """The name without the numbers of repetitions."""
    return re.sub(r"\[\d+\]", "[]", name)
