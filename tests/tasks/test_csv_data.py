"""Tables as people have them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from archwright.tasks import BadData, Task, csv_file

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(*lines: str, name: str = "table.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding=encoding)
        return path

    return write


def rows(count: int = 40) -> list[str]:
    """colour, size (every fifth is missing), and a kind."""
    return [
        f"{('red', 'blue', 'green')[row % 3]},{'' if row % 5 == 0 else row * 0.5},{('cat', 'dog')[row % 2]}"
        for row in range(count)
    ]


def raw(task: Task) -> torch.Tensor:
    return torch.cat([task.train.inputs, task.valid.inputs, task.test.inputs])


def test_numbers_and_texts_become_inputs(write: Write) -> None:
    task = csv_file(write("colour, size ,kind", *rows()))

    assert task.name == "table"
    assert task.features == ("colour=blue", "colour=green", "colour=red", "size", "size is missing")
    assert task.classes == ("cat", "dog")
    assert (len(task.train), len(task.valid), len(task.test)) == (28, 6, 6)
    assert task.signature.input_shape == (5,)
    inputs = raw(task)
    assert torch.equal(inputs[:, :3].sum(dim=1), torch.ones(40))
    assert sorted(inputs[inputs[:, 4] == 0, 3].tolist()) == [row * 0.5 for row in range(40) if row % 5]
    known = task.train.inputs[task.train.inputs[:, 4] == 0, 3]
    assert inputs[inputs[:, 4] == 1, 3].tolist() == pytest.approx([float(known.double().mean())] * 8)  # of train alone
    for colour, place in (("blue", 0), ("green", 1), ("red", 2)):
        sizes = inputs[(inputs[:, place] == 1) & (inputs[:, 4] == 0), 3].tolist()
        assert sorted(sizes) == [
            float(line.split(",")[1]) for line in rows() if line.startswith(f"{colour},") and ",," not in line
        ]


def test_it_travels_and_is_the_same_each_time(write: Write) -> None:
    task = csv_file(write("colour,size,kind", *rows()), seed=3)
    again = pickle.loads(pickle.dumps(task))
    assert torch.equal(again.train.inputs, task.train.inputs)
    assert again.features == task.features
    assert not torch.equal(csv_file(write("colour,size,kind", *rows())).train.inputs, task.train.inputs)


@pytest.mark.parametrize(
    ("targets", "given", "classes"),
    [
        ([f"{row % 3}" for row in range(40)], None, ("0", "1", "2")),
        ([f"{row}" for row in range(40)], None, ()),
        ([f"{row % 3}.5" for row in range(40)], None, ()),
        ([f"{row % 3}" for row in range(40)], True, ()),
        ([f"{row % 2}.5" for row in range(40)], False, ("0.5", "1.5")),
        (["yes", "no"] * 20, None, ("no", "yes")),
        (["2", "10"] * 20, False, ("2", "10")),
        (["01", "1"] * 20, None, ("01", "1")),
        (["00501", "10E3", "1000E1", "7"] * 10, None, ("00501", "1000E1", "10E3", "7")),
        (["9007199254740993", "9007199254740992"] * 20, None, ("9007199254740992", "9007199254740993")),
        (["-9007199254740992", "+1"] * 20, None, ("+1", "-9007199254740992")),
        (["none", "mild", "NA", "nan"] * 10, None, ("NA", "mild", "nan", "none")),
        (["none", "null"] * 20, None, ("none", "null")),
        ([f"{row}" for row in range(22)] * 4 + ["12a"] * 4, False, tuple(sorted([*map(str, range(22)), "12a"]))),
    ],
)
def test_what_is_to_be_predicted(
    write: Write, targets: list[str], given: bool | None, classes: tuple[str, ...]
) -> None:
    path = write("x,y", *(f"{row},{target}" for row, target in enumerate(targets)))
    task = csv_file(path, regression=given)

    assert task.classes == classes
    found = torch.cat([task.train.targets, task.valid.targets, task.test.targets])
    for x, y in zip(raw(task)[:, 0].tolist(), found.tolist(), strict=True):
        assert targets[int(x)] == classes[y] if classes else float(targets[int(x)]) == y[0]


def test_the_target_may_be_any_column_and_others_left_out(write: Write) -> None:
    path = write("id,kind,size", *(f"row {row},{('cat', 'dog')[row % 2]},{row}" for row in range(30)))
    task = csv_file(path, target="kind", ignore=("id",))
    assert (task.features, task.classes) == (("size",), ("cat", "dog"))


@pytest.mark.parametrize("cells", [";", "\t", "|", ","])
def test_cells_may_be_apart_in_several_ways(write: Write, cells: str) -> None:
    lines = [cells.join((f'"a{cells} b"', "1.5", str(row % 2))) for row in range(20)]
    task = csv_file(write(cells.join(("text", "number", "kind")), "", *lines, encoding="utf-8-sig"))
    assert task.features == (f"text=a{cells} b", "number")
    assert torch.equal(raw(task), torch.tensor([[1.0, 1.5]] * 20))


def test_a_decimal_comma(write: Write) -> None:
    task = csv_file(write("x;y", *(f"{row},5;{row % 2}" for row in range(20))))
    assert sorted(raw(task)[:, 0].tolist()) == [row + 0.5 for row in range(20)]


def test_a_text_of_digits_and_underscores_is_no_number(write: Write) -> None:
    task = csv_file(
        write("age,kind", *(f"{('18_25', '26_35')[row % 2]},{('1_0', '10')[row % 2]}" for row in range(20)))
    )
    assert (task.features, task.classes) == (("age=18_25", "age=26_35"), ("10", "1_0"))


def test_a_test_file_is_read_as_the_training_data(write: Write) -> None:
    train = write("colour,size,kind", *rows())
    test = write("kind,size,colour", "dog,3,red", "cat,NA,violet", name="test.csv")
    task = csv_file(train, target="kind", test=test)

    mean = float(task.train.inputs[task.train.inputs[:, 4] == 0, 3].double().mean())
    assert task.test.inputs.tolist() == [[0, 0, 1, 3, 0], [0, 0, 0, pytest.approx(mean), 1]]
    assert task.test.targets.tolist() == [1, 0]
    assert len(task.train) + len(task.valid) == 40


def test_a_whole_number_may_be_written_with_a_point(write: Write) -> None:
    task = csv_file(write("x;y", *(f"{row};{('1', '1.0', '2,00', '10')[row % 4]}" for row in range(40))))
    assert task.classes == ("1", "2", "10")


def test_what_the_classes_are_is_seen_in_train_alone(write: Write) -> None:
    train = write("x,y", *(f"{row},{('1', '2', 'x', 'NA')[row % 4]}" for row in range(40)))
    task = csv_file(train, test=write("x,y", "1,2", "2,1", name="test.csv"))
    assert [task.classes[place] for place in task.test.targets.tolist()] == ["2", "1"]
    with pytest.raises(BadData, match="test has the class '3', which train lacks"):
        _ = csv_file(train, test=write("x,y", "1,2", "2,3", name="test.csv")).splits

    train = write("x,y", *(f"{row},{row % 2}" for row in range(40)))
    for strange in ("x", "01", "1.5"):
        with pytest.raises(BadData, match=rf"test\.csv: row 2 of 'y' is '{strange}', a class which train lacks"):
            _ = csv_file(train, test=write("x,y", "1,1", f"2,{strange}", name="test.csv")).splits
    with pytest.raises(BadData, match="test has the class 2, which train lacks"):
        _ = csv_file(train, test=write("x,y", "1,1", "2,2", name="test.csv")).splits


def test_texts_and_few_numbers_are_categories(write: Write) -> None:
    task = csv_file(write("x,y", *(f"{('1', '2', '3 or more')[row % 3]},{row % 2}" for row in range(40))))
    assert task.features == ("x=1", "x=2", "x=3 or more")
    task = csv_file(write("x,y", *(f"{row % 30}%,{row % 2}" for row in range(60))))
    assert len(task.features) == 30


def test_times_lose_nothing_in_silence(write: Write) -> None:
    """Beside the empty cell too, for which 0 stands until the splits are known."""
    seconds = ["", *(str(1_700_000_000 + row) for row in range(39))]
    with pytest.raises(
        BadData, match=r"the column 'time': a deviation of 11 in .* or leave the column out with ignore="
    ):
        _ = csv_file(write("time,y", *(f"{time},{row % 2}" for row, time in enumerate(seconds)))).splits
    with pytest.raises(BadData, match=r"the column 'time': a deviation of 11 in .* such as the mean$"):
        _ = csv_file(write("x,time", *(f"{row},{time}" for row, time in enumerate(seconds) if time))).splits


def test_a_quantity_is_learnt(write: Write) -> None:
    from archwright.training.loop import Fit, score

    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2)) * (1e3, 1e-3)
    y = 2e5 + 50 * x[:, 0] + 3e7 * x[:, 1]
    task = csv_file(write("a,b,price", *(f"{a},{b},{c}" for (a, b), c in zip(x, y, strict=True))))
    torch.manual_seed(0)
    network, cpu = torch.nn.Linear(2, 1), torch.device("cpu")
    fit = Fit(network, task, task.train, task.hyperparameters, 200, 0, cpu)
    while fit.progress.epoch < 200:
        fit.run_epoch()
    assert score(network, task, task.test, cpu)["r2"] > 0.85


MISTAKES = [
    (("x,y", "1,2,3"), {}, "line 2 has 3 cells, and the first line 2"),
    (("x,y",), {}, "a first line and no rows"),
    (("x", "1"), {}, "1 column"),
    (("1,2", "3,4"), {}, "write the columns' names there"),
    (("x,x,y", "1,2,3"), {}, "'x' 2 times"),
    (("x,y", "1,2"), {"target": "z"}, "there is no column 'z'"),
    (("x,size", "1,2"), {"ignore": ("sze",)}, "did you mean size"),
    (("x,y", "1,2"), {"ignore": ("y",), "target": "y"}, "to be predicted, and ignored"),
    (("x,y", "1,2"), {"ignore": ("x",)}, "nothing to predict 'y' from"),
    (("x,y", *(f"1,{row % 2}" for row in range(9)), "2,"), {}, "row 10 has no 'y'"),
    (("x,y", *(f"{'?'},{row % 2}" for row in range(9))), {}, "the column 'x' is empty"),
    (("x,y", *(f"text {row},{row % 2}" for row in range(101))), {}, "'x' has 101 different texts"),
    (("x,y", *(f"{row},{row % 2}" for row in range(9)), "inf,1"), {}, "row 10 of the column 'x' is 'inf'"),
    (("x,y", "1,0", "-1e39,0"), {}, "row 2 of the column 'x' is '-1e39'; give a finite number, up to 3.4e.38"),
    (("x,y", *(f"{row},{row}.5" for row in range(9)), "1,1e39"), {}, "row 10 of 'y' is '1e39', no number up to 3.4e"),
    (("x,y", *(f"{row},{row % 2}" for row in range(9)), "1,NA"), {}, "row 10 has no 'y'"),
    (("x,y", *(f"{row},{'ab'[row % 2]}" for row in range(9)), "1,?"), {}, "row 10 has no 'y'"),
    (
        ("x,y", *(f"{row},{row % 2}" for row in range(21)), "unknown,1"),
        {},
        "row 22 of the column 'x' is 'unknown', where others are numbers: empty it if .* with ignore=",
    ),
    (
        ("x,y", *(f"{row},{row}" for row in range(21)), "1,~20"),
        {},
        "row 22 of the column 'y' is '~20', where others are numbers: delete the row, .* regression=False",
    ),
    (
        ("x,y", *(f"{row},{row % 13}" for row in range(100)), "1,17"),
        {},
        r"examples of every class, or give regression=True \(--task.regression true\) if these are quantities$",
    ),
    (("x,y", *(f"{row},1" for row in range(9))), {}, "the one class 1; give at least two$"),
    (("x,y", *(f"{row},cat" for row in range(9))), {"regression": True}, "'cat', no number"),
    (("x,y", *(f"{row},cat" for row in range(9))), {}, "the one class 'cat'"),
]


@pytest.mark.parametrize(("lines", "given", "wanted"), MISTAKES)
def test_mistakes_are_told(write: Write, lines: tuple[str, ...], given: dict[str, object], wanted: str) -> None:
    with pytest.raises(BadData, match=wanted):
        _ = csv_file(write(*lines), **given).splits  # type: ignore[arg-type]


def test_files_that_are_none(write: Write, tmp_path: Path) -> None:
    with pytest.raises(BadData, match="there is no file"):
        csv_file(tmp_path / "absent.csv")
    with pytest.raises(BadData, match="save it as UTF-8"):
        csv_file(write("größe,y", "1,2", encoding="latin-1"))
    train, test = write("x,y", *(f"{row},{row % 2}" for row in range(9))), write("x,z", "1,2", name="test.csv")
    with pytest.raises(BadData, match=r"test\.csv lacks the column 'y'"):
        _ = csv_file(train, test=test).splits
