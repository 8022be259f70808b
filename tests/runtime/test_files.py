import sys

import pytest

from archwright.runtime.files import whole, write_if_possible
from tests.runtime.full import full_disk


def interrupted(path):
    with whole(path) as part:
        part.write_text("seco")
        raise RuntimeError


def test_what_was_there_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "folder" / "state.pt"
    with whole(path) as part:
        part.write_text("first")
    with pytest.raises(RuntimeError):
        interrupted(path)
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]
    with whole(path) as part:
        part.write_text("second")
        assert path.read_text() == "first"
    assert path.read_text() == "second"


def test_what_can_be_done_without_is_written_whole(tmp_path):
    assert write_if_possible(tmp_path / "folder" / "state", b"state", "nothing follows")
    assert (tmp_path / "folder" / "state").read_bytes() == b"state"
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["state"]


def test_what_can_be_done_without_is_missed_once_a_process(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.warns(RuntimeWarning, match=r"can't write to .*file \(.*\): trainings begin anew") as told:
        written = [write_if_possible(tmp_path / "file" / name, b"state", "trainings begin anew") for name in "abc"]
    assert written == [False] * 3
    assert len(told) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_nothing_is_left_of_a_file_that_the_disk_is_too_small_for(tmp_path):
    (tmp_path / "state").write_bytes(b"old")
    with full_disk(1000), pytest.warns(RuntimeWarning, match="File too large"):
        assert not write_if_possible(tmp_path / "state", bytes(2000), "trainings begin anew")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]
