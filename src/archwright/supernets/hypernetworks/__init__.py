"""Hypernetworks: networks that write the weights of other networks, for any architecture of a space."""

from archwright.supernets.hypernetworks.graph import GraphHypernetwork
from archwright.supernets.hypernetworks.smash import Smash
from archwright.supernets.hypernetworks.writer import Writer, Writing

__all__ = ["GraphHypernetwork", "Smash", "Writer", "Writing"]
