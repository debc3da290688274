"""
The list of verbs, and what happens around each: errors in one line, exit codes, a quiet end.
"""

import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from cyclopts import App, CycloptsError, Parameter

from tocsin import __version__
from tocsin.cli.bench import bench
from tocsin.cli.compare import compare
from tocsin.cli.conform import conform
from tocsin.cli.demo import demo
from tocsin.cli.desk import desk
from tocsin.cli.margin import margin
from tocsin.cli.output import Exit, UsageError, print_error
from tocsin.cli.replay import replay
from tocsin.cli.verify import verify
from tocsin.cli.why import why
from tocsin.core.errors import InvariantBroken, TocsinError

VERBS: tuple[Callable[..., int], ...] = (demo, replay, verify, why, margin, compare, desk, conform, bench)
"""Every verb, in the order of `tocsin --help`: import its function above and add it here."""

_HELP = "The margin engine you can check: margin calls, liquidations and losses in exact integers, from one log."
_EPILOGUE = (
    "Results go to standard output, progress and messages to standard error.\n\n"
    "Exit codes: 0 ok, 1 a finding (a check failed), 2 wrong usage, 3 wrong data, 4 a defect of Tocsin."
)
_DEFECT_HINT = "this is a defect of Tocsin; run again with TOCSIN_DEBUG=1 for the trace"


def build_app() -> App:
    """
    Return the command line with every verb of `VERBS`.
    """
    app = App(
        name="tocsin",
        help=_HELP,
        help_epilogue=_EPILOGUE,
        version=f"tocsin {__version__}",
        default_parameter=Parameter(negative=()),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for verb in VERBS:
        app.command(verb, help_epilogue="")
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run one verb and return its exit code; `arguments` default to those of the process.
    """
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows few signs shows a question mark for the others.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    app = build_app()
    try:
        result = app(tokens, exit_on_error=False, print_error=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else Exit.OK
    except BrokenPipeError:
        # The reader (`| head`) has seen enough. Give the interpreter's last flush somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.BROKEN_PIPE
    except KeyboardInterrupt:
        print_error("stopped")
        return Exit.INTERRUPTED
    except (CycloptsError, UsageError, TocsinError, OSError, InvariantBroken) as error:
        return _report(error, tokens)
    except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback reaches a person
        return _report(error, tokens)


def _report(error: Exception, tokens: Sequence[str]) -> int:
    """
    Print one line on what went wrong and a hint; return the exit code of its kind.

    A hint is a note of the exception (`error.add_note(...)`).
    """
    if os.environ.get("TOCSIN_DEBUG"):
        raise error
    hints = list(getattr(error, "__notes__", ()))
    match error:
        case CycloptsError() | UsageError():
            verb = next((v for v in _verb_names() if v in tokens[:1]), "")
            print_error(_one_line(str(error)), hints or [f"see `tocsin {verb} --help`".replace("  ", " ")])
            return Exit.USAGE
        case TocsinError():
            print_error(_one_line(str(error)), hints)
            return Exit.DATA
        case OSError():
            print_error(_describe_os_error(error), hints)
            return Exit.DATA
        case _:
            print_error(f"{type(error).__name__}: {_one_line(str(error))}", [*hints, _DEFECT_HINT])
            return Exit.INTERNAL


def _verb_names() -> list[str]:
    return [verb.__name__.replace("_", "-") for verb in VERBS]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _describe_os_error(error: OSError) -> str:
    what = error.strerror or type(error).__name__
    names: list[Any] = [name for name in (error.filename, error.filename2) if name is not None]
    return f"{', '.join(map(str, names))}: {what}" if names else what
