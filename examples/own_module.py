"""A module of your own as a search space, from the declaration to a file of plain PyTorch.

Run it: `python examples/own_module.py [folder]`. It takes about half a minute on two cores.
"""

from __future__ import annotations

import sys
import tempfile

from torch import Tensor, nn

import archwright as aw


class MyNet(nn.Module):
    """A convolutional network as you would write it anyway; what is open are its arguments."""

    def __init__(self, signature: aw.Signature, width: int, blocks: list[dict]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = signature.input_shape[0]
        for block in blocks:
            layers += [
                nn.Conv2d(channels, width, block["kernel"], padding="same"),
                nn.BatchNorm2d(width),
                block["act"](),
            ]
            channels = width
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, signature.outputs))

    def forward(self, x: Tensor) -> Tensor:  # (n, channels, height, width) -> (n, outputs)
        return self.body(x)


def main(folder: str) -> None:
    """Searches, trains the winner, exports it."""
    space = aw.Space(
        MyNet,
        width=aw.Choice(16, 32, 64),
        blocks=aw.Repeat({"kernel": aw.Choice(3, 5), "act": aw.Choice(nn.ReLU, nn.GELU)}, times=aw.Integer(1, 4)),
    )
    print(f"{aw.spaces.size(space):,} architectures")
    task = aw.tasks.digits()
    run = aw.search(
        space,
        aw.strategies.RegularizedEvolution(population=6, sample=3),
        aw.estimators.Training(task, epochs=2),
        objectives=["valid_accuracy", "parameters <= 1e5"],
        executor=aw.Processes(2),
        seed=7,
    )
    for evaluation in aw.record(aw.budget(run, evaluations=8), folder):
        print(evaluation.failure or {name: round(value, 4) for name, value in evaluation.metrics.items()})
    best = aw.load(folder, space=space).best
    print(space.describe(best.architecture))
    model = best.train(task, epochs=6)
    print(f"test accuracy {best.run.result['test_accuracy']:.4f}, scored once")
    exported = aw.export.source(model, f"{folder}/model.py", task)
    print(f"{exported.path} imports only torch; it differs by {exported.max_difference:.1e}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
