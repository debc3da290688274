"""
The frame of the command line: help, errors in one line, exit codes, a light start.
"""

import json
import os
import subprocess
import sys

import pytest

from tocsin import __version__
from tocsin.cli import app as frame
from tocsin.cli.output import Exit, UsageError, print_json, print_table
from tocsin.cli.progress import show_progress, show_wait
from tocsin.core.errors import ConfigError, DataError, InvariantBroken


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    return subprocess.run(
        [sys.executable, "-m", "tocsin", *arguments],
        capture_output=True,
        text=True,
        env={**clean, "COLUMNS": "80", "TERM": "dumb", **env},
    )


def test_help_names_every_verb_and_the_exit_codes() -> None:
    shown = run("--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    head, rest = shown.stdout.split("╭─ Commands", 1)
    assert head == (
        "Usage: tocsin COMMAND\n\nThe margin engine you can check: margin calls, liquidations and losses in exact \n"
        "integers, from one log.\n\n"
    )
    for verb in frame.VERBS:
        assert f"│ {verb.__name__} " in rest
    assert "0 ok, 1 a finding (a check failed), 2 wrong usage, 3 wrong data, 4 a" in rest


def test_every_verb_has_help_and_json() -> None:
    for verb in frame.VERBS:
        assert verb.__doc__, verb.__name__
        shown = run(verb.__name__, "--help")
        assert shown.returncode == 0
        assert "--json" in shown.stdout, verb.__name__


def test_version() -> None:
    assert run("--version").stdout == f"tocsin {__version__}\n"


def test_help_does_not_load_the_engine() -> None:
    code = (
        "import sys; from tocsin.cli import main; main(['--help']);"
        "print([m for m in sys.modules if m.split('.')[:2] in "
        "(['tocsin', p] for p in ('sheet', 'margin', 'accounts', 'procedures', 'engine', 'journal', 'lab'))])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert shown.stdout.splitlines()[-1] == "[]", shown.stdout + shown.stderr


def test_an_unknown_verb_is_wrong_usage() -> None:
    shown = run("bnch")
    assert (shown.returncode, shown.stdout) == (2, "")
    first, hint = shown.stderr.splitlines()
    assert first.startswith('tocsin: Unknown command "bnch". Did you mean "bench"?')
    assert hint == "  hint: see `tocsin --help`"


def test_a_wrong_argument_names_value_and_what_is_accepted() -> None:
    shown = run("bench", "jornal")
    assert shown.returncode == 2
    first, hint = shown.stderr.splitlines()
    assert first.startswith('tocsin: Invalid value "jornal" for NAME. Choose from: "journal", "margin", "rules".')
    assert hint == "  hint: see `tocsin bench --help`"


def raise_(error: BaseException) -> int:
    raise error


def with_note(error: Exception, note: str) -> Exception:
    error.add_note(note)
    return error


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        (
            with_note(DataError("size must be a multiple of 0.001,\n was 0.0005"), "round it down"),
            3,
            ["tocsin: size must be a multiple of 0.001, was 0.0005", "  hint: round it down"],
        ),
        (ConfigError("window_s must be 1 to 600, was 0"), 3, ["tocsin: window_s must be 1 to 600, was 0"]),
        (
            UsageError("--accounts must be 10 to 50000, was 3"),
            2,
            ["tocsin: --accounts must be 10 to 50000, was 3", "  hint: see `tocsin probe --help`"],
        ),
        (FileNotFoundError(2, "No such file or directory", "a.json"), 3,
         ["tocsin: a.json: No such file or directory"]),
        (
            InvariantBroken("residue 1"),
            4,
            ["tocsin: InvariantBroken: residue 1",
             "  hint: this is a defect of Tocsin; run again with TOCSIN_DEBUG=1 for the trace"],
        ),
        (
            KeyError("x"),
            4,
            ["tocsin: KeyError: 'x'",
             "  hint: this is a defect of Tocsin; run again with TOCSIN_DEBUG=1 for the trace"],
        ),
        (KeyboardInterrupt(), 130, ["tocsin: stopped"]),
    ],
)  # fmt: skip
def test_errors_are_lines_and_exit_codes(
    error: BaseException,
    code: int,
    lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def probe() -> int:
        """Raise."""
        return raise_(error)

    monkeypatch.setattr(frame, "VERBS", (probe,))
    monkeypatch.delenv("TOCSIN_DEBUG", raising=False)
    assert frame.main(["probe"]) == code
    shown = capsys.readouterr()
    assert (shown.out, shown.err.splitlines()) == ("", lines)


def test_debug_shows_the_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def probe() -> int:
        """Raise."""
        return raise_(KeyError("x"))

    monkeypatch.setattr(frame, "VERBS", (probe,))
    monkeypatch.setenv("TOCSIN_DEBUG", "1")
    with pytest.raises(KeyError):
        frame.main(["probe"])


@pytest.mark.parametrize("code", [Exit.OK, Exit.FINDING])
def test_a_verb_gives_its_exit_code(code: Exit, monkeypatch: pytest.MonkeyPatch) -> None:
    def probe() -> int:
        """Return."""
        return code

    monkeypatch.setattr(frame, "VERBS", (probe,))
    assert frame.main(["probe"]) == code


def test_a_reader_who_leaves_early_ends_it_quietly() -> None:
    code = "import sys; from tocsin.cli import app;\ndef many():\n    'Print.'\n    for i in range(10**6): print(i)\n"
    code += "    return 0\napp.VERBS = (many,); sys.exit(app.main(['many']))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline() == b"0\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_json_keeps_order_and_writes_bytes_as_hex(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"root": b"\x01\xff", "amount": 2**70, "name": "–"})
    text = capsys.readouterr().out
    assert json.loads(text) == {"root": "01ff", "amount": 2**70, "name": "–"}
    assert text.index("root") < text.index("amount")
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json(float("nan"))
    with pytest.raises(TypeError, match="object has no JSON form"):
        print_json(object())


def test_tables_print_brackets_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("t", (("name", "left"), ("value", "right")), [("[red]x", "1"), ("y" * 200, "10")])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["t"]
    assert [line for line in lines if "1" in line or "10" in line] == [["[red]x", "1"], ["y" * 200, "10"]]


def test_progress_is_silent_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with show_wait("measuring"), show_progress("venue rules", total=10, unit="cycles") as advance:
        advance(5, "half")
    assert capsys.readouterr() == ("", "")


def test_bench_shows_what_fell_below_its_floor(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench_module = pytest.importorskip("tocsin.journal.bench")
    slow = {"metric": "batch 1000", "value": 5e5, "unit": "events/s", "peer": "sqlite", "ratio": 1.5, "floor": 2.0}
    monkeypatch.setattr(bench_module, "run_bench_journal", lambda directory: [slow])
    assert frame.main(["bench", "journal"]) == Exit.FINDING
    assert "below its floor: batch 1000, 1.50 × < 2.00 ×" in capsys.readouterr().out
    monkeypatch.setattr(bench_module, "run_bench_journal", lambda directory: [{**slow, "ratio": 2.0}])
    assert frame.main(["bench", "journal", "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["results"][0]["ratio"] == 2.0
    assert frame.main(["bench", "journal", "--directory", "/no/such/folder"]) == Exit.USAGE
    assert "--directory must be an existing folder, was /no/such/folder" in capsys.readouterr().err
