import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from archwright.core.parts import describe, rebuildable
from archwright.tasks import BadData, folder


def draw(path: Path, value: int | tuple[int, ...] = 0, size: tuple[int, int] = (6, 8), mode: str = "L") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (size[1], size[0]), value).save(path)
    return path


def photos(root: Path, count: int = 10) -> Path:
    for number, name in enumerate(("cat", "dog")):
        for image in range(count):
            draw(root / name / f"{image:02}.png", 100 * number + image)
    return root


def test_one_folder_a_class(tmp_path: Path) -> None:
    root = photos(tmp_path / "pets", 20)
    (root / ".hidden").mkdir()
    (root / "cat" / "notes.txt").write_text("not an image")
    task = folder(root)
    assert task.name == "pets"
    assert task.classes == ("cat", "dog")
    assert task.signature.input_shape == (1, 6, 8)
    assert (len(task.train), len(task.valid), len(task.test)) == (28, 6, 6)
    for split in (task.train, task.valid, task.test):
        assert torch.equal(split.inputs[:, 0, 0, 0] >= 100, split.targets == 1)
    assert torch.equal(pickle.loads(pickle.dumps(task)).valid.inputs, task.valid.inputs)
    assert not torch.equal(folder(root, seed=1).valid.inputs, task.valid.inputs)
    assert rebuildable(describe(task))


@pytest.mark.parametrize(("names", "sizes"), [(("train", "val", "test"), (20, 4, 6)), (("train", "test"), (17, 3, 6))])
def test_splits_that_are_given(names: tuple[str, ...], sizes: tuple[int, ...], tmp_path: Path) -> None:
    for name, count in (("train", 10), ("val", 2), ("test", 3)):
        if name in names:
            photos(tmp_path / name, count)
    task = folder(tmp_path)
    assert (len(task.train), len(task.valid), len(task.test)) == sizes
    assert task.test.targets.tolist() == [0, 0, 0, 1, 1, 1]


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    photos(tmp_path)
    draw(tmp_path / "train" / "a.png")
    with pytest.raises(BadData, match="class 'train' has only 1"):
        _ = folder(tmp_path).splits


def test_a_split_may_lack_a_class_but_not_add_one(tmp_path: Path) -> None:
    photos(tmp_path / "train")
    draw(tmp_path / "test" / "dog" / "a.png")
    assert folder(tmp_path).test.targets.tolist() == [1]
    draw(tmp_path / "test" / "bird" / "a.png")
    with pytest.raises(BadData, match="test has the class 'bird', which train lacks"):
        folder(tmp_path)


def test_one_split_under_two_names(tmp_path: Path) -> None:
    for name in ("train", "val", "valid"):
        photos(tmp_path / name)
    with pytest.raises(BadData, match="one split under two names"):
        folder(tmp_path)


def test_colour_wins_over_grey(tmp_path: Path) -> None:
    photos(tmp_path)
    draw(tmp_path / "cat" / "00.png", (255, 0, 0), mode="RGB")
    task = folder(tmp_path)
    assert task.signature.input_shape == (3, 6, 8)
    pixels = torch.cat([task.train.inputs, task.valid.inputs, task.test.inputs])[:, :, 0, 0].tolist()
    assert [255, 0, 0] in pixels
    assert [103, 103, 103] in pixels


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [
        ("RGBA", (9, 8, 7, 0), [9, 8, 7]),
        ("P", 0, [0, 0, 0]),
        ("LA", (9, 0), [9]),
        ("1", 1, [255]),
        ("I;16", 0x1234, [0x12]),
    ],
)
def test_modes(mode: str, value: int | tuple[int, ...], expected: list[int], tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        for number in range(3):
            draw(tmp_path / name / f"{number}.png", value, mode=mode)
    assert folder(tmp_path).train.inputs[0, :, 0, 0].tolist() == expected


def test_palettes_with_transparency(tmp_path: Path) -> None:
    photos(tmp_path)
    image = Image.new("P", (8, 6))
    image.save(tmp_path / "cat" / "00.png", transparency=bytes(range(256)))
    assert folder(tmp_path).signature.input_shape == (3, 6, 8)


def test_photographs_stand_upright(tmp_path: Path) -> None:
    photos(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.new("L", (6, 8)).save(tmp_path / "cat" / "turned.jpg", exif=exif)
    assert folder(tmp_path).signature.input_shape == (1, 6, 8)


def test_sizes_that_differ(tmp_path: Path) -> None:
    photos(tmp_path)
    draw(tmp_path / "dog" / "03.png", size=(5, 4))
    with pytest.raises(BadData, match=r"cat/00.png has 6 x 8 pixels and .*dog/03.png 5 x 4; pass size="):
        _ = folder(tmp_path).splits
    assert folder(tmp_path, size=7).signature.input_shape == (1, 7, 7)
    task = folder(tmp_path, size=(4, 9))
    assert task.signature.input_shape == (1, 4, 9)
    assert describe(task)["arguments"]["size"] == [4, 9]


@pytest.mark.parametrize("size", [0, -3, (4,), (4, 0), (1, 2, 3), ("a", "b")])
def test_sizes_that_are_none(size: int | tuple[int, ...], tmp_path: Path) -> None:
    with pytest.raises(BadData, match="give pixels a side"):
        folder(photos(tmp_path), size=size)


@pytest.mark.parametrize("keep", [0, 30])
def test_damaged_images_are_named(keep: int, tmp_path: Path) -> None:
    path = draw(photos(tmp_path) / "dog" / "04.png", size=(64, 64))
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: keep * 20])
    with pytest.raises(BadData, match=r"dog/04.png can't be decoded"):
        _ = folder(tmp_path, size=8).splits


def test_floating_point_images(tmp_path: Path) -> None:
    draw(photos(tmp_path) / "dog" / "x.tiff", mode="F")
    with pytest.raises(BadData, match=r"x.tiff .*arrays\(\)"):
        _ = folder(tmp_path).splits


def test_folders_that_cannot_be_learnt_from(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="there is no folder"):
        folder(tmp_path / "nowhere")
    with pytest.raises(BadData, match="0 class"):
        folder(tmp_path)
    draw(tmp_path / "cat" / "a.png")
    with pytest.raises(BadData, match="1 class"):
        folder(tmp_path)
    (tmp_path / "dog").mkdir()
    with pytest.raises(BadData, match="class 'dog' has no images"):
        folder(tmp_path)
    photos(tmp_path)
    for name in range(2, 10):
        (tmp_path / "dog" / f"{name:02}.png").unlink()
    with pytest.raises(BadData, match="class 'dog' has only 2"):
        _ = folder(tmp_path).splits
