"""Work that goes on beside the pages: started by one, looked at again and again, stopped by newer.

One thread works for everybody, so that what a user waits for is never slowed down by more than one
such piece of work.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

_POOL = ThreadPoolExecutor(max_workers=1, thread_name_prefix="later")
_NEWEST: "dict[str, Later]" = {}
_LOCK = threading.Lock()


class StoppedError(Exception):
    """Somebody asked for something newer."""


class Later:
    """A piece of work whose results get better and better.

    Args:
        kind: starting another of this kind stops it.
        work: gets `tell(share, words)`, and yields results.
    """

    def __init__(self, kind: str, work: Callable[[Callable[[float, str], None]], Iterator[Any]]):
        self.best: Any = None  # the newest result
        self.share, self.words = 0.0, "waiting"
        self._stop = threading.Event()
        self._work = work
        with _LOCK:
            before = _NEWEST.get(kind)
            _NEWEST[kind] = self
        if before is not None:
            before.stop()
        self._future: Future[None] = _POOL.submit(self._go)

    def _go(self) -> None:
        for result in self._work(self._tell):
            self.best = result
            self._tell(self.share, self.words)

    def _tell(self, share: float, words: str) -> None:
        if self._stop.is_set():
            raise StoppedError
        self.share, self.words = share, words

    def stop(self) -> None:
        """Give up as soon as it can."""
        self._stop.set()
        self._future.cancel()

    @property
    def is_stopped(self) -> bool:
        """Say whether it was given up before it was done."""
        return self._stop.is_set() and (self._future.cancelled() or self._failed(StoppedError))

    @property
    def is_done(self) -> bool:
        """Say whether nothing more will come."""
        return self._future.done()

    def check(self) -> None:
        """Raise what the work failed with."""
        if self._future.done() and not self._future.cancelled():
            error = self._future.exception()
            if error is not None and not isinstance(error, StoppedError):
                raise error

    def _failed(self, kind: type[Exception]) -> bool:
        return not self._future.done() or isinstance(self._future.exception(), kind)
