"""Small files in the official layouts."""

import bz2
import csv
import gzip
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch

import archwright as aw
from archwright.benchmarks.table import BadTable
from archwright.spaces.nas_bench_201 import from_string, to_string
from archwright.spaces.operators import enumerate_all

SETS = {
    "cifar10-valid": ("x-valid", "ori-test"),
    "cifar10": ("ori-test",),
    "cifar100": ("x-valid", "x-test", "ori-test"),
    "ImageNet16-120": ("x-valid", "x-test", "ori-test"),
}
STRINGS = [to_string(architecture) for architecture in enumerate_all(aw.spaces.nasbench201())][::-1]  # another order
HELD = (3, 0)
SEEDS = {12: (111,), 200: (888, 777, 999)}


def score(index, dataset, split, epochs, seed):
    return (index + 1) * 10 + list(SETS).index(dataset) + len(split) / 10 + epochs / 1000 + seed / 1e5


def results(index, epochs, seeds):
    """What the official ArchResults writes of one architecture."""
    trainings = {}
    for dataset, splits in SETS.items():
        for seed in seeds:
            trainings[dataset, seed] = {
                "name": dataset,
                "train_times": OrderedDict((epoch, 0.5 + index) for epoch in range(epochs)),
                "params": np.float64(0.25 if seed == 888 or index else 0.5),  # seeds disagree on the first one
                "latency": [np.float64(0.01)],
                "eval_names": list(splits),
                "eval_acc1es": {
                    f"{split}@{epoch}": score(index, dataset, split, epochs, seed) if epoch == epochs - 1 else 0.0
                    for split in splits
                    for epoch in range(epochs)
                },
                "net_state_dict": None,
            }
    return {
        "arch_index": index,
        "arch_str": STRINGS[index],
        "all_results": trainings,
        "dataset_seed": {dataset: list(seeds) for dataset in SETS},
        "clear_net_done": True,
    }


def by_epochs(index, names=("12", "200")):
    return OrderedDict((name, results(index, epochs, SEEDS[epochs])) for name, epochs in zip(names, SEEDS, strict=True))


def whole(names):
    infos = {index: by_epochs(index, names) for index in HELD}
    return {"meta_archs": STRINGS, "total_archs": 15_625, "arch2infos": infos, "evaluated_indexes": set(HELD)}


def simple(folder):
    folder.mkdir()
    meta = {"meta_archs": STRINGS, "total_archs": 15_625, "arch2infos": None, "evaluated_indexes": set()}
    for name, data in {"meta": meta, **{f"{index:06d}": by_epochs(index) for index in HELD}}.items():
        with bz2.open(folder / f"{name}.pickle.pbz2", "wb") as file:
            pickle.dump(data, file, protocol=4)
    return folder


def packed(path):
    with bz2.open(path, "wb") as file:
        pickle.dump(whole(("12", "200")), file, protocol=4)
    return path


def pth(path):
    torch.save(whole(("less", "full")), path, _use_new_zipfile_serialization=False)  # as in 2020
    return path


@pytest.mark.parametrize(
    ("make", "name"),
    [(simple, "NATS-tss-simple"), (packed, "NATS-tss.pickle.pbz2"), (pth, "NAS-Bench-201-v1_1.pth")],
)
def test_what_is_imported_answers(tmp_path, make, name):
    kept = aw.benchmarks.import_table(make(tmp_path / name), tmp_path / "out")
    assert kept == tmp_path / "out" / "nasbench201.csv.gz"
    scored = {"cifar10": ("cifar10-valid", "cifar10", "ori-test"), "cifar100": ("cifar100", "cifar100", "x-test")}
    for dataset, (valid, test, split) in scored.items():
        short = aw.benchmarks.nasbench201(dataset, data=kept.parent)
        full = aw.benchmarks.nasbench201(dataset, epochs=200, data=kept.parent)
        for index in HELD:
            architecture = from_string(STRINGS[index])
            answer = short.estimator.estimate(short.space, aw.Trial(architecture))
            assert answer.metrics["valid_accuracy"] * 100 == pytest.approx(score(index, valid, "x-valid", 12, 111))
            assert answer.cost == pytest.approx(12 * (0.5 + index))
            assert answer.metrics["parameters"] == 250_000
            tests = [score(index, test, split, 200, seed) for seed in SEEDS[200]]
            assert short.final(architecture)["test_accuracy"] * 100 == pytest.approx(np.mean(tests))
            for place, seed in enumerate(sorted(SEEDS[200])):
                answer = full.estimator.estimate(full.space, aw.Trial(architecture, seed=place))
                wanted = score(index, valid, "x-valid", 200, seed)
                assert answer.metrics["valid_accuracy"] * 100 == pytest.approx(wanted)
                assert answer.cost == pytest.approx(200 * (0.5 + index))
    search = aw.search(short.space, aw.strategies.Random(), short.estimator, objectives="valid_accuracy")
    lacking = "the table of nasbench201 has no valid_accuracy and no seconds for it"
    assert next(search).failure == lacking  # the file has two architectures of 15,625


def test_it_has_the_layout_of_the_public_table(tmp_path, bench_data):
    kept = aw.benchmarks.import_table(simple(tmp_path / "NATS-tss-simple"), tmp_path / "out")
    with gzip.open(kept, "rt") as ours, gzip.open(bench_data / "nasbench201.csv.gz", "rt") as theirs:
        missing = set(csv.DictReader(theirs).fieldnames) - set(csv.DictReader(ours).fieldnames)
    assert missing == {"cifar100_flops_M", "params_mismatch"}


def test_a_pickle_with_anything_else_is_refused(tmp_path):
    class Runs:
        def __reduce__(self):
            return exec, (f"open({str(tmp_path / 'mark')!r}, 'w')",)

    folder = simple(tmp_path / "NATS-tss-simple")
    with bz2.open(folder / "000003.pickle.pbz2", "wb") as file:
        pickle.dump(by_epochs(3) | {"more": Runs()}, file)
    with pytest.raises(BadTable, match=r"000003\.pickle\.pbz2 is refused.*builtins\.exec"):
        aw.benchmarks.import_table(folder, tmp_path / "out")
    assert not (tmp_path / "mark").exists()
    assert not (tmp_path / "out").exists()


def test_mistakes(tmp_path):
    def pickled(name, data):
        with bz2.open(tmp_path / name, "wb") as file:
            pickle.dump(data, file)
        return tmp_path / name

    sizes = {"meta_archs": ["64:64:64:64:64"], "arch2infos": {}}
    for path, complaint in (
        (tmp_path / "nothing", "there is no"),
        (pickled("size.pickle.pbz2", sizes), "not of the topology space"),
        (pickled("other.pickle.pbz2", {"some": "thing"}), "not laid out"),
        (pickled("empty.pickle.pbz2", {"meta_archs": STRINGS, "arch2infos": {}}), "holds no training"),
        (pickled("thesis.txt", {}), "none of what can be imported: NATS-tss"),
    ):
        with pytest.raises(BadTable, match=complaint):
            aw.benchmarks.import_table(path, tmp_path / "out")
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadTable, match=r"meta\.pickle\.pbz2"):
        aw.benchmarks.import_table(tmp_path / "folder", tmp_path / "out")
    (tmp_path / "text.pickle.pbz2").write_text("not compressed")
    with pytest.raises(BadTable, match=r"refused|can't be read"):
        aw.benchmarks.import_table(tmp_path / "text.pickle.pbz2", tmp_path / "out")
