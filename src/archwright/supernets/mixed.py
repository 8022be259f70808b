"""An op left open: a module that holds every candidate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from archwright.spaces.opening import Undecided
from archwright.spaces.ops import add
from archwright.supernets.fused import mixtures
from archwright.supernets.mixing import Term, chain, scaled, unwatched

if TYPE_CHECKING:
    from archwright.spaces.opening import Weight


class OpenChoice(Undecided):
    """A choice left open; where the factory calls it as an op, it makes a `Mixed` of all its candidates."""

    def __call__(self, *args: Any, **kwargs: Any) -> nn.Module:
        """The module that any of the candidates would make.

        Raises:
            TypeError: the options are no ops.
        """
        for option in self.options:
            if not callable(option):
                raise TypeError(f"{self.name} is left open, and its option {option!r} is no op to be called")
        return Mixed(self, [option(*args, **kwargs) for option in self.options])


class Mixed(nn.Module):
    """All candidates of an open op. It computes those that have a weight now, and sums them.

    All of them read one tensor, so that none may write over what it reads: `inplace` is False in all their modules.
    """

    def __init__(self, choice: OpenChoice, candidates: list[nn.Module]) -> None:
        super().__init__()
        self.choice = choice
        self.candidates = nn.ModuleList(candidates)
        for module in self.candidates.modules():
            if getattr(module, "inplace", False) is True:
                module.inplace = False  # type: ignore[assignment]

    def forward(self, *inputs: Tensor) -> Tensor:
        """The weighted sum of what the candidates give; of a decided op the candidate's output itself."""
        if len(inputs) == 1:
            return mixtures([self._terms()], inputs[0])[0]
        return add([scaled(candidate(*inputs), weight) for candidate, weight in self._weighted()])

    @staticmethod
    def at_once(modules: Sequence[nn.Module], x: Tensor) -> list[Tensor]:
        """What several ops, open or not, make of one tensor; the open ones share what their candidates share."""
        shared = [module for module in modules if isinstance(module, Mixed) and unwatched(module)]
        made = dict(zip(map(id, shared), mixtures([module._terms() for module in shared], x), strict=True))
        return [made[id(module)] if id(module) in made else module(x) for module in modules]

    def _terms(self) -> list[Term]:
        return [(chain(candidate), weight) for candidate, weight in self._weighted()]

    def _weighted(self) -> list[tuple[nn.Module, Weight]]:
        """The candidates that take part now."""
        weighted = [(self.candidates[option], weight) for option, weight in self.choice.weights.items()]
        if not weighted:
            raise RuntimeError(f"{self.choice.name} has no candidate to compute: nothing was decided for it")
        return weighted
