"""What a network costs, as metrics: parameters, FLOPs, latency, memory."""

from __future__ import annotations

import statistics
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from archwright.core.signature import Signature


class Cost(Protocol):
    """A metric of a network that needs no training.

    Attributes:
        metric: its name among an evaluation's metrics.
        needs_device: it runs the network for real; otherwise the `meta` device, which computes nothing, will do.
    """

    metric: ClassVar[str]
    needs_device: ClassVar[bool]

    def measure(self, network: nn.Module, signature: Signature) -> float:
        """The cost of `network`, which lies on the meta device unless `needs_device`."""
        ...


@dataclass(frozen=True)
class Parameters:
    """Trainable numbers. A parameter used twice counts once."""

    metric: ClassVar[str] = "parameters"
    needs_device: ClassVar[bool] = False

    def measure(self, network: nn.Module, signature: Signature) -> float:
        """Their count."""
        return float(sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad))


@dataclass(frozen=True)
class Flops:
    """Floating-point operations of one example's forward pass by torch's counter.

    A multiply-add counts as two; convolutions and matrix products count, element-wise work does not. On the CPU as on
    the meta device: what is fused there, such as attention and LSTMs, is counted product by product.
    """

    metric: ClassVar[str] = "flops"
    needs_device: ClassVar[bool] = False

    def measure(self, network: nn.Module, signature: Signature) -> float:
        """Operations for one example."""
        inputs = example(network, signature, 1)
        watched = FlopCounterMode(display=False)
        with in_evaluation(network), watched as counter, torch.no_grad(), _unfused(inputs.device):
            network(inputs)
        return float(counter.get_total_flops())


@dataclass(frozen=True)
class Memory:
    """Peak memory of activations in a forward pass without gradients, in units of 10**6 bytes.

    Counted from the sizes of the tensors alive at once, the input included and the weights not, so it is a
    property of the network and not of a device's allocator. (Recurrent layers alone differ: on the CPU they multiply
    all steps' inputs at once, on the meta device each step's when it is due.)
    """

    batch_size: int = 1
    metric: ClassVar[str] = "memory_mb"
    needs_device: ClassVar[bool] = False

    def measure(self, network: nn.Module, signature: Signature) -> float:
        """Millions of bytes."""
        inputs = example(network, signature, self.batch_size)
        with in_evaluation(network), _LiveBytes(network) as live, torch.no_grad(), _unfused(inputs.device):
            live.add(inputs)
            network(inputs)
        return float(live.peak / 1e6)


@dataclass(frozen=True)
class Latency:
    """Milliseconds for one forward pass of a batch on a device: the median of `repetitions` after `warmup`.

    Attributes:
        device: where to measure, such as cpu or cuda.
        batch_size: examples a pass; 1 is what a device meets one by one.
    """

    device: str = "cpu"
    batch_size: int = 1
    repetitions: int = 50
    warmup: int = 10
    metric: ClassVar[str] = "latency_ms"
    needs_device: ClassVar[bool] = True

    def measure(self, network: nn.Module, signature: Signature) -> float:
        """Milliseconds, measured now; other work on the device slows it."""
        device = torch.device(self.device)
        network = network.to(device)
        inputs = example(network, signature, self.batch_size)

        def once() -> float:
            started = time.perf_counter()
            network(inputs)
            if device.type == "cuda":
                torch.cuda.synchronize(device)  # without it, the current GPU would be waited for
            return time.perf_counter() - started

        with torch.inference_mode(), in_evaluation(network):
            for _ in range(self.warmup):
                once()
            return statistics.median(once() for _ in range(self.repetitions)) * 1000


Result = TypeVar("Result")
Network = TypeVar("Network", bound=nn.Module)


def example(network: nn.Module, signature: Signature, batch_size: int) -> Tensor:
    """A batch of zeros as the network takes it, where the network lies: (batch_size, *input_shape)."""
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    kind = torch.int64 if signature.vocabulary else torch.float32
    return torch.zeros(batch_size, *signature.input_shape, dtype=kind, device=device)


def by_shapes(make: Callable[[], Network], measure: Callable[[Network], Result]) -> Result:
    """What `measure` says of a network, from shapes alone where that will do.

    On the `meta` device building and running cost nothing, but there are no numbers either: a constructor that reads
    some off a tensor can't run there, nor can a network that holds arrays of NumPy, or looks whether an input is
    finite. Such a network is built for real. If it runs on `meta` then, it is measured there, and else on the CPU.

    Raises:
        Exception: what `make` and `measure` raise on the CPU.
    """

    def shaped() -> Network:
        with torch.device("meta"):
            return make()

    def moved() -> Network:
        return make().to("meta")

    for attempt in (shaped, moved):
        with suppress(Exception):  # whatever it is: a network that is wrong says so on the CPU, in its own words
            return measure(attempt())
    return measure(make())


@contextmanager
def in_evaluation(network: nn.Module) -> Iterator[None]:
    """Inside, a network is in evaluation mode; afterwards each of its parts is in the mode from before, which of a part
    that the user froze is another than the network's."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        network.train(modes[network])
        for module, was_training in modes.items():
            module.training = was_training


@contextmanager
def _unfused(device: torch.device) -> Iterator[None]:
    """Inside, networks on the CPU run the operations that they run on the meta device.

    What is fused is one operation, which hides its products and what it holds from whoever watches.
    """
    if device.type == "meta":  # nothing is fused there, and the switches are the whole process'
        yield
        return
    attention, recurrent = torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.enabled
    torch.backends.mha.set_fastpath_enabled(False)
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment]  # `flags` would set TF32 too, and warn of it
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(attention)
        torch.backends.mkldnn.enabled = recurrent


class _LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Watches every tensor that is made: how many bytes are alive, and how many at most ever were."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._known = weakref.WeakSet(
            tensor.untyped_storage() for tensor in (*network.parameters(), *network.buffers())
        )

    def add(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage in self._known:
            return
        size = storage.nbytes()
        self._known.add(storage)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._free, size)

    def _free(self, size: int) -> None:
        self.now -= size

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, Tensor):
                self.add(leaf)
        return made
