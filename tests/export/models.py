"""Small networks in the styles that people write, each with an example to export it with."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

IMAGES = (1, 8, 8)


class Residual(nn.Module):
    """Two convolutions and a short cut."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Conv2d(inputs, outputs, 1, stride) if stride > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.layers = nn.Sequential(Residual(4, 4), Residual(4, 8, 2), Residual(8, 8), Residual(8, 16, 2))
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(F.relu(self.stem(x)))
        x = F.adaptive_avg_pool2d(x, 1)
        return self.head(self.dropout(x.view(x.size(0), -1)))


class DenseNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(OrderedDict(norm=nn.BatchNorm2d(4 + 3 * i), act=nn.SiLU(), conv=nn.Conv2d(4 + 3 * i, 3, 1)))
            for i in range(3)
        )
        self.head = nn.Linear(13, 10)

    def forward(self, x: Tensor) -> Tensor:
        features = [self.stem(x)]
        for block in self.blocks:
            features.append(block(torch.cat(features, 1)))
        return self.head(torch.cat(features, 1).mean((2, 3)))


class SeparableConv(nn.Sequential):
    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels, affine=False),
        )


class Zero(nn.Module):
    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :: self.stride, :: self.stride] * 0.0


class Cell(nn.Module):
    """A cell with two input states, as in NASNet and DARTS."""

    def __init__(self, before: int, previous: int, channels: int, stride: int) -> None:
        super().__init__()
        self.preprocess0 = nn.Sequential(nn.ReLU(), nn.Conv2d(before, channels, 1), nn.BatchNorm2d(channels))
        self.preprocess1 = nn.Sequential(nn.ReLU(), nn.Conv2d(previous, channels, 1), nn.BatchNorm2d(channels))
        self.ops = nn.ModuleList()
        for node in range(3):
            self.ops.append(SeparableConv(channels, 3, stride if node == 0 else 1))
            self.ops.append(nn.MaxPool2d(3, stride, 1) if node == 0 else Zero(1) if node == 1 else nn.Identity())

    def forward(self, s0: Tensor, s1: Tensor) -> Tensor:
        states = [self.preprocess0(s0), self.preprocess1(s1)]
        if states[0].shape[2:] != states[1].shape[2:]:
            states[0] = F.avg_pool2d(states[0], 2)
        for node in range(3):
            first, second = (0, 1) if node == 0 else (node + 1, node + 1)
            states.append(self.ops[2 * node](states[first]) + self.ops[2 * node + 1](states[second]))
        return torch.cat(states[2:], dim=1)


class NASNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6))
        self.cells = nn.ModuleList([Cell(6, 6, 4, 1), Cell(6, 12, 8, 2), Cell(12, 24, 8, 1), Cell(24, 24, 8, 1)])
        self.pool = nn.AdaptiveAvgPool2d((1, 1))
        self.auxiliary = nn.Sequential(nn.Flatten(), Unused())
        self.classifier = nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        s0 = s1 = self.stem(x)
        for cell in self.cells:
            s0, s1 = s1, cell(s0, s1)
        if self.training:
            self.auxiliary(s1)
        return self.classifier(self.pool(s1).flatten(1))


class Unused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(7, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) if x.sum() > 0 else x


class OwnTensors(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.rand(8))
        self.register_buffer("shift", torch.rand(8))
        self.register_buffer("steps", torch.tensor(3))
        self.register_buffer("mask", torch.rand(8) > 0.5, persistent=False)
        self.offset = torch.rand(8)
        self.weights = nn.ParameterList([nn.Parameter(torch.rand(8)) for _ in range(2)])

    def forward(self, x: Tensor) -> Tensor:
        x = x * self.scale + self.shift * self.steps
        x = torch.where(self.mask, x, -x) + self.offset + torch.arange(8)
        return x * self.weights[0] + 2 ** -self.weights[1]


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.second = self.first
        self.blocks = nn.ModuleList([nn.Sequential(self.first, nn.GELU()), nn.Sequential(nn.Linear(8, 8), self.first)])
        self.decoder = nn.Linear(8, 8, bias=False)
        self.decoder.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x) + self.second(x)
        return self.decoder(self.first(x))


class Attention(nn.Module):
    """Shapes taken apart and put together again."""

    def __init__(self, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(8, 24)
        self.norm = nn.LayerNorm(8)

    def forward(self, x: Tensor, mask: Tensor | None = None, scale: float = 1.0) -> Tensor:
        b, n, c = x.shape
        assert c == 8
        q, k, v = self.qkv(self.norm(x)).reshape(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        scores = q @ k.transpose(-2, -1) * scale / math.sqrt(c // self.heads)
        if mask is not None:
            scores = scores.masked_fill(mask, -math.inf)
        return x + (scores.softmax(-1) @ v).transpose(1, 2).reshape(b, n, c)


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(1, 8, 4, 4)
        self.blocks = nn.ModuleDict({"a": Attention(), "b c": Attention(4)})
        self.mixer = nn.LSTM(8, 8, batch_first=True, bidirectional=True)
        self.head = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = self.blocks["a"](x, scale=0.5)
        x = self.blocks["b c"](x, mask=None)
        x, _ = self.mixer(x)
        return self.head(x.mean(1))


class Split(nn.Module):
    """Two outputs by name; chunks; a slice of a Sequential; a list as an argument; operations in place."""

    class Sum(nn.Module):
        def forward(self, xs: list[Tensor], *more: Tensor) -> Tensor:
            total = xs[0]
            for x in (*xs[1:], *more):
                total = total + x
            return total

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 8, 3), nn.GroupNorm(2, 8), nn.Hardswish(), nn.Flatten())
        self.sum = Split.Sum()
        self.norm = nn.BatchNorm2d(2, track_running_stats=True, momentum=None)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.body[:3](x)
        first, *rest = x.chunk(4, dim=1)
        doubled = self.norm(first) * 2
        first.add_(1.0)
        total = self.sum([first, *rest], doubled)
        total.relu_()
        return {"total": total, "flat": self.body[3](total)}


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) if x.sum() > 0 else -x


class Conv2dSame(nn.Conv2d):
    """Pads by the input's size."""

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        return super().forward(F.pad(x, (1 - width % 2, 1, 1 - height % 2, 1)))


def vectors() -> nn.Module:
    layers = (nn.Linear(8, 16), nn.BatchNorm1d(16), nn.PReLU(), nn.Dropout(0.5), nn.Linear(16, 3), nn.LogSoftmax(dim=1))
    return nn.Sequential(*layers)


def images() -> nn.Module:
    return nn.Sequential(
        Conv2dSame(1, 4, (3, 3)),
        nn.Conv2d(4, 4, (1, 3), padding="same", padding_mode="reflect"),
        nn.Upsample(None, 2.0),
    )


TRACEABLE: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "resnet": (ResNet, IMAGES),
    "densenet": (DenseNet, IMAGES),
    "nasnet": (NASNet, IMAGES),
    "own tensors": (OwnTensors, (8,)),
    "shared": (Shared, (8,)),
    "transformer": (Transformer, IMAGES),
    "split": (Split, IMAGES),
    "vectors": (vectors, (8,)),
    "images": (images, IMAGES),
    "one layer": (lambda: nn.Linear(8, 3), (8,)),
}


def trained(name: str) -> tuple[nn.Module, Tensor]:
    """The network in training mode with lively running statistics, and an example."""
    torch.manual_seed(0)
    make, shape = TRACEABLE[name]
    model = make().train()
    with torch.no_grad():
        for _ in range(3) if name not in ("nasnet",) else ():
            model(torch.randn(4, *shape) + 0.5)
        for buffer_name, buffer in model.named_buffers():
            if buffer_name.endswith(("running_mean", "running_var")):
                buffer += torch.rand_like(buffer)
    return model, torch.randn(3, *shape)
