"""Tasks from a CSV file: a column to predict from the others, of numbers and of texts."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, TextIO

import numpy as np
import torch
from numpy.typing import NDArray

from archwright.core.errors import check_list, one_of
from archwright.core.parts import part
from archwright.tasks.array_data import FOR_ARRAYS, check_digits, make_splits
from archwright.tasks.task import BadData, Split, Splits, Task

MISSING = frozenset(("", "?", "na", "n/a", "nan", "null", "none"))
"""What a cell without a value holds, in letters of any case."""

NO_CLASS = frozenset(("", "?"))
"""What it holds where texts are to be predicted: there NA, or none, is a class as any other."""

MOST_TEXTS = 100
"""Different texts of a column at most: each becomes an input of its own."""

MOST_CLASSES = 20
"""Whole numbers as targets, if no more of them are different, are classes."""

_LARGEST = float(np.finfo(np.float32).max)
_WHOLE = re.compile(r"(0|-?[1-9][0-9]{0,15})(\.0*)?")

Floats = NDArray[np.float64]
Table = Mapping[str, Sequence[str]]  # the cells of each column


@part
def csv_file(
    path: str | Path,
    target: str | None = None,
    ignore: Sequence[str] = (),
    regression: bool | None = None,
    test: str | Path | None = None,
    seed: int = 0,
) -> Task:
    """A task from a CSV file whose first line names the columns. Data is kept in memory.

    A column of numbers is an input; where some are missing (empty, NA, NaN, null, none, ?), the mean of the training
    split stands for them, and another input tells where. A column of texts becomes an input for each text, 1 where it
    has that one; of a text that training doesn't have, all are 0. `Task.features` names the inputs in their order.

    Classes are whole numbers, in their order, if all are written as such: 1, -20, 3.0. Else they are texts as they
    stand, so that 01 and 1 are two. If they aren't all numbers, only an empty cell or ? is missing: NA is a class.

    15 per cent of the rows become valid and, unless there is a file for it, another 15 per cent test; classes are
    stratified by `seed`. Cells are separated by commas, semicolons, tabs or bars, whichever the first line has most of;
    between semicolons numbers may have a decimal comma.

    Args:
        path: the file, in UTF-8.
        target: the column to predict; None takes the last one.
        ignore: columns to leave out, such as a number of the row, or a name.
        regression: True if the target is a quantity, False if its values are classes. None looks: texts are classes, so
            are whole numbers if no more than 20 are different, and any other numbers are quantities.
        test: a file with the same columns; the official test data, if there is some.
        seed: of the split.

    Raises:
        BadData: no such file, or no such column; on loading, a file that is no table, rows without a target, a column
            of more than 100 different texts or of a few texts among more than 20 numbers, a number that isn't
            finite in float32, numbers that vary too little for their size to be told apart there, or too few rows of
            a class.
    """
    check_list("ignore", ignore, "names of columns")
    files = {"train": Path(path).expanduser()} | ({} if test is None else {"test": Path(test).expanduser()})
    for file in files.values():
        if not file.is_file():
            raise BadData(f"there is no file {file}; give the path of a CSV file")
    header, _ = _heading(files["train"])
    for name in (*ignore, *(() if target is None else (target,))):
        if name not in header:
            raise BadData(f"{files['train']}: {one_of('column', name, header)}")
    wanted = target or header[-1]
    if wanted in ignore:
        raise BadData(f"{files['train']}: the column {wanted!r} is to be predicted, and ignored: which? Give target=")
    if len(set(header) - set(ignore)) < 2:
        raise BadData(f"{files['train']} has nothing to predict {wanted!r} from: its columns are {', '.join(header)}")
    loader = partial(_load, files, wanted, tuple(ignore), regression, seed)
    return Task(files["train"].stem, loader, FOR_ARRAYS)


@dataclass(frozen=True)
class Column:
    """How the cells of a column become inputs.

    Attributes:
        texts: the texts that have an input each; None where cells are numbers.
        comma: a comma may stand for the decimal point.
    """

    name: str
    texts: tuple[str, ...] | None
    comma: bool

    @classmethod
    def of(cls, name: str, cells: Sequence[str], where: str, comma: bool) -> Column:
        """What the training data's cells make of it.

        Raises:
            BadData: too many different texts, texts among many numbers, or nothing at all.
        """
        known = sorted({cell for cell in cells if not _is_missing(cell)})
        if not known:
            raise BadData(f"{where}: the column {name!r} is empty; leave it out with ignore=")
        if all(_number(cell, comma) is not None for cell in known):
            return cls(name, None, comma)
        _check_alike(name, cells, where, comma, "empty it if it is missing", "leave the column out with ignore=")
        if len(known) > MOST_TEXTS:
            raise BadData(
                f"{where}: the column {name!r} has {len(known)} different texts, such as {known[0]!r}; at most "
                f"{MOST_TEXTS} become inputs: leave the column out with ignore=, or group its texts"
            )
        return cls(name, tuple(known), comma)

    @property
    def features(self) -> list[str]:
        """The names of its inputs."""
        return [self.name] if self.texts is None else [f"{self.name}={text}" for text in self.texts]

    def encoded(self, cells: Sequence[str], where: str) -> Floats:
        """(rows, inputs); a missing number is NaN.

        Raises:
            BadData: a text, or a number that float32 doesn't hold, where numbers are.
        """
        if self.texts is not None:
            return np.array([[float(cell == text) for text in self.texts] for cell in cells])
        numbers = []
        for row, cell in enumerate(cells, start=1):
            number = np.nan if _is_missing(cell) else _number(cell, self.comma)
            if number is None or abs(number) > _LARGEST:
                raise BadData(
                    f"{where}: row {row} of the column {self.name!r} is {cell!r}; give a finite number, "
                    f"up to {_LARGEST:.2g}"
                )
            numbers.append(number)
        return np.array(numbers)[:, None]


@dataclass(frozen=True)
class Target:
    """How the cells of the column to predict become targets.

    Attributes:
        kind: numbers are quantities; whole numbers and texts are classes.
        missing: what a cell without a value holds, in small letters.
        comma: a comma may stand for the decimal point.
    """

    name: str
    kind: Literal["numbers", "whole numbers", "texts"]
    missing: frozenset[str]
    comma: bool

    @classmethod
    def of(cls, name: str, cells: Sequence[str], where: str, comma: bool, regression: bool | None) -> Target:
        """What the training data's cells make of it; `regression` as for `csv_file`.

        Raises:
            BadData: texts among many numbers, unless `regression` tells what they are.
        """
        known = {cell for cell in cells if not _is_missing(cell)}
        are_numbers = bool(known) and all(_number(cell, comma) is not None for cell in known)
        if regression is None:
            _check_alike(name, cells, where, comma, "delete the row", "give regression=False if these are classes")
        if regression or (regression is None and are_numbers and _are_quantities(known, comma)):
            return cls(name, "numbers", MISSING, comma)
        if are_numbers and all(_whole(cell, comma) is not None for cell in known):
            return cls(name, "whole numbers", MISSING, comma)
        return cls(name, "texts", MISSING if are_numbers else NO_CLASS, comma)

    def encoded(self, cells: Sequence[str], where: str) -> NDArray[Any]:
        """(rows,) float64 quantities, int64 classes, or texts.

        Raises:
            BadData: nothing, or what isn't of the training data's kind.
        """
        targets = []
        for row, cell in enumerate(cells, start=1):
            if cell.lower() in self.missing:
                raise BadData(
                    f"{where}: row {row} has no {self.name!r}, which is to be predicted; fill it or delete the row"
                )
            target = self._read(cell)
            if target is None:
                need = f"no number up to {_LARGEST:.2g}: a regression needs numbers"
                lack = "a class which train lacks: add it there or delete such rows"
                raise BadData(
                    f"{where}: row {row} of {self.name!r} is {cell!r}, {need if self.kind == 'numbers' else lack}"
                )
            targets.append(target)
        return np.array(targets)

    def _read(self, cell: str) -> float | str | None:
        """None where a cell isn't of this kind."""
        if self.kind == "texts":
            return cell
        if self.kind == "whole numbers":
            return _whole(cell, self.comma)
        number = _number(cell, self.comma)
        return number if number is not None and abs(number) <= _LARGEST else None


def _load(
    files: Mapping[str, Path], target: str, ignore: tuple[str, ...], regression: bool | None, seed: int
) -> Splits:
    source = str(files["train"])
    tables = {name: _read(file) for name, file in files.items()}
    comma = _heading(files["train"])[1] == ";"
    columns = [
        Column.of(name, cells, source, comma)
        for name, cells in tables["train"].items()
        if name != target and name not in ignore
    ]
    features = [feature for column in columns for feature in column.features]
    wanted = Target.of(target, tables["train"][target], source, comma, regression)
    pairs = {}
    for name, table in tables.items():
        for lacking in [column for column in (*(one.name for one in columns), target) if column not in table]:
            raise BadData(f"{files[name]} lacks the column {lacking!r} of {source}")
        inputs = np.hstack([column.encoded(table[column.name], str(files[name])) for column in columns])
        targets = wanted.encoded(table[target], str(files[name]))
        if name == "train":
            _check_digits(dict(zip(features, inputs.T, strict=True)), source, ", or leave the column out with ignore=")
            _check_digits({target: targets} if wanted.kind == "numbers" else {}, source)
        # Where a number is missing is told beside it: what stands for it is known when the splits are.
        pairs[name] = (np.hstack([np.nan_to_num(inputs), np.isnan(inputs)]), targets)
    advice = "give regression=True (--task.regression true) if these are quantities"
    return _filled(make_splits(pairs, None, seed, source=source, advice=advice), features)


def _check_digits(columns: Mapping[str, Floats], source: str, otherwise: str = "") -> None:
    for name, numbers in columns.items():
        check_digits(numbers[~np.isnan(numbers)], f"{source}: the column {name!r}", otherwise)


def _filled(splits: Splits, names: Sequence[str]) -> Splits:
    """Means of the training split in place of missing numbers, and an input for each column that lacks some there."""
    values, missing = splits.train.inputs.double().chunk(2, dim=1)  # a missing number is 0 there
    means = (values.sum(dim=0) / (1.0 - missing).sum(dim=0).clamp_min(1.0)).float()
    lacking = missing.any(dim=0).nonzero()[:, 0]

    def fill(split: Split) -> Split:
        values, missing = split.inputs.chunk(2, dim=1)
        filled = torch.where(missing > 0, means, values)
        return Split(torch.cat([filled, missing[:, lacking]], dim=1), split.targets)

    features = (*names, *(f"{names[place]} is missing" for place in lacking.tolist()))
    return replace(
        splits, train=fill(splits.train), valid=fill(splits.valid), test=fill(splits.test), features=features
    )


def _check_alike(name: str, cells: Sequence[str], where: str, comma: bool, without: str, otherwise: str) -> None:
    """A text among many numbers, and more of them than of texts, is taken for a slip: as categories, numbers would lose
    their order.

    Args:
        without: what to do if the cell has no value.
        otherwise: what to do if numbers aren't meant.

    Raises:
        BadData: there is one.
    """
    given = {cell: _number(cell, comma) for cell in cells if not _is_missing(cell)}
    texts = [cell for cell, number in given.items() if number is None]
    numbers = {number for number in given.values() if number is not None}
    if texts and len(numbers) > max(MOST_CLASSES, len(texts)):
        raise BadData(
            f"{where}: row {cells.index(texts[0]) + 1} of the column {name!r} is {texts[0]!r}, where others are "
            f"numbers: {without}, write the number without units and separators, or {otherwise}"
        )


def _are_quantities(cells: Iterable[str], comma: bool) -> bool:
    """Whether numbers are too many, or too fine, to be classes."""
    numbers = {number for cell in cells if (number := _number(cell, comma)) is not None}
    return len(numbers) > MOST_CLASSES or any(number != round(number) for number in numbers if np.isfinite(number))


def _whole(cell: str, comma: bool) -> int | None:
    """The whole number that a cell stands for, if no other does but for zeros behind a decimal point."""
    match = _WHOLE.fullmatch(cell.replace(",", ".") if comma else cell)
    return int(match[1]) if match and abs(int(match[1])) <= 2**53 else None  # beyond, float64 merges them


def _number(cell: str, comma: bool) -> float | None:
    if "_" in cell:  # Python's way to write numbers: elsewhere 18_25 is a text
        return None
    for text in (cell, cell.replace(",", ".")) if comma else (cell,):
        try:
            return float(text)
        except ValueError:
            continue
    return None


def _is_missing(cell: str) -> bool:
    return cell.lower() in MISSING


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """The file as text.

    Raises:
        BadData: it can't be read, or isn't in UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
    except UnicodeDecodeError as error:
        raise BadData(f"{path} is no text in UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise BadData(f"{path} can't be read: {error.strerror or error}") from error


def _heading(path: Path) -> tuple[list[str], str]:
    """The names of the columns, and what is between cells: of the first line alone.

    Raises:
        BadData: there are no names, one column is without, or two have the same.
    """
    with _opened(path) as file:
        first = next((line for line in file if line.strip()), "")
    delimiter = max(",;\t|", key=first.count)
    rows = list(csv.reader([first], delimiter=delimiter, skipinitialspace=True))
    names = [name.strip() for name in (rows or [[]])[0]]
    if len(names) < 2:
        raise BadData(f"{path} has {len(names)} column(s): give the inputs and the target, cells apart by commas")
    if all(_number(name, comma=True) is not None for name in names):
        raise BadData(
            f"{path}: the first line has numbers, {', '.join(names[:3])}, ...; write the columns' names there"
        )
    for name in names:
        if not name or names.count(name) > 1:
            raise BadData(f"{path}: the first line has {name!r} {names.count(name)} times; give each column a name")
    return names, delimiter


def _read(path: Path) -> Table:
    """The columns of a file.

    Raises:
        BadData: a row of another length than the first one, or none at all.
    """
    names, delimiter = _heading(path)
    rows: list[list[str]] = []
    with _opened(path) as file:
        reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
        try:
            for row in reader:
                if row and len(row) != len(names):
                    raise BadData(
                        f"{path}: line {reader.line_num} has {len(row)} cells, and the first line {len(names)}"
                    )
                rows += [[cell.strip() for cell in row]] if row else []
        except csv.Error as error:
            raise BadData(f"{path}: line {reader.line_num}: {error}") from None
    if len(rows) < 2:
        raise BadData(f"{path} has a first line and no rows")
    return {name: [row[place] for row in rows[1:]] for place, name in enumerate(names)}
