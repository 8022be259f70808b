"""Time that tables imply: answers come at once, and arrive in the order in which they would have."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from typing import Any


class Simulated(Executor):
    """Workers whose trials take as long as their answers say (`cost`, in seconds), on a clock that jumps.

    A search takes its time from here, so that a budget of minutes bounds simulated minutes, and with several workers
    results arrive in the order that the costs imply. One search at a time: when it ends, what is still under way is
    forgotten, and the next one may have the same workers. Their clock goes on.

    Attributes:
        workers: how many trials run side by side.
    """

    def __init__(self, workers: int = 1) -> None:
        self.workers = workers
        self._now = 0.0
        self._count = 0
        self._ends: list[tuple[float, int, Future[Any]]] = []

    def clock(self) -> float:
        """Simulated seconds since the start."""
        return self._now

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Answers now, to arrive when the answer's cost has passed."""
        future: Future[Any] = Future()
        try:
            answer = function(*args, **kwargs)
        except Exception as error:
            future.set_exception(error)
            answer = None
        else:
            future.set_result(answer)
        heapq.heappush(self._ends, (self._now + getattr(answer, "cost", 0.0), self._count, future))
        self._count += 1
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Forgets what has not arrived; there is nothing else to end."""
        _: Any = wait, cancel_futures
        self._ends.clear()

    def wait(self, futures: Iterable[Future[Any]], timeout: float | None = None) -> set[Future[Any]]:
        """The clock jumps to the next arrival (a set of one), or by `timeout` if nothing arrives before (empty)."""
        end, _, future = self._ends[0]
        if timeout is not None and end > self._now + timeout:
            self._now = math.nextafter(self._now + timeout, math.inf)  # never rounded to just before the end
            return set()
        heapq.heappop(self._ends)
        self._now = max(self._now, end)
        return {future}
