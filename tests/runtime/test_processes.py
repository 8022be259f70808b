"""Workers that raise, hang, grow or die cost one call and no more."""

import os
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

import archwright as aw
from archwright.core.errors import ArchwrightError
from archwright.runtime.processes import Processes, WorkerLost


@pytest.fixture(scope="module")
def one():
    with Processes(1, time_limit=20) as executor:
        yield executor


def double(x):
    return 2 * x


def test_calls_and_results_travel(one):
    assert [one.submit(double, n).result() for n in (1, 2)] == [2, 4]


def test_functions_and_classes_of_a_script_travel(one):
    class Local:
        def __init__(self, n):
            self.n = n

        def scaled(self, k):
            return self.n * k

    assert one.submit(lambda x: Local(x).scaled(3), 4).result() == 12


def test_what_a_call_raises_comes_back(one):
    def fail():
        raise KeyError("missing")

    with pytest.raises(KeyError, match="missing"):
        one.submit(fail).result()
    assert one.submit(double, 5).result() == 10


def test_an_exception_that_cannot_travel_comes_back_as_words(one):
    def fail():
        class Stubborn(Exception):
            def __init__(self, a, b):
                super().__init__(f"{a} and {b}")

        raise Stubborn(1, 2)

    with pytest.raises(Exception, match="1 and 2"):
        one.submit(fail).result()


def test_printing_and_reading_do_not_disturb_the_pipes(capfd):
    def noisy():
        print("words on standard output")
        os.write(1, b"and bytes")
        return sys.stdin.read()

    with Processes(1) as executor:
        assert executor.submit(noisy).result() == ""
    assert "words on standard output" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "killed by signal 9"),
        (lambda: os.kill(os.getpid(), signal.SIGSEGV), "killed by signal 11"),
        (lambda: os._exit(7), "exited with status 7"),
    ],
)
def test_a_worker_that_dies_costs_one_call(one, end, words):
    with pytest.raises(WorkerLost, match=words):
        one.submit(end).result()
    assert one.submit(double, 21).result() == 42


def test_what_is_raised_and_is_no_error_comes_back_as_words(one):
    class PanicException(BaseException):
        """As a library written in Rust raises it."""

    class Unready:
        def prepare(self):
            raise PanicException("not ready")

        def __call__(self):
            return 1

    def fail():
        raise PanicException("index out of bounds")

    process = one.submit(os.getpid).result()
    with pytest.raises(RuntimeError, match="PanicException: index out of bounds"):
        one.submit(fail).result()
    with pytest.raises(RuntimeError, match="PanicException: not ready"):
        one.submit(Unready()).result()
    assert one.submit(os.getpid).result() == process


def test_a_worker_that_ends_after_its_pipe_tells_how(one):
    def end():
        os.closerange(3, 100)  # the pipes among them
        time.sleep(0.3)
        os._exit(7)

    with pytest.raises(WorkerLost, match="exited with status 7"):
        one.submit(end).result()


def test_a_worker_that_had_to_be_killed_was_not_out_of_memory(one):
    def deafen():
        os.closerange(3, 100)
        time.sleep(60)

    with pytest.raises(WorkerLost, match="could not be heard any more and was ended"):
        one.submit(deafen).result()


@pytest.mark.parametrize("is_usable", [True, False])
def test_a_worker_whose_gpu_is_lost_answers_and_is_replaced(is_usable):
    def compute():
        waited, emptied = [], []

        def synchronize(device):
            waited.append(device)
            if not is_usable:
                raise RuntimeError("CUDA error: device-side assert triggered")

        cuda = SimpleNamespace(
            is_initialized=lambda: True,
            device_count=lambda: 2,
            memory_reserved=lambda device: device * 2**20,  # only the second one was used
            synchronize=synchronize,
            empty_cache=lambda: emptied.append(True),
        )
        sys.modules["torch"] = SimpleNamespace(cuda=cuda, seen=(waited, emptied))
        return os.getpid()

    def after():
        return os.getpid(), getattr(sys.modules.get("torch"), "seen", None)

    with Processes(1) as executor:
        first = executor.submit(compute)
        process, seen = executor.submit(after).result()  # sent as soon as the first is answered
    assert (process == first.result()) == is_usable
    assert seen == (([1], [True]) if is_usable else None)


def test_each_worker_has_a_number_and_its_successor_takes_it_over():
    def number():
        time.sleep(0.2)  # so that the other worker takes the other call
        return os.environ["ARCHWRIGHT_WORKER"]

    with Processes(2) as executor:
        assert {future.result() for future in [executor.submit(number) for _ in range(2)]} == {"0", "1"}
        with pytest.raises(WorkerLost):
            executor.submit(os._exit, 7).result()
        assert {future.result() for future in [executor.submit(number) for _ in range(2)]} == {"0", "1"}


def test_a_call_that_hangs_is_ended_at_its_limit():
    with Processes(1, time_limit=1.5) as executor:
        executor.submit(double, 1).result()
        started = time.monotonic()
        with pytest.raises(WorkerLost, match=r"limit of 1\.5 seconds"):
            executor.submit(time.sleep, 60).result()
        assert time.monotonic() - started < 10
        assert executor.submit(double, 2).result() == 4


class Slow:
    """Has something to get ready that takes longer than a call may."""

    def __init__(self, log):
        self.log = log

    def prepare(self):
        time.sleep(1.0)
        self.log.write_text(f"{self.log.read_text()}ready ")

    def __call__(self, seconds):
        time.sleep(seconds)
        return self.log.read_text()


def test_a_worker_gets_ready_once_and_no_call_is_charged_with_it(tmp_path):
    slow = Slow(tmp_path / "log")
    slow.log.touch()
    with Processes(1, time_limit=0.7) as executor:
        assert [executor.submit(slow, 0).result() for _ in range(2)] == ["ready ", "ready "]
        with pytest.raises(WorkerLost, match=r"limit of 0\.7 seconds") as lost:
            executor.submit(slow, 60).result()
        assert lost.value.seconds < 5
        assert executor.submit(slow, 0).result() == "ready ready "  # of the worker that took its place


def test_what_fails_to_get_ready_fails_its_call(one):
    class Unready:
        def prepare(self):
            raise OSError("no such data")

        def __call__(self):
            return 1

    with pytest.raises(OSError, match="no such data"):
        one.submit(Unready()).result()
    assert one.submit(double, 3).result() == 6


@pytest.mark.skipif(sys.platform != "linux", reason="the memory limit is Linux's")
def test_a_call_that_grows_too_large_fails():
    with Processes(1, memory_limit=300 * 2**20) as executor:
        with pytest.raises(MemoryError):
            executor.submit(bytearray, 400 * 2**20).result()
        assert executor.submit(double, 2).result() == 4


def test_each_worker_has_its_share_of_the_cores(monkeypatch):
    def threads():
        return os.environ["OMP_NUM_THREADS"]

    with Processes(2, threads=3) as executor:
        assert executor.submit(threads).result() == "3"
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(6), raising=False)
    assert [Processes(workers).threads for workers in (2, 4, 8)] == [3, 1, 1]
    monkeypatch.setenv("OMP_NUM_THREADS", "5,2")
    assert Processes(2).threads == 5
    assert Processes(2, threads=1).threads == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "all")
    assert Processes(2).threads == 3


def test_what_cannot_travel_is_explained(one):
    with pytest.raises(ArchwrightError, match="can't send"):
        one.submit(double, threading.Lock()).result()
    assert one.submit(double, 1).result() == 2


def test_ending_does_not_wait_for_what_runs():
    executor = Processes(1)
    future = executor.submit(time.sleep, 60)
    time.sleep(0.5)
    started = time.monotonic()
    executor.shutdown(wait=False, cancel_futures=True)
    assert time.monotonic() - started < 5
    with pytest.raises(WorkerLost):
        future.result(timeout=10)


def test_workers_end_with_their_parent(tmp_path):
    program = (
        "import os, sys, time; from archwright.runtime.processes import Processes\n"
        "def pid(): return os.getpid()\n"
        "executor = Processes(1)\n"
        "print(executor.submit(pid).result(), flush=True)\n"
        "executor.submit(time.sleep, 60)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(60):
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        if _state(worker) == "Z":  # dead, and its new parent has not asked for it yet
            return
        time.sleep(0.1)
    pytest.fail("the worker outlived its parent")


def _state(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return "Z"


def test_a_search_survives_its_candidates():
    class Dangerous:
        """Which way a candidate goes wrong is its decision."""

        def estimate(self, space, trial):
            kind = trial.architecture["kind"]
            if kind == 1:
                raise RuntimeError("broken layer")
            if kind == 2:
                return aw.Evaluation(trial, {"loss": float("nan")})
            if kind == 3:
                time.sleep(60)
            if kind == 4:
                bytearray(2**60)
            if kind == 5:
                os.kill(os.getpid(), signal.SIGKILL)
            return aw.Evaluation(trial, {"loss": 1.0})

    space = aw.Space(dict, kind=aw.Choice("good", "raises", "nan", "hangs", "too large", "dies"))
    started = aw.search(
        space, aw.strategies.Exhaustive(), Dangerous(), objectives="min:loss", executor=Processes(2, time_limit=3)
    )
    failures = {evaluation.trial.architecture["kind"]: evaluation.failure for evaluation in started}
    assert failures[0] is None
    assert failures[1].startswith("RuntimeError: broken layer")
    assert failures[2] == "loss is nan"
    assert "limit of 3 seconds" in failures[3]
    assert failures[4].startswith("MemoryError")
    assert "killed by signal 9" in failures[5]


@pytest.mark.parametrize("failure", [None, "RuntimeError: no such data"])
def test_loading_the_data_takes_no_trial_its_time(failure):
    class Data:
        loaded = None

        @property
        def splits(self):
            if self.loaded is None:
                time.sleep(1.0)
                if failure is not None:
                    raise RuntimeError("no such data")
                self.loaded = 1.0
            return self.loaded

    class Reading:
        task = Data()

        def estimate(self, space, trial):
            return aw.Evaluation(trial, {"loss": self.task.splits})

    space = aw.Space(dict, kind=aw.Choice(1, 2, 3))
    limit = 0.7 if failure is None else 20
    started = aw.search(
        space, aw.strategies.Random(), Reading(), objectives="min:loss", executor=Processes(1, time_limit=limit)
    )
    with started:
        answer = next(started)
    assert (answer.failure or "").startswith(failure or "")
    assert (answer.failure is None) == (failure is None)


def test_workers_that_cannot_be():
    with pytest.raises(ArchwrightError, match="at least 1"):
        Processes(0)


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="process groups are POSIX's")
def test_processes_of_a_candidates_own_end_with_it():
    def hangs_with_a_child():
        subprocess.Popen(["sleep", "60"])  # would hold the worker's pipe open
        time.sleep(60)

    with Processes(1, time_limit=2) as executor:
        started = time.monotonic()
        with pytest.raises(WorkerLost, match="limit of 2"):
            executor.submit(hangs_with_a_child).result(timeout=20)
        assert time.monotonic() - started < 15


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only POSIX forks")
def test_a_forked_process_that_left_the_group_keeps_no_call_waiting(tmp_path):
    log = tmp_path / "pid"

    def hangs_with_a_fork():
        if os.fork() == 0:
            os.setsid()
            log.write_text(str(os.getpid()))
            time.sleep(20)
            os._exit(0)
        time.sleep(60)

    with Processes(1, time_limit=0.7) as executor:
        started = time.monotonic()
        with pytest.raises(WorkerLost, match=r"limit of 0\.7"):
            executor.submit(hangs_with_a_fork).result(timeout=15)
        assert time.monotonic() - started < 10
    os.kill(int(log.read_text()), signal.SIGKILL)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only POSIX forks")
def test_a_forked_process_does_not_answer_for_its_parent(one):
    def in_two():
        child = os.fork()
        if child == 0:
            return "child"
        os.waitpid(child, 0)
        return "parent"

    assert one.submit(in_two).result() == "parent"
    assert one.submit(double, 4).result() == 8
