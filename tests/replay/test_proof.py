"""
Proofs of one account: made from a journal, checked with a root alone.
"""

import json
from pathlib import Path

import pytest

from tests.helpers.hosts import rich_disk, rich_world, write_journal
from tocsin.cli import app
from tocsin.cli.output import Exit
from tocsin.core.errors import DataError, JournalError
from tocsin.engine.ledger import verify_inclusion
from tocsin.journal.disk import RealDisk
from tocsin.journal.proof import proof_value, prove_account, read_proof

ROOT = rich_world().results[-1].root


def value_of(account: int) -> dict:
    return proof_value(prove_account(rich_disk(), account))


def test_every_account_can_be_proven() -> None:
    """WY-006: also through the file's form, and with any number of shards."""
    for account in rich_world().accounts:
        proven = prove_account(rich_disk(), account, shards=account)
        again = read_proof(json.dumps(proof_value(proven)).encode())
        assert again == proven.proof and proven.root == ROOT
        assert verify_inclusion(again, ROOT)
        assert not verify_inclusion(again, rich_world().results[-2].root)


def flip(text: str) -> str:
    return f"{text[:-1]}{int(text[-1], 16) ^ 1:x}"


@pytest.mark.parametrize(
    "name",
    ["leaf", "case_hash", "bucket", "position", "leaf_hashes", "path", "house_root", "cycle", "time_ns"],
)
def test_a_changed_proof_proves_nothing(name: str) -> None:
    """WY-007: whatever field is changed."""
    value = value_of(1)
    old = value[name]
    if name == "time_ns":
        value[name] = str(int(old) + 1)
    elif isinstance(old, int):
        value[name] = old + 1
    elif isinstance(old, list):
        value[name] = [flip(old[0]), *old[1:]]
    else:
        value[name] = flip(old)
    assert not verify_inclusion(read_proof(json.dumps(value).encode()), ROOT)


def test_the_root_a_proof_names_is_not_believed() -> None:
    """WY-007: it stands there for the reader; what counts is the root from elsewhere."""
    value = value_of(1) | {"root": "00" * 32}
    assert verify_inclusion(read_proof(json.dumps(value).encode()), ROOT)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "format must be tocsin-proof-1, was 'other'"),
        ({"cycle": "4"}, "JSON object of format tocsin-proof-1, was not: Expected `int`"),
        ({"more": 1}, "unknown field"),
        ({"time_ns": "-1"}, "time_ns must be a decimal number, was '-1'"),
        ({"time_ns": "9" * 5000}, "time_ns must be a decimal number"),
        ({"leaf": "zz"}, "leaf must be hexadecimal digits, was 'zz'"),
        ({"leaf": ""}, "leaf must be hexadecimal digits, was ''"),
        ({"case_hash": "00"}, "case_hash must be 64 hexadecimal digits, was '00'"),
        ({"path": ["0 " * 32]}, "path must be 64 hexadecimal digits"),
        ({"leaf_hashes": [1]}, "Expected `str`"),
    ],
)
def test_what_is_no_proof(change: dict, message: str) -> None:
    """WY-007: refused with the field."""
    with pytest.raises(DataError) as failure:
        read_proof(json.dumps(value_of(1) | change).encode())
    assert message in str(failure.value)
    with pytest.raises(DataError, match="must be a JSON object"):
        read_proof(b"\xff")


def test_a_proof_needs_an_account_in_a_closed_cycle() -> None:
    """WY-006: neither an unknown account nor an empty journal."""
    with pytest.raises(DataError, match="account must be open in a closed cycle, was 99"):
        prove_account(rich_disk(), 99)
    with pytest.raises(JournalError, match="must hold a closed cycle"):
        prove_account(write_journal([], rich_world().first_sheet, 1), 1)


def test_proofs_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """WY-006, WY-007: make one, check it with a root, in words and as JSON."""
    world, path, file = rich_world(), str(tmp_path / "j"), tmp_path / "p.json"
    write_journal(world.log, world.first_sheet, world.start_ns, disk=RealDisk(path))
    assert app.main(["why", path, "1", "--proof"]) == Exit.OK
    file.write_text(capsys.readouterr().out)
    assert app.main(["verify", "--proof", str(file), "--root", ROOT.hex()]) == Exit.OK
    out = capsys.readouterr().out
    assert out.startswith("account 1 under root 50, cross margin, bucket ")
    assert out.splitlines()[-1] == f"OK: this is part of the state with root {ROOT.hex()}"
    state = world.engine.read(1)
    for asset, units in state.cash.items():
        assert f"  asset {asset}: cash {units:,} units" in out
    for contract, (lots, entry) in state.positions.items():
        assert f"  contract {contract}: {lots:+,} lots, entry sum {entry:,} units" in out
    assert app.main(["verify", "--proof", str(file), "--root", ROOT.hex(), "--json"]) == Exit.OK
    shown = json.loads(capsys.readouterr().out)
    assert shown["ok"] and shown["account"]["positions"] == {
        str(c): {"lots": q, "entry": str(e)} for c, (q, e) in sorted(state.positions.items())
    }
    assert app.main(["verify", "--proof", str(file), "--root", "00" * 32]) == Exit.FINDING
    assert capsys.readouterr().out == f"NOT PROVEN: this is not part of the state with root {'00' * 32}\n"
    assert app.main(["verify", "--proof", str(file), "--root", "00" * 32, "--json"]) == Exit.FINDING
    assert json.loads(capsys.readouterr().out)["account"] is None
    for tokens, code, message in (
        (["verify", "--proof", str(file)], Exit.USAGE, "--proof needs --root"),
        (["verify", path, "--proof", str(file), "--root", "00" * 32], Exit.USAGE, "and no JOURNAL"),
        (["verify"], Exit.USAGE, "JOURNAL must be the folder of a journal, was missing"),
        (["verify", "--proof", str(tmp_path / "no"), "--root", "00" * 32], Exit.DATA, "No such file"),
        (["why", path, "1", "--proof", "--last", "1"], Exit.USAGE, "leave out --cycle and --last"),
    ):
        assert app.main(tokens) == code
        assert message in capsys.readouterr().err
