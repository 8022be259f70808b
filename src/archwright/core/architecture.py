"""A point of a search space: the decisions, frozen."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from archwright.core.errors import ArchwrightError, one_of

Value = int | float
"""What a decision holds: the index of a `Choice`'s option, an `Integer`'s or a `Real`'s value."""


class BadArchitecture(ArchwrightError):
    """Decisions that do not fit the space they are read for."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """Frozen decisions in the order in which the space asked for them.

    It knows no network and no score. Two architectures are equal when they hold the same decisions;
    whether they compute the same graph is a question for `Space.key`.
    """

    decisions: tuple[tuple[str, Value], ...]
    _by_name: dict[str, Value] | None = field(default=None, init=False, repr=False, compare=False)  # when first asked

    def __iter__(self) -> Iterator[tuple[str, Value]]:
        return iter(self.decisions)

    def __len__(self) -> int:
        return len(self.decisions)

    def __getitem__(self, name: str) -> Value:
        known = self._by_name
        if known is None:
            known = dict(self.decisions)
            object.__setattr__(self, "_by_name", known)
        if name not in known:
            raise BadArchitecture(one_of("decision", name, known))
        return known[name]

    def __reduce__(self) -> tuple[type[Architecture], tuple[tuple[tuple[str, Value], ...]]]:
        return Architecture, (self.decisions,)

    def as_dict(self) -> dict[str, Value]:
        """The decisions by name."""
        return dict(self.decisions)

    def to_json(self) -> str:
        """A JSON object of names and numbers, in the order of the decisions."""
        return json.dumps(self.as_dict(), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | Mapping[str, Value]) -> Architecture:
        """The inverse of `to_json`; also takes the mapping itself.

        Raises:
            BadArchitecture: the text is not a JSON object of names and numbers.
        """
        try:
            decisions = json.loads(text) if isinstance(text, str) else text
        except json.JSONDecodeError as error:
            raise BadArchitecture(f"an architecture is a JSON object, but this is not JSON: {error}") from error
        if not isinstance(decisions, Mapping):
            raise BadArchitecture(f"an architecture is a JSON object, but this is a {type(decisions).__name__}")
        for name, value in decisions.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise BadArchitecture(f"decision {name!r} should be a number, but is {value!r}")
        return cls(tuple(decisions.items()))
