"""NASWOT: Mellor, Turner, Storkey and Crowley, 2021 (NAS without training)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from archwright.core.errors import ArchwrightError
from archwright.estimators.proxies.probe import Pass, Probe, Rectified


@dataclass(frozen=True)
class NASWOT:
    """How differently the rectifiers respond to different examples: log |det K| (equation 2).

    K counts, for each two examples, the rectifiers that are on for both or off for both. As in the authors' code, those
    count whose results reach the outputs, and ReLU's kin (ReLU6, leaky, ...) too.
    """

    metric: ClassVar[str] = "naswot"
    batches: ClassVar[int] = 1

    def measure(self, probe: Probe) -> float:
        """The logarithm of the determinant.

        Raises:
            ArchwrightError: the network has no rectifiers; or too few to tell the examples apart, or two examples for
                which they all respond alike, so that K is singular.
        """
        live = _live(probe.passed)
        if not live:
            raise ArchwrightError("naswot looks at rectifiers (ReLU and its kin), and the network has none")
        size = len(probe.passed.outputs)
        both = torch.zeros(size, size, dtype=torch.float64, device=live[0].given.device)  # on for both examples
        count = 0
        for call in live:
            on = (call.given.detach() > 0).reshape(size, -1).float()
            both += on @ on.T  # exact, since these are whole numbers
            count += on.shape[1]
        alone = both.diagonal()  # on for one example, whatever the other
        agreement = count - alone[:, None] - alone[None] + 2 * both
        if int(torch.linalg.matrix_rank(agreement, hermitian=True)) < size:  # the logarithm would be one of rounding
            raise ArchwrightError(
                f"{count} rectifiers don't tell {size} examples apart, so naswot's determinant is 0; give smaller "
                "batches, or ask another proxy"
            )
        return float(torch.linalg.slogdet(agreement).logabsdet)


def _live(passed: Pass) -> list[Rectified]:
    """Those whose results reach the outputs."""
    reached, ahead = set(), [passed.outputs.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is not None and node not in reached:
            reached.add(node)
            ahead += [before for before, _ in node.next_functions]
    size = len(passed.outputs)  # what has no row for each example tells none apart
    return [call for call in passed.rectified if call.made.grad_fn in reached and len(call.given) == size]
