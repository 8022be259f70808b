"""The space of NASH and LEMONADE (Elsken et al., 2017, 2019; SURVEY S24): whole networks that grow by morphisms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from torch import nn

from archwright.core.choices import Choice, Integer, Repeat
from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.spaces.graphs import Graph
from archwright.spaces.grown import OPS, Grown, check_rising, next_larger
from archwright.spaces.images import image_channels
from archwright.spaces.space import Space
from archwright.spaces.steps import Blend, Dense, Flatten, Pool, Rectify

Layer = dict[str, Any]
"""One decided layer: {"op", "kernel", "width", "branch", "skip"}; of these, "branch" is None or
{"merge", "op", "kernel"} with a "width" of its own if it is concatenated, and "skip" None or {"merge", "source"}."""

Stages = Sequence[list[Layer]]


class Growing(Grown):
    """Stages of layers; between them 2x2 max pooling, after them global average pooling and a linear layer.

    A layer is convolution, batch-norm and ReLU. Its output may be merged with that of a branch, a second layer of the
    same input, and then with a skip, an earlier tensor of its stage (0 is what the stage reads, n what layer n made):
    by concatenation, or by a sum with learnt weights (`Blend`) and ReLU.
    """

    def __init__(self, signature: Signature, stages: Stages, widths: Sequence[int], kernels: Sequence[int]) -> None:
        super().__init__(image_channels(signature))
        x = self.layer(("stem", 0), "conv", 3, signature.channels(widths[0]), 0)
        for number, layers in enumerate(stages):
            if number > 0:
                pool = Pool("max_2", nn.MaxPool2d(2, ceil_mode=True))
                x = self.step((f"pool {number}", 0), pool, x)
            made = [x]
            for block, layer in enumerate(layers):
                made.append(self._block((f"stage {number}", block), signature, layer, made))
            x = made[-1]
        x = self.step(("head", 0, "pool"), Pool("mean", nn.AdaptiveAvgPool2d(1)), x)
        x = self.step(("head", 0, "flat"), Flatten(1), x)
        self.step(("head", 0, "linear"), Dense(self.widths[x], signature.outputs), x, width=signature.outputs)

    def _block(self, key: tuple[str, int], signature: Signature, layer: Layer, made: list[int]) -> int:
        width = signature.channels(layer["width"])
        x = self.layer((*key, "main"), layer["op"], layer["kernel"], width, made[-1])
        branch, skip = layer["branch"], layer["skip"]
        if branch is not None:
            wide = signature.channels(branch["width"]) if "width" in branch else width
            here = (*key, f"branch {branch['merge']}")
            side = self.layer(here, branch["op"], branch["kernel"], wide, made[-1], aside=True)
            x = self._merged((*key, "branch"), branch["merge"], x, side, project=False)
        if skip is not None:
            x = self._merged((*key, "skip"), skip["merge"], x, made[skip["source"]], project=True)
        return x

    def _merged(self, key: tuple[Any, ...], merge: str, x: int, side: int, project: bool) -> int:
        if merge == "concat":
            return self.join((*key, "concat"), x, side)
        blend = Blend([self.widths[x], self.widths[side]], [1] if project else [])
        return self.step((*key, "relu"), Rectify(), self.step((*key, "sum"), blend, x, side))

    @staticmethod
    def graph(stages: Stages, widths: Sequence[int], kernels: Sequence[int]) -> Graph:
        """A vertex a layer, a branch, a merge and a pooling."""
        labels, edges = ["input"], list[tuple[int, int, str]]()

        def vertex(label: str, *reads: tuple[int, str]) -> int:
            labels.append(label)
            edges.extend((source, len(labels) - 1, text) for source, text in reads)
            return len(labels) - 1

        x = vertex(f"stem/{widths[0]}", (0, ""))
        for number, layers in enumerate(stages):
            x = vertex("max_pool", (x, "")) if number > 0 else x
            made = [x]
            for layer in layers:
                x = vertex(_label(layer, layer["width"]), (made[-1], ""))
                branch, skip = layer["branch"], layer["skip"]
                if branch is not None:
                    side = vertex(_label(branch, branch.get("width", layer["width"])), (made[-1], ""))
                    x = vertex(branch["merge"], (x, "main"), (side, "branch"))
                if skip is not None:
                    x = vertex(skip["merge"], (x, "main"), (made[skip["source"]], "skip"))
                made.append(x)
            x = made[-1]
        vertex("output", (x, ""))
        return Graph(tuple(labels), tuple(edges))

    @staticmethod
    def morphs(stages: Stages, widths: Sequence[int], kernels: Sequence[int]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each change of one layer, or a layer more; numbers move to the next one that the space offers."""
        for number, (layers, made) in enumerate(zip(stages, _tensor_widths(stages, widths), strict=True)):

            def changed_to(grown: list[Layer], number: int = number) -> dict[str, Any]:
                return {
                    "stages": [*stages[:number], grown, *stages[number + 1 :]],
                    "widths": widths,
                    "kernels": kernels,
                }

            for place, incoming in enumerate(made):
                wide = [width for width in widths if width >= incoming][:1]
                for op, kernel, width in product(OPS, kernels, wide):
                    new = {"op": op, "kernel": kernel, "width": width, "branch": None, "skip": None}
                    later = [_after_insertion(layer, place) for layer in layers[place:]]
                    yield "deepen", changed_to([*layers[:place], new, *later])
            for place, layer in enumerate(layers):
                for kind, changed in _changes(layer, place, widths, kernels):
                    yield kind, changed_to([*layers[:place], changed, *layers[place + 1 :]])


def _changes(layer: Layer, place: int, widths: Sequence[int], kernels: Sequence[int]) -> Iterator[tuple[str, Layer]]:
    """The function-preserving changes of one layer, which is number `place` of its stage."""
    numbers = (("widen", "width", widths), ("kernel", "kernel", kernels))
    for kind, name, offered in numbers:
        for value in next_larger(offered, layer[name]):
            yield kind, layer | {name: value}
    if layer["branch"] is not None:
        for kind, name, offered in numbers:
            for value in next_larger(offered, layer["branch"].get(name, offered[-1])):
                yield kind, layer | {"branch": layer["branch"] | {name: value}}
    else:
        for op, kernel in product(OPS, kernels):
            yield "branch", layer | {"branch": {"merge": "sum", "op": op, "kernel": kernel}}
            yield "branch", layer | {"branch": {"merge": "concat", "op": op, "kernel": kernel, "width": widths[0]}}
    if layer["skip"] is None:
        for source in range(place + 1):
            yield "skip", layer | {"skip": {"merge": "sum", "source": source}}
            yield "concat", layer | {"skip": {"merge": "concat", "source": source}}


def _after_insertion(layer: Layer, place: int) -> Layer:
    """A layer behind one that was inserted in front of number `place`: the tensors behind that have moved up by one."""
    skip = layer["skip"]
    if skip is None or skip["source"] <= place:
        return layer
    return layer | {"skip": skip | {"source": skip["source"] + 1}}


def _tensor_widths(stages: Stages, widths: Sequence[int]) -> list[list[int]]:
    """For each stage the channels of what it reads, and of what each of its layers makes."""
    wide, last = [], widths[0]
    for layers in stages:
        made = [last]
        for layer in layers:
            branch, skip = layer["branch"], layer["skip"]
            last = layer["width"] + (branch or {}).get("width", 0)
            last += made[skip["source"]] if skip is not None and skip["merge"] == "concat" else 0
            made.append(last)
        wide.append(made)
    return wide


def _label(layer: Layer, width: int) -> str:
    return f"{layer['op']}_{layer['kernel']}x{layer['kernel']}/{width}"


@part
def growing(
    stages: int = 3, max_layers: int = 4, widths: Sequence[int] = (16, 32, 64, 128), kernels: Sequence[int] = (3, 5)
) -> Space:
    """Networks that grow: `stages` of 1 to `max_layers` convolutions, plain or separable, with branches and skips.

    The changes are those of NASH (Elsken et al., 2017, section 3.2): insert a layer, widen one, add a skip by a sum or
    by concatenation; and larger kernels and parallel branches. The papers' spaces have no bounds; here they are
    bounded, so that any strategy can search them. Kernels, widths and bounds are ours.

    Args:
        widths: of a layer, in rising order; the first is the stem's.
        kernels: sides, odd and in rising order.
    """
    check_rising(widths=widths, kernels=kernels)

    def layer(place: int) -> Layer:
        summed = {"merge": "sum", "op": Choice(*OPS), "kernel": Choice(*kernels)}
        joined = {"merge": "concat", "op": Choice(*OPS), "kernel": Choice(*kernels), "width": Choice(*widths)}
        skips = [{"merge": merge, "source": Choice(*range(place + 1))} for merge in ("sum", "concat")]
        return {
            "op": Choice(*OPS),
            "kernel": Choice(*kernels),
            "width": Choice(*widths),
            "branch": Choice(None, summed, joined),
            "skip": Choice(None, *skips),
        }

    bodies = [layer(place) for place in range(max_layers)]
    declared = [Repeat.each(bodies, times=Integer(1, max_layers)) for _ in range(stages)]
    return Space(Growing, stages=declared, widths=tuple(widths), kernels=tuple(kernels))
