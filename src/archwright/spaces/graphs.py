"""Labelled directed graphs: what an architecture computes, free of how it was declared."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

PASSING = frozenset({"", "add", "identity", "main", "skip", "skip_connect", "sum"})
"""Labels, as the library's spaces use them, of what hands its inputs on or adds them up, and computes nothing more."""

MOST_PATHS = 10_000
"""How many paths `paths` follows: a graph of a hundred vertices can have more than anybody can count."""


@dataclass(frozen=True)
class Graph:
    """A labelled directed acyclic multigraph.

    Attributes:
        labels: one a vertex.
        edges: (source, target, label); parallel edges are allowed.
    """

    labels: tuple[str, ...]
    edges: tuple[tuple[int, int, str], ...]

    def pruned(self, sources: Iterable[int], sinks: Iterable[int]) -> Graph:
        """Without the vertices that lie on no path from a source to a sink; sources and sinks stay."""
        forward = self._reach(sources)
        backward = self._reach(sinks, against=True)
        keep = sorted((forward & backward) | set(sources) | set(sinks))
        number = {vertex: index for index, vertex in enumerate(keep)}
        on_path = forward & backward
        edges = tuple((number[a], number[b], text) for a, b, text in self.edges if a in on_path and b in on_path)
        return Graph(tuple(self.labels[vertex] for vertex in keep), edges)

    def relabelled(self, order: Sequence[int]) -> Graph:
        """The same graph with vertex v as number order[v]."""
        labels = [""] * len(self.labels)
        for vertex, place in enumerate(order):
            labels[place] = self.labels[vertex]
        return Graph(tuple(labels), tuple((order[a], order[b], text) for a, b, text in self.edges))

    def operations_on_vertices(self) -> Graph:
        """The same with each labelled edge cut in two by a vertex of its label, so that no edge is labelled."""
        labels, edges = list(self.labels), list[tuple[int, int, str]]()
        for a, b, text in self.edges:
            if text:
                edges += [(a, len(labels), ""), (len(labels), b, "")]
                labels.append(text)
            else:
                edges.append((a, b, ""))
        return Graph(tuple(labels), tuple(edges))

    def without(self, texts: Collection[str]) -> Graph:
        """Without the vertices labelled so: whatever entered one now leads to wherever it led. No edge is doubled.

        A label's part before a colon is the name of a graph in a `union`, and not looked at. Labels of edges are lost.
        """
        leaving = [vertex for vertex, text in enumerate(self.labels) if text.rpartition(":")[2] in texts]
        after: list[dict[int, None]] = [{} for _ in self.labels]  # the keys are what a vertex leads to, in order
        before: list[dict[int, None]] = [{} for _ in self.labels]
        for a, b, _text in self.edges:
            after[a][b] = before[b][a] = None
        for vertex in leaving:
            for a in before[vertex]:
                del after[a][vertex]
                after[a].update(after[vertex])
            for b in after[vertex]:
                del before[b][vertex]
                before[b].update(before[vertex])
        gone = set(leaving)
        keep = [vertex for vertex in range(len(self.labels)) if vertex not in gone]
        number = {vertex: index for index, vertex in enumerate(keep)}
        edges = tuple((number[a], number[b], "") for a in keep for b in after[a])
        return Graph(tuple(self.labels[vertex] for vertex in keep), edges)

    def neighbours(self) -> tuple[list[list[int]], list[list[int]]]:
        """For each vertex the vertices before it and those after it, as often as there are edges."""
        before: list[list[int]] = [[] for _ in self.labels]
        after: list[list[int]] = [[] for _ in self.labels]
        for a, b, _text in self.edges:
            after[a].append(b)
            before[b].append(a)
        return before, after

    def _reach(self, starts: Iterable[int], against: bool = False) -> set[int]:
        follow: dict[int, list[int]] = defaultdict(list)
        for a, b, _text in self.edges:
            follow[b if against else a].append(a if against else b)
        found, queue = set(starts), list(starts)
        while queue:
            for vertex in follow[queue.pop()]:
                if vertex not in found:
                    found.add(vertex)
                    queue.append(vertex)
        return found

    def canonical(self) -> str:
        """Equal for isomorphic graphs, and for these only.

        Colour refinement, then individualisation of one vertex of the first class that is still ambiguous, over all
        its members but interchangeable ones (twins); the smallest description wins. (McKay and Piperno, 2014, without
        the pruning by automorphisms, which cells are too small to need.)
        """
        return min(self._leaves(self._refine(_ranks(self.labels))))

    @property
    def key(self) -> str:
        """A short digest of `canonical`."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()[:16]

    def _refine(self, colours: Sequence[int]) -> list[int]:
        """Splits classes by the colours and edge labels of their members' neighbours until nothing splits."""
        colours = list(colours)
        while True:
            seen: list[list[tuple[int, str, int]]] = [[] for _ in colours]
            for a, b, text in self.edges:
                seen[a].append((1, text, colours[b]))
                seen[b].append((0, text, colours[a]))
            finer = _ranks([(colour, tuple(sorted(around))) for colour, around in zip(colours, seen, strict=True)])
            if max(finer, default=0) == max(colours, default=0):
                return finer
            colours = finer

    def _leaves(self, colours: list[int]) -> Iterable[str]:
        sizes = Counter(colours)
        ambiguous = min((colour for colour, size in sizes.items() if size > 1), default=None)
        if ambiguous is None:
            yield self._describe(colours)
            return
        tried: set[tuple[object, ...]] = set()
        for vertex, colour in enumerate(colours):
            if colour != ambiguous:
                continue
            around = self._around(vertex)
            if around in tried:  # a twin: swapping the two changes nothing
                continue
            tried.add(around)
            split = [2 * other for other in colours]
            split[vertex] -= 1
            yield from self._leaves(self._refine(_ranks(split)))

    def _around(self, vertex: int) -> tuple[object, ...]:
        return tuple(
            sorted((a == vertex, text, b if a == vertex else a) for a, b, text in self.edges if vertex in (a, b))
        )

    def _describe(self, colours: list[int]) -> str:
        order = sorted(range(len(colours)), key=colours.__getitem__)
        edges = sorted((colours[a], colours[b], text) for a, b, text in self.edges)
        return repr(([self.labels[vertex] for vertex in order], edges))


def paths(graph: Graph) -> tuple[tuple[str, ...], ...]:
    """The labels along each path from a vertex that nothing enters to one that nothing leaves, both ends left out.

    Sorted, equal sequences once; of at most the first `MOST_PATHS` paths. Labels on edges are not read: use
    `operations_on_vertices`.
    """
    before, after = graph.neighbours()

    def follow(vertex: int, passed: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        for following in after[vertex]:
            if after[following]:
                yield from follow(following, (*passed, graph.labels[following]))
            else:
                yield passed

    starts = [vertex for vertex, entering in enumerate(before) if not entering and after[vertex]]
    return tuple(sorted(set(islice((path for start in starts for path in follow(start, ())), MOST_PATHS))))


def union(graphs: Sequence[tuple[str, Graph]]) -> Graph:
    """Several named graphs side by side as one: every label gets its graph's name in front."""
    labels: list[str] = []
    edges: list[tuple[int, int, str]] = []
    for name, graph in graphs:
        edges += [(a + len(labels), b + len(labels), text) for a, b, text in graph.edges]
        labels += [f"{name}:{text}" for text in graph.labels]
    return Graph(tuple(labels), tuple(edges))


def _ranks(values: Sequence[object]) -> list[int]:
    """Each value's place among the sorted distinct values."""
    places = {value: place for place, value in enumerate(sorted(set(values)))}  # type: ignore[type-var]
    return [places[value] for value in values]
