"""A network of one node that reads some of three states, small enough to be written out in a test."""

import torch
from torch import nn

import archwright as aw
from archwright.core.choices import Choice, Subset
from archwright.spaces.opening import every, taken

SIGNATURE = aw.Signature((1, 5, 5), 3)


def pointwise(in_channels, out_channels, stride=1):
    return nn.Conv2d(in_channels, out_channels, 1, stride)


def squashed(in_channels, out_channels, stride=1):
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, stride, padding=1), nn.Tanh())


class Reader(nn.Module):
    """reads: a Subset of {"source": 0, 1 or 2, "op": an op}."""

    def __init__(self, signature, reads, width=8):
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding=1)
        self.reads = reads
        self.edges = nn.ModuleDict({str(item["source"]): item["op"](width, width, 1) for item in every(reads)})
        self.head = nn.Linear(width, signature.outputs)

    def states(self, x):
        stem = self.stem(x)
        return [stem, torch.tanh(stem), torch.sin(2 * stem)]

    def forward(self, x):
        states = self.states(x)
        reads = [weight * self.edges[str(item["source"])](states[item["source"]]) for item, weight in taken(self.reads)]
        return self.head(torch.stack(reads).sum(0).mean((2, 3)))


def space(size=2):
    return aw.Space(
        Reader, reads=Subset(size, *({"source": source, "op": Choice(pointwise, squashed)} for source in range(3)))
    )


def batch(seed, examples=6):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(examples, 1, 5, 5, dtype=torch.float64, generator=generator)
    return images, torch.randint(3, (examples,), generator=generator)
