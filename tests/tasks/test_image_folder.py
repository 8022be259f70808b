import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from archwright.core.parts import describe, rebuildable
from archwright.tasks import BadData, folder
from archwright.tasks.image_folder import _SPLITS


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


@pytest.mark.parametrize(
    ("names", "sizes"),
    [
        (("Training", "Testing"), (17, 3, 20)),
        (("TRAIN", "dev"), (17, 20, 3)),
        (("training", "Validation", "testing"), (20, 20, 20)),
        (("trn", "val", "evaluation"), (20, 20, 20)),
    ],
)
def test_names_of_splits(names: tuple[str, ...], sizes: tuple[int, ...], tmp_path: Path) -> None:
    for name in names:
        photos(tmp_path / name)
    task = folder(tmp_path)
    assert task.classes == ("cat", "dog")
    assert (len(task.train), len(task.valid), len(task.test)) == sizes


def test_a_folder_that_is_no_split_beside_splits(tmp_path: Path) -> None:
    for name in ("train", "test"):
        photos(tmp_path / name)
    draw(tmp_path / "pred" / "a.png")
    with pytest.raises(BadData, match=r"holds the splits test, train and beside them pred, .* move it elsewhere"):
        folder(tmp_path)


def test_folders_that_hold_the_same_classes_are_no_classes(tmp_path: Path) -> None:
    for name in ("first half", "second half"):
        photos(tmp_path / name)
    with pytest.raises(BadData, match="first half, second half each hold the same folders of images, cat, dog"):
        folder(tmp_path)


@pytest.mark.parametrize(
    ("cat", "dog"),
    [
        (("tabby", "manx"), ("boxer", "collie")),
        (("tabby", "manx"), ("tabby", "collie")),
        (("images",), ("images",)),  # as Tiny ImageNet's
        (("indoors", "outdoors", "."), ("indoors", "outdoors")),
    ],
)
def test_classes_may_have_folders_inside(cat: tuple[str, ...], dog: tuple[str, ...], tmp_path: Path) -> None:
    for name, inside in (("cat", cat), ("dog", dog)):
        for place in inside:
            for number in range(4):
                draw(tmp_path / name / place / f"{number}.png", number)
    task = folder(tmp_path)
    assert task.classes == ("cat", "dog")
    assert len(task.train) + len(task.valid) + len(task.test) == 4 * (len(cat) + len(dog))


@pytest.mark.parametrize("name", ["test", "val"])
def test_a_split_without_classes(name: str, tmp_path: Path) -> None:
    photos(tmp_path / "train")
    (tmp_path / name).mkdir()
    with pytest.raises(BadData, match=f"{name} holds nothing without class folders"):
        folder(tmp_path)
    draw(tmp_path / name / "1.png")
    cure = f"move it elsewhere: 15 per cent of train are taken as {_SPLITS[name]} then"
    with pytest.raises(BadData, match=f"{name} holds images without class folders; {cure}"):
        folder(tmp_path)


def test_training_data_without_classes(tmp_path: Path) -> None:
    draw(tmp_path / "train" / "1.png")
    draw(tmp_path / "test" / "2.png")
    draw(tmp_path / "test" / "cat" / "2.png")
    with pytest.raises(BadData, match="train holds images without class folders; put each into the folder of its"):
        folder(tmp_path)


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


def dotted(path: Path, dot: int | tuple[int, ...], ground: int | tuple[int, ...], mode: str) -> Path:
    """An even image with a dot in its upper left corner."""
    image = Image.new(mode, (8, 6), ground)
    image.putpixel((0, 0), dot)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


@pytest.mark.parametrize(
    ("mode", "dot", "ground", "expected"),
    [
        ("RGB", (9, 8, 7), (1, 2, 3), [[9, 8, 7], [1, 2, 3]]),
        ("RGBA", (9, 8, 7, 255), (0, 0, 0, 0), [[9, 8, 7], [255, 255, 255]]),
        ("RGBA", (0, 0, 0, 128), (0, 0, 0, 0), [[127, 127, 127], [255, 255, 255]]),
        ("LA", (9, 255), (0, 0), [[9], [255]]),
        ("1", 1, 0, [[255], [0]]),
        ("I;16", 0x0FFF, 0x0800, [[255], [128]]),  # 12 bits
        ("I;16", 0xFFFF, 0x0800, [[255], [8]]),
    ],
)
def test_modes(
    mode: str,
    dot: int | tuple[int, ...],
    ground: int | tuple[int, ...],
    expected: list[list[int]],
    tmp_path: Path,
) -> None:
    for name in ("cat", "dog"):
        for number in range(3):
            dotted(tmp_path / name / f"{number}.png", dot, ground, mode)
    image = folder(tmp_path).train.inputs[0]
    assert [image[:, 0, 0].tolist(), image[:, 3, 3].tolist()] == expected


def test_palettes_with_transparency(tmp_path: Path) -> None:
    photos(tmp_path)
    image = Image.new("P", (8, 6))
    image.putpalette([9, 8, 7, 30, 20, 10])
    image.putpixel((0, 0), 1)
    image.save(tmp_path / "cat" / "00.png", transparency=bytes([0, 255]))
    task = folder(tmp_path)
    pixels = torch.cat([task.train.inputs, task.valid.inputs, task.test.inputs])
    found = pixels[pixels[:, 0, 0, 0] != pixels[:, 1, 0, 0]][0]  # the only one with colour
    assert found[:, 0, 0].tolist() == [30, 20, 10]
    assert found[:, 3, 3].tolist() == [255, 255, 255]


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_colour_that_stands_for_transparency(mode: str, tmp_path: Path) -> None:
    black, grey = (0, 9) if mode == "L" else ((0, 0, 0), (9, 9, 9))
    for name in ("cat", "dog"):
        for number in range(3):
            path = dotted(tmp_path / name / f"{number}.png", grey, black, mode)
            with Image.open(path) as image:
                image.save(path, transparency=black)
    image = folder(tmp_path).train.inputs[0]
    assert (image[0, 0, 0], image[0, 3, 3]) == (9, 255)


@pytest.mark.parametrize(("largest", "white"), [(255, 255), (256, 511), (40_000, 65_535), (2**20, 2**21 - 1)])
@pytest.mark.parametrize("size", [None, (6, 8), (3, 4)])
def test_one_factor_for_all_images_of_more_than_8_bits(
    largest: int, white: int, size: tuple[int, int] | None, tmp_path: Path
) -> None:
    for name, share in (("train/cat", 1.0), ("train/dog", 0.5), ("test/cat", 0.25)):
        for number in range(3):
            draw(tmp_path / name / f"{number}.tiff", round(share * largest), mode="I")
    task = folder(tmp_path, size=size)
    assert task.train.inputs.flatten(1).amax(1).unique().tolist() == [
        round(share * largest * 255 / white) for share in (0.5, 1.0)
    ]
    assert task.test.inputs.unique().tolist() == [round(0.25 * largest * 255 / white)]


def test_the_factor_does_not_depend_on_the_size(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        for number in range(3):
            dotted(tmp_path / name / f"{number}.tiff", 4095, 16, "I")
    assert folder(tmp_path, size=2).train.inputs.max() < 60  # the dot's bits count though it is averaged away


def test_images_of_8_bits_stay_as_they_are_beside_wider_ones(tmp_path: Path) -> None:
    for number in range(4):
        draw(tmp_path / "cat" / f"{number}.png", 200)
        draw(tmp_path / "dog" / f"{number}.tiff", 65_535, mode="I")
    assert folder(tmp_path).train.inputs.unique().tolist() == [200, 255]


def test_negative_pixels(tmp_path: Path) -> None:
    draw(photos(tmp_path) / "dog" / "x.tiff", -1, mode="I")
    with pytest.raises(BadData, match=r"x.tiff .*negative pixels; use arrays\(\)"):
        _ = folder(tmp_path).splits


def test_nothing_to_see(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        for number in range(3):
            dotted(tmp_path / name / f"{number}.png", (255, 255), (0, 0), "LA")
    with pytest.raises(BadData, match=r"every pixel of every image is \[255\] of 255"):
        _ = folder(tmp_path).splits


def test_images_are_mirrored_where_that_is_asked_for(tmp_path: Path) -> None:
    photos(tmp_path)
    assert not folder(tmp_path).hyperparameters.flip
    assert folder(tmp_path, flip=True).hyperparameters.flip


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
