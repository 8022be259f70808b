"""The open network: the network of a space with its choices left open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from archwright.core.architecture import Architecture, Value
from archwright.core.choices import BadSpace, Open, label
from archwright.core.errors import ArchwrightError
from archwright.core.signature import Signature
from archwright.spaces.opening import Make, Undecided, opened
from archwright.spaces.operators import trace
from archwright.spaces.space import Space
from archwright.supernets.mixed import Mixed, OpenChoice

if TYPE_CHECKING:
    from archwright.spaces.opening import Weight


class OpenNetwork(nn.Module):
    """A supernet: what the space's factory builds when nothing is decided. All architectures share its weights.

    What it computes is set by `decide` (one architecture: its forward then is that of the standalone network) or by
    `mix` (weights over the candidates). At first every candidate takes part with an equal share.

    Args:
        affine: whether the candidates' batch-norms learn a scale and a shift. DARTS and its kin search without, so that
            a scale can't do what the weights over candidates should (Liu et al., 2019b, appendix A.1).
        make: what stands for each open choice and, called as an op, makes its module.

    Attributes:
        network: what the factory built.
        choices: what is open, by decision name, in the order of the declaration; shared objects once.

    Raises:
        BadSpace: the factory can't be built with its choices left open; says which one it met.
    """

    def __init__(self, space: Space, signature: Signature, affine: bool = True, make: Make = OpenChoice) -> None:
        super().__init__()
        self.space, self.signature, self.affine = space, signature, affine
        arguments, self._named = opened(space, make)
        self.choices: dict[str, Undecided] = {
            choice.name: choice for name, choice in self._named.items() if name == choice.name
        }
        self.network = _build(space, signature, arguments)
        if not affine:
            for mixed in self.mixed:
                for module in mixed.candidates.modules():
                    if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.affine:
                        module.weight.requires_grad_(False)
                        module.bias.requires_grad_(False)

    def forward(self, *inputs: Tensor) -> Any:
        """What the factory's network computes, with the choices as they are set now."""
        return self.network(*inputs)

    @property
    def mixed(self) -> list[Mixed]:
        """Every open op, in the order of the network's modules."""
        return [module for module in self.network.modules() if isinstance(module, Mixed)]

    def open(self) -> None:
        """Every candidate takes part with an equal share."""
        for choice in self.choices.values():
            choice.open()

    def decide(self, architecture: Architecture) -> None:
        """From now on the network computes this architecture.

        Raises:
            BadArchitecture: it is none of the space's.
        """
        self.space.resolve(architecture)
        for choice in self.choices.values():
            choice.weights = {}

        def read(name: str, _: Open) -> Value:
            self._named[name].decide(architecture[name])
            return architecture[name]

        self.space.walk(read)

    def mix(self, weights: Mapping[str, Mapping[int, Weight] | Iterable[Weight]]) -> None:
        """From now on the candidates of the named choices take part with these weights; other choices stay as set."""
        for name, given in weights.items():
            self._named[name].mix(given)

    def architecture(self, decide: Any) -> Architecture:
        """The architecture that a walk names in which `decide(choice: Undecided)` answers for each decision."""
        return trace(self.space, lambda name, _: decide(self._named[name]))

    def weights_of(self, architecture: Architecture, standalone: nn.Module) -> dict[str, Tensor]:
        """The state of an architecture's own network, taken from the shared weights.

        Args:
            standalone: a network of that architecture; it says which names there are, and is not changed.

        Raises:
            ArchwrightError: it has a tensor that this network has not, by name or by shape.
        """
        self.decide(architecture)
        prefixes = {}
        for path, module in self.network.named_modules():
            if isinstance(module, Mixed) and len(module.choice.weights) == 1:
                (option,) = module.choice.weights
                prefixes[f"{path}.candidates.{option}."] = f"{path}."
        shared: dict[str, Tensor] = {}
        for name, tensor in self._state().items():
            for prefix in sorted(prefixes, key=len, reverse=True):  # the innermost first: what is outside stays valid
                if name.startswith(prefix):
                    name = prefixes[prefix] + name[len(prefix) :]
            shared[name] = tensor
        wanted = standalone.state_dict()
        for name, tensor in wanted.items():
            if name not in shared or shared[name].shape != tensor.shape:
                raise ArchwrightError(
                    f"the open network has no weights for {name} {tuple(tensor.shape)} of the standalone one: a "
                    "factory has to name its modules alike, whatever is decided"
                )
        return {name: shared[name] for name in wanted}

    def standalone(self, architecture: Architecture) -> nn.Module:
        """An architecture's own network, with copies of the shared weights."""
        network = self.space.build(architecture, self.signature)
        reference = next(self.network.parameters(), torch.empty(0))
        network.to(device=reference.device, dtype=reference.dtype)
        network.load_state_dict(self.weights_of(architecture, network))
        network.train(self.training)
        return network

    def _state(self) -> dict[str, Tensor]:
        """The state of `network`; elastic layers give what they compute with now."""
        state = self.network.state_dict()
        for path, module in self.network.named_modules():
            if hasattr(module, "current_state"):
                state.update({f"{path}.{name}": tensor for name, tensor in module.current_state().items()})
        return state


def _build(space: Space, signature: Signature, arguments: dict[str, Any]) -> nn.Module:
    try:
        network: nn.Module = (
            space.factory(signature, **arguments) if space.takes_signature else space.factory(**arguments)
        )
    except ArchwrightError:
        raise
    except Exception as error:
        raise BadSpace(
            f"{label(space.factory)} can't be built with its choices left open ({type(error).__name__}: {error}). Ops "
            "are to be called, `op(...)`; for other choices see archwright.spaces.opening"
        ) from error
    return network
