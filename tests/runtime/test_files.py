import pytest

from archwright.runtime.files import whole


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
