"""
`tocsin demo`: one small run from outside, its files, its page, its end, and what it says of wrong options.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tocsin.cli import app as frame
from tocsin.cli.output import Exit

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "tocsin", "demo")
SMALL = ("--accounts", "60")


def clean_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    return {**kept, "COLUMNS": "80", "TERM": "dumb"}


def run(*options: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (*COMMAND, *SMALL, *options), cwd=cwd, capture_output=True, text=True, env=clean_environment()
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@contextmanager
def started(*options: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a demo as a shell would: Ctrl-C reaches it, whatever became of that signal here."""
    loader = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); from tocsin.cli import main;"
    )
    with subprocess.Popen(
        (sys.executable, "-c", f"{loader} sys.exit(main(['demo', *sys.argv[1:]]))", *options),
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(),
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def shown(place: Path) -> str:
    """Run a demo until it serves its page, read the page, end it by Ctrl-C, and return what it printed."""
    with started(*SMALL, cwd=place) as process:
        assert process.stdout and process.stderr
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("report: "):
                break
        with urllib.request.urlopen(lines[-1].split()[1]) as answer:
            assert answer.read() == (place / "october.report" / "index.html").read_bytes()
        os.killpg(process.pid, signal.SIGINT)
        assert (process.wait(), process.stderr.read()) == (0, "")
    return "".join(lines[:-1])


LAYOUT = """\
# October # through the engine
Real: prices
Synthetic: every
Venue-style: no
# accounts, seed #, median leverage #, #% of owners answer a call
the same accounts under
accounts
forced notional, USDT
losses beyond the accounts, USDT
auto-deleveraging (ADL) of winners, at mark
who has what at #:# more than at #:#, USDT
checks
Not better under Tocsin's rules in this run
For scale, another set of accounts: published of Hyperliquid, # October #
Journal  ./october.journal, root of its last cycle
Report   ./october.report/index.html, with pictures price.svg and payers.svg beside it
Three accounts of #, step by step:
Change one thing; the same accounts are shown before and after:
"""


def test_the_parts_come_in_order(shown: str) -> None:
    text = re.sub(r"\d+(,\d{3})*", "#", shown)
    at = 0
    for line in LAYOUT.splitlines():
        found = re.search(rf"^{re.escape(line)}", text[at:], re.MULTILINE)
        assert found, line
        at += found.end()
    assert max(map(len, shown.splitlines())) <= 100


def test_the_files_are_where_it_says(shown: str, place: Path) -> None:
    assert sorted(p.name for p in place.iterdir()) == ["october.journal", "october.report"]
    report = place / "october.report"
    assert sorted(p.name for p in report.iterdir()) == ["index.html", "payers.svg", "price.svg"]
    page = (report / "index.html").read_text(encoding="utf-8")
    assert (report / "price.svg").read_text(encoding="utf-8") in page
    (root,) = re.findall(r"^ +([0-9a-f]{64})$", shown, re.MULTILINE)
    assert root in page


def test_each_why_line_explains_its_account(
    shown: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    named = re.findall(
        r"^  account (\d+) - .* at (\d\d:\d\d:\d\d) \(.*\)\n    .*tocsin why (\S+) (\d+)$", shown, re.MULTILINE
    )
    assert len(named) == 3
    for account, when, journal, asked in named:
        assert account == asked
        assert frame.main(["why", journal, asked]) == Exit.OK
        assert f"2025-10-10 {when} UTC" in capsys.readouterr().out


def test_json_says_the_same_and_an_earlier_journal_is_replaced(shown: str, place: Path) -> None:
    done = run("--json", cwd=place)
    assert (done.returncode, done.stderr) == (0, "")
    value = json.loads(done.stdout)
    assert [(r["column"], r["residue"]) for r in value["runs"]] == [("venue-style", 0), ("Tocsin", 0)]
    assert value["root"] in shown
    assert value["journal"] == "october.journal"


def test_a_change_is_printed_before_and_after(tmp_path: Path, shown: str) -> None:
    done = run("--exit", "--margin-calls", "off", "--set", "calls.t_min_ns=120000000000", "--out", "x", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "  calls.enabled: on -> off\n  calls.t_min_ns: 60000000000 -> 120000000000\n" in done.stdout
    (head,) = [x for x in done.stdout.splitlines() if x.startswith("the same accounts under")]
    assert re.split(r"  +", head)[1:] == ["venue-style", "Tocsin", "Tocsin, changed"]
    before, after = (next(x for x in t.splitlines() if x.startswith("  called")).split() for t in (shown, done.stdout))
    assert before[1:] == after[1:3]
    assert (before[2] != "0", after[3]) == (True, "0")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x", "x.report"]


def test_ctrl_c_while_it_runs_ends_every_process_quietly(tmp_path: Path) -> None:
    with started("--accounts", "20000", cwd=tmp_path) as process:
        assert process.stdout and process.stderr
        while not next(process.stdout).startswith("20,000 accounts"):
            pass
        time.sleep(1.5)
        os.killpg(process.pid, signal.SIGINT)
        assert (process.wait(), process.stderr.read()) == (Exit.INTERRUPTED, "tocsin: stopped\n")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--accounts", "10"], "accounts must be between 50 and 50000, was 10"),
        (["--leverage", "500"], "leverage must be between 1 and 50, was 500.0"),
        (["--cured", "2"], "cured share must be between 0 and 1, was 2.0"),
        (["--seeds", "0"], "--seeds must be 1 to 100, was 0"),
        (["--seed", "99999999999999999999999"], "--seed must be within +-2^53, was 99999999999999999999999"),
        (["--port", "99999"], "--port must be 0 to 65535, was 99999"),
        (["--margin-calls", "no"], 'Invalid value "no" for --margin-calls. Choose from: "on", "off".'),
        (["--set", "calls.dedline_ns=5"], "was 'calls.dedline_ns'; nearest: calls.deadline_ns"),
        (["--set", "calls.deadline_ns=abc"], "calls.deadline_ns must be an integer such as 900000000000, was 'abc'"),
        (["--set", "calls.deadline_ns=-5"], "calls.deadline_ns must be between 1 and"),
        (["--out", "no/such"], "--out must be in an existing folder, was no/such"),
        (["--out", "file"], "--out must be a folder to make, was a file: file"),
    ],
)
def test_wrong_options_are_one_message_and_nothing_is_written(
    options: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TOCSIN_DEBUG", raising=False)
    (tmp_path / "file").write_text("mine")
    assert frame.main(["demo", "--exit", *options]) == Exit.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err.splitlines()[0]
    assert "Traceback" not in err
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.soak
def test_the_docs_page_shows_what_the_default_run_prints(tmp_path: Path) -> None:
    done = subprocess.run((*COMMAND, "--exit"), cwd=tmp_path, capture_output=True, text=True, env=clean_environment())
    page = (ROOT / "docs" / "explanation" / "october-2025.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    assert all(block in done.stdout for block in blocks)
    for name in ("price", "payers"):
        shown = (ROOT / "docs" / "img" / f"october-{name}.svg").read_text(encoding="utf-8")
        assert shown == (tmp_path / "october.report" / f"{name}.svg").read_text(encoding="utf-8")
    # The README quotes one step of one account.
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^\.venv/bin/tocsin (why .*)$", readme, re.MULTILINE)
    (quoted,) = re.findall(r"^```text\n(cycle .*?)^```", readme, re.MULTILINE | re.DOTALL)
    told = subprocess.run(
        (sys.executable, "-m", "tocsin", *line.split()), cwd=tmp_path, capture_output=True, text=True
    ).stdout
    assert all(part in told for part in quoted.split("  ...\n"))
