"""From a model to the classes that its modules are instances of."""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from archwright.export import forward
from archwright.export.classes import Class, Line, Made
from archwright.export.expressions import Call, Expression, constructor
from archwright.export.layout import literal
from archwright.export.tracing import Calls, Traced, trace

_TAKEN = {"F", "Path", "Tensor", "OrderedDict", "json", "load", "math", "nn", "operator", "prepare", "read", "torch"}


class Describer:
    """Turns a model into classes; those that others are made of come first.

    Attributes:
        classes: in the order of the file.
        root: the expression that makes the model.
        constants: tensors that a forward uses and the state dict lacks, by the name that they have in the file.
    """

    def __init__(self, model: nn.Module, calls: Mapping[nn.Module, Calls]) -> None:
        self.calls = calls
        self._constants: dict[nn.Module, dict[str, Tensor]] = {}
        self._known: dict[nn.Module, Expression] = {}
        self._classes: dict[object, Class] = {}
        self._model = model
        self._ties = dict(_ties(model))
        self.root = self._expression(model, "")
        self.classes = list(self._classes.values())
        for found in self.classes:
            found.settle()
        self.constants = {
            _join(path, name): value
            for path, module in model.named_modules(remove_duplicate=False)
            for name, value in self._constants.get(module, {}).items()
        }

    def _expression(self, module: nn.Module, path: str) -> Expression:
        if module not in self._known:
            self._known[module] = self._described(module, path)
        return self._known[module]

    def _described(self, module: nn.Module, path: str) -> Expression:
        # The model itself is a class even where it is a plain Sequential: a file of networks has a network in it.
        if type(module) in _CONTAINERS and module is not self._model:
            return _CONTAINERS[type(module)](f"nn.{type(module).__name__}(", ")", self._items(module, path))
        return constructor(module) or self._class(module, path)

    def _items(self, module: nn.Module, path: str) -> dict[str, Expression]:
        if isinstance(module, (nn.ParameterList, nn.ParameterDict)):
            return {name: Call(_empty(value)) for name, value in module.named_parameters(recurse=False)}
        return {name: self._expression(item, _join(path, name)) for name, item in _children(module)}

    def _class(self, module: nn.Module, path: str) -> Expression:
        container = next((base for base in _CONTAINERS if isinstance(module, base)), None)
        base = f"nn.{container.__name__}" if container else "nn.Module"
        name = type(module).__name__.strip("_") if type(module) not in _CONTAINERS else "Network"
        items = self._items(module, path)  # before the class itself, since a class stands after those that it uses
        traced = self._trace(module)
        lines = list(self._stored(module, traced))
        if container:
            lines.insert(0, Line("super().__init__", _CONTAINERS[container]("(", ")", items)))
        ties = self._ties.get(path, {})
        for child, expression in () if container else items.items():
            target = forward.child(module, child, "self")
            source = ties.get(child)
            made = Call(_refer(module, source)) if source else expression
            lines.append(Line(f"{target} = ", made, child))
        for target, source in ties.items():
            if container or target not in items:
                lines.append(Line(f"{_refer(module, target)} = ", Call(_refer(module, source))))
        signature, body = self._forward(module, traced)
        key = (name, base, signature, body, tuple(line.form for line in lines))
        if key not in self._classes:
            self._classes[key] = Class(self._free(name), base, _doc(module), signature, body)
        found = self._classes[key]
        found.instances.append(tuple(lines))
        return Made(found, len(found.instances) - 1)

    def _trace(self, module: nn.Module) -> Traced | None:
        """None where there is nothing to write: forward is the container's own, or is never called."""
        inherited = any(type(module).forward is base.forward for base in (nn.Module, nn.Sequential))
        return trace(module, self.calls[module]) if module in self.calls and not inherited else None

    def _stored(self, module: nn.Module, traced: Traced | None) -> Iterator[Line]:
        """The module's own tensors. What no state dict has becomes a buffer, so that the weights file has it."""
        for name, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
            yield Line(f"{forward.child(module, name, 'self')} = ", Call(f"nn.Parameter({_empty(parameter)})"))
        transient = module._non_persistent_buffers_set
        buffers = dict(module.named_buffers(recurse=False, remove_duplicate=False))
        extra = dict(traced.constants) if traced else {}
        for name, value in (buffers | extra).items():
            if name in extra or name in transient:
                self._constants.setdefault(module, {})[name] = value
            yield Line("", Call(f'self.register_buffer("{name}", {_empty(value)})'))

    def _forward(self, module: nn.Module, traced: Traced | None) -> tuple[str, tuple[str, ...] | None]:
        if traced is None:
            return "", None
        arguments = [
            (name + ": Tensor" if isinstance(value, Tensor) and not default else name)
            + (f"={default}" if default else "")
            for (name, default), value in zip(
                forward.parameters(traced.graph), self._given(module, traced), strict=True
            )
        ]
        body = forward.statements(traced.graph, lambda path: _refer(module, path), lambda path: _is_big(module, path))
        returns = " -> Tensor" if self.calls[module].tensor else ""
        return f"{', '.join(['self', *arguments])}){returns}", tuple(body)

    def _given(self, module: nn.Module, traced: Traced) -> list[Any]:
        first = self.calls[module].arguments[0]
        return [first[name.lstrip("*")] for name, _ in forward.parameters(traced.graph)]

    def _free(self, name: str) -> str:
        taken = {found.name for found in self._classes.values()} | _TAKEN | set(keyword.kwlist)
        numbered = (f"{name}{number}" for number in range(2, len(taken) + 3))
        return next(candidate for candidate in (name, *numbered) if candidate not in taken)


def _sequence(opening: str, closing: str, items: dict[str, Expression]) -> Call:
    if list(items) == [str(number) for number in range(len(items))]:
        return Call(opening, tuple(items.values()), closing)
    pairs = tuple(Call(f"{literal(name)}: ", (item,)) for name, item in items.items())
    return Call(f"{opening}OrderedDict({{", pairs, f"}}){closing}")


def _list(opening: str, closing: str, items: dict[str, Expression]) -> Call:
    return Call(f"{opening}[", tuple(items.values()), f"]{closing}")


def _dict(opening: str, closing: str, items: dict[str, Expression]) -> Call:
    pairs = tuple(Call(f"{literal(name)}: ", (item,)) for name, item in items.items())
    return Call(f"{opening}{{", pairs, f"}}{closing}")


_CONTAINERS: dict[type[nn.Module], Callable[[str, str, dict[str, Expression]], Call]] = {
    nn.Sequential: _sequence,
    nn.ModuleList: _list,
    nn.ModuleDict: _dict,
    nn.ParameterList: _list,
    nn.ParameterDict: _dict,
}


def _ties(model: nn.Module) -> Iterator[tuple[str, dict[str, str]]]:
    """What is held in two places, by the path of the nearest class around both: from there, other place -> first."""
    first: dict[int, str] = {}
    found: dict[str, dict[str, str]] = {}

    def visit(module: nn.Module, path: str) -> None:
        for name, item in (*module._parameters.items(), *_children(module)):
            if item is None or (isinstance(item, nn.Module) and not item.state_dict()):
                continue  # sharing a module without weights changes nothing
            place = _join(path, name)
            if first.setdefault(id(item), place) != place:
                owner = _common(model, first[id(item)], place)
                skip = len(owner) + 1 if owner else 0
                found.setdefault(owner, {})[place[skip:]] = first[id(item)][skip:]
            elif isinstance(item, nn.Module):
                visit(item, place)

    visit(model, "")
    yield from found.items()


def _common(model: nn.Module, one: str, other: str) -> str:
    parts: list[str] = []
    for a, b in zip(one.split(".")[:-1], other.split(".")[:-1], strict=False):
        if a != b:
            break
        parts.append(a)
    while parts and type(model.get_submodule(".".join(parts))) in _CONTAINERS:
        parts.pop()  # a plain container is an expression, and has no lines to say it in
    return ".".join(parts)


def _refer(module: nn.Module, path: str) -> str:
    """ "ops.0" -> "self.ops[0]"."""
    text = "self"
    for name in path.split("."):
        text = forward.child(module, name, text)
        following = getattr(module, name, None) if not isinstance(module, nn.ModuleDict) else module[name]
        module = following if isinstance(following, nn.Module) else module
    return text


def _is_big(module: nn.Module, path: str) -> bool:
    found = module.get_submodule(path)
    return getattr(nn, type(found).__name__, None) is not type(found) or any(True for _ in found.children())


def _children(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Also those held twice, which `named_children` leaves out."""
    return ((name, item) for name, item in module._modules.items() if item is not None)


def _empty(value: Tensor) -> str:
    kind = "" if value.dtype is torch.float32 else f", dtype={value.dtype}"
    return f"torch.empty({', '.join(map(str, value.shape)) or '()'}{kind})"


def _doc(module: nn.Module) -> str:
    """The first line of the class's own docstring, made safe to stand in another."""
    text = inspect.cleandoc(vars(type(module)).get("__doc__") or "").partition("\n")[0]
    own = not type(module).__module__.startswith("torch.")
    return plain(text) if own else ""


def plain(text: str) -> str:
    """One line without quotes and backslashes: nothing that could end a docstring."""
    safe = text.replace("\\", "/").replace('"', "'")
    return "".join(character for character in " ".join(safe.split()) if character.isprintable())


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
