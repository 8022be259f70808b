"""How far do fewer epochs, less data, smaller images, narrower networks and zero-cost proxies rank as full training?

    python benchmarks/diagnose_fashion_mnist.py [--architectures 60] [--again] [--out runs/diagnose-fashion-mnist]

NAS-Bench-201 cells in a small network (1 cell a stage, 8 channels) on a share of Fashion-MNIST: random architectures,
and some near the best of them. The reference's lower fidelities are stops on its way: each training goes on from the
one before, so that all of them together cost one full training. Everything is kept in the folder; a second call goes
on, and the page is diagnosis.html there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from shared_weights_rank import share_of_fashion_mnist

import archwright as aw
from archwright.diagnosis import Candidate, diagnose
from archwright.diagnosis.verdict import cost, setting, verdict, warnings, with_interval
from archwright.estimators.zero_cost import ALL
from archwright.reports import diagnosis_html

KINDS = ("data", "resolution", "width")
"""Other fidelities than epochs: each is a training of its own."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--architectures", type=int, default=60)
    parser.add_argument("--near-top", type=int, default=20)
    parser.add_argument("--train", type=int, default=6000, help="examples")
    parser.add_argument("--valid", type=int, default=3000, help="examples")
    parser.add_argument("--epochs", type=int, default=12, help="of the reference")
    parser.add_argument("--stops", type=int, nargs="*", default=[1, 2, 4, 8], help="fewer epochs, as candidates")
    parser.add_argument("--share", type=float, default=0.5, help="of data, resolution and width")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=KINDS, help="that a share is taken of")
    parser.add_argument("--again", action="store_true", help="train the reference from another seed too")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/diagnose-fashion-mnist"))
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    task = share_of_fashion_mnist(chosen.train, chosen.valid)
    shares = {
        f"{chosen.share:g} of the {kind}": Candidate(
            aw.estimators.Training(task, chosen.epochs, along=(kind,)), fidelity=chosen.share
        )
        for kind in chosen.kinds
    }

    def tell(label: str, done: int, total: int) -> None:
        if done % 20 == 0 or done == total:
            print(f"{label}: {done} of {total}", flush=True)

    diagnosis = diagnose(
        aw.spaces.nasbench201(cells=1, channels=8),
        {"proxy": aw.estimators.ZeroCost(task, proxies=ALL), **shares},
        aw.estimators.Training(task, chosen.epochs),
        folder=chosen.out,
        architectures=chosen.architectures,
        near_top=chosen.near_top,
        fidelities=[stop / chosen.epochs for stop in chosen.stops],
        again=chosen.again,
        executor=aw.Processes(chosen.workers),
        on_answer=tell,
    )
    regions = list(diagnosis.regions)
    print(f"\n{setting(diagnosis)}\n\n| estimate | {' | '.join(f'τ, {region}' for region in regions)} | cost |")
    print("|---|" + "---:|" * (len(regions) + 1))
    for line in diagnosis.lines:
        taus = " | ".join(with_interval(line.agreement[region].tau) for region in regions)
        print(f"| {line.label} | {taus} | {cost(line.cost)} |")
    print("", *verdict(diagnosis), "", *warnings(diagnosis), "", diagnosis_html(diagnosis), sep="\n")


if __name__ == "__main__":
    main()
