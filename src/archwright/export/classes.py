"""Classes of the written file: one for all modules of the same form, with the numbers that differ as parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from archwright.export.expressions import Constant, Expression
from archwright.export.layout import literal, wrap

_WIDTHS = {"num_features", "num_channels", "in_features", "out_features", "normalized_shape", "groups", "channels"}


@dataclass(frozen=True)
class Parameter:
    """A parameter of a class's `__init__`: the constants that are equal to each other in every instance.

    Attributes:
        kind: what may share a parameter: counts of channels among themselves, anything else by its name.
        values: one for each instance.
    """

    name: str
    kind: str
    values: tuple[Any, ...]


@dataclass
class Class:
    """A class of the written file.

    Attributes:
        body: forward's lines, or None where it is inherited.
        instances: the lines of `__init__` for every module of this class, which differ in constants only.
        parameters: known once all instances are; so are the slots, the parameter or None for every constant.
    """

    name: str
    base: str
    doc: str
    signature: str
    body: tuple[str, ...] | None
    instances: list[tuple[Line, ...]] = field(default_factory=list)
    parameters: list[Parameter] = field(default_factory=list)
    slots: list[Parameter | None] = field(default_factory=list)

    def settle(self) -> None:
        """Makes parameters of the constants that differ between instances."""
        rows = [[(line.name, c) for line in lines for c in line.expression.constants()] for lines in self.instances]
        columns = [
            (row[0][0], _kind(row[0][1].name), [constant for _, constant in row]) for row in zip(*rows, strict=True)
        ]
        members: dict[tuple[str, ...], list[tuple[str, Constant]]] = {}
        keys = [(kind, *(literal(constant.value) for constant in column)) for _, kind, column in columns]
        for key, (owner, _, column) in zip(keys, columns, strict=True):
            if len(set(key[1:])) > 1:
                members.setdefault(key, []).append((owner, column[0]))
        by_key: dict[tuple[str, ...], Parameter] = {}
        for key, uses in members.items():
            column = columns[keys.index(key)][2]
            name = _parameter_name(uses, {parameter.name for parameter in by_key.values()})
            by_key[key] = Parameter(name, key[0], tuple(constant.value for constant in column))
        self.parameters = list(by_key.values())
        self.slots = [by_key.get(key) for key in keys]

    def lines(self) -> Iterator[str]:
        """The class as it stands in the file."""
        yield f"class {self.name}({self.base}):"
        if self.doc:
            yield f'    """{self.doc}"""'
            yield ""
        names = iter([slot.name if slot else None for slot in self.slots])
        lines = [line.text(names) for line in self.instances[0]]
        if lines:
            yield from wrap(f"def __init__({', '.join(['self', *map(_annotated, self.parameters)])}) -> None:", 4)
            for line in lines if lines[0].startswith("super()") else ["super().__init__()", *lines]:
                yield from wrap(line, 8)
            if self.body is not None:
                yield ""
        if self.body is not None:
            yield from wrap(f"def forward({self.signature}:", 4)
            for line in self.body:
                yield from wrap(line, 8)
        elif self.base == "nn.Module":
            yield ""
            yield "    # It has no forward: it is not called in evaluation mode, and only keeps its weights."


@dataclass(frozen=True)
class Line:
    """A line of `__init__`: something before an expression. The name is what a constant in it may be called after."""

    before: str
    expression: Expression
    name: str = ""

    @property
    def form(self) -> object:
        """Equal for lines that differ in constants only."""
        return self.before, self.expression.form

    def text(self, names: Iterator[str | None]) -> str:
        """The code."""
        return f"{self.before}{self.expression.render(names)}"


@dataclass(frozen=True)
class Made:
    """The expression that makes one instance of a class of the file."""

    of: Class
    instance: int

    @property
    def form(self) -> object:
        """The class; what its parameters are is not known yet."""
        return id(self.of)

    def constants(self) -> Iterator[Constant]:
        """The values of the class's parameters."""
        for parameter in self.of.parameters:
            yield Constant(parameter.name, parameter.values[self.instance], keyword=True)

    def render(self, names: Iterator[str | None]) -> str:
        """`Block(in_channels=16, stride=2)`."""
        return f"{self.of.name}({', '.join(constant.render(names) for constant in self.constants())})"


def _kind(name: str) -> str:
    name = name.rstrip("0123456789")
    return "channels" if name in _WIDTHS or name.endswith(("_channels", "_features")) else name


def _parameter_name(uses: list[tuple[str, Constant]], taken: set[str]) -> str:
    """`channels` for what goes in and out, else the argument's name, else that with its owner's: `conv2_stride`."""
    names = [constant.name for _, constant in uses]
    owner = next((owner for owner, _ in uses if owner.isidentifier()), "")
    both = {"in_channels", "out_channels"} <= set(names)
    nice = ("channels",) if both else ("in_channels", "out_channels", "in_features", "out_features")
    candidates = [name for name in nice if both or name in names]
    candidates += names
    candidates += [f"{owner}_{name}" for name in candidates if owner]
    candidates += [f"{candidates[0]}{number}" for number in range(2, len(taken) + 3)]
    return next(name for name in candidates if name not in taken)


def _annotated(parameter: Parameter) -> str:
    kinds = {type(value) for value in parameter.values}
    if len(kinds) == 1 and kinds <= {int, float, bool, str}:
        return f"{parameter.name}: {kinds.pop().__name__}"
    return f"{parameter.name}: int | tuple[int, ...]" if kinds == {int, tuple} else parameter.name
