"""How sharp the validation loss is at a relaxation, and the stop that watches it (Zela et al., 2020, section 4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from archwright.core.architecture import Architecture
from archwright.supernets.relaxation import Judge, Relaxation, Step


def dominant_eigenvalue(relaxation: Relaxation, step: Step, tolerance: float = 1e-3) -> float:
    """The largest eigenvalue of the Hessian of the validation loss for the relaxation's parameters, on one batch.

    Where a relaxation draws, it is that of one draw. Products with the Hessian are exact, by autograd.

    Args:
        tolerance: relative error of the eigenvalue; 0 is as exact as floats are.
    """
    relaxation.apply_weights()
    own = list(relaxation.parameters())
    gradient = _flat(torch.autograd.grad(step.loss(step.valid), own, create_graph=True, materialize_grads=True))
    if not gradient.requires_grad:
        return 0.0

    def times(vector: Tensor) -> Tensor:
        return _flat(torch.autograd.grad(gradient @ vector, own, retain_graph=True, materialize_grads=True))

    start = torch.randn(len(gradient), generator=torch.Generator().manual_seed(0))
    return largest_eigenvalue(times, start.to(gradient), tolerance)


def largest_eigenvalue(times: Callable[[Tensor], Tensor], start: Tensor, tolerance: float) -> float:
    """Of the symmetric matrix that `times` multiplies vectors with: Lanczos' method, orthogonalised in full.

    Power iteration would find the eigenvalue of largest magnitude, and slowly. The eigenvalues of the matrix in the
    basis that `start` and its images span tend to those at the ends of the spectrum, from inside.

    Args:
        start: a vector that is not orthogonal to the eigenvector; a random one is not.
        tolerance: relative error at which it ends.
    """
    basis = (start / start.norm())[None]
    diagonal: list[float] = []
    beside: list[float] = []
    while True:
        image = times(basis[-1])
        diagonal.append(float(image @ basis[-1]))
        for _ in range(2):  # once loses digits that the second pass brings back
            image = image - basis.T @ (basis @ image)
        length = float(image.norm())
        values, vectors = torch.linalg.eigh(
            torch.diag(torch.tensor(diagonal, dtype=torch.float64))
            + torch.diag(torch.tensor(beside, dtype=torch.float64), 1)
            + torch.diag(torch.tensor(beside, dtype=torch.float64), -1)
        )
        largest, scale = float(values[-1]), float(values.abs().max())
        rounding = 10 * torch.finfo(start.dtype).eps * scale
        if len(basis) == len(start) or length * float(vectors[-1, -1].abs()) <= max(tolerance * abs(largest), rounding):
            return largest
        basis = torch.cat([basis, (image / length)[None]])
        beside.append(length)


@dataclass(frozen=True)
class EigenvalueStop:
    """Ends a search before the dominant eigenvalue has risen too far: what is found then generalises badly.

    After each epoch the eigenvalue is measured on one validation batch. When its mean over the last `window` epochs
    exceeds `factor` times that of `delta` epochs before, the architecture of the middle of that earlier window is
    what the search ends with. The defaults are those of the authors' code. A mean below 0, of which the paper doesn't
    speak, has risen too far when it is nearer to 0, or above, by that share of its size.

    Attributes:
        window: epochs in a mean.
        delta: epochs between the two means that are compared.
        factor: the rise that is too much.
        begin: the first epoch, counted from 0, whose architecture may be returned.
    """

    window: int = 5
    delta: int = 4
    factor: float = 1.3
    begin: int = 10

    def __call__(self, relaxation: Relaxation, judge: Judge) -> Architecture | None:
        """Asked after each epoch."""
        eigenvalues = relaxation.kept.setdefault("eigenvalues", [])
        architectures = relaxation.kept.setdefault("architectures", [])
        eigenvalues.append(dominant_eigenvalue(relaxation, judge.step()))
        architectures.append(relaxation.architecture().to_json())
        epoch = self.before_rise(eigenvalues)
        return None if epoch is None else Architecture.from_json(architectures[epoch])

    def before_rise(self, eigenvalues: list[float]) -> int | None:
        """The epoch to go back to, if the eigenvalues, one an epoch, have just risen too far."""
        epoch = len(eigenvalues) - 1 - self.window // 2 - self.delta
        if epoch < self.begin or len(eigenvalues) < self.window + self.delta:
            return None
        now, before = (sum(eigenvalues[-self.window - ago :][: self.window]) for ago in (0, self.delta))
        return epoch if now > before + (self.factor - 1) * abs(before) else None


def _flat(tensors: tuple[Tensor, ...]) -> Tensor:
    return torch.cat([tensor.reshape(-1) for tensor in tensors])
