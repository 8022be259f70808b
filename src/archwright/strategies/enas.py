"""ENAS: Efficient Neural Architecture Search via Parameter Sharing (Pham et al., 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archwright.supernets.open_network import OpenNetwork
    from archwright.supernets.relaxation import Relaxation


@dataclass(frozen=True)
class ENAS:
    """An LSTM names architectures, and all of them share their weights (section 2.2).

    Each epoch has two phases: the weights learn on the training split, one sampled architecture a step; then the LSTM
    learns by REINFORCE, with the accuracy of an architecture on one validation batch as its reward.

    The defaults are those of the authors' search for cells. Their search for whole networks has steps=50, samples=20,
    learning_rate=0.001, limit=1.5 and op_limit=1.5.

    Attributes:
        steps: of the LSTM, an epoch.
        samples: architectures a step, whose gradients are averaged.
        learning_rate: of Adam, whose betas are 0 and 0.999 and whose epsilon is 1e-3.
        decay: of the moving average of rewards, the baseline. (Theirs begins at 0, this one at the first reward.)
        entropy: weight of an architecture's entropy in its reward.
        limit: logits are limit * tanh(logit), so that no option dies out.
        op_limit: the same for choices of ops: limit / 2.5.
        hidden: units of the LSTM, which has one layer.
        skip_target: how often connections that are there or not (choices of true and false) should be there.
        skip_weight: of how far (Kullback-Leibler) their probabilities are from that.
        candidates: how many samples the architecture after an epoch is the best of, on one validation batch.
    """

    steps: int = 30
    samples: int = 10
    learning_rate: float = 3.5e-3
    decay: float = 0.99
    entropy: float = 1e-4
    limit: float = 1.1
    op_limit: float = 0.44
    hidden: int = 64
    skip_target: float = 0.4
    skip_weight: float = 0.8
    candidates: int = 10

    def relax(self, network: OpenNetwork) -> Relaxation:
        """The LSTM as a distribution over the network's architectures."""
        from archwright.strategies.models.shared_policy import SharedPolicy

        return SharedPolicy(network, self)
