"""Where an estimator computes is no part of what a search is, and a GPU that is lacking is told before a trial."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
import torch

import archwright as aw
from archwright.cli.checks import computing_on
from archwright.core.errors import ArchwrightError
from archwright.estimators import Mean, Staged
from archwright.objectives.costs import Latency
from archwright.run import _gpus
from archwright.runtime.store import StoreError

SPACE = aw.Space(dict, edges=[aw.Choice(*range(5)) for _ in range(6)])


@dataclass(frozen=True)
class Computing:
    """Answers at once, and says where it would compute."""

    device: str = "auto"
    costs: tuple[Latency, ...] = ()
    metric: str = "loss"

    def estimate(self, space, trial):
        return aw.Evaluation(trial, {self.metric: float(trial.architecture["edges[0]"])})


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def recorded(folder, estimator, evaluations=2, strategy=None, executor=None):
    strategy = strategy or aw.strategies.Random()
    wanted = aw.search(SPACE, strategy, estimator, objectives="min:loss", executor=executor, seed=1)
    with aw.record(aw.budget(wanted, evaluations=evaluations), folder) as run:
        return list(run)


def moved(folder, device):
    """As if the run had been made on a machine with that device."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["estimator"]["arguments"]["device"] = device
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "around",
    [
        lambda estimator: estimator,
        Mean,
        lambda estimator: Staged(Computing(estimator.device, metric="cheap"), estimator, by="max:cheap"),
    ],
)
def test_a_search_goes_on_on_another_device(tmp_path, around):
    recorded(tmp_path / "run", around(Computing("auto")))
    assert len(recorded(tmp_path / "run", around(Computing("cpu")), evaluations=3)) == 1
    assert len(aw.load(tmp_path / "run").history) == 3


def test_another_device_reaches_the_estimators_inside_and_no_cost():
    def staged(device):
        cheap, dear = Computing(device, metric="cheap"), Computing(device, (Latency("cuda"),))
        return Staged(cheap, Mean(dear), by="max:cheap")

    assert computing_on(staged("cuda"), "cpu") == staged("cpu")


def test_the_device_of_a_cost_is_what_a_search_measures(tmp_path):
    recorded(tmp_path / "run", Computing(costs=(Latency("cpu"),)))
    with pytest.raises(StoreError, match="another search: its estimator"):
        recorded(tmp_path / "run", Computing(costs=(Latency("cpu:0"),)))


def test_a_device_that_the_machine_lacks_is_told_before_anything_is_written(tmp_path):
    with pytest.raises(ArchwrightError, match="device cuda asked for, but this machine has no usable GPU"):
        recorded(tmp_path / "run", Mean(Computing("cuda")))
    assert not (tmp_path / "run").exists()


def test_a_run_of_a_larger_machine_is_refused_once_and_goes_on_on_the_cpu(tmp_path):
    recorded(tmp_path, Computing("auto"))
    moved(tmp_path, "cuda:1")
    with pytest.raises(ArchwrightError, match="device cuda:1 asked for"):
        aw.resume(tmp_path, space=SPACE, estimator=Computing("cuda:1"), budget=aw.Budget(evaluations=4))
    assert len(aw.load(tmp_path).history) == 2
    with aw.resume(tmp_path, space=SPACE, estimator=Computing("cpu"), budget=aw.Budget(evaluations=4)) as run:
        assert [item.failure for item in run] == [None, None]


def test_a_finished_run_needs_no_device(tmp_path):
    recorded(tmp_path, Computing("auto"))
    moved(tmp_path, "cuda")
    with aw.resume(tmp_path, space=SPACE, estimator=Computing("cuda")) as run:
        assert list(run) == []


def test_a_cost_that_cannot_be_measured_here_is_told_in_words_of_its_own(tmp_path):
    """Of the estimator, or of what a relaxation is penalised by."""
    penalised = aw.strategies.ProxylessNAS(penalty=aw.strategies.ExpectedCost(Latency("cuda")))
    relaxed = aw.search(SPACE, penalised, aw.estimators.WeightSharing(aw.tasks.digits()), objectives="valid_accuracy")
    words = "a cost is measured on cuda in this search, and this machine lacks it"
    with pytest.raises(ArchwrightError, match=words):
        aw.record(relaxed, tmp_path / "run")
    with pytest.raises(ArchwrightError, match=words):
        recorded(tmp_path / "run", Computing("cuda", (Latency("cuda"),)))
    assert not (tmp_path / "run").exists()


def test_executors_that_are_not_ours_may_have_other_machines(tmp_path):
    assert len(recorded(tmp_path, Computing("cuda"), executor=ThreadPoolExecutor(1))) == 2


def test_the_device_of_ones_own_part_may_be_anything(tmp_path):
    assert len(recorded(tmp_path, Computing("telephone"))) == 2


@pytest.mark.parametrize(
    ("script", "known"),
    [
        ("echo NVIDIA A100; echo NVIDIA T4", "NVIDIA A100, NVIDIA T4"),
        ("echo no driver; exit 9", None),
        (None, None),
    ],
)
def test_the_manifest_names_the_gpus_without_beginning_cuda(tmp_path, monkeypatch, script, known):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: pytest.fail("CUDA was asked"))
    if script is not None:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    assert _gpus() == known
    recorded(tmp_path / "run", Computing())
    assert aw.load(tmp_path / "run").manifest["machine"]["gpu"] == known
