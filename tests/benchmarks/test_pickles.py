"""Pickles that are read, and those that are refused and do nothing."""

import contextlib
import io
import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from archwright.benchmarks.pickles import ADMITTED, read_pickle, read_torch
from archwright.benchmarks.table import BadTable

DATA = {
    "meta": ["|none~0|", "text"],
    ("cifar10", 777): OrderedDict([(0, 1.5), (1, -2)]),
    "flags": {True, None},
    "numbers": [np.float64(0.25), np.float32(0.5), np.int64(-7), np.uint8(200), np.bool_(True)],
}


class Runs:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def evil(tmp_path):
    """Pickles that would leave a file behind."""
    mark = str(tmp_path / "mark")
    return {
        "posix.system": Runs(os.system, f"touch {mark}"),
        "builtins.eval": Runs(eval, f"open({mark!r}, 'w')"),
        "builtins.getattr": Runs(getattr, OrderedDict, "fromkeys"),
        "pathlib": Path(mark),
        "numpy._core.numeric|numpy._core.multiarray": np.array([1, 2]),
    }


@pytest.mark.parametrize("protocol", range(6))
def test_plain_data(protocol):
    got = read_pickle(io.BytesIO(pickle.dumps(DATA, protocol)), Path("x"))
    assert got == DATA
    assert [type(number) for number in got["numbers"]] == [float, float, int, int, bool]


def test_numbers_of_the_other_byte_order():
    assert read_pickle(io.BytesIO(pickle.dumps(np.dtype(">f8").type(0.5))), Path("x")) == 0.5
    swapped = np.array(0.5, ">f8")[()]
    assert read_pickle(io.BytesIO(pickle.dumps(swapped)), Path("x")) == 0.5


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("kind", range(5))
def test_anything_else_is_refused_by_its_name_and_does_nothing(tmp_path, protocol, kind):
    import re

    name, thing = list(evil(tmp_path).items())[kind]
    payload = pickle.dumps({"harmless": 1, "thing": thing}, protocol)
    with pytest.raises(BadTable) as told:
        read_pickle(io.BytesIO(payload), Path("given.pickle"))
    message = str(told.value).replace("__builtin__", "builtins")
    assert re.search(rf"given\.pickle is refused.*it asks for ({name})", message)
    assert "\n" not in message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("payload", [b"", b"no pickle", pickle.dumps(DATA)[:-20], pickle.dumps(np.datetime64("2020"))])
def test_damaged_pickles(payload):
    with pytest.raises(BadTable, match="x is refused"):
        read_pickle(io.BytesIO(payload), Path("x"))


@pytest.mark.parametrize("zipped", [True, False])
def test_torch_files(tmp_path, zipped):
    given = DATA | {"weights": torch.arange(3.0)}
    torch.save(given, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    got = read_torch(tmp_path / "a.pth")
    assert torch.equal(got.pop("weights"), torch.arange(3.0))
    assert got == DATA


@pytest.mark.parametrize("zipped", [True, False])
def test_torch_files_with_anything_else(tmp_path, zipped):
    mark = tmp_path / "mark"
    torch.save({"thing": Runs(os.system, f"touch {mark}")}, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(BadTable, match=r"a\.pth is refused.*it asks for posix\.system$"):
        read_torch(tmp_path / "a.pth")
    assert not mark.exists()
    (tmp_path / "b.pth").write_bytes(b"nothing of the sort")
    with pytest.raises(BadTable, match=r"b\.pth is refused") as told:
        read_torch(tmp_path / "b.pth")
    assert "\n" not in str(told.value)


def test_a_pickle_can_not_bend_what_reads_it():
    """BUILD sets attributes on what GLOBAL gave, and may reach stand-ins only; what is no kind of number is none."""
    bent = b"c_codecs\nencode\n(N}S'__defaults__'\n(S'HACK'\ntstb."
    with contextlib.suppress(BadTable):
        read_pickle(io.BytesIO(bent), Path("bent"))
    assert ADMITTED["_codecs.encode"].__defaults__ is None
    fake = b"cnumpy.core.multiarray\nscalar\n(c_codecs\nencode\nC\x01\x00tR."
    with pytest.raises(BadTable, match="a number of kind"):
        read_pickle(io.BytesIO(fake), Path("fake"))
