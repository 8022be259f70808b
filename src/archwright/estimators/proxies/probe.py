"""A fresh network and a few batches: what proxies ask of them, each computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

from archwright.core.errors import ArchwrightError
from archwright.core.rng import seed_for
from archwright.core.signature import Signature
from archwright.tasks.task import Split
from archwright.training.seeding import seeded

Loss = Callable[[Tensor, Tensor], Tensor]

NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)
"""Modules that normalise: batch- and instance-norm, group-, layer- and RMS-norm."""

CALLS = frozenset({"linear"} | {f"conv{kind}{axes}d" for kind in ("", "_transpose") for axes in (1, 2, 3)})
"""The functions that linear layers and convolutions call."""


@dataclass(frozen=True)
class Layer:
    """One call of a convolution or of a linear layer.

    Attributes:
        call: calls it again, with what it was given.
        made: what it returned; the network may have written over it since.
        weight: its weight.
        axis: of `made`, along which its channels lie.
        version: of `made` when it was returned: it grows with each writing over.
        node: of autograd's graph, which is given the slope for what was returned, whatever is written over it later;
            None where nothing is learnt.
    """

    call: Callable[[], Tensor]
    made: Tensor
    weight: Tensor
    axis: int
    version: int
    node: Node | None

    @classmethod
    def of(cls, call: Callable[[], Tensor], made: Tensor, weight: Tensor, axis: int) -> Layer:
        """A call that has just returned."""
        whole = made if made._base is None else made._base  # writing over a view changes the graph behind it
        return cls(call, made, weight, axis, made._version, whole.grad_fn)

    def returned(self) -> Tensor:
        """What it returned: computed anew if it was written over, so that no copies are kept for the sake of a few."""
        with torch.no_grad():
            return self.made if self.made._version == self.version else self.call()


@dataclass(frozen=True)
class Rectified:
    """One call of a ReLU or of one of its kin: what it was given, and what it returned."""

    given: Tensor
    made: Tensor


@dataclass(frozen=True)
class Pass:
    """One run of a network, with what happened inside.

    Attributes:
        outputs: of the network.
        entry: the numbers that entered: the inputs, or what the tokens of a text were embedded as; None if nothing
            embedded them.
        features: what entered the last global pooling, or else the last linear layer; None if there is neither.
    """

    outputs: Tensor
    entry: Tensor | None
    features: Tensor | None
    layers: Sequence[Layer]
    rectified: Sequence[Rectified]


class Probe:
    """A fresh network before batches of training examples. Proxies that need the same share it.

    The network runs in training mode, as it does in the proxies' papers: batch-norm normalises by the batch.

    Args:
        network: lies where the batches lie. `borrowed` looks after its being left as it was.
        batches: prepared inputs with their targets; most proxies look at the first batch only.
        loss: of outputs and targets: the mean over the examples.
        seed: of dropout, and of the random inputs that some proxies want.
    """

    def __init__(
        self, network: nn.Module, signature: Signature, batches: Sequence[Split], loss: Loss, seed: int = 0
    ) -> None:
        self.network, self.signature, self.batches, self.loss, self.seed = network, signature, batches, loss, seed
        self._gradients: dict[int, list[Tensor | None]] = {}

    @cached_property
    def weights(self) -> list[nn.Parameter]:
        """The trainable matrices and kernels: of biases and batch-norm's scales the papers take no notice.

        Raises:
            ArchwrightError: there are none.
        """
        found = [parameter for parameter in self.network.parameters() if is_weight(parameter)]
        if not found:
            raise ArchwrightError("the network has no weights")
        return found

    def run(self, inputs: Tensor, numbers: Tensor | None = None, state: Mapping[str, Tensor] | None = None) -> Pass:
        """Runs the network; what is drawn meanwhile, such as dropout, is the same each time.

        Args:
            numbers: to enter instead of the inputs, or instead of what the tokens of a text are embedded as.
            state: to take the place of parameters and buffers, by name.

        Raises:
            ArchwrightError: the network does not fit the task.
        """
        is_text = bool(self.signature.vocabulary)
        watch = Watch(inputs, numbers) if is_text else Watch()
        entry = None if is_text else (inputs if numbers is None else numbers).detach()
        if entry is not None and torch.is_grad_enabled():
            entry.requires_grad_()
        entering = inputs if entry is None else entry.clone()  # it may be written over by a network's first operation
        with seeded(self.seed, "run", device=inputs.device), watch:
            outputs = self.network(entering) if state is None else functional_call(self.network, dict(state), entering)
        wanted = (len(inputs), *self.signature.output_shape)
        if not isinstance(outputs, Tensor) or tuple(outputs.shape) != wanted:
            made = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
            raise ArchwrightError(
                f"for a batch of {len(inputs)} the network returns {made}, but the task needs {wanted}"
            )
        return Pass(outputs, watch.embedded if is_text else entry, watch.features, watch.layers, watch.rectified)

    @cached_property
    def passed(self) -> Pass:
        """The run of the first batch."""
        return self.run(self.batches[0].inputs)

    @cached_property
    def entry(self) -> Tensor:
        """The numbers that enter with the first batch: the inputs, or what the tokens of a text are embedded as.

        Raises:
            ArchwrightError: it is a text, and the network does not embed its tokens.
        """
        entry = self.passed.entry if self.signature.vocabulary else self.batches[0].inputs
        if entry is None:
            raise ArchwrightError("the network does not embed its tokens by nn.Embedding")
        return entry.detach()

    def gradients(self, number: int = 0) -> list[Tensor | None]:
        """Of the loss on a batch for each of `weights`; None for one that takes no part."""
        if number not in self._gradients:
            passed = self.run(self.batches[number].inputs) if number else self.passed
            self._gradients[number] = gradients(self._loss(passed, number), self.weights, keep=number == 0)
        return self._gradients[number]

    @cached_property
    def saliencies(self) -> list[tuple[Layer, Tensor]]:
        """The layers that the loss on the first batch depends on, with the sums over pixels of a dL/da, a being what
        the layer makes: (batch, channels).

        One backward pass gives these and the weights' gradients: ask for these first.
        """
        found: list[tuple[Layer, Tensor]] = []
        hooks = [
            layer.node.register_prehook(partial(_note_saliency, found, layer))
            for layer in self.passed.layers
            if layer.node is not None
        ]
        self._gradients.pop(0, None)
        self.gradients()
        for hook in hooks:
            hook.remove()
        return found

    @cached_property
    def jacobian(self) -> Tensor | None:
        """The gradient of the outputs' sum for the numbers that enter with the first batch, in their shape.

        None if the outputs don't depend on them.
        """
        entry = self.passed.entry
        return gradients(self.passed.outputs.sum(), [self.entry if entry is None else entry], keep=True)[0]

    def noise(self, like: Tensor, *purpose: object) -> Tensor:
        """Standard normal numbers of the shape of `like`, where it lies: the same on every device."""
        generator = torch.Generator().manual_seed(seed_for(self.seed, *purpose))
        return torch.randn(like.shape, generator=generator, dtype=like.dtype).to(like.device)

    def _loss(self, passed: Pass, number: int) -> Tensor:
        return self.loss(passed.outputs, self.batches[number].targets)


class Watch(TorchFunctionMode):
    """Notes what a network calls while it runs: layers and rectifiers, and the tensors that `Pass` names.

    It sees modules and functions alike, since modules call the functions.

    Args:
        tokens: the network's input, if that is a text.
        instead: numbers that take the place of what the tokens are embedded as.
    """

    def __init__(self, tokens: Tensor | None = None, instead: Tensor | None = None) -> None:
        super().__init__()
        self.tokens, self.instead = tokens, instead
        self.layers: list[Layer] = []
        self.rectified: list[Rectified] = []
        self.embedded: Tensor | None = None
        self._pooled: Tensor | None = None
        self._classified: Tensor | None = None

    @property
    def features(self) -> Tensor | None:
        """What entered the last global pooling, or else the last linear layer."""
        return self._classified if self._pooled is None else self._pooled

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Calls the function, and notes it if it is one of those."""
        given = kwargs or {}
        name = getattr(function, "__name__", "")
        if name == "embedding" and self._embeds(_argument("input", args, given)):
            self.embedded = function(*args, **given) if self.instead is None else self.instead
            return self.embedded
        made = function(*args, **given)
        if name in CALLS:
            weight = _argument("weight", args, given)
            axis = made.dim() - (1 if name == "linear" else weight.dim() - 1)
            self.layers.append(Layer.of(partial(function, *args, **given), made, weight, axis))
            if name == "linear":
                self._classified = _argument("input", args, given)
        elif "relu" in name or (name == "hardtanh" and given.get("min_val") == 0):  # nn.ReLU6 calls it so
            self.rectified.append(Rectified(_argument("input", args, given), made))
        elif name.startswith("adaptive_avg_pool"):
            self._pooled = _argument("input", args, given)
        return made

    def _embeds(self, tokens: Tensor) -> bool:
        return self.tokens is not None and self.embedded is None and tokens.shape == self.tokens.shape


def _argument(name: str, args: Sequence[Any], given: Mapping[str, Any]) -> Any:
    place = ("input", "weight").index(name)
    return args[place] if len(args) > place else given[name]


def _note_saliency(found: list[tuple[Layer, Tensor]], layer: Layer, slopes: tuple[Tensor | None, ...]) -> None:
    if slopes[0] is None:
        return
    products = layer.returned().detach() * slopes[0].detach().reshape(layer.made.shape)
    elsewhere = [axis for axis in range(1, products.dim()) if axis != layer.axis]
    found.append((layer, products.sum(elsewhere) if elsewhere else products))


def is_weight(parameter: Tensor) -> bool:
    """Whether it is a trainable matrix or kernel."""
    return parameter.dim() > 1 and parameter.requires_grad


def gradients(of: Tensor, at: Sequence[Tensor], keep: bool = False) -> list[Tensor | None]:
    """Of a number; None where it does not depend. `keep`: another backward pass may follow."""
    return list(torch.autograd.grad(of, at, retain_graph=keep, allow_unused=True))


def total(numbers: Iterable[Tensor]) -> float:
    """The sum of tensors of one number each, in float64 and with one transfer from their device."""
    held = list(numbers)
    return float(torch.stack(held).double().sum()) if held else 0.0


@contextmanager
def borrowed(network: nn.Module) -> Iterator[None]:
    """The network in training mode; afterwards its modes and buffers are as they were.

    What batch-norm notes meanwhile goes into copies, so that nothing is written over that a backward pass wants.
    """
    buffers = [
        (module, name, held)
        for module in network.modules()
        for name, held in module._buffers.items()
        if held is not None
    ]
    for module, name, held in buffers:
        module._buffers[name] = held.clone()
    try:
        with in_mode(network, training=True):
            yield
    finally:
        for module, name, held in buffers:
            module._buffers[name] = held


@contextmanager
def in_mode(network: nn.Module, training: bool) -> Iterator[None]:
    """The network in training or in evaluation mode; afterwards as before."""
    switched = [module for module in network.modules() if module.training != training]
    for module in switched:
        module.training = training
    try:
        yield
    finally:
        for module in switched:
            module.training = not training
