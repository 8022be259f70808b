import pickle

import numpy as np

import archwright as aw
from archwright.core.rng import Streams
from archwright.predictors.vectors import Everything, Operations, encoding, rows
from archwright.spaces.encodings import OneHot, PathEncoding


def drawn(space, count):
    streams = Streams(0)
    return [aw.spaces.sample(space, streams[number]) for number in range(count)]


def test_paths_are_read_where_they_recur():
    read = {}
    for name in ("nasbench201", "nasbench101", "pnas", "autonet"):
        space = getattr(aw.spaces, name)()
        read[name] = type(encoding(space, [aw.spaces.sample(space, Streams(0)[0])]))
    assert read == {"nasbench201": PathEncoding, "nasbench101": PathEncoding, "pnas": PathEncoding, "autonet": OneHot}


def test_operations_are_counted():
    space = aw.spaces.nasbench201()
    (known,) = (aw.Architecture(tuple((f"edges[{place}]", option) for place, option in enumerate((3, 3, 2, 1, 4, 3)))),)
    count = Operations(space, [known])
    assert dict(zip(count.columns, count(known), strict=True)) == {
        "avg_pool_3x3": 1,
        "input": 1,
        "nor_conv_1x1": 1,
        "nor_conv_3x3": 3,
        "output": 1,
        "skip_connect": 1,
        "sum": 2,
    }
    other = aw.Architecture(tuple((f"edges[{place}]", 0) for place in range(6)))
    assert count(other).sum() == 2  # nothing is left of it but its ends


def test_everything_is_side_by_side():
    space = aw.spaces.nasbench201()
    known = drawn(space, 8)
    parts = [OneHot(space), Operations(space, known), PathEncoding(space, known)]
    expected = np.hstack([rows(part, known) for part in parts])
    encode = Everything(space, known)
    np.testing.assert_array_equal(rows(encode, known), expected)
    np.testing.assert_array_equal(rows(pickle.loads(pickle.dumps(encode)), known), expected)
    assert rows(encode, []).shape == (0, expected.shape[1])


def test_without_graphs_decisions_are_all_there_is():
    space = aw.Space(lambda **_: None, width=aw.Choice(8, 16), rate=aw.Real(0.0, 1.0))
    known = drawn(space, 4)
    np.testing.assert_array_equal(rows(Everything(space, known), known), rows(OneHot(space), known))
