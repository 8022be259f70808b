"""An fx graph as the lines that an engineer would write: short chains nested, values named after what made them."""

from __future__ import annotations

import builtins
import inspect
import keyword
import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from archwright.export.layout import literal
from archwright.export.result import ExportError

_DEEPEST = 3  # calls nested in one line
_LONGEST = 90  # characters of an expression that still goes into another
_RESERVED = {"self", "torch", "nn", "F", "math", "operator", *keyword.kwlist, *dir(builtins)}
_NAMESPACES: dict[str, ModuleType] = {
    "F": functional,
    "torch": torch,
    "math": math,
    "operator": operator,
    "torch.linalg": torch.linalg,
    "torch.fft": torch.fft,
    "torch.special": torch.special,
}
_BINARY: dict[Any, tuple[str, int]] = {  # sign and precedence
    operator.add: ("+", 5),
    operator.sub: ("-", 5),
    operator.mul: ("*", 6),
    operator.truediv: ("/", 6),
    operator.floordiv: ("//", 6),
    operator.mod: ("%", 6),
    operator.matmul: ("@", 6),
    operator.pow: ("**", 8),
    operator.and_: ("&", 4),
    operator.xor: ("^", 3),
    operator.or_: ("|", 2),
    operator.lt: ("<", 1),
    operator.le: ("<=", 1),
    operator.gt: (">", 1),
    operator.ge: (">=", 1),
    operator.eq: ("==", 1),
    operator.ne: ("!=", 1),
}
_UNARY: dict[Any, str] = {operator.neg: "-", operator.invert: "~", operator.pos: "+"}
_SIGNED = 7
_ATOM = 9
_JOINS = (torch.cat, torch.concat, torch.stack)
_OF_SHAPE = {"shape", "size", "ndim", "dim", "dtype", "device"}


@dataclass
class _Text:
    """An expression: how deep its calls nest, how strongly its parts bind, and the variables that it reads."""

    text: str
    depth: int
    precedence: int
    reads: tuple[fx.Node, ...]


def statements(graph: fx.Graph, refer: Callable[[str], str], big: Callable[[str], bool]) -> list[str]:
    """The body of forward.

    Args:
        graph: the traced forward.
        refer: the expression for a parameter or child module by its path: "ops.0" -> "self.ops[0]".
        big: whether the child at that path deserves a line of its own.
    """
    _remove_unread(graph)
    return list(_Writer(graph, refer, big).write())


def parameters(graph: fx.Graph) -> list[tuple[str, str]]:
    """Forward's parameters: the name with its star, and the default or nothing."""
    return [(str(node.target), "".join(map(literal, node.args))) for node in graph.find_nodes(op="placeholder")]


def _remove_unread(graph: fx.Graph) -> None:
    """Takes out what only decided a branch while tracing."""
    for node in reversed(list(graph.nodes)):
        if not node.users and _is_harmless(node):
            graph.erase_node(node)


class _Writer:
    """Walks the graph in order and keeps expressions that nothing has used yet on a stack.

    An expression goes into the next one only from the top of that stack, so the code evaluates everything in the
    order of the graph: operations in place keep their meaning.
    """

    def __init__(self, graph: fx.Graph, refer: Callable[[str], str], big: Callable[[str], bool]) -> None:
        self.graph, self.refer, self.big = graph, refer, big
        self.place = {node: place for place, node in enumerate(graph.nodes)}
        self.names: dict[fx.Node, str] = {}
        self.pending: dict[fx.Node, _Text] = {}
        self.inputs: set[str] = set()

    def write(self) -> Iterator[str]:
        for node in self.graph.nodes:
            if node.op == "placeholder":
                self.names[node] = str(node.target).lstrip("*")
                self.inputs.add(self.names[node])
            elif node.op == "get_attr":
                self.names[node] = self.refer(str(node.target))
            elif _is_item(node) and node.args[0] in self.names:
                # Read where it is used. So the name that holds it must last, and can't be given to another value.
                self.names[node] = f"{self.names[node.args[0]]}[{node.args[1]}]"
                self.inputs.discard(self.names[node.args[0]])
            else:
                yield from self._node(node)

    def _node(self, node: fx.Node) -> Iterator[str]:
        inlined = [argument for argument in _reads(node) if argument in self.pending]
        expression = self._expression(node)
        at_top = inlined == list(self.pending)[len(self.pending) - len(inlined) :]
        if not at_top or expression.depth > _DEEPEST or not all(self._fits(inner, node) for inner in inlined):
            yield from self._flush()
            inlined, expression = [], self._expression(node)
        for inner in inlined:
            del self.pending[inner]
        if len(node.users) == 1 and node.op != "output":
            self.pending[node] = expression
            return
        yield from self._flush()
        yield self._statement(node, expression)

    def _flush(self) -> Iterator[str]:
        for node, expression in list(self.pending.items()):
            del self.pending[node]
            yield self._statement(node, expression)

    def _statement(self, node: fx.Node, expression: _Text) -> str:
        if node.op == "output":
            return f"return {expression.text}"
        if not node.users:
            return expression.text
        self.names[node] = self._name(node, expression)
        return f"{self.names[node]} = {expression.text}"

    def _fits(self, inner: fx.Node, outer: fx.Node) -> bool:
        """A big module has a line of its own, unless results are joined or returned."""
        if len(self.pending[inner].text) > _LONGEST:
            return False
        joins = outer.op == "output" or outer.target in _BINARY or outer.target in _JOINS
        return joins or not (self._is_big(inner) or self._is_big(outer))

    def _is_big(self, node: fx.Node) -> bool:
        return node.op == "call_module" and self.big(str(node.target))

    def _name(self, node: fx.Node, expression: _Text) -> str:
        """Its only input's own name if nobody reads that any more, else a new one after what made the value."""
        read = [source for source in expression.reads if source.op != "get_attr"]
        if len(read) == 1 and not _is_item(node) and not _is_of_shape(node):
            name = self.names[read[0]]
            if name in self.inputs and all(self.place[user] <= self.place[node] for user in read[0].users):
                return name
        name = self._stem(node)
        taken = _RESERVED | set(self.names.values())
        numbered = (f"{name}{number}" for number in range(2, len(taken) + 3))
        return next(candidate for candidate in (name, *numbered) if candidate not in taken)

    def _stem(self, node: fx.Node) -> str:
        if node.op == "call_module":
            parts = str(node.target).split(".")
            name = parts[-1] if parts[-1].isidentifier() else "".join(parts[-2:])
        elif node.target is getattr or _is_of_shape(node):
            name = str(node.args[1]) if node.target is getattr else "size"
        elif node.target is operator.getitem:
            name = "part"
        else:
            name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "value")
        name = name.strip("_")
        return name if name.isidentifier() else "value"

    # -- expressions

    def _expression(self, node: fx.Node) -> _Text:
        used = [self.pending[argument] for argument in _reads(node) if argument in self.pending]
        direct = [argument for argument in _reads(node) if argument not in self.pending]
        depth = max((text.depth for text in used), default=0) + _is_step(node)
        reads = dict.fromkeys(direct + [read for inner in used for read in inner.reads])
        text, precedence = self._call(node)
        return _Text(text, depth, precedence, tuple(reads))

    def _call(self, node: fx.Node) -> tuple[str, int]:
        args, kwargs = list(node.args), dict(node.kwargs)
        target: Any = node.target
        if node.op == "output":
            value: Any = args[0]
            return (", ".join(map(self._value, value)) if _is_pair(value) else self._value(value)), _ATOM
        if node.op == "call_module":
            return f"{self.refer(target)}({self._arguments(args, kwargs)})", _ATOM
        if node.op == "call_method":
            return f"{self._operand(args[0])}.{target}({self._arguments(args[1:], kwargs)})", _ATOM
        if target in _BINARY and not kwargs:
            sign, binds = _BINARY[target]
            left = binds + (binds in (1, 8))  # comparisons and powers are not evaluated from the left
            return f"{self._operand(args[0], left)} {sign} {self._operand(args[1], binds + 1)}", binds
        if target in _UNARY:
            return f"{_UNARY[target]}{self._operand(args[0], _SIGNED)}", _SIGNED
        if target is operator.getitem:
            return f"{self._operand(args[0])}[{self._index(args[1])}]", _ATOM
        if target is getattr:
            return f"{self._operand(args[0])}.{args[1]}", _ATOM
        if target in _JOINS and len(args) == 2:
            args, kwargs = args[:1], {"dim": args[1]}
        defaults = _defaults(target)
        kwargs = {name: value for name, value in kwargs.items() if name not in defaults or value != defaults[name]}
        return f"{function(target)}({self._arguments(args, kwargs)})", _ATOM

    def _arguments(self, args: list[Any], kwargs: dict[str, Any]) -> str:
        named = [f"{name}={self._value(value)}" for name, value in kwargs.items()]
        return ", ".join([*map(self._value, args), *named])

    def _operand(self, value: Any, least: int = _ATOM) -> str:
        """A value next to an operator or a dot, in parentheses if it binds less than that."""
        if isinstance(value, fx.Node):
            binds = self.pending[value].precedence if value in self.pending else _ATOM
        else:
            binds = _SIGNED if isinstance(value, (int, float)) and value < 0 else _ATOM
        return self._value(value) if binds >= least else f"({self._value(value)})"

    def _index(self, value: Any) -> str:
        return ", ".join(map(self._slice, value)) if _is_pair(value) else self._slice(value)

    def _slice(self, value: Any) -> str:
        if not isinstance(value, slice):
            return self._value(value)
        start, stop, step = (
            "" if part is None else self._value(part) for part in (value.start, value.stop, value.step)
        )
        return f"{start}:{stop}:{step}" if step else f"{start}:{stop}"

    def _value(self, value: Any) -> str:
        if isinstance(value, fx.Node):
            return self.pending[value].text if value in self.pending else self.names[value]
        if isinstance(value, tuple):
            return f"({', '.join(map(self._value, value))}{',' if len(value) == 1 else ''})"
        if isinstance(value, list):
            return f"[{', '.join(map(self._value, value))}]"
        if isinstance(value, dict):
            return "{" + ", ".join(f"{literal(key)}: {self._value(item)}" for key, item in value.items()) + "}"
        if isinstance(value, slice):
            return f"slice({self._value(value.start)}, {self._value(value.stop)}, {self._value(value.step)})"
        return literal(value)


def function(target: Any) -> str:
    """How code that has imported torch, math, operator and F calls this function.

    Raises:
        ExportError: it is none of torch's or Python's own.
    """
    name = getattr(target, "__name__", "")
    for prefix, namespace in _NAMESPACES.items():
        if getattr(namespace, name, None) is target:
            return f"{prefix}.{name}"
    if getattr(builtins, name, None) is target:
        return str(name)
    raise ExportError(f"it calls {name or target!r}, which is not a public function of torch")


def _defaults(target: Any) -> dict[str, Any]:
    """Keyword arguments that torch's own functions add to their calls, to be left out again."""
    target = torch._jit_internal.boolean_dispatched.get(target, {}).get("if_false", target)
    try:
        found = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):  # built in: it has no signature, and adds nothing
        return {}
    return {parameter.name: parameter.default for parameter in found if parameter.default is not parameter.empty}


def _reads(node: fx.Node) -> list[fx.Node]:
    """The nodes that this one uses, as often and in the order that Python evaluates them."""
    found: list[fx.Node] = []
    fx.node.map_arg((node.args, node.kwargs), found.append)
    return found


def _is_item(node: fx.Node) -> bool:
    return node.target is operator.getitem and isinstance(node.args[1], int)


def _is_of_shape(node: fx.Node) -> bool:
    """Whether the node is about a shape and makes no tensor."""
    if node.op == "call_method":
        return node.target in _OF_SHAPE
    if node.target is getattr:
        return node.args[1] in _OF_SHAPE
    source = node.args[0] if node.args else None
    return node.target is operator.getitem and isinstance(source, fx.Node) and _is_of_shape(source)


def _is_step(node: fx.Node) -> bool:
    return node.op != "output" and node.target is not operator.getitem and not _is_of_shape(node)


def _is_harmless(node: fx.Node) -> bool:
    """Whether a value that nobody reads can be left out; another call might work in place."""
    plain = node.target in (getattr, operator.getitem, torch._assert) or node.target in _BINARY
    return node.op == "get_attr" or plain or _is_of_shape(node)


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) > 1


def child(module: nn.Module, name: str, owner: str) -> str:
    """The expression for an attribute or child of the module that `owner` is the expression for."""
    if isinstance(module, (nn.Sequential, nn.ModuleList, nn.ParameterList)) and name.isdigit():
        return f"{owner}[{name}]"
    if isinstance(module, (nn.ModuleDict, nn.ParameterDict)):
        return f"{owner}[{literal(name)}]"
    if name.isidentifier() and not keyword.iskeyword(name):
        return f"{owner}.{name}"
    raise ExportError(f"{type(module).__name__} has a child called {name!r}, which is no name in Python")
