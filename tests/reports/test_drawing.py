"""Drawings: nothing overlaps, whatever the graph."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest

import archwright as aw
from archwright.reports import drawing
from archwright.spaces.graphs import Graph, union


def boxes(svg):
    rects = re.findall(r'<rect x="([\d.-]+)" y="([\d.-]+)" width="([\d.]+)" height="([\d.]+)"', str(svg))
    return [tuple(map(float, rect)) for rect in rects]


def overlaps(one, two):
    return (
        one[0] < two[0] + two[2] and two[0] < one[0] + one[2] and one[1] < two[1] + two[3] and two[1] < one[1] + one[3]
    )


@pytest.mark.parametrize("make", [aw.spaces.nasbench201, aw.spaces.cell, aw.spaces.multibranch, aw.spaces.chain])
def test_no_text_overlaps_another(make):
    space, rng = make(), np.random.default_rng(0)
    for _ in range(6):
        graph = space.graph(aw.spaces.sample(space, rng))
        for _, piece in drawing.parts(graph):
            found = boxes(drawing.draw(piece, drawing.families([graph]), "alt"))
            ops = sum(bool(text) and text not in drawing.ROLES for *_, text in piece.edges)
            assert len(found) == len(piece.labels) + ops
            assert not any(overlaps(a, b) for index, a in enumerate(found) for b in found[:index])


def test_sources_lie_above_their_targets():
    rng = np.random.default_rng(1)
    for _ in range(20):
        count = int(rng.integers(2, 12))
        pairs = [(a, b) for b in range(count) for a in range(b) if rng.random() < 0.4]
        graph = Graph(tuple(map(str, range(count))), tuple((a, b, str(rng.integers(3))) for a, b in pairs))
        svg = str(drawing.draw(graph, {}, "alt"))
        height = {
            int(label): top
            for label, top in re.findall(r'vertex.*?<title>(\d+)</title><rect x="\S+" y="([\d.]+)"', svg)
        }
        assert len(height) == count
        assert all(float(height[a]) < float(height[b]) for a, b in pairs)
        assert svg.count('class="edge') == len(pairs)


def test_parts_of_a_union_have_their_names():
    one = Graph(("input", "output"), ((0, 1, "conv_3x3"),))
    found = drawing.parts(union([("normal", one), ("reduction", one)]))
    assert found == [("normal", one), ("reduction", one)]
    assert drawing.parts(one) == [("", one)]
    across = Graph(("a:x", "b:y"), ((0, 1, ""),))
    assert drawing.parts(across) == [("", across)]


def test_one_colour_a_family():
    graph = Graph(("input", "add", "output"), ((0, 1, "conv_3x3"), (0, 1, "conv_5x5"), (1, 2, "max_pool_3x3")))
    assert drawing.families([graph]) == {"conv": 1, "max_pool": 2}


def test_text_is_escaped():
    svg = drawing.draw(Graph(("<b>", "y"), ((0, 1, "<script>"),)), {}, '"><script>')
    assert "<b>" not in svg
    assert "<script>" not in svg
    assert "&lt;script&gt;" in svg


def test_what_can_not_be_read_is_not_drawn():
    assert drawing.draw(Graph((), ()), {}, "alt") is None
    assert drawing.draw(Graph(("a", "b"), ((0, 1, "x"), (1, 0, "y"))), {}, "alt") is None
    assert drawing.draw(Graph(("a",) * 200, ()), {}, "alt") is None


def test_the_largest_is_drawn_quickly():
    started = time.perf_counter()
    count = 30
    edges = [(index, index + 1, "main") for index in range(count - 1)]
    edges += [(a, b, "skip") for a in range(count) for b in range(a + 8, count, 2)][
        : drawing.LARGEST - count - len(edges)
    ]
    assert drawing.draw(Graph(("conv/filters=16@0",) * count, tuple(edges)), {}, "alt")
    assert time.perf_counter() - started < 3


def test_a_single_vertex_and_labels_of_any_length():
    assert drawing.draw(Graph(("x" * 100,), ()), {}, "alt")
    assert drawing.draw(Graph(("", ""), ((0, 1, ""),)), {}, "alt")
