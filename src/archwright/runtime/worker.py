"""The program of a worker process: reads calls from its standard input, writes results to its standard output."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from typing import Any, BinaryIO

from archwright.runtime.pickling import dumps

END = (SystemExit, KeyboardInterrupt)
"""What ends this process; whatever else is raised is an answer, as a panic in a library written in Rust is."""


def main(parent: int, memory_limit: int) -> None:
    """Serves calls until the parent closes the pipe or is gone."""
    calls, results = _take_over_pipes()
    if hasattr(os, "register_at_fork"):  # not on Windows
        os.register_at_fork(after_in_child=partial(_let_go, calls, results))
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    if memory_limit:
        _limit_memory(memory_limit)
    function: Any = None
    while True:
        try:
            packed, call = pickle.load(calls)
        except EOFError:
            return
        try:
            answer = None
            if packed is not None:
                function = pickle.loads(packed)
                getattr(function, "prepare", _nothing)()
        except END:
            raise
        except BaseException as error:
            answer = _pickle_error(error)
        try:
            _send(results, None)  # from here on the call's time counts
            answer = _answer(function, call) if answer is None else answer
            _send(results, (answer, _gpus_are_usable()))
        except BrokenPipeError:  # the parent is gone
            return


def _answer(function: Any, call: bytes) -> bytes:
    """What the function returns or raises, pickled."""
    try:
        args, kwargs = pickle.loads(call)
        return dumps((True, function(*args, **kwargs)))
    except END:
        raise
    except BaseException as error:
        return _pickle_error(error)


def _send(results: BinaryIO, message: Any) -> None:
    results.write(pickle.dumps(message))
    results.flush()


def _nothing() -> None:
    """What a function without `prepare` has to prepare."""


def _take_over_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Moves the two pipes to private numbers, so that a candidate that prints or reads can't disturb them."""
    calls, results = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    return calls, results


def _let_go(*pipes: BinaryIO) -> None:
    """Ends a forked process's share in the pipes: one that outlives this process would keep its answer waited for.

    Their numbers stay taken: closed, they could come to mean files of the candidate's.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    for pipe in pipes:
        os.dup2(nothing, pipe.fileno(), inheritable=False)
    os.close(nothing)


def _end_with(parent: int) -> None:
    """Ends this process soon after its parent, even in the middle of a call."""
    while os.getppid() == parent:
        time.sleep(1.0)
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)  # this process leads its group: what a candidate started goes too
    os._exit(1)


def _limit_memory(size: int) -> None:
    """Makes allocations beyond `size` bytes fail, so that they become an error in the candidate."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))


def _gpus_are_usable() -> bool:
    """Whether the next call can compute on the GPUs that this process uses, if any; hands back what memory is free.

    After some errors, such as an index out of range in an embedding, every later call of CUDA in a process fails; to
    be out of memory is none of them. The memory that torch keeps for later is of use to the GPU's other workers.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return True
    try:
        for device in range(torch.cuda.device_count()):
            if torch.cuda.memory_reserved(device):  # to wait for a GPU that was never used would take memory there
                torch.cuda.synchronize(device)
        torch.cuda.empty_cache()
    except Exception:
        return False
    return True


def _pickle_error(error: BaseException) -> bytes:
    if isinstance(error, Exception):  # anything else, raised again in the parent, would pass by who looks for errors
        with suppress(Exception):
            packed = dumps((False, error))
            pickle.loads(packed)  # some exceptions pack and never unpack
            return packed
    return dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
