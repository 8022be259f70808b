"""The open network: one network for a whole space, its relaxations, and what it trains in each step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright.core.lazy import lazy

if TYPE_CHECKING:
    from archwright.supernets.calibration import calibrated
    from archwright.supernets.curvature import EigenvalueStop, dominant_eigenvalue
    from archwright.supernets.hypernetworks import GraphHypernetwork, Smash
    from archwright.supernets.mixed import Mixed
    from archwright.supernets.open_network import OpenNetwork
    from archwright.supernets.partial import partial_channels
    from archwright.supernets.perturbation import Perturbation
    from archwright.supernets.relaxation import Adam, Judge, Relaxation, Sampler, Step
    from archwright.supernets.sampling import FairNAS, PathDropout, Sandwich, Uniform

__all__ = [
    "Adam",
    "EigenvalueStop",
    "FairNAS",
    "GraphHypernetwork",
    "Judge",
    "Mixed",
    "OpenNetwork",
    "PathDropout",
    "Perturbation",
    "Relaxation",
    "Sampler",
    "Sandwich",
    "Smash",
    "Step",
    "Uniform",
    "calibrated",
    "dominant_eigenvalue",
    "partial_channels",
]
__getattr__ = lazy(
    __name__,
    {
        "archwright.supernets.calibration": ["calibrated"],
        "archwright.supernets.curvature": ["EigenvalueStop", "dominant_eigenvalue"],
        "archwright.supernets.hypernetworks": ["GraphHypernetwork", "Smash"],
        "archwright.supernets.mixed": ["Mixed"],
        "archwright.supernets.open_network": ["OpenNetwork"],
        "archwright.supernets.partial": ["partial_channels"],
        "archwright.supernets.perturbation": ["Perturbation"],
        "archwright.supernets.relaxation": ["Adam", "Judge", "Relaxation", "Sampler", "Step"],
        "archwright.supernets.sampling": ["FairNAS", "PathDropout", "Sandwich", "Uniform"],
    },
)
