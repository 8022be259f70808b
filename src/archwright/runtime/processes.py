"""Trials in worker processes: a worker that is killed, hangs or grows too large costs one trial and no more."""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from typing import IO, Any, ParamSpec, TypeVar

from archwright.core.errors import ArchwrightError
from archwright.runtime.machine import cores
from archwright.runtime.pickling import dumps, what_stays

Given = ParamSpec("Given")
Result = TypeVar("Result")


LAST_WORDS = 1.0
"""Seconds that a worker whose pipe has ended may take to end itself, so that how it ended can be told."""


class WorkerLost(ArchwrightError):
    """A worker process ended without an answer. `seconds` is what the call had taken by then."""

    seconds = 0.0


class Processes(Executor):
    """`workers` processes of their own interpreter, each with an equal share of the cores.

    A thread a worker hands over one call at a time through pipes, so a lost worker is known at once, its call
    fails with `WorkerLost`, and the next call starts a fresh one. So it does after a call that left CUDA unusable in
    its process, as an assertion that fails on a GPU does. Functions travel by cloudpickle, once a worker: classes and
    functions of a script or a notebook work, and scripts need no `if __name__ == "__main__"`. What a function needs
    that is large and slow to get, it may load in a method `prepare()`: a worker calls that once, when it receives the
    function and before its first call, whose time it doesn't count to.

    Each worker has its number, 0 to workers - 1, in the environment variable ARCHWRIGHT_WORKER; one that replaces
    another takes over its number. By it, the device "auto" spreads the workers over several GPUs.

    Args:
        workers: processes at a time.
        time_limit: seconds a call may take before its worker is killed; a fresh worker's start and what `prepare` does
            (some seconds: it imports torch and loads the data) come before. None: no limit.
        memory_limit: bytes of data a worker may allocate (Linux); None: no limit.
        threads: CPU threads a worker; by default what `OMP_NUM_THREADS` says, else the cores that this process may
            use, divided by the workers.
    """

    def __init__(
        self,
        workers: int = 1,
        *,
        time_limit: float | None = None,
        memory_limit: int | None = None,
        threads: int | None = None,
    ) -> None:
        if workers < 1:
            raise ArchwrightError(f"Processes needs at least 1 worker, not {workers}")
        self.workers = workers
        self.time_limit, self.memory_limit = time_limit, memory_limit
        self.threads = threads or _wanted_threads() or max(1, cores() // workers)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="archwright-worker")
        self._idle: queue.SimpleQueue[tuple[int, _Worker | None]] = queue.SimpleQueue()
        for number in range(workers):
            self._idle.put((number, None))  # started with the first call that needs it
        self._alive: set[_Worker] = set()
        self._packed: tuple[object, bytes] = (None, b"")
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, fn: Callable[Given, Result], /, *args: Given.args, **kwargs: Given.kwargs) -> Future[Result]:
        """Calls `fn` in a worker; the future fails with what `fn` raised, or with `WorkerLost`.

        Raises:
            ArchwrightError: `fn` can't be sent to another process.
        """
        return self._pool.submit(self._call, self.pack(fn), args, kwargs)

    def pack(self, fn: Callable[..., Any]) -> bytes:
        """A function as bytes, as it is now. They are kept until another one is packed, for all workers.

        Raises:
            ArchwrightError: it can't be sent to another process; says what in it can't.
        """
        known, packed = self._packed
        if known is not fn:
            packed = _bytes(fn)
            self._packed = (fn, packed)
        return packed

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Kills the workers, after their calls if `wait`."""
        if not wait:
            self._end()
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)
        self._end()

    def _end(self) -> None:
        with self._lock:
            self._closed = True
            for worker in self._alive:
                worker.kill()

    def _call(self, packed: bytes, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        number, worker = self._idle.get()
        try:
            if worker is None or not worker.is_alive:
                worker = self._start(number)
            return worker.call(packed, args, kwargs, self.time_limit)
        finally:
            self._idle.put((number, worker))

    def _start(self, number: int) -> _Worker:
        with self._lock:
            if self._closed:
                raise WorkerLost("the search was ended")
            self._alive = {worker for worker in self._alive if worker.is_alive}
            worker = _Worker(number, self.threads, self.memory_limit)
            self._alive.add(worker)
            return worker


def _wanted_threads() -> int:
    """What the environment asks for; 0 if nothing, or a list for nested loops, of which the first counts."""
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isdecimal() else 0


class _Worker:
    """One process and the two pipes to it."""

    def __init__(self, number: int, threads: int, memory_limit: int | None) -> None:
        settings = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        settings["ARCHWRIGHT_WORKER"] = str(number)
        command = [sys.executable, "-m", "archwright.runtime.worker", str(os.getpid()), str(memory_limit or 0)]
        paths = os.pathsep.join(path for path in sys.path if path)
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **settings, "PYTHONPATH": paths},
            start_new_session=True,  # Ctrl-C is for the search, which then ends its workers itself
        )
        self.function: bytes | None = None  # what it was sent last
        self._was_killed = False  # by this process
        self._calling = threading.Lock()

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        self._kill_all()
        if self._calling.acquire(blocking=False):  # else the call finds its worker lost, and clears up
            self._clear_up()
            self._calling.release()

    def _clear_up(self) -> int:
        status = self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            close_quietly(pipe)
        return status

    def call(self, function: bytes, args: Any, kwargs: Any, time_limit: float | None) -> Any:
        with self._calling:
            return self._call(function, args, kwargs, time_limit)

    def _call(self, function: bytes, args: Any, kwargs: Any, time_limit: float | None) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        payload = pickle.dumps((None if function is self.function else function, _bytes((args, kwargs))))
        timed_out = threading.Event()

        def give_up() -> None:
            timed_out.set()
            self.kill()

        timer = threading.Timer(time_limit or 0, give_up)
        started = time.monotonic()
        try:
            self.process.stdin.write(payload)
            self.process.stdin.flush()
            self.function = function
            pickle.load(self.process.stdout)  # the worker has what the call needs
            started = time.monotonic()
            if time_limit is not None:
                timer.start()
            answer, is_usable = pickle.load(self.process.stdout)
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):  # ValueError: killed and closed before the call
            raise self._lost(time_limit if timed_out.is_set() else None, time.monotonic() - started) from None
        finally:
            timer.cancel()
        if not is_usable:  # gone before the next call looks whether it is alive
            self._kill_all()
            self._clear_up()
        succeeded, result = pickle.loads(answer)  # in a pickle of its own: if it fails to open, the pipe stays in step
        if not succeeded:
            raise result
        return result

    def _kill_all(self) -> None:
        """Processes that a candidate started go too: they would hold the worker's pipe open."""
        self._was_killed = self._was_killed or self.is_alive
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (AttributeError, ProcessLookupError):  # not on Windows; or gone already
            self.process.kill()

    def _lost(self, time_limit: float | None, seconds: float) -> WorkerLost:
        was_ended = self._was_killed
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(LAST_WORDS)
        self._kill_all()
        status = self._clear_up()
        if time_limit is not None:
            reason = f"took longer than the limit of {time_limit:g} seconds"
        elif was_ended:
            reason = "the search was ended"
        elif self._was_killed:
            reason = (
                "its worker process could not be heard any more and was ended: does the candidate close files that it "
                "didn't open?"
            )
        elif status < 0:
            reason = f"its worker process was killed by signal {-status}" + (
                " (out of memory?)" if status == -9 else ""
            )
        else:
            reason = f"its worker process exited with status {status}"
        error = WorkerLost(reason)
        error.seconds = seconds
        return error


def _bytes(thing: Any) -> bytes:
    try:
        return dumps(thing)
    except Exception as error:
        what = what_stays(thing) or "a call"
        raise ArchwrightError(
            f"can't send {what} to a worker process: {error}; open files, locks and generators can't travel, so make "
            "them in the method that uses them, not where the part or its module is made"
        ) from error


def close_quietly(pipe: IO[bytes] | None) -> None:
    """Closes a pipe whose other end may be gone with bytes unread."""
    try:
        if pipe is not None:
            pipe.close()
    except OSError:
        return
