"""Architectures drawn as graphs, as in the survey's Figure 3: layered by longest path (Sugiyama et al., 1981).

The label of an edge takes part in the layout as if it were a vertex, so that no two texts ever overlap and no edge
runs through a text.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from markupsafe import Markup

from archwright.spaces.graphs import Graph

LARGEST = 150
"""Graphs with more vertices and edges together than this are not drawn: nobody could read them."""

ROLES = {"main": "main", "skip": "skip"}
"""Edge labels that say what an edge is for, rather than which operation it is: told by the stroke, without text."""

_CHARACTER, _LINE = 6.7, 14.0  # of 11px monospace
_LONGEST = 34  # characters of a line; the rest is in the tooltip
_ABREAST = 4  # labels in a row
_GAP, _LANE, _RISE = 14.0, 8.0, 20.0  # between boxes, beside a passing edge, between layers


def draw(graph: Graph, colours: Mapping[str, int], alt: str) -> Markup | None:
    """The graph as one SVG for each of its named parts, side by side; None if it is too large to be read, or cyclic.

    Args:
        colours: from `families`: the same operation has the same colour all over a page.
        alt: what the picture shows, for those who don't see it.
    """
    if not graph.labels or len(graph.labels) + len(graph.edges) > LARGEST:
        return None
    pictures = []
    for name, piece in parts(graph):
        ranks = _ranks(piece)
        if ranks is None:
            return None
        picture = _Layout(piece, ranks).svg(colours, f"{alt}, {name}" if name else alt)
        heading = Markup("<h4>{}</h4>").format(name) if name else Markup("")
        pictures.append(Markup('<div class="part">{}{}</div>').format(heading, picture))
    return Markup('<div class="parts">{}</div>').format(Markup("").join(pictures))


def parts(graph: Graph) -> list[tuple[str, Graph]]:
    """The graphs that `graphs.union` put side by side, by their names; the graph itself if it is no such union."""
    names = [label.partition(":")[0] if ":" in label else "" for label in graph.labels]
    if "" in names or any(names[a] != names[b] for a, b, _ in graph.edges):
        return [("", graph)]
    found = []
    for name in dict.fromkeys(names):
        members = {vertex: index for index, vertex in enumerate(i for i, other in enumerate(names) if other == name)}
        labels = tuple(graph.labels[vertex].removeprefix(f"{name}:") for vertex in members)
        edges = tuple((members[a], members[b], text) for a, b, text in graph.edges if a in members)
        found.append((name, Graph(labels, edges)))
    return found


def families(graphs: Sequence[Graph]) -> dict[str, int]:
    """A colour's number for each family of operations (conv_3x3 and conv_5x5 are one), in order of appearance."""
    found: dict[str, int] = {}
    for graph in graphs:
        for _, piece in parts(graph):
            on_edges = _ops_on_edges(graph)
            texts = [text for _, _, text in piece.edges if text not in ROLES] if on_edges else piece.labels
            for text in texts:
                if text and not _is_end(text):
                    found.setdefault(_family(text), len(found) % 6 + 1)
    return found


def _ops_on_edges(graph: Graph) -> bool:
    return any(text and text not in ROLES for _, _, text in graph.edges)


def _family(text: str) -> str:
    return re.sub(r"[_(]?\d.*|[/(@].*", "", text)


def _is_end(text: str) -> bool:
    return re.split(r"[/@]", text)[0] in {"input", "output", "before", "previous"}


def _ranks(graph: Graph) -> list[int] | None:
    """Each vertex's longest path from a source; None if there is a cycle."""
    waiting = [0] * len(graph.labels)
    after: dict[int, list[int]] = defaultdict(list)
    for a, b, _ in graph.edges:
        waiting[b] += 1
        after[a].append(b)
    ready = [vertex for vertex, count in enumerate(waiting) if count == 0]
    ranks, done = [0] * len(graph.labels), 0
    while ready:
        vertex = ready.pop()
        done += 1
        for target in after[vertex]:
            ranks[target] = max(ranks[target], ranks[vertex] + 1)
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    return ranks if done == len(graph.labels) else None


@dataclass
class _Box:
    """Something with a place: a vertex, the label of an edge, or (without text) an edge that passes a layer."""

    layer: int
    width: float
    height: float
    lines: tuple[str, ...] = ()
    text: str = ""  # in full
    is_vertex: bool = False
    x: float = 0.0
    top: float = 0.0
    above: list[int] = field(default_factory=list)
    below: list[int] = field(default_factory=list)

    @property
    def passes(self) -> bool:
        return not self.lines


class _Layout:
    """Boxes in layers, ordered so that few edges cross, placed so that edges are short and straight."""

    def __init__(self, graph: Graph, ranks: Sequence[int]) -> None:
        self.on_edges = _ops_on_edges(graph)
        self.boxes: list[_Box] = []
        self.routes: list[tuple[str, list[int]]] = []  # an edge's label, and its boxes from source to target
        self._make(graph, ranks)
        inner = [route[1:-1] for _, route in self.routes]
        self.lines = {number: route for route in inner for number in route if self.boxes[number].passes}
        self.layers: list[list[int]] = [[] for _ in range(max(box.layer for box in self.boxes) + 1)]
        for number, box in enumerate(self.boxes):
            self.layers[box.layer].append(number)
        self._order()
        self._place()

    def _make(self, graph: Graph, ranks: Sequence[int]) -> None:
        labelled = [edge for edge in graph.edges if edge[2] and edge[2] not in ROLES]
        arriving = [0] * (max(ranks) + 1)
        for _, b, _ in labelled:
            arriving[ranks[b]] += 1
        rows = [math.ceil(count / _ABREAST) for count in arriving]  # of labels, in front of each rank
        layer = [rank + sum(rows[: rank + 1]) for rank in range(len(rows))]
        for label, rank in zip(graph.labels, ranks, strict=True):
            self._add_text(layer[rank], _words(label), label, is_vertex=True)
        taken = [0] * len(rows)
        for a, b, text in sorted(graph.edges, key=lambda edge: (edge[1], edge[0])):
            rank, row = ranks[b], None
            if text and text not in ROLES:
                row = layer[rank] - rows[rank] + taken[rank] % rows[rank]
                taken[rank] += 1
            route = [a]
            for between in range(layer[ranks[a]] + 1, layer[rank]):
                route.append(len(self.boxes))
                if between == row:
                    self._add_text(between, (text,), text)
                else:
                    self.boxes.append(_Box(between, 0.0, 0.0))
            route.append(b)
            self.routes.append((text, route))
            for upper, lower in pairwise(route):
                self.boxes[upper].below.append(lower)
                self.boxes[lower].above.append(upper)

    def _add_text(self, layer: int, words: tuple[str, ...], text: str, is_vertex: bool = False) -> None:
        lines = tuple(word if len(word) <= _LONGEST else word[: _LONGEST - 1] + "…" for word in words)
        longest, padding = max(map(len, lines)), 18 if is_vertex else 12
        width = max(longest * _CHARACTER + padding, 34 if is_vertex else 0)
        self.boxes.append(_Box(layer, width, len(lines) * _LINE + (10 if is_vertex else 4), lines, text, is_vertex))

    def _order(self) -> None:
        """Barycentre sweeps, down and up; the order with the fewest crossings is kept."""
        best, fewest = [list(layer) for layer in self.layers], self._crossings()
        for sweep in range(24):
            down = sweep % 2 == 0
            for layer in self.layers if down else reversed(self.layers):
                place = {number: index for other in self.layers for index, number in enumerate(other)}

                def centre(number: int, down: bool = down, place: dict[int, int] = place) -> float:
                    near = self.boxes[number].above if down else self.boxes[number].below
                    return sum(place[other] for other in near) / len(near) if near else place[number]

                layer.sort(key=centre)
            crossings = self._crossings()
            if crossings < fewest:
                best, fewest = [list(layer) for layer in self.layers], crossings
        self.layers = best

    def _crossings(self) -> int:
        place = {number: index for layer in self.layers for index, number in enumerate(layer)}
        total = 0
        for layer in self.layers:
            ends: list[int] = []  # of the edges met so far, sorted
            for number in layer:
                here = [place[other] for other in self.boxes[number].below]
                total += sum(len(ends) - bisect_right(ends, end) for end in here)
                for end in here:
                    insort(ends, end)
        return total

    def _place(self) -> None:
        for layer in self.layers:
            for number, x in zip(layer, self._apart(layer, [0.0] * len(layer)), strict=True):
                self.boxes[number].x = x
        for sweep in range(60):
            for layer in self.layers if sweep % 2 == 0 else reversed(self.layers):
                wanted = [self._wish(number) for number in layer]
                for number, x in zip(layer, self._apart(layer, wanted), strict=True):
                    self.boxes[number].x = x
        left = min(box.x - box.width / 2 for box in self.boxes) - 8
        y = 4.0
        for layer in self.layers:
            height = max(self.boxes[number].height for number in layer)
            for number in layer:
                box = self.boxes[number]
                box.x -= left
                box.height = height if box.passes else box.height
                box.top = y + (height - box.height) / 2
            y += height + _RISE
        self.width = max(box.x + box.width / 2 for box in self.boxes) + 8
        self.height = y - _RISE + 4

    def _wish(self, number: int) -> float:
        """Where a box wants to be: amid its neighbours; where an edge passes, in line with the rest of that edge."""
        box = self.boxes[number]
        near = [self.boxes[other] for other in (*box.above, *box.below)]
        weights = [4.0 if box.passes == other.passes else 1.0 for other in near]
        amid = sum(w * other.x for w, other in zip(weights, near, strict=True)) / sum(weights) if near else box.x
        line = self.lines.get(number)
        return amid if line is None else 0.2 * amid + 0.8 * sum(self.boxes[other].x for other in line) / len(line)

    def _apart(self, layer: Sequence[int], wanted: Sequence[float]) -> list[float]:
        """The places nearest to those wanted that keep the order and the distances (pooling adjacent violators)."""
        offsets = [0.0]
        for left, right in pairwise(layer):
            one, two = self.boxes[left], self.boxes[right]
            gap = _LANE if one.passes or two.passes else _GAP
            offsets.append(offsets[-1] + one.width / 2 + two.width / 2 + gap)
        pools: list[tuple[float, float, int]] = []  # weighted sum of wishes, weight, members
        for number, wish, offset in zip(layer, wanted, offsets, strict=True):
            weight = 1.0 if self.boxes[number].passes else 6.0  # passing edges make way for boxes
            pools.append((weight * (wish - offset), weight, 1))
            while len(pools) > 1 and pools[-2][0] / pools[-2][1] > pools[-1][0] / pools[-1][1]:
                wishes, weight, members = pools.pop()
                pools[-1] = (pools[-1][0] + wishes, pools[-1][1] + weight, pools[-1][2] + members)
        flat = [wishes / weight for wishes, weight, members in pools for _ in range(members)]
        return [x + offset for x, offset in zip(flat, offsets, strict=True)]

    def svg(self, colours: Mapping[str, int], alt: str) -> Markup:
        inside = Markup("").join([*self._edges(), *(self._box(box, colours) for box in self.boxes if box.lines)])
        return Markup(
            '<svg class="graph" role="img" aria-label="{}" width="{w:.0f}" height="{h:.0f}" '
            'viewBox="0 0 {w:.0f} {h:.0f}">{}</svg>'
        ).format(alt, inside, w=self.width, h=self.height)

    def _edges(self) -> Iterator[Markup]:
        leaves = self._ports(of_source=True)
        enters = self._ports(of_source=False)
        for index, (text, route) in enumerate(self.routes):
            boxes = [self.boxes[number] for number in route]
            x, y = leaves[index], boxes[0].top + boxes[0].height
            path = f"M{x:.1f} {y:.1f}"
            for box in boxes[1:]:
                end, arrow = (enters[index], 5.0) if box.is_vertex else (box.x, 0.0)
                middle, top = (y + box.top - arrow) / 2, box.top - arrow
                path += f"C{x:.1f} {middle:.1f} {end:.1f} {middle:.1f} {end:.1f} {top:.1f}"
                x, y = end, box.top + box.height
                if not box.is_vertex:
                    path += f"V{y:.1f}"
            tip = f"M{x - 3:.1f} {boxes[-1].top - 6:.1f}h6l-3 6z"
            kind = ROLES.get(text, "plain")
            yield Markup('<path class="edge {}" d="{}"/><path class="tip" d="{}"/>').format(kind, path, tip)

    def _ports(self, of_source: bool) -> dict[int, float]:
        """Where each edge leaves or enters its vertex: side by side, in the order of what lies at their other ends."""
        sharing: dict[int, list[int]] = defaultdict(list)
        for index, (_, route) in enumerate(self.routes):
            sharing[route[0] if of_source else route[-1]].append(index)
        places: dict[int, float] = {}
        for vertex, edges in sharing.items():
            box = self.boxes[vertex]
            edges.sort(key=lambda index: self.boxes[self.routes[index][1][1 if of_source else -2]].x)
            step = min(12.0, box.width * 0.7 / len(edges))
            for rank, index in enumerate(edges):
                places[index] = box.x + (rank - (len(edges) - 1) / 2) * step
        return places

    def _box(self, box: _Box, colours: Mapping[str, int]) -> Markup:
        is_op = box.is_vertex != self.on_edges and not (box.is_vertex and _is_end(box.text))
        kind = ("vertex" if box.is_vertex else "label") + (
            f" op{colours.get(_family(box.text), 0)}" if is_op else " end"
        )
        first = box.top + box.height / 2 - (len(box.lines) - 1) * _LINE / 2 + 3.8
        lines = [
            Markup('<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>').format(
                "first" if index == 0 else "rest", box.x, first + index * _LINE, line
            )
            for index, line in enumerate(box.lines)
        ]
        corner = 9 if not box.is_vertex else 6 if is_op else box.height / 2
        left = box.x - box.width / 2
        return Markup(
            '<g class="{}"><title>{}</title><rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="{:.0f}"/>'
            "{}</g>"
        ).format(kind, box.text, left, box.top, box.width, box.height, corner, Markup("").join(lines))


def _words(label: str) -> tuple[str, ...]:
    """A vertex's label as lines: what it is, then how: conv_3x3/filters=16/concat@1 -> conv_3x3, filters 16, concat."""
    text, _, stage = label.partition("@")
    what, *how = text.split("/")
    details = [item.replace("=", " ") for item in how] + (
        [f"stage {stage}"] if stage.isdigit() and not _is_end(label) else []
    )
    return (what or "·", " · ".join(details)) if details else (what or "·",)
