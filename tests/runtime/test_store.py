import json
import os
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

import archwright as aw
from archwright.core.objective import Goal
from archwright.runtime.store import Store, StoreError, alone, read_manifest, write_json


class Distance:
    def estimate(self, space, trial):
        loss = float(sum(abs(value - 3) for _, value in trial.architecture))
        if loss == 9:
            raise ValueError("nine")
        return aw.Evaluation(trial, {"loss": loss}, curve=(1.0, loss), cost=0.1)


def space():
    return aw.spaces.nasbench201(cells=1)


def start(folder, seed=1, evaluations=20, strategy=None):
    run = aw.search(
        space(), strategy or aw.strategies.RegularizedEvolution(5, 2), Distance(), objectives="min:loss", seed=seed
    )
    return aw.record(aw.budget(run, evaluations=evaluations), folder)


def timeless(evaluations):
    """All but the seconds, which differ from one time to the next where a candidate fails."""
    return [replace(evaluation, cost=0.0) for evaluation in evaluations]


def test_a_run_comes_back_as_it_was(tmp_path):
    done = list(start(tmp_path / "run"))
    run = aw.load(tmp_path / "run")
    assert list(run.history) == done
    assert len(run.times) == len(done)
    assert run.times == sorted(run.times)
    assert run.best.evaluation == min((e for e in done if e.failure is None), key=lambda e: e.metrics["loss"])
    assert run.manifest["space_size"] == "15625"


def test_it_continues_where_it_stopped(tmp_path):
    whole = list(start(tmp_path / "whole", evaluations=20))
    first = start(tmp_path / "parts", evaluations=20)
    assert timeless(next(first) for _ in range(8)) == timeless(whole[:8])
    first.close()
    rest = list(start(tmp_path / "parts", evaluations=20))
    assert timeless(rest) == timeless(whole[8:])
    assert timeless(aw.load(tmp_path / "parts").history) == timeless(whole)


def test_what_was_pending_is_asked_again_first(tmp_path):
    """The process dies after a trial was written down and before it ended."""
    whole = list(start(tmp_path / "whole", evaluations=10))
    run = start(tmp_path / "run", evaluations=10)
    for _ in range(4):
        next(run)
    number = run.history.ask(whole[4].trial)
    run.journal.asked(number, whole[4].trial, 4)
    run.close()
    assert list(aw.load(tmp_path / "run").history.pending.values()) == [whole[4].trial]
    assert timeless(start(tmp_path / "run", evaluations=10)) == timeless(whole[4:])


def test_what_a_search_starts_from_is_stored_too(tmp_path):
    first = list(start(tmp_path / "first", evaluations=5))

    def again():
        return aw.search(space(), aw.strategies.Random(), Distance(), objectives="min:loss", history=first)

    done = list(aw.record(aw.budget(again(), evaluations=8), tmp_path / "second"))
    assert list(aw.load(tmp_path / "second").history) == [*first, *done]
    with pytest.raises(StoreError, match="which ones should count"):
        aw.record(again(), tmp_path / "second")


def test_the_stored_order_replays_to_the_same_proposals(tmp_path):
    """With many workers: history as it was known at each proposal, and the proposal's own stream."""
    from archwright.core.history import History
    from archwright.core.rng import Streams

    class Pool(ThreadPoolExecutor):
        workers = 3

    strategy = aw.strategies.RegularizedEvolution(5, 2)
    run = aw.search(space(), strategy, Distance(), objectives="min:loss", seed=4, executor=Pool(3))
    list(aw.record(aw.budget(run, evaluations=40), tmp_path))
    with Store(tmp_path) as store:
        history, _ = store.load(Goal.of("min:loss"))
        known = store.known_when_asked()
    numbers = [
        row[0]
        for row in sqlite3.connect(tmp_path / "history.sqlite").execute(
            "select number from evaluations order by position"
        )
    ]
    trials = {number: history[position].trial for position, number in enumerate(numbers)}
    replay, streams, arrived = History("min:loss"), Streams(4), 0
    for number in range(len(trials)):
        while arrived < known[number]:
            replay.append(numbers[arrived], history[arrived])
            arrived += 1
        assert strategy.propose(space(), replay, streams[replay.asked]) == trials[number]
        replay.ask(trials[number])


def test_a_folder_with_another_search_is_refused(tmp_path):
    list(start(tmp_path / "run"))
    with pytest.raises(StoreError, match="its seed is 1, not 2"):
        start(tmp_path / "run", seed=2)
    with pytest.raises(StoreError, match="population"):
        start(tmp_path / "run", strategy=aw.strategies.RegularizedEvolution(6, 2))
    assert list(start(tmp_path / "run", evaluations=21))  # nothing stays locked


def test_two_writers_are_one_too_many(tmp_path):
    run = start(tmp_path / "run")
    next(run)
    with pytest.raises(StoreError, match="another process"):
        start(tmp_path / "run")
    assert aw.load(tmp_path / "run").history  # readers are welcome
    run.close()


def test_who_closes_a_run_in_another_thread_lets_it_go(tmp_path):
    run = start(tmp_path / "run")
    with ThreadPoolExecutor(1) as other:
        assert other.submit(list, run).result()
    with alone(tmp_path / "run"):  # as for the training of its winner
        pass


def test_a_run_that_can_not_be_opened_is_let_go_while_the_error_is_looked_at(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "history.sqlite").write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreError, match="damaged") as kept:
        start(tmp_path / "run")
    with alone(tmp_path / "run"):
        assert kept.value.__traceback__


def test_a_run_whose_first_evaluations_can_not_be_written_is_let_go(tmp_path, monkeypatch):
    given = list(start(tmp_path / "first", evaluations=2))

    def full(*_):
        raise StoreError("free some space")

    monkeypatch.setattr(Store, "answered", full)
    again = aw.search(space(), aw.strategies.Random(), Distance(), objectives="min:loss", history=given)
    with pytest.raises(StoreError, match="free some space") as kept:
        aw.record(again, tmp_path / "second")
    with alone(tmp_path / "second"):
        assert kept.value.__traceback__


@pytest.fixture
def not_writable(monkeypatch):
    """Folders look as they do to who may not write there. (To root they never do.)"""
    able = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and able(path, mode))


@pytest.mark.parametrize("empty_log", [False, True])
def test_who_can_not_write_reads_a_finished_run_and_leaves_nothing_there(tmp_path, not_writable, empty_log):
    folder = tmp_path / "a run #1 %20"
    with pytest.MonkeyPatch.context() as able:
        able.setattr(os, "access", lambda *_: True)
        done = list(start(folder, evaluations=5))
    if empty_log:
        (folder / "history.sqlite-wal").touch()
    before = sorted(folder.iterdir())
    with Store(folder) as store:
        assert list(store.load(Goal.of("min:loss"))[0]) == done
        assert sorted(folder.iterdir()) == before


def test_who_can_not_write_reads_what_is_being_written(tmp_path, monkeypatch):
    with start(tmp_path, evaluations=5) as run:
        done = [next(run) for _ in range(3)]
        monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
        assert list(aw.load(tmp_path).history) == done  # which is in the log alone


def test_a_log_that_can_not_be_read_is_for_who_can_write(tmp_path, monkeypatch):
    list(start(tmp_path, evaluations=3))
    (tmp_path / "history.sqlite-wal").write_bytes(b"changes")

    def connect(*_, **__):
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    monkeypatch.setattr(sqlite3, "connect", connect)
    with pytest.raises(StoreError, match=r"whoever may write to the folder .* `archwright show "):
        Store(tmp_path)


def test_what_can_not_be_written_is_no_damage(tmp_path):
    priced = aw.Evaluation(aw.Trial(aw.Architecture((("x", 1),))), {"loss": 1.0}, cost=float("nan"))
    with Store(tmp_path, write=True) as store:
        store.asked(0, priced.trial, 0)
        with pytest.raises(StoreError, match="can't hold what was to be written: NOT NULL"):
            store.answered(0, priced, 0.0)


def test_folders_that_are_no_run(tmp_path):
    with pytest.raises(StoreError, match="there is no run"):
        aw.load(tmp_path / "missing")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match=r"no manifest\.json"):
        aw.load(tmp_path)
    with pytest.raises(StoreError, match="not empty"):
        start(tmp_path)
    with pytest.raises(StoreError, match="is a file"):
        start(tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("content", "words"),
    [("{", "can't be read"), ("[]", "not a manifest"), ("{}", "not a manifest"), ('{"format": 99}', "upgrade")],
)
def test_manifests_that_are_none(tmp_path, content, words):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(StoreError, match=words):
        read_manifest(tmp_path)


def test_a_damaged_history_is_named(tmp_path):
    list(start(tmp_path, evaluations=3))
    for extra in tmp_path.glob("history.sqlite-*"):
        extra.unlink()
    (tmp_path / "history.sqlite").write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreError, match=r"history\.sqlite is damaged"):
        aw.load(tmp_path)


def test_opening_a_run_executes_nothing(tmp_path):
    list(start(tmp_path, evaluations=3))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["space"] = {"name": "os.system", "arguments": {"command": f"touch {tmp_path / 'pwned'}"}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    run = aw.load(tmp_path)
    with pytest.raises(aw.ArchwrightError, match="there is no part"):
        _ = run.space
    assert not (tmp_path / "pwned").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_says_so_and_keeps_what_is_there(tmp_path):
    """A database that may not grow: what SQLite reports is what a full disk gives."""
    run = start(tmp_path, evaluations=500)
    for _ in range(5):
        next(run)
    pages = run.journal._connection.exec_driver_sql("PRAGMA page_count").scalar()
    run.journal._connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreError, match="free some space"):
        list(run)
    run.close()
    kept = aw.load(tmp_path)
    assert len(kept.history) >= 5
    assert timeless(kept.history) == timeless(start(tmp_path / "whole", evaluations=500))[: len(kept.history)]
    assert list(start(tmp_path, evaluations=500))  # there is room again


def test_json_is_written_whole_or_not_at_all(tmp_path):
    write_json(tmp_path / "a.json", {"old": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"new": object()})
    assert json.loads((tmp_path / "a.json").read_text()) == {"old": 1}
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="can't write"):
        write_json(tmp_path / "file" / "a.json", {})


def test_kill_9_loses_nothing_finished(tmp_path):
    """A few instants; benchmarks/kill_and_resume.py tries fifty."""
    folder, log = tmp_path / "run", tmp_path / "log"
    program = f"""
import time, archwright as aw
from tests.runtime.test_store import start
with open({str(log)!r}, "a") as log:
    for evaluation in start({str(folder)!r}, evaluations=200):
        log.write(evaluation.trial.architecture.to_json() + "\\n")
        log.flush()
        time.sleep(0.002)
"""
    log.touch()
    for further in (1, 30, 50):
        wanted = len(log.read_text().splitlines()) + further
        process = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[2])
        while len(log.read_text().splitlines()) < wanted and process.poll() is None:
            time.sleep(0.001)
        process.kill()
        process.wait()
    list(start(folder, evaluations=200))
    assert [evaluation.reused for evaluation in aw.load(folder).history].count(None) == 200  # none done twice
    whole = list(start(tmp_path / "whole", evaluations=200))
    assert timeless(aw.load(folder).history) == timeless(whole)
    reported = log.read_text().splitlines()
    assert len(reported) >= 81
    assert set(reported) <= {evaluation.trial.architecture.to_json() for evaluation in whole}


def test_another_space_of_the_users_own_is_refused(tmp_path):
    def search(*options):
        space = aw.Space(dict, edges=[aw.Choice(*options) for _ in range(3)])
        run = aw.search(space, aw.strategies.Random(), Distance(), objectives="min:loss")
        return aw.record(aw.budget(run, evaluations=2), tmp_path), space

    started, space = search(1, 2, 3)
    list(started)
    with pytest.raises(StoreError, match="its space is"):
        search(1, 2, 4)
    assert aw.load(tmp_path, space=space).best
    with pytest.raises(StoreError, match="unchanged"):
        aw.load(tmp_path, space=aw.Space(dict, edges=aw.Choice(1)))
