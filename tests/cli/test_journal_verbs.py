"""
`tocsin replay`, `verify`, `why`: what they print, what they answer to bad input, how they end.
"""

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers.hosts import forge, replace, rich_disk, rich_world, wild_world, write_journal
from tests.helpers.worlds import MINUTE, small_sheet
from tocsin.cli import app, journals
from tocsin.cli.output import Exit
from tocsin.core.ids import bucket_of
from tocsin.engine import commands as cm
from tocsin.journal.disk import RealDisk
from tocsin.journal.host import EmbeddedHost
from tocsin.journal.proof import proof_value, prove_account

SEGMENT = "journal-00000000.seg"


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> str:
    place = tmp_path_factory.mktemp("verbs") / "rich.journal"
    world = rich_world()
    write_journal(world.log, world.first_sheet, world.start_ns, disk=RealDisk(place))
    return str(place)


def keep(disk, path: Path) -> str:
    """Copy a simulated disk into a folder."""
    path.mkdir()
    for name in disk.names():
        (path / name).write_bytes(disk.contents(name))
    return str(path)


def last_root() -> str:
    return rich_world().results[-1].root.hex()


# ---- results ----------------------------------------------------------------------------------------------


def test_verify_says_what_was_checked_and_what_was_not(journal: str, capsys: pytest.CaptureFixture[str]) -> None:
    """JN-053: without a root from elsewhere the output says that a journal made anew would pass too."""
    assert app.main(["verify", journal]) == Exit.OK
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err == ""
    assert lines[0].startswith("bytes: 236 records" if "236" in lines[0] else "bytes: ") and "chain head" in lines[0]
    assert lines[1] == f"recomputed: 41 cycles from the genesis, last root {last_root()}"
    assert lines[2:] == [
        "OK: the journal agrees with itself. One that was made anew as a whole would too: no root from elsewhere",
        "    was checked. To check one, give it with `--root HEX`.",
    ]


@pytest.mark.parametrize("cycle", [41, 12])
def test_verify_with_a_root(journal: str, cycle: int, capsys: pytest.CaptureFixture[str]) -> None:
    """JN-053: the output says which cycle has the root, and that it vouches for no later one."""
    root = rich_world().results[cycle - 1].root.hex()
    assert app.main(["verify", journal, "--root", root.upper()]) == Exit.OK
    lines = capsys.readouterr().out.splitlines()[2:]
    assert lines[0] == f"OK: the journal agrees with itself, and cycle {cycle} has the root that was asked for."
    assert lines[1:] == (
        [] if cycle == 41 else ["    The root vouches for cycles 1 to 12; later ones agree with themselves only."]
    )


def test_verify_refuses_another_journal_than_the_root_s(journal: str, capsys: pytest.CaptureFixture[str]) -> None:
    """JN-053: exit code 1."""
    assert app.main(["verify", journal, "--root", "00" * 32]) == Exit.FINDING
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"NOT THE JOURNAL: it agrees with itself, but no cycle has root {'00' * 32}"
    )


def test_verify_names_cycle_and_bucket(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JN-052: in words and as JSON, exit code 1."""
    close = rich_disk()
    named: list[int] = []

    def edit(number, cycle):
        if number == 12:
            named.append(cycle.close.buckets[0])
            cycle.close = replace(cycle.close, bucket_roots=(bytes(32), *cycle.close.bucket_roots[1:]))

    def cut(number, cycle):
        if number == 12:
            cycle.cut = replace(cycle.cut, rows=(0, 0))

    def house(number, cycle):
        if number == 12:
            cycle.close = replace(cycle.close, house_root=bytes(32))

    for nth, (forgery, where, value) in enumerate(
        ((edit, "bucket {}", "bucket"), (cut, "its records", "records"), (house, "the ClearingHouse", "clearing house"))
    ):
        path = keep(forge(close, forgery), tmp_path / str(nth))
        assert app.main(["verify", path]) == Exit.FINDING
        said = capsys.readouterr().out.splitlines()[-1]
        assert said.startswith(f"DIFFERS in cycle 12, {where.format(named[0])}: ")
        assert app.main(["verify", path, "--json"]) == Exit.FINDING
        found = json.loads(capsys.readouterr().out)
        assert found["ok"] is False
        assert {k: found["difference"][k] for k in ("cycle", "where", "bucket")} == {
            "cycle": 12,
            "where": value,
            "bucket": named[0] if value == "bucket" else None,
        }


def test_verify_json(journal: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["verify", journal, "--root", last_root(), "--json", "--shards", "7"]) == Exit.OK
    found = json.loads(capsys.readouterr().out)
    assert list(found) == [
        "ok",
        "records",
        "cycles",
        "root",
        "chain_head",
        "root_asked",
        "root_cycle",
        "open_commands",
        "closed_in_order",
        "cut_bytes",
        "difference",
    ]
    assert (found["ok"], found["cycles"], found["root_cycle"], found["root"]) == (True, 41, 41, last_root())
    assert (found["closed_in_order"], found["cut_bytes"], found["open_commands"]) == (True, 0, 0)


def test_a_journal_that_is_being_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JN-054: readers are free while a writer has it; what they see is said to be unfinished."""
    path = tmp_path / "open.journal"
    with EmbeddedHost.create(RealDisk(path), small_sheet(), 1_000 * MINUTE, segment_bytes=1 << 16) as host:
        assert app.main(["verify", str(path)]) == Exit.OK
        assert "recomputed: 0 cycles from the genesis, last root -" in capsys.readouterr().out
        assert app.main(["replay", str(path)]) == Exit.DATA
        assert "must hold a closed cycle, holds none" in capsys.readouterr().err
        host.cut(1_001 * MINUTE)
        host.submit_all([cm.OpenAccount(source=1, nonce=1, account=5, root=5)])
        assert app.main(["verify", str(path)]) == Exit.OK
        out = capsys.readouterr().out
        assert "not closed in order: it is being written at this moment, or its writer was stopped" in out
        assert "after the last cut: 1 commands, not part of any root yet" in out
        assert app.main(["replay", str(path)]) == Exit.OK
        assert app.main(["why", str(path), "5"]) == Exit.OK
        assert "account 5: 0 steps in 1 cycles." in capsys.readouterr().out
    assert app.main(["verify", str(path)]) == Exit.OK
    assert "not closed" not in capsys.readouterr().out


def test_an_interrupted_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JN-054: told with its bytes; it is no finding."""
    path = tmp_path / "torn.journal"
    with EmbeddedHost.create(RealDisk(path), small_sheet(), 1_000 * MINUTE, segment_bytes=1 << 16) as host:
        host.cut(1_001 * MINUTE)
        end = host._journal._end
    data = (path / SEGMENT).read_bytes()
    (path / SEGMENT).write_bytes(data[:end] + b"TBAT" + b"\x07" * 96)
    assert app.main(["verify", str(path)]) == Exit.OK
    out = capsys.readouterr().out
    assert "interrupted last write: 100 bytes after the last whole batch passed over" in out and "not closed" in out


def test_replay_counts_events(journal: str, capsys: pytest.CaptureFixture[str]) -> None:
    """JN-057: per kind; the same with any number of shards."""
    assert app.main(["replay", journal]) == Exit.OK
    text = capsys.readouterr().out
    assert "41 cycles" in text and text.splitlines()[-1] == f"root {last_root()}"
    shown: list[dict] = []
    for shards in ("1", "7"):
        assert app.main(["replay", journal, "--json", "--shards", shards]) == Exit.OK
        shown.append(json.loads(capsys.readouterr().out))
    assert shown[0] == shown[1]
    assert list(shown[0]) == ["cycles", "first_time_ns", "last_time_ns", "root", "events"]
    assert sum(shown[0]["events"].values()) == sum(len(r.events) for r in rich_world().results)
    assert app.main(["replay", journal, "--events"]) == Exit.OK
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == sum(shown[0]["events"].values())
    assert list(json.loads(lines[0]))[:3] == ["cycle", "kind", "account"]


def test_why_in_words_and_as_json(journal: str, capsys: pytest.CaptureFixture[str]) -> None:
    """WY-001, WY-005: all steps, the last ones, one cycle."""
    bucket = bucket_of(rich_world().engine.sequencer.directory[1])
    assert app.main(["why", journal, "1", "--json"]) == Exit.OK
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["account", "bucket", "cycles", "roots_met", "steps"]
    assert (found["account"], found["bucket"], found["cycles"]) == (1, bucket, 41)
    cycles = [step["cycle"] for step in found["steps"]]
    for options, wanted in ((["--last", "2"], cycles[-2:]), (["--cycle", str(cycles[1])], cycles[1:2]), ([], cycles)):
        assert app.main(["why", journal, "1", *options]) == Exit.OK
        lines = capsys.readouterr().out.splitlines()
        assert [int(line.split()[1]) for line in lines if line.startswith("cycle ")] == wanted
        assert f"Bucket {bucket} was replayed alone;" in lines[-2]
        assert lines[-1].endswith("Amounts without a symbol are in the valuation unit.")
        assert all(len(line) <= 110 for line in lines)
    assert app.main(["why", journal, "1", "--last", "2", "--json"]) == Exit.OK
    assert [s["cycle"] for s in json.loads(capsys.readouterr().out)["steps"]] == cycles[-2:]


# ---- bad input --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["{verb}", "{none}"],
            Exit.USAGE,
            "JOURNAL must be the folder of a journal, was {none}: there is no such folder",
        ),
        (["{verb}", "{empty}"], Exit.DATA, "no journal in {empty}: no file named journal-00000000.seg"),
        (["{verb}", "{file}"], Exit.DATA, "journal must be a directory, was a file: {file}; name the directory that"),
        (["{verb}", "{other}"], Exit.DATA, "journal-00000000.seg"),
    ],
)
@pytest.mark.parametrize("verb", ["replay", "verify", "why"])
def test_what_is_no_journal(
    verb: str, arguments: list[str], code: Exit, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that says what was given and what is accepted; no trace."""
    places = {name: str(tmp_path / name) for name in ("none", "empty", "file", "other")}
    Path(places["empty"]).mkdir()
    Path(places["file"]).write_text("x")
    Path(places["other"]).mkdir()
    (Path(places["other"]) / SEGMENT).write_bytes(b"something else" * 100)
    tokens = [token.format(verb=verb, **places) for token in arguments] + (["1"] if verb == "why" else [])
    assert app.main(tokens) == code
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("tocsin: ") and message.format(**places) in err
    assert len([line for line in err.splitlines() if not line.startswith("  hint:")]) == 1


@pytest.mark.parametrize(
    ("tokens", "code", "message"),
    [
        (
            ["verify", "J", "--root", "abc"],
            Exit.USAGE,
            "--root must be 64 hexadecimal digits, was 'abc' (3 characters)",
        ),
        (["verify", "J", "--root", ""], Exit.USAGE, "--root must be 64 hexadecimal digits, was '' (0 characters)"),
        (["verify", "J", "--root", "zz" * 32], Exit.USAGE, "--root must be 64 hexadecimal digits"),
        (["verify", "J", "--root", "0 " * 32], Exit.USAGE, "--root must be 64 hexadecimal digits"),
        (["verify", "J", "--shards", "0"], Exit.USAGE, "--shards must be 1 to 4096, was 0"),
        (["replay", "J", "--shards", "4097"], Exit.USAGE, "--shards must be 1 to 4096, was 4097"),
        (["why", "J", "1", "--last", "-1"], Exit.USAGE, "--last must be 0 or more, was -1"),
        (["why", "J", "1", "--cycle", "42"], Exit.DATA, "cycle must be 1 to 41, was 42"),
        (["why", "J", "11"], Exit.DATA, "account must be one that the journal opens, was 11"),
        (["why", "J", "x"], Exit.USAGE, "x"),
    ],
)
def test_bad_options(
    journal: str, tokens: list[str], code: Exit, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.main([journal if token == "J" else token for token in tokens]) == code
    out, err = capsys.readouterr()
    assert out == "" and message in err and "Traceback" not in err


def test_an_account_that_is_not_there_has_neighbours(journal: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["why", journal, "11"]) == Exit.DATA
    assert capsys.readouterr().err.splitlines()[1] == "  hint: it opens 8; nearest: 6, 7, 8"


def test_damaged_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JN-051: file and byte, exit code 3, whichever verb."""
    path = Path(keep(rich_disk(), tmp_path / "d"))
    data = bytearray((path / SEGMENT).read_bytes())
    data[5000] ^= 1
    (path / SEGMENT).write_bytes(data)
    for tokens in (["verify", str(path)], ["replay", str(path)], ["why", str(path), "1"]):
        assert app.main(tokens) == Exit.DATA
        assert f"{SEGMENT} is damaged at byte " in capsys.readouterr().err


def test_replay_of_a_forged_journal_points_to_verify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def edit(number, cycle):
        if number == 12:
            cycle.close = replace(cycle.close, root=bytes(32))

    path = keep(forge(rich_disk(), edit), tmp_path / "f")
    assert app.main(["replay", path]) == Exit.DATA
    assert "cycle 12: the journal says root 0000" in (err := capsys.readouterr().err)
    assert "`tocsin verify` names the first difference" in err


# ---- the guides -------------------------------------------------------------------------------------------

GUIDES = Path(__file__).parents[2] / "docs" / "how-to"
HEX = re.compile(r"\b[0-9a-f]{64}\b")


def write_examples(folder: Path) -> str:
    """Write the journals that the guides speak of and return the last root of the small one."""
    spec = importlib.util.spec_from_file_location("small_journal", GUIDES.parents[1] / "examples" / "small_journal.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    root = module.write_small_journal(folder / "small.journal")

    def edit(number, cycle):
        for i, data in enumerate(cycle.commands):
            command = cm.decode_command(data)
            if isinstance(command, cm.Deposit) and (number, command.account) == (2, 1):
                cycle.commands[i] = cm.encode_command(replace(command, amount=command.amount + 1))

    keep(forge(RealDisk(folder / "small.journal"), edit), folder / "forged.journal")
    proven = prove_account(RealDisk(folder / "small.journal"), 1)
    (folder / "proof.json").write_text(json.dumps(proof_value(proven)))
    return root.hex()


@pytest.mark.parametrize("guide", ["verify-a-journal.md", "explain-an-account.md"])
def test_the_guides_show_what_is_printed(
    guide: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Every command of a guide prints what the guide shows, to the last digit of a root.

    After a change of bytes that is meant, run with TOCSIN_RENEW_GUIDES=1 to write the new output into the guides.
    """
    root = write_examples(tmp_path)
    monkeypatch.chdir(tmp_path)
    page = GUIDES / guide
    text = page.read_text("utf-8")
    blocks = re.findall(r"^```console\n\$ (.*?)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert blocks
    renewed = text
    for command, shown in blocks:
        if command.startswith("python examples/small_journal.py"):
            command_now, printed = command, f"wrote small.journal, last root {root}\n"
        else:
            command_now = HEX.sub(root, command)
            code = app.main(shlex.split(command_now)[1:])
            assert code == (Exit.FINDING if "forged" in command else Exit.OK)
            printed = capsys.readouterr().out
        if os.environ.get("TOCSIN_RENEW_GUIDES"):
            renewed = renewed.replace(f"$ {command}\n{shown}```", f"$ {command_now}\n{printed.rstrip()}\n```")
            page.write_text(renewed, "utf-8")
        else:
            assert (command_now, printed.rstrip()) == (command, shown.rstrip())


# ---- a terminal -------------------------------------------------------------------------------------------


def test_each_verb_reports_progress_with_its_total(
    journal: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person who waits sees what is counted, of how many, from the first report on."""
    shown: list[tuple[str, int, str]] = []
    steps: list[int] = []

    @contextmanager
    def bar(label: str, *, total: int, unit: str):
        shown.append((label, total, unit))
        yield lambda done, _note: steps.append(done)

    monkeypatch.setattr(journals, "show_progress", bar)
    for tokens in (["verify", journal], ["replay", journal], ["why", journal, "1"]):
        steps.clear()
        assert app.main(tokens) == Exit.OK
        assert len(steps) == 41 and steps == sorted(steps) and steps[-1] == shown[-1][1]
    capsys.readouterr()
    assert [(unit, label.split()[0]) for label, _, unit in shown] == [
        ("records", "verify"),
        ("records", "replay"),
        ("cycles", "why"),
    ]


def test_events_into_head_leave_no_trace(tmp_path: Path) -> None:
    """A reader who has seen enough ends it quietly."""
    world = wild_world(1)
    path = tmp_path / "long.journal"
    log = [*world.log]
    nonce = 10
    for step in range(60):
        deposits = [cm.Deposit(source=5, nonce=(nonce := nonce + 1), account=1, asset=1, amount=1) for _ in range(40)]
        log += [("command", deposit) for deposit in deposits]
        log.append(("cut", world.log[-1][1] + (step + 1) * 10**9))
    write_journal(log, world.first_sheet, world.start_ns, disk=RealDisk(path), segment_bytes=1 << 20)
    line = [sys.executable, "-m", "tocsin", "replay", str(path), "--events"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        assert json.loads(process.stdout.readline())["cycle"] >= 1
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == Exit.BROKEN_PIPE
