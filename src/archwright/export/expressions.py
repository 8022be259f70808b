"""Expressions with constants in them that may differ from one use to another: the stuff that `__init__` is made of."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from archwright.export.layout import literal

_PLAIN = (bool, int, float, str, tuple, type(None))


class Expression(Protocol):
    """A piece of code; two with the same form differ in their constants only."""

    @property
    def form(self) -> object:
        """Hashable: everything but the constants."""

    def constants(self) -> Iterator[Constant]:
        """The constants from left to right."""

    def render(self, names: Iterator[str | None]) -> str:
        """The code; `names` has a parameter's name or None for every constant, and each takes its own."""


@dataclass(frozen=True)
class Constant:
    """A value with the name of the argument that it is for.

    Attributes:
        keyword: write `name=value`, unless the value is the default.
    """

    name: str
    value: Any
    keyword: bool = False
    default: Any = inspect.Parameter.empty

    @property
    def form(self) -> object:
        """What it is for."""
        return self.name, self.keyword

    def constants(self) -> Iterator[Constant]:
        """Itself."""
        yield self

    def render(self, names: Iterator[str | None]) -> str:
        """The value, or the parameter that stands for it."""
        name = next(names)
        if name is None and self.keyword and literal(self.value) == self._default():
            return ""
        return f"{self.name}={name or literal(self.value)}" if self.keyword else name or literal(self.value)

    def _default(self) -> str:
        return "" if self.default is inspect.Parameter.empty else literal(self.default)


@dataclass(frozen=True)
class Call:
    """Items between two brackets: `nn.Conv2d(`, ..., `)`. Without items it is just text."""

    opening: str
    items: tuple[Expression, ...] = ()
    closing: str = ""

    @property
    def form(self) -> object:
        """The brackets and the forms of the items."""
        return self.opening, tuple(item.form for item in self.items), self.closing

    def constants(self) -> Iterator[Constant]:
        """Those of the items."""
        for item in self.items:
            yield from item.constants()

    def render(self, names: Iterator[str | None]) -> str:
        """The items between the brackets; those left out leave no comma."""
        inside = ", ".join(text for text in [item.render(names) for item in self.items] if text)
        return f"{self.opening}{inside}{self.closing}"


def constructor(module: nn.Module) -> Call | None:
    """The call that makes such a module of torch.nn, such as `nn.Conv2d(3, 16, 3, padding=1)`; None if none is known.

    The arguments are the module's attributes of the same names. The call is tried, and what it makes must have the
    same attributes and the same tensors.
    """
    kind = type(module)
    if getattr(nn, kind.__name__, None) is not kind:
        return None
    found = list(_arguments(module))
    for arguments in ([_shortened(constant) for constant in found], found):
        if _makes(module, arguments):
            return Call(f"nn.{kind.__name__}(", tuple(arguments), ")")
    return None


def _arguments(module: nn.Module) -> Iterator[Constant]:
    recurrent = isinstance(module, nn.RNNBase)  # its subclasses take *args and pass them on
    for name, parameter in inspect.signature(nn.RNNBase if recurrent else type(module)).parameters.items():
        if name in ("device", "dtype") or name.startswith("_") or (recurrent and name == "mode"):
            continue
        required = parameter.default is parameter.empty
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        value = getattr(module, name, parameter.default)
        if name == "bias" and not isinstance(value, bool):
            # Without scales there are no shifts either, asked for or not; older versions of torch can't be asked.
            value = value is not None or not getattr(module, "affine", getattr(module, "elementwise_affine", True))
        if isinstance(value, _PLAIN):
            yield Constant(name, tuple(value) if isinstance(value, tuple) else value, not required, parameter.default)


def _shortened(constant: Constant) -> Constant:
    """`(3, 3)` as 3."""
    value = constant.value
    if isinstance(value, tuple) and value and all(type(item) is int and item == value[0] for item in value):
        return Constant(constant.name, value[0], constant.keyword, constant.default)
    return constant


def _makes(module: nn.Module, arguments: list[Constant]) -> bool:
    positional = [constant.value for constant in arguments if not constant.keyword]
    named = {c.name: c.value for c in arguments if c.keyword and c.value != c.default}
    try:
        with torch.device("meta"):
            made = type(module)(*positional, **named)
    except Exception:  # whatever a constructor says to arguments that are not its own
        return False
    return _looks(made) == _looks(module)


def _looks(module: nn.Module) -> object:
    tensors = {name: (tensor.shape, tensor.dtype) for name, tensor in module.state_dict().items()}
    plain = {name: value for name, value in vars(module).items() if isinstance(value, _PLAIN) and name[0] != "_"}
    return tensors, plain | {"training": None}, module.extra_repr()
