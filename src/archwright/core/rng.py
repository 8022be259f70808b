"""Randomness without state: stream number n of a seed is the same whoever asks, and whenever."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import Generator


class Streams:
    """Independent random streams by number, from the counter-based generator Philox (Salmon et al., 2011).

    Proposal n of a search draws from stream n, so a resumed search needs no stored random state.
    Indexing repositions one shared generator: draw from a stream before asking for the next.
    """

    def __init__(self, seed: int) -> None:
        from numpy.random import Generator, Philox  # when a search starts: `import archwright` is to be quick

        self._bits = Philox(key=seed)
        self._generator = Generator(self._bits)
        self._state = self._bits.state
        self._counter: np.ndarray[tuple[int], np.dtype[np.uint64]] = self._state["state"]["counter"]

    def __getitem__(self, number: int) -> Generator:
        self._counter[:] = (0, number, 0, 0)  # 2**64 blocks of four words for each stream
        self._bits.state = self._state
        return self._generator


def seed_for(*parts: object) -> int:
    """A 63-bit seed from anything with a stable `repr`: the same in every process and on every platform."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big") >> 1


def stream_seed(rng: Generator) -> int:
    """The seed of the search that `rng` is a stream of: the same at each proposal, for what spans several of them.

    It is the key of the counter-based generator; any other generator gives a number drawn from it.
    """
    key = rng.bit_generator.state.get("state", {}).get("key")
    return int(rng.integers(2**63)) if key is None or len(key) != 2 else seed_for("design", *map(int, key))
