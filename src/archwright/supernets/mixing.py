"""Weighted sums of candidates that read one tensor, computed together: what they have in common is computed once.

Mathematically nothing changes. A rectified or pooled input is shared, and the weight of a candidate that ends in
batch-norm goes into the scale of that batch-norm: no pass over its output is needed for it, and no copy kept.
Candidates are told by the types of their modules; whatever is not known is called as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, TypeGuard, TypeVar

from torch import Tensor, nn
from torch.nn import functional

from archwright.spaces.ops import Zero

if TYPE_CHECKING:
    from archwright.spaces.opening import Weight

Kind = TypeVar("Kind", bound=nn.Module)

Term = tuple[Sequence[nn.Module], "Weight"]
"""A candidate as the modules it calls one after the other, and its weight."""


def chain(module: nn.Module) -> list[nn.Module]:
    """The modules that a module calls one after the other: those in a Sequential, or itself."""
    if type(module) is nn.Sequential and unwatched(module):
        return [inner for part in module for inner in chain(part)]
    return [module]


def unwatched(module: nn.Module) -> bool:
    """Whether nobody listens to its calls, so that it need not be called to compute what it does."""
    return not (
        module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
    )


def is_a(module: nn.Module, kind: type[Kind]) -> TypeGuard[Kind]:
    """Whether a module is exactly of that kind, and may be computed without calling it."""
    return type(module) is kind and unwatched(module)


class Reading:
    """What the candidates that read `x` have in common.

    Args:
        keeps: whether batch-norms' running statistics are updated; they have been, where something is computed again.
    """

    def __init__(self, x: Tensor, keeps: bool = True) -> None:
        self.x, self.keeps = x, keeps
        self._made: dict[Hashable, Tensor] = {}

    def mixture(self, terms: Sequence[Term], total: Tensor | None = None) -> Tensor:
        """The weighted sum of some candidates, and of what is given: (batch, out_channels, height, width)."""
        counting = [term for term in terms if not _is_zero(term[0])]
        for modules, weight in counting or (terms[:1] if total is None else []):
            made = self._weighted(modules, weight)
            total = made if total is None else total + made
        assert total is not None
        return total

    def _weighted(self, modules: Sequence[nn.Module], weight: Weight) -> Tensor:
        made, left = self._begun(modules)
        for module in left[:-1]:
            made = self._called(module, made)
        if left and is_a(left[-1], nn.BatchNorm2d):
            return self._called(left[-1], made, weight)
        return scaled(self._called(left[-1], made) if left else made, weight)

    def _called(self, module: nn.Module, x: Tensor, weight: Weight = 1.0) -> Tensor:
        if is_a(module, nn.BatchNorm2d) and not (is_one(weight) and self.keeps):
            return normalized(module, x, weight, self.keeps)
        return module(x)  # type: ignore[no-any-return]

    def _begun(self, modules: Sequence[nn.Module]) -> tuple[Tensor, Sequence[nn.Module]]:
        """What the first modules make of `x`, as far as it is shared, and the modules that are left."""
        first = modules[0] if modules else nn.Identity()
        if is_a(first, nn.ReLU):
            return self._once("relu", lambda: functional.relu(self.x)), modules[1:]
        if is_a(first, nn.MaxPool2d) or is_a(first, nn.AvgPool2d):
            settings = (type(first), first.extra_repr(), getattr(first, "count_include_pad", None))
            return self._once(settings, lambda: first(self.x)), modules[1:]
        return self.x, modules

    def _once(self, name: Hashable, make: Callable[[], Tensor]) -> Tensor:
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]


def is_one(weight: Weight) -> bool:
    """Whether it is the weight of what is decided, which is not multiplied with."""
    return isinstance(weight, float) and weight == 1.0


def scaled(x: Tensor, weight: Weight) -> Tensor:
    """weight * x."""
    return x if is_one(weight) else weight * x


def normalized(norm: nn.BatchNorm2d, x: Tensor, weight: Weight, keeps: bool = True) -> Tensor:
    """weight * norm(x), with its running statistics kept as if it had been called."""
    if norm.affine:
        scale, shift = weight * norm.weight, weight * norm.bias
    else:
        precise = x.dtype if norm.running_mean is None else norm.running_mean.dtype  # x may be of a shorter type
        ones = x.new_ones(x.shape[1], dtype=precise)
        scale, shift = weight * ones, None
    keeps = keeps and norm.track_running_stats
    uses_batch = norm.training or norm.running_mean is None
    mean, variance = (norm.running_mean, norm.running_var) if keeps or not uses_batch else (None, None)
    factor = momentum_of(norm) if keeps and norm.training else 0.0
    return functional.batch_norm(x, mean, variance, scale, shift, uses_batch, factor, norm.eps)


def momentum_of(norm: nn.BatchNorm2d) -> float:
    """The share of a new batch in the running statistics; counts that batch, as a call in training does."""
    if norm.num_batches_tracked is None:
        return norm.momentum or 0.0
    norm.num_batches_tracked.add_(1)
    return 1.0 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum


def _is_zero(modules: Sequence[nn.Module]) -> bool:
    return len(modules) == 1 and is_a(modules[0], Zero)
