"""A module's forward as an fx graph in which every call of another module stays one node."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._pytree import tree_map_only

from archwright.export.checking import first_line
from archwright.export.result import ExportError


@dataclass
class Calls:
    """What one module was given, argument by argument, while the whole model ran.

    Attributes:
        arguments: the arguments of every call, defaults applied, tensors on the meta device.
        passed: names of the arguments that some call passed.
        always: names of the arguments that every call passed.
        tensor: whether it always returned one tensor.
    """

    arguments: list[dict[str, Any]] = field(default_factory=list)
    passed: set[str] = field(default_factory=set)
    always: set[str] = field(default_factory=set)
    tensor: bool = True


def record(model: nn.Module, batches: Iterable[Tensor]) -> Mapping[nn.Module, Calls]:
    """Runs the model on each batch; modules that are never called are not in the answer."""
    calls: dict[nn.Module, Calls] = defaultdict(Calls)

    def listen(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: object) -> None:
        bound = inspect.signature(module.forward).bind(*args, **kwargs)
        passed = set(bound.arguments)
        bound.apply_defaults()
        heard = calls[module]
        heard.always = passed if not heard.arguments else heard.always & passed
        heard.passed |= passed
        heard.tensor &= isinstance(output, Tensor)
        heard.arguments.append(tree_map_only(Tensor, lambda tensor: tensor.to("meta"), bound.arguments))

    hooks = [module.register_forward_hook(listen, with_kwargs=True) for module in model.modules()]
    try:
        for batch in batches:
            model(batch.clone())
    finally:
        for hook in hooks:
            hook.remove()
    return dict(calls)


@dataclass(frozen=True)
class Traced:
    """A forward, and the tensors by attribute name that it uses and that are neither parameters nor buffers."""

    graph: fx.Graph
    constants: Mapping[str, Tensor]


def trace(module: nn.Module, calls: Calls) -> Traced:
    """The module's forward for the arguments that it was called with.

    Raises:
        ExportError: what it does depends on the data, or is not made of torch functions and modules.
    """
    known = set(vars(module))
    try:
        graph = _Tracer(calls).trace(module)
        return Traced(graph, dict(_constants(module, graph)))
    except Exception as error:
        raise ExportError(
            f"{type(module).__name__}.forward can't be written as straight code ({first_line(error)}); "
            "--format torch or --format onnx may do it"
        ) from error
    finally:
        for name in set(vars(module)) - known:  # fx leaves the tensor constants that it met on the module itself
            delattr(module, name)


def _constants(module: nn.Module, graph: fx.Graph) -> Iterator[tuple[str, Tensor]]:
    stored = {name for name, _ in (*module.named_parameters(), *module.named_buffers())}
    for node in graph.find_nodes(op="get_attr"):
        if node.target not in stored:
            value = getattr(module, str(node.target))
            node.target = str(node.target).replace("_tensor_constant", "constant")
            yield node.target, value


# torch refuses to call these with a traced size; fx then has to record them itself.
_CREATORS = (torch.zeros, torch.ones, torch.empty, torch.full, torch.arange, torch.linspace, torch.eye)


class _Proxy(fx.Proxy):
    """Answers with a plain number where Python wants one, if shapes alone decide it."""

    def __getattr__(self, k: str) -> fx.proxy.Attribute:
        return _Attribute(self, k)

    def __len__(self) -> int:
        return len(self.tracer.value(self.node))  # type: ignore[attr-defined]

    def __index__(self) -> int:
        return int(self.tracer.value(self.node))  # type: ignore[attr-defined]

    def __int__(self) -> int:
        return int(self.tracer.value(self.node))  # type: ignore[attr-defined]

    def __float__(self) -> float:
        return float(self.tracer.value(self.node))  # type: ignore[attr-defined]


class _Attribute(_Proxy, fx.proxy.Attribute):
    """Such as `x.shape`."""


class _Tracer(fx.Tracer):
    proxy_buffer_attributes = True

    def __init__(self, calls: Calls) -> None:
        super().__init__(autowrap_functions=_CREATORS)
        self._autowrap_search.append(torch)
        self.calls = calls
        self.values: dict[fx.Node, Any] = {}
        self.evaluating = False
        self.shapes_only = FakeTensorMode(allow_non_fake_inputs=True)

    def create_args_for_root(
        self, root_fn: Callable[..., Any], is_module: bool, concrete_args: object = None
    ) -> tuple[Callable[..., Any], list[Any]]:
        """Placeholders for the arguments that calls passed; the others keep their defaults."""
        positional: list[Any] = [self.root]
        named: dict[str, Any] = {}
        skipped = False
        for name, parameter in list(inspect.signature(root_fn).parameters.items())[1:]:
            values = [arguments[name] for arguments in self.calls.arguments]
            if name not in self.calls.passed:
                skipped = True
                continue
            if parameter.kind is parameter.VAR_KEYWORD:
                raise ExportError(f"it is called with **{name}")
            star = parameter.kind is parameter.VAR_POSITIONAL
            default = () if star or name in self.calls.always else (parameter.default,)
            proxy = self.create_proxy("placeholder", "*" * star + name, default, {})
            if len({type(value) for value in values}) == 1 and _alike(values):
                self.values[proxy.node] = values[0]
            argument = self._argument(proxy, values)
            if star:
                positional.extend(argument)
            elif skipped or parameter.kind is parameter.KEYWORD_ONLY:
                named[name] = argument
            else:
                positional.append(argument)
        return lambda: root_fn(*positional, **named), []

    def _argument(self, proxy: Any, values: list[Any]) -> Any:
        """Lists are lists of proxies, and what all calls agree on is itself: it decides `if mask is None`."""
        first = values[0]
        if type(first) in (tuple, list) and all(type(v) is type(first) and len(v) == len(first) for v in values):
            return type(first)(self._argument(proxy[i], [v[i] for v in values]) for i in range(len(first)))
        if first is None or isinstance(first, (bool, str)):
            return first if _alike(values) else proxy
        return proxy

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Proxy(node, self)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: Any) -> Any:
        # A slice of a Sequential is a new module, which the tree does not know: its children stay the leaves.
        if self.evaluating or m not in self.submodule_paths:  # type: ignore[operator]
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, fx.Proxy]) -> Any:
        return attr_val if self.evaluating else super().getattr(attr, attr_val, parameter_proxy_cache)

    def to_bool(self, obj: fx.Proxy) -> bool:
        return bool(self.value(obj.node))

    def iter(self, obj: Any) -> Iterator[Any]:
        return (obj[i] for i in range(len(self.value(obj.node))))

    def value(self, node: fx.Node) -> Any:
        """What the node gives on the recorded arguments, in tensors that have shapes but no numbers.

        So a branch on a shape is decided, and a branch on data is an error. What was decided for one batch size
        and is wrong for another shows when the written file is compared on both.
        """
        self.evaluating = True
        try:
            with self.shapes_only:
                return self._value(node)
        finally:
            self.evaluating = False

    def _value(self, node: fx.Node) -> Any:
        if node.op == "placeholder":
            if node not in self.values:
                raise ExportError(f"its argument {node.target!r} decides about it, and differs from call to call")
            return tree_map_only(
                Tensor, lambda t: torch.empty_strided(t.shape, t.stride(), dtype=t.dtype), self.values[node]
            )
        if node.op == "get_attr":
            return _attribute(self.root, str(node.target))
        if node not in self.values:
            args, kwargs = fx.node.map_arg((node.args, node.kwargs), self._value)
            if node.op == "call_method":
                args, target = args[1:], getattr(args[0], str(node.target))
            else:
                target = self.root.get_submodule(str(node.target)) if node.op == "call_module" else node.target
            self.values[node] = target(*args, **kwargs)
        return self.values[node]


def _alike(values: list[Any]) -> bool:
    """Whether plain values, and how many there are in a list, are equal in all calls; tensors always are, for us."""
    if isinstance(values[0], (tuple, list)):
        return all(type(value) is type(values[0]) and len(value) == len(values[0]) for value in values)
    plain = isinstance(values[0], (bool, int, float, str, type(None)))
    return not plain or all(type(value) is type(values[0]) and value == values[0] for value in values)


def _attribute(module: nn.Module, path: str) -> Any:
    owner, _, name = path.rpartition(".")
    return getattr(module.get_submodule(owner), name)
