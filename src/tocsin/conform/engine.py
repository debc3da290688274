"""
Ask any program that speaks JSON lines for the outputs of cases (`tocsin conform --engine CMD`).

One request per line on its standard input, one reply per line on its standard output, in order
(`docs/reference/conform-protocol.md`). A program that crashes, hangs or answers nonsense fails its case by name
and is started again for the next; it never fails the run.
"""

import json
import os
import selectors
import shlex
import subprocess
import time
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, cast

from tocsin.conform.compare import Undefined, to_plain
from tocsin.conform.outcome import Outcome, Report, Status
from tocsin.conform.run import judge
from tocsin.conform.vectors import Case
from tocsin.core.errors import ConfigError

REPLY_BYTES_MAX = 4 * 1024 * 1024
RESTARTS_MAX = 5


class EngineFailure(Exception):
    """The program gave no usable reply to one request; the message says how."""


class EngineProcess:
    """
    A program and its pipes.

    Args:
        command: Its command line, split as a shell would, run without a shell.
        timeout_s: Longest wait for one reply, in seconds.
    """

    def __init__(self, command: str, timeout_s: float) -> None:
        try:
            self._arguments = shlex.split(command)
        except ValueError as error:
            raise ConfigError(f"--engine must be a command line, was {command!r}: {error}") from None
        if not self._arguments:
            raise ConfigError("--engine must be a command line, was empty")
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._pending = b""
        self._restarts = -1

    def start(self) -> None:
        """
        Start the program if it does not run.

        Raises:
            ConfigError: It cannot be started at all.
            EngineFailure: It was started too often.
        """
        if self._process is not None:
            return
        if self._restarts >= RESTARTS_MAX:
            raise EngineFailure(f"engine was restarted {RESTARTS_MAX} times and is not asked again")
        self._restarts += 1
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the user names the program; no shell
                self._arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        except OSError as error:
            raise ConfigError(f"--engine {self._arguments[0]!r} cannot be started: {error.strerror}") from None
        self._pending = b""

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """
        Send one request and return its reply.

        Raises:
            EngineFailure: No usable reply; the program is stopped and will be started again.
        """
        self.start()
        assert self._process is not None and self._process.stdin is not None
        line = (json.dumps(request, ensure_ascii=False) + "\n").encode()
        try:
            deadline = time.monotonic() + self._timeout_s
            self._write(line, deadline)
            return self._check(self._read_line(deadline), request["id"])
        except EngineFailure:
            self.stop()
            raise
        except OSError as error:
            code = self.stop()
            raise EngineFailure(f"engine ended before it read the request ({error.strerror}, exit {code})") from None

    def _write(self, line: bytes, deadline: float) -> None:
        assert self._process is not None and self._process.stdin is not None
        pipe = self._process.stdin.fileno()
        os.set_blocking(pipe, False)
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_WRITE)
            while line:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise EngineFailure(f"engine did not read the request within {self._timeout_s:g} s")
                line = line[os.write(pipe, line) :]

    def _read_line(self, deadline: float) -> bytes:
        assert self._process is not None and self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while b"\n" not in self._pending:
                if len(self._pending) > REPLY_BYTES_MAX:
                    raise EngineFailure(f"engine's reply is longer than {REPLY_BYTES_MAX} bytes")
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise EngineFailure(f"engine gave no reply within {self._timeout_s:g} s")
                chunk = os.read(pipe, 65_536)
                if not chunk:
                    code = self.stop()
                    raise EngineFailure(f"engine ended without a reply (exit {code})")
                self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    @staticmethod
    def _check(line: bytes, wanted: str) -> dict[str, Any]:
        shown = line[:80].decode("utf-8", "replace")
        try:
            reply = json.loads(line, parse_float=Decimal)
        except (ValueError, RecursionError):
            raise EngineFailure(f"engine's reply must be a JSON object, was {shown!r}") from None
        if not isinstance(reply, dict):
            raise EngineFailure(f"engine's reply must be a JSON object, was {shown!r}")
        answer = cast("dict[str, Any]", reply)
        if answer.get("id") != wanted:
            raise EngineFailure(f"engine's reply must have id {wanted!r}, was {answer.get('id')!r}")
        return answer

    def stop(self) -> int | None:
        """
        End the program and return its exit code, None if it did not run.
        """
        process, self._process = self._process, None
        if process is None:
            return None
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            return process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def ask_engine(cases: Iterable[Case], command: str, timeout_s: float = 10.0) -> Report:
    """
    Return the outcome of each case as the program computes it; the door is `engine`.

    Raises:
        ConfigError: The program cannot be started.
    """
    process = EngineProcess(command, timeout_s)
    process.start()
    try:
        return Report(tuple(_ask_one(process, case) for case in cases))
    finally:
        process.stop()


def _ask_one(process: EngineProcess, case: Case) -> Outcome:
    if case.unrunnable:
        return Outcome(case, Status.SKIPPED, reasons=(case.unrunnable,))
    request = {
        "id": case.id,
        "engine": case.engine,
        "mechanism": case.mechanism,
        "inputs": to_plain(case.inputs),
    }
    try:
        reply = process.ask(request)
    except EngineFailure as failure:
        return Outcome(case, Status.FAILED, "engine", reasons=(str(failure),))
    if reply.get("unsupported"):
        return Outcome(case, Status.SKIPPED, reasons=("engine does not support this mechanism",))
    if "error" in reply:
        return judge_error(case, str(reply["error"]))
    if "outputs" not in reply:
        reason = "engine's reply must have outputs, error or unsupported"
        return Outcome(case, Status.FAILED, "engine", reasons=(reason,))
    return judge(case, "engine", reply["outputs"])


def judge_error(case: Case, message: str) -> Outcome:
    """
    Return the outcome of a case to which the program answered with an error: passed if none was expected to work.
    """
    return judge(case, "engine", Undefined(message))
