"""Auto-Net's fully connected networks (Mendoza et al., 2016, table 1; SURVEY S2), as far as they are architecture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from archwright.core.choices import Choice, Integer, Real, Repeat
from archwright.core.errors import ArchwrightError
from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.spaces import ops
from archwright.spaces.graphs import Graph
from archwright.spaces.space import Space

Layer = dict[str, Any]
"""One decided layer: {"units", "activation": makes a module, "dropout", "initialization": one of INITIALIZATIONS}."""


class ScaledTanh(nn.Module):
    """outside * tanh(inside * x)."""

    def __init__(self, inside: float, outside: float) -> None:
        super().__init__()
        self.inside, self.outside = inside, outside

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, kept."""
        return self.outside * torch.tanh(self.inside * x)


INITIALIZATIONS: Mapping[str, Callable[[Tensor], Any]] = {
    "normal": partial(nn.init.normal_, std=0.1),
    "uniform": partial(nn.init.uniform_, a=-0.1, b=0.1),
    "glorot_normal": nn.init.xavier_normal_,
    "glorot_uniform": nn.init.xavier_uniform_,
    "he_normal": nn.init.kaiming_normal_,
    "he_uniform": nn.init.kaiming_uniform_,
    "orthogonal": nn.init.orthogonal_,
    "sparse": partial(nn.init.sparse_, sparsity=0.5),
}


class AutoNet(nn.Module):
    """Linear layer, activation, dropout, as often as there are layers; dropout and a linear layer at the end."""

    def __init__(self, signature: Signature, layers: Sequence[Layer], output_dropout: float) -> None:
        super().__init__()
        if signature.vocabulary:
            raise ArchwrightError(
                f"this space builds networks for numbers, but the task's examples, of shape {signature.input_shape}, "
                "are tokens; for text there are darts_rnn (--space darts_rnn) and enas_rnn; else give a space of your "
                "own: archwright.Space(YourModule, ...)"
            )
        wide = prod(signature.input_shape)
        body: list[nn.Module] = [nn.Flatten()]
        for layer in layers:
            units = signature.channels(layer["units"])
            linear = nn.Linear(wide, units)
            INITIALIZATIONS[layer["initialization"]](linear.weight)
            body += [linear, layer["activation"](), nn.Dropout(layer["dropout"])]
            wide = units
        self.body = nn.Sequential(*body, nn.Dropout(output_dropout), nn.Linear(wide, signature.outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, ...) -> (batch, outputs)."""
        return self.body(x)  # type: ignore[no-any-return]

    @staticmethod
    def graph(layers: Sequence[Layer], output_dropout: float) -> Graph:
        """A path."""
        names = [
            f"dense/units={layer['units']}/{ops.op_label(layer['activation'])}/dropout={layer['dropout']}"
            f"/{layer['initialization']}"
            for layer in layers
        ]
        labels = ("input", *names, f"output/dropout={output_dropout}")
        return Graph(labels, tuple((index, index + 1, "") for index in range(len(labels) - 1)))


@part
def autonet(max_layers: int = 6, units: tuple[int, int] = (64, 4096), max_dropout: float = 0.99) -> Space:
    """Auto-Net's space: up to `max_layers` fully connected layers, each with units, activation, dropout and initial
    weights of its own; the settings of an activation are open only where it is taken.

    Images are flattened. Batch size, number of updates, solver, learning rate and its policy, and L2 are decisions in
    the paper too; here they are the estimator's, the same for all architectures. Of the paper's initialisations
    `constant` is missing, under which units of a layer stay equal for ever.
    """

    def with_settings(make: Any, **settings: Any) -> Any:
        return partial(make, **settings)

    activation = Choice(
        nn.Sigmoid,
        nn.Tanh,
        with_settings(ScaledTanh, inside=Real(0.5, 1.0), outside=Real(1.1, 3.0)),
        nn.ELU,
        nn.ReLU,
        with_settings(nn.LeakyReLU, negative_slope=Real(0.01, 0.99)),
        nn.Identity,
    )
    layer = {
        "units": Integer(*units, log=True),
        "activation": activation,
        "dropout": Real(0.0, max_dropout),
        "initialization": Choice(*INITIALIZATIONS),
    }
    return Space(AutoNet, layers=Repeat(layer, times=Integer(1, max_layers)), output_dropout=Real(0.0, max_dropout))
