"""kill -9 at fifty random instants of a running search: nothing finished is lost, nothing is done twice.

    python benchmarks/kill_and_resume.py [--kills 50]

A search with two workers over multi-branch networks, whose candidates take some milliseconds each and write a line
when they have been evaluated, is killed, its workers with it, and resumed, again and again. Then:
  - every evaluation that the search had reported before a kill is in the stored history (nothing lost);
  - no question has two answers in the history, and no candidate whose answer was stored was computed again;
  - with one worker, the history equals that of a search that was never interrupted.
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import archwright as aw

PROGRAM = """
import sys
sys.path.insert(0, {here!r})
from kill_and_resume import start
with open({reported!r}, "a", buffering=1) as reported:
    for evaluation in start({folder!r}, {workers}, {computed!r}):
        if evaluation.reused is None:
            reported.write(evaluation.trial.architecture.to_json() + "\\n")
"""


class Slow:
    """Answers after some milliseconds and leaves a line in a file, so that a second computation is seen."""

    def __init__(self, log: str) -> None:
        self.log = log

    def estimate(self, space: aw.Space, trial: aw.Trial) -> aw.Evaluation:
        values = [int(value) for _, value in trial.architecture]
        time.sleep(0.004 + 0.002 * values[0])
        with open(self.log, "a", buffering=1) as log:
            log.write(trial.architecture.to_json() + "\n")
        return aw.Evaluation(trial, {"loss": float(sum(abs(value - 3) for value in values))}, cost=0.01)


def start(folder: str, workers: int, log: str, evaluations: int = 100_000) -> aw.Search:
    executor = aw.Processes(workers) if workers > 1 else aw.Inline()
    search = aw.search(
        aw.spaces.multibranch(layers=5), aw.strategies.RegularizedEvolution(50, 10), Slow(log),
        objectives="min:loss", executor=executor, seed=3,
    )  # fmt: skip
    return aw.record(aw.budget(search, evaluations=evaluations), folder)


def torture(folder: Path, workers: int, kills: int, rng: random.Random) -> tuple[int, int, int]:
    """Returns how many kills hit a running search, the evaluations stored at the end, and computations repeated."""
    run, reported, computed = folder / "run", folder / "reported", folder / "computed"
    reported.touch()
    program = PROGRAM.format(
        here=str(Path(__file__).parent),
        reported=str(reported),
        folder=str(run),
        workers=workers,
        computed=str(computed),
    )
    hits = 0
    while hits < kills:
        before = len(reported.read_text().splitlines())
        process = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
        while process.poll() is None and len(reported.read_text().splitlines()) <= before:
            time.sleep(0.01)  # the instants are drawn from the time in which the search runs, not its start
        time.sleep(rng.uniform(0.0, 0.5))
        if process.poll() is not None:
            raise SystemExit("the search ended before it was killed often enough: give it more evaluations")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        hits += 1
        check(run, reported)
    history = aw.load(run).history
    answers = collections.Counter(item.trial.architecture for item in history if item.reused is None)
    assert max(answers.values()) == 1, "a question has two answers"
    lines = collections.Counter(computed.read_text().splitlines())
    repeated = sum(lines.values()) - len(lines)
    assert repeated <= hits * workers, "more was computed again than could have been under way when it was killed"
    return hits, len(history), repeated


def check(run: Path, reported: Path) -> None:
    history = aw.load(run).history
    stored = [item.trial.architecture.to_json() for item in history if item.reused is None]
    told = [line for line in reported.read_text().splitlines() if line.endswith("}")]
    lost = set(told) - set(stored)
    assert not lost, f"{len(lost)} finished evaluations were lost"
    assert len(told) == len(set(told)), "an evaluation was reported twice"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    rng = random.Random(chosen.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for workers in (2, 1):
            place = folder / str(workers)
            place.mkdir()
            hits, stored, repeated = torture(place, workers, chosen.kills, rng)
            print(f"{workers} worker(s): {hits} kills, {stored} evaluations stored, none lost, none stored twice; "
                  f"{repeated} were under way when killed and computed again")  # fmt: skip
        killed = aw.load(folder / "1" / "run").history
        whole = []
        for evaluation in start(str(folder / "whole"), 1, str(folder / "whole-computed")):
            whole.append(evaluation)
            if len(whole) == len(killed):
                break
        assert [(e.trial, e.metrics, e.reused) for e in whole] == [(e.trial, e.metrics, e.reused) for e in killed]
        print(f"1 worker: the {len(killed)} evaluations equal those of an uninterrupted search")


if __name__ == "__main__":
    main()
