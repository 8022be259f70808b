"""The candidates of DARTS that read one tensor as one operation, by kernels of our own (see `kernels`).

Candidates that the kernels don't know are computed by PyTorch and added. Kept for backward are the convolutions'
outputs, and little else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from archwright.supernets import kernels
from archwright.supernets.mixing import Reading, Term
from archwright.supernets.norms import Norms
from archwright.supernets.recognising import Candidate, recognised

if TYPE_CHECKING:
    from archwright.spaces.opening import Weight


def mixtures(several: Sequence[Sequence[Term]], x: Tensor) -> list[Tensor]:
    """The weighted sum of each of several lists of candidates, all of which read `x`.

    Returns:
        One (batch, out_channels, height, width) a list.
    """
    reading = Reading(x)
    split = [_split(terms, x) for terms in several] if kernels.usable(x) else []
    known = [edge for edge, _ in split if edge]
    plan = Plan([[candidate for candidate, _ in edge] for edge in known])
    if not plan.fits(x):
        return [reading.mixture(terms) for terms in several]
    weights = _stacked([weight for edge in known for _, weight in edge], x)
    dense = x.contiguous(memory_format=torch.channels_last)
    made = iter(_Fused.apply(plan, dense, weights, *plan.parameters))  # type: ignore[no-untyped-call]
    return [reading.mixture(left, next(made) if edge else None) for edge, left in split]


class Plan:
    """What one call of the kernels computes: candidates by edge.

    Attributes:
        terms: the candidates of all edges; weights, outputs and rows of numbers are in this order.
        rows: where in it the candidates of each edge stand.
        first: those that have convolutions, by their place in it; `second`: those that have two.
        same: those that are the input itself.
        pools: whether the mean is taken, and the pools that do.
    """

    def __init__(self, edges: Sequence[Sequence[Candidate]]) -> None:
        self.terms = [candidate for edge in edges for candidate in edge]
        ends = [sum(map(len, edges[: place + 1])) for place in range(len(edges))]
        self.rows = [slice(end - len(edge), end) for end, edge in zip(ends, edges, strict=True)]
        self.edge_of = [place for place, edge in enumerate(edges) for _ in edge]
        places = list(enumerate(self.terms))
        self.first = [place for place, term in places if term.convolutions]
        self.second = [place for place in self.first if len(self.terms[place].convolutions) == 2]
        self.same = [place for place, term in places if term.norm is None]
        pools = [(mean, [place for place, term in places if term.takes_mean is mean]) for mean in (False, True)]
        self.pools = [(mean, found) for mean, found in pools if found]
        self.stride = self.terms[0].stride if self.terms else 1
        self.first_weights = [self.terms[place].convolutions[0].weights for place in self.first]
        self.second_weights = [self.terms[place].convolutions[1].weights for place in self.second]

    @cached_property
    def inner(self) -> list[nn.BatchNorm2d | None]:
        """The batch-norms between two convolutions."""
        return [self.terms[place].convolutions[0].norm for place in self.second]

    @cached_property
    def outer(self) -> list[nn.BatchNorm2d | None]:
        """The batch-norms at the end of the terms."""
        return [term.norm for term in self.terms]

    @cached_property
    def norms(self) -> list[nn.BatchNorm2d]:
        """All batch-norms."""
        return [norm for norm in self.inner + self.outer if norm is not None]

    @cached_property
    def parameters(self) -> list[Tensor]:
        """What a gradient may be asked for: both weights of the first convolutions and of the second, then of norms."""
        firsts = [self.terms[place].convolutions[0] for place in self.first]
        seconds = [self.terms[place].convolutions[1] for place in self.second]
        weights = [tensor for one in firsts + seconds for tensor in (one.depth.weight, one.point.weight)]
        return weights + [tensor for norm in self.norms if norm.affine for tensor in (norm.weight, norm.bias)]

    def fits(self, x: Tensor) -> bool:
        """Whether the kernels compute it: with the statistics of the batch, or without gradients."""
        training = {norm.training for norm in self.norms}
        return (
            bool(self.first)
            and (training == {True} or (training == {False} and not torch.is_grad_enabled()))
            and all(norm.running_mean is not None for norm in self.norms)
            and all(parameter.dtype == x.dtype for parameter in self.parameters)
            and all(term.stride == self.stride for term in self.terms)
            and (training == {False} or x.shape[0] * math.prod(kernels.out_size(x, self.stride)) > 1)
        )

    def plain(self, x: Tensor, weights: Tensor) -> list[Tensor]:
        """The same by PyTorch. Running statistics stay as they are."""
        reading = Reading(x, keeps=False)
        terms = [(term.modules, weight) for term, weight in zip(self.terms, weights.unbind(), strict=True)]
        return [reading.mixture(terms[rows]) for rows in self.rows]


class _Fused(torch.autograd.Function):
    """forward(plan, x, weights of the terms, *plan.parameters) -> the weighted sum of each edge."""

    @staticmethod
    def forward(ctx: Any, plan: Plan, x: Tensor, weights: Tensor, *parameters: Tensor) -> tuple[Tensor, ...]:
        channels, terms = x.shape[1], range(len(plan.terms))
        # what the batch-norm at each term's end reads (the input itself, where there is none), and its moments
        outputs = [x for _ in terms]
        mean, variance = [x.new_zeros(channels) for _ in terms], [x.new_ones(channels) for _ in terms]
        made, means, variances = kernels.separable(x, None, None, plan.first_weights, plan.stride)
        for place, *found in zip(plan.first, made, means.unbind(), variances.unbind(), strict=True):
            outputs[place], mean[place], variance[place] = found
        for takes_mean, places in plan.pools:
            pooled = kernels.pool(x, takes_mean, plan.stride)
            for place in places:
                outputs[place], mean[place], variance[place] = pooled
        numbers = outputs[plan.first[0]].numel() // channels
        between = [outputs[place] for place in plan.second]
        of_second = ([found[place] for place in plan.second] for found in (mean, variance))
        inner = Norms(plan.inner, channels, next(of_second), next(of_second), numbers)
        scale, shift = (part.to(x.dtype) for part in inner.scale_and_shift())
        for row, place in enumerate(plan.second):
            (outputs[place],), (mean[place],), (variance[place],) = kernels.separable(
                between[row], scale[row], shift[row], plan.second_weights[row : row + 1]
            )
        outer = Norms(plan.outer, channels, mean, variance, numbers)
        slope, level = outer.scale_and_shift(weights.double()[:, None])
        sums = [
            kernels.weighted_sum(outputs[rows], slope[rows].to(x.dtype), level[rows].sum(0).to(x.dtype))
            for rows in plan.rows
        ]
        if plan.norms[0].training:
            inner.keep()
            outer.keep()
        ctx.plan, ctx.inner, ctx.outer = plan, inner, outer
        ctx.save_for_backward(x, weights, *parameters, *between, *outputs)
        return tuple(sums)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        plan: Plan = ctx.plan
        x, weights, *saved = ctx.saved_tensors
        parameters, saved = saved[: len(plan.parameters)], saved[len(plan.parameters) :]
        if (
            torch.is_grad_enabled()
        ):  # the gradient will be differentiated, which PyTorch does with operations of its own
            asked = [tensor for tensor in (x, weights, *parameters) if tensor.requires_grad]
            sums = plan.plain(x, weights)
            found = torch.autograd.grad(sums, asked, gradients, create_graph=True, allow_unused=True)
            by_tensor = dict(zip(map(id, asked), found, strict=True))
            return None, *(by_tensor.get(id(tensor)) for tensor in (x, weights, *parameters))
        between, outputs = saved[: len(plan.inner)], saved[len(plan.inner) :]
        inner: Norms = ctx.inner
        outer: Norms = ctx.outer
        learns = any(_is_asked_for(parameter) for parameter in parameters)
        behind = [gradient.contiguous(memory_format=torch.channels_last) for gradient in gradients]

        # the weighted sums, and the batch-norms at the end
        total, product = torch.empty_like(outer.mean), torch.empty_like(outer.mean)
        for rows, gradient in zip(plan.rows, behind, strict=True):
            total[rows], product[rows] = kernels.inner_products(gradient, outputs[rows], outer.mean[rows].to(x.dtype))
        product *= outer.rate
        weight = weights.double()[:, None]
        of_weights = (outer.scale * product + outer.shift * total).sum(1).to(weights.dtype)
        of_scale, of_shift = list(weight * product), list(weight * total)
        slope, curve, level = (part.to(x.dtype) for part in outer.backward(total, product, weight))
        reads = [behind[edge] for edge in plan.edge_of]

        # what reaches x without a convolution
        gx = kernels.weighted_sum([reads[place] for place in plan.same], slope[plan.same]) if plan.same else None
        for takes_mean, places in plan.pools:
            pooled = kernels.weighted_sum(
                [*(reads[place] for place in places), outputs[places[0]]],
                torch.cat([slope[places], curve[places].sum(0, keepdim=True)]),
                level[places].sum(0),
            )
            gx = torch.zeros_like(x) if gx is None else gx
            kernels.pool_backward(x, takes_mean, plan.stride, pooled, gx)

        # second convolutions, and the batch-norms before them
        of_second: list[tuple[Tensor, Tensor]] = []
        totals, products = torch.empty_like(inner.mean), torch.empty_like(inner.mean)
        scale, shift = (part.to(x.dtype) for part in inner.scale_and_shift())
        centre = inner.mean.to(x.dtype)
        for row, place in enumerate(plan.second):
            reads[place], made, totals[row], products[row] = kernels.separable_backward(
                between[row], scale[row], shift[row], plan.second_weights[row : row + 1], 1, [reads[place]],
                [outputs[place]], (slope[place], curve[place], level[place]), learns, mean=centre[row],
            )  # fmt: skip
            of_second += made
            outputs[place] = between[row]
        products *= inner.rate
        slope[plan.second], curve[plan.second], level[plan.second] = (
            part.to(x.dtype) for part in inner.backward(totals, products)
        )

        # first convolutions
        gx, of_first, _, _ = kernels.separable_backward(
            x, None, None, plan.first_weights, plan.stride, [reads[place] for place in plan.first],
            [outputs[place] for place in plan.first], (slope[plan.first], curve[plan.first], level[plan.first]), learns,
            into=gx,
        )  # fmt: skip

        if not learns:
            return None, gx, of_weights, *(None for _ in parameters)
        of_norms = zip(plan.inner + plan.outer, [*products, *of_scale], [*totals, *of_shift], strict=True)
        affine = [part.to(x.dtype) for norm, *parts in of_norms if norm is not None and norm.affine for part in parts]
        return None, gx, of_weights, *(part for pair in of_first + of_second for part in pair), *affine


def _is_asked_for(parameter: Tensor) -> bool:
    """Whether the backward that runs now is to find this tensor's gradient.

    An architecture step differentiates for the relaxation alone. PyTorch's own functions are told so; those written
    in Python have to look.
    """
    look = getattr(torch._C, "_will_engine_execute_node", None)
    if look is None or not parameter.requires_grad:
        return parameter.requires_grad
    try:
        return bool(look(torch.autograd.graph.get_gradient_edge(parameter).node))
    except RuntimeError:  # asked for by name
        return True


def _stacked(weights: Sequence[Weight], x: Tensor) -> Tensor:
    """(terms,), of x's type."""
    return torch.stack(
        [weight.to(x).reshape(()) if isinstance(weight, Tensor) else x.new_tensor(weight) for weight in weights]
    )


def _split(terms: Sequence[Term], x: Tensor) -> tuple[list[tuple[Candidate, Weight]], list[Term]]:
    """The candidates that the kernels know, and the others; where they know identities only, all are others."""
    known: list[tuple[Candidate, Weight]] = []
    left: list[Term] = []
    for modules, weight in terms:
        candidate = recognised(modules, x.shape[1])
        if candidate is None:
            left.append((modules, weight))
        else:
            known.append((candidate, weight))
    return (known, left) if any(candidate.norm for candidate, _ in known) else ([], list(terms))
