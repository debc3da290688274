"""
Run independent pieces of work in processes of their own, with progress, and end them when asked to stop.
"""

import multiprocessing as mp
import signal
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from tocsin.core.errors import DataError, InvariantBroken, TocsinError

Task = TypeVar("Task")
Result = TypeVar("Result")
Work = Callable[[Task, Callable[[int, str], None] | None], Result]
Watch = Callable[[int, int], None]


def run_all(
    work: Work[Task, Result], tasks: Sequence[Task], *, processes: int, watch: Watch | None = None
) -> list[Result]:
    """
    Return the results of `work(task, progress)` in the order of the tasks.

    Args:
        work: A function of a module; tasks and results travel by pickle. With one process it runs here.
        tasks: Independent of each other.
        processes: How many at a time, >= 1.
        watch: Called with (number of the task, units done) now and then; without it nothing is sent.

    Raises:
        TocsinError: What the work raised; all other processes are ended first.
        DataError: A process ended without a result (killed, out of memory).
    """
    if processes == 1 or len(tasks) == 1:
        return [work(task, _relay(watch, i)) for i, task in enumerate(tasks)]
    pool = _Pool(work, tasks, watch)
    try:
        return pool.run(processes)
    finally:
        pool.stop()


def _relay(watch: Watch | None, number: int) -> Callable[[int, str], None] | None:
    return None if watch is None else lambda done, _note: watch(number, done)


class _Pool:
    def __init__(self, work: Callable[..., Any], tasks: Sequence[Any], watch: Watch | None) -> None:
        self._work = work
        self._tasks = tasks
        self._watch = watch
        self._context = mp.get_context("spawn")
        self._running: dict[Any, tuple[int, BaseProcess]] = {}
        self._results: dict[int, Any] = {}

    def run(self, processes: int) -> list[Any]:
        waiting = list(enumerate(self._tasks))
        while waiting or self._running:
            while waiting and len(self._running) < processes:
                self._start(*waiting.pop(0))
            for ready in wait(list(self._running)):
                self._receive(ready)
        return [self._results[i] for i in range(len(self._tasks))]

    def _start(self, number: int, task: Any) -> None:
        ours, theirs = self._context.Pipe(duplex=False)
        args = (theirs, self._work, task, self._watch is not None)
        process = self._context.Process(target=_serve, args=args, daemon=True)
        with _deaf():
            process.start()
        theirs.close()
        self._running[ours] = (number, process)

    def _receive(self, connection: Any) -> None:
        number, process = self._running[connection]
        try:
            kind, value = connection.recv()
        except EOFError:
            process.join()
            raise DataError(
                f"process {number + 1} of {len(self._tasks)} must end with a result, {_describe(process.exitcode or 0)}"
            ) from None
        if kind == "done":
            if self._watch is not None:
                self._watch(number, value)
            return
        del self._running[connection]
        connection.close()
        process.join()
        if kind == "error":
            raise value
        self._results[number] = value

    def stop(self) -> None:
        """End what still runs."""
        for connection, (_, process) in self._running.items():
            process.terminate()
            process.join()
            connection.close()
        self._running.clear()


@contextmanager
def _deaf() -> Generator[None]:
    """
    Start processes that never hear Ctrl-C, from their first moment: it is the parent's to handle.
    """
    # Its first start would let the signal through again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Any, work: Callable[..., Any], task: Any, tells: bool) -> None:
    """Do one task in a process of its own."""

    def progress(done: int, _note: str) -> None:
        connection.send(("done", done))

    # Nobody listens any more: the parent has ended.
    with suppress(BrokenPipeError):
        try:
            connection.send(("result", work(task, progress if tells else None)))
        except (TocsinError, InvariantBroken, OSError) as error:
            connection.send(("error", error))
        except Exception as error:  # noqa: BLE001 - told where it can be seen, in the one line of the parent
            connection.send(("error", InvariantBroken(f"{type(error).__name__}: {error}")))


def _describe(code: int) -> str:
    """Return how a process ended: by a signal, if the code is negative."""
    if code < 0:
        return f"was ended by signal {-code}: too little memory? ask for fewer accounts"
    return f"ended with code {code}"
