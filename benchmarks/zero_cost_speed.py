"""How many architectures a second each zero-cost proxy scores, against a plain implementation of it.

    python benchmarks/zero_cost_speed.py --rounds 7

The same freshly initialised networks and batches; both take turns, each round another architecture. The plain ones are
what one writes first: a copy of the network for each proxy, gradients by `backward`, hooks, NumPy. Neither builds the
network nor draws the batch in the time that is measured, which is the processor's, of one thread. The last row is all
proxies of one architecture: ours share what they can. Compare within one run only: machines change their speed.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import archwright as aw
from archwright.core.rng import Streams
from archwright.estimators.proxies import PROXIES, Probe
from archwright.estimators.proxies.probe import borrowed
from archwright.spaces.space import Space
from archwright.tasks.task import Split

Plain = Callable[[nn.Module, list[Split]], float]


def layers(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


def backward(network: nn.Module, batch: Split) -> None:
    functional.cross_entropy(network(batch.inputs), batch.targets).backward()


def known(network: nn.Module) -> list[Tensor]:
    return [layer.weight for layer in layers(network) if layer.weight.grad is not None]


def snip(network: nn.Module, batches: list[Split]) -> float:
    network = copy.deepcopy(network)
    backward(network, batches[0])
    return sum(float((weight.detach() * weight.grad).abs().sum()) for weight in known(network))


def plain(network: nn.Module, batches: list[Split]) -> float:
    network = copy.deepcopy(network)
    backward(network, batches[0])
    return sum(float((weight.detach() * weight.grad).sum()) for weight in known(network))


def grad_norm(network: nn.Module, batches: list[Split]) -> float:
    network = copy.deepcopy(network)
    backward(network, batches[0])
    return sum(float(weight.grad.norm()) for weight in known(network))


def l2_norm(network: nn.Module, batches: list[Split]) -> float:
    return sum(float(layer.weight.detach().norm()) for layer in layers(copy.deepcopy(network)))


def grasp(network: nn.Module, batches: list[Split]) -> float:
    network, batch = copy.deepcopy(network), batches[0]
    weights = [layer.weight for layer in layers(network)]
    loss = functional.cross_entropy(network(batch.inputs), batch.targets)
    first = torch.autograd.grad(loss, weights, allow_unused=True)
    loss = functional.cross_entropy(network(batch.inputs), batch.targets)
    second = torch.autograd.grad(loss, weights, create_graph=True, allow_unused=True)
    along = sum((a.detach() * b).sum() for a, b in zip(first, second, strict=True) if a is not None)
    along.backward()
    return -sum(float((weight.detach() * weight.grad).sum()) for weight in weights if weight.grad is not None)


def fisher(network: nn.Module, batches: list[Split]) -> float:
    network = copy.deepcopy(network)
    made: list[tuple[nn.Module, Tensor]] = []

    def note(module: nn.Module, given: object, output: Tensor) -> None:
        output.retain_grad()
        made.append((module, output))

    for layer in layers(network):
        layer.register_forward_hook(note)
    backward(network, batches[0])
    total = 0.0
    for layer, output in made:
        if output.grad is not None:
            products = output.detach() * output.grad
            by_channel = products.sum((2, 3)) if products.dim() > 2 else products
            total += layer.weight[0].numel() * float(by_channel.pow(2).mean(0).sum()) / 2
    return total


def jacob_cov(network: nn.Module, batches: list[Split]) -> float:
    network, inputs = copy.deepcopy(network), batches[0].inputs.clone().requires_grad_()
    outputs = network(inputs)
    outputs.backward(torch.ones_like(outputs))
    eigenvalues, _ = np.linalg.eig(np.corrcoef(inputs.grad.flatten(1).cpu().numpy()))
    return float(-np.sum(np.log(eigenvalues + 1e-5) + 1 / (eigenvalues + 1e-5)).real)


def naswot(network: nn.Module, batches: list[Split]) -> float:
    network, size = copy.deepcopy(network), len(batches[0])
    kernel = np.zeros((size, size))

    def count(module: nn.Module, given: tuple[Tensor], output: Tensor) -> None:
        on = (given[0].flatten(1) > 0).float()
        kernel.__iadd__((on @ on.T + (1 - on) @ (1 - on).T).cpu().numpy())

    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(count)
    with torch.no_grad():
        network(batches[0].inputs)
    return float(np.linalg.slogdet(kernel)[1])


def flow(network: nn.Module, batches: list[Split]) -> float:
    for tensor in network.state_dict().values():
        tensor.abs_()
    network(torch.ones_like(batches[0].inputs[:1]).double()).sum().backward()
    return float(np.log1p(sum(float((weight.detach() * weight.grad).abs().sum()) for weight in known(network))))


def synflow(network: nn.Module, batches: list[Split]) -> float:
    network = copy.deepcopy(network).double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.forward = lambda x: x
    return flow(network, batches)


def synflow_bn(network: nn.Module, batches: list[Split]) -> float:
    return flow(copy.deepcopy(network).double(), batches)


def zen(network: nn.Module, batches: list[Split]) -> float:
    network, features = copy.deepcopy(network), []
    for module in network.modules():
        if isinstance(module, nn.AdaptiveAvgPool2d):
            module.register_forward_hook(lambda module, given, output: features.append(given[0]))
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    with torch.no_grad():
        first = torch.randn_like(batches[0].inputs)
        network(first)
        network(first + 0.01 * torch.randn_like(first))
    change = (features[1] - features[0]).abs().sum((1, 2, 3)).mean()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    return float(change.log() + sum(norm.running_var.mean().sqrt().log() for norm in norms))


def zico(network: nn.Module, batches: list[Split]) -> float:
    network = copy.deepcopy(network)
    by_batch = []
    for batch in batches:
        network.zero_grad()
        backward(network, batch)
        by_batch.append([weight.grad.flatten().cpu().clone().numpy() for weight in known(network)])
    total = 0.0
    for of_weight in zip(*by_batch, strict=True):
        slopes = np.array(of_weight)
        deviation, size = slopes.std(axis=0), np.abs(slopes).mean(axis=0)
        changing = deviation != 0
        ratio = (size[changing] / deviation[changing]).sum()
        total += float(np.log(ratio)) if ratio else 0.0
    return total


PLAIN: dict[str, Plain] = {
    "l2_norm": l2_norm,
    "synflow": synflow,
    "synflow_bn": synflow_bn,
    "naswot": naswot,
    "zen": zen,
    "jacob_cov": jacob_cov,
    "snip": snip,
    "plain": plain,
    "grad_norm": grad_norm,
    "fisher": fisher,
    "zico": zico,
    "grasp": grasp,
}


def ours(network: nn.Module, signature: aw.Signature, batches: list[Split], metrics: list[str]) -> list[float]:
    with borrowed(network):
        probe = Probe(network, signature, batches, functional.cross_entropy)
        return [proxy().measure(probe) for metric, proxy in PROXIES.items() if metric in metrics]


def timed(act: Callable[[], object]) -> float:
    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    started = clock()
    act()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return clock() - started


def measured(
    space: Space, signature: aw.Signature, batch: int, number: int, device: torch.device
) -> dict[str, tuple[float, float]]:
    """Seconds of the plain implementation and of ours, for one architecture."""
    torch.manual_seed(number)
    network = space.build(aw.spaces.sample(space, Streams(0)[number]), signature).train().to(device)
    fast = copy.deepcopy(network).to(memory_format=torch.channels_last)
    batches = [Split(torch.randn(batch, 3, 32, 32), torch.randint(10, (batch,))).to(device) for _ in range(2)]
    laid = [Split(one.inputs.contiguous(memory_format=torch.channels_last), one.targets) for one in batches]
    found = {
        name: (timed(partial(plainly, network, batches)), timed(partial(ours, fast, signature, laid, [name])))
        for name, plainly in PLAIN.items()
    }
    together = timed(partial(ours, fast, signature, laid, list(PLAIN)))
    return found | {"all of them": (sum(pair[0] for pair in found.values()), together)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cells", type=int, default=5, help="of NAS-Bench-201's network, a stage")
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7, help="interleaved, each another architecture; medians count")
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    device = torch.device(given.device)
    torch.set_num_threads(1)
    space = aw.spaces.nasbench201(cells=given.cells, channels=given.channels)
    signature = aw.Signature((3, 32, 32), 10)
    seconds: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in [*PLAIN, "all of them"]}
    for number in range(given.rounds + 1):
        for name, pair in measured(space, signature, given.batch, number, device).items():
            if number:  # the first round warms up
                for held, value in zip(seconds[name], pair, strict=True):
                    held.append(value)
    print(
        f"NAS-Bench-201, {given.cells} cells a stage, {given.channels} channels, 3x32x32, batch {given.batch}, "
        f"{device}, one thread, torch {torch.__version__}, {given.rounds} architectures\n"
    )
    print("| proxy | plain, a second | ours, a second | times faster (median, least-most) |\n|---|---:|---:|---:|")
    for name, (theirs, own) in seconds.items():
        ratios = [a / b for a, b in zip(theirs, own, strict=True)]
        print(
            f"| {name} | {1 / statistics.median(theirs):.1f} | {1 / statistics.median(own):.1f} | "
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f}) |"
        )


if __name__ == "__main__":
    main()
