"""What an open network trains in each step, when no relaxation says: fixed distributions over architectures."""

from archwright.supernets.sampling.fair import FairNAS
from archwright.supernets.sampling.path_dropout import PathDropout
from archwright.supernets.sampling.sampling import Sampling
from archwright.supernets.sampling.sandwich import Sandwich
from archwright.supernets.sampling.uniform import Uniform

__all__ = ["FairNAS", "PathDropout", "Sampling", "Sandwich", "Uniform"]
