"""
Rules CM: what is accepted, stamped and dealt, and what is refused. The reference page of refusals.
"""

import re
from pathlib import Path

import pytest

from tests.helpers.small import PERP, USD, make_sheet
from tocsin.core.errors import Reason
from tocsin.core.ids import bucket_of
from tocsin.engine import commands as cm
from tocsin.engine.engine import Engine
from tocsin.engine.sequencer import Accepted, Sequencer, Stamped

MINUTE = 60 * 10**9
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "refusals.md"


def ready() -> Sequencer:
    """Accounts 7 and 8 are open, PERP is marked."""
    sequencer = Sequencer()
    sequencer.set_terms(make_sheet(), frozenset({PERP}))
    for nonce, account in ((1, 7), (2, 8)):
        assert isinstance(send(sequencer, nonce, cm.OpenAccount, account=account, root=70 + account), Stamped)
    return sequencer


def send(sequencer: Sequencer, nonce: int, kind: type, source: int = 1, **fields: object) -> object:
    return sequencer.stamp(kind(source=source, nonce=nonce, **fields))


def fills(**columns: tuple[int, ...]) -> dict:
    return {"buyer": (7,), "seller": (8,), "contract": (PERP,), "lots": (1,), "value": (100_000,), **columns}


def test_cm_001_commands_are_canonical_bytes() -> None:
    """CM-001"""
    command = cm.Fills(source=1, nonce=3, **fills(buyer_bid=(5,)))
    data = cm.encode_command(command)
    assert cm.decode_command(data) == command
    assert isinstance(ready().stamp(data), Stamped)


@pytest.mark.parametrize(
    ("nonce", "reason"),
    [
        (3, None),
        (4, None),
        (2, Reason.DUPLICATE),
        (1, Reason.OUT_OF_ORDER),
        (0, Reason.OUT_OF_RANGE),
        (2**62 + 1, Reason.OUT_OF_RANGE),
    ],
)
def test_cm_002_nonces_rise_by_source(nonce: int, reason: Reason | None) -> None:
    """CM-002"""
    answer = send(ready(), nonce, cm.Deposit, account=7, asset=USD, amount=1)
    assert getattr(answer, "reason", None) == reason
    assert isinstance(send(ready(), 1, cm.Deposit, source=2, account=7, asset=USD, amount=1), Stamped)
    assert send(ready(), 1, cm.Deposit, source=-1, account=7, asset=USD, amount=1).reason is Reason.OUT_OF_RANGE


def test_cm_003_a_refused_command_leaves_no_trace() -> None:
    """CM-003: not in nonces, sequence, or the root."""

    def root(*bad: object) -> bytes:
        engine = Engine(make_sheet(), MINUTE)
        engine.submit(cm.OpenAccount(source=1, nonce=1, account=7, root=7))
        for command in bad:
            assert not isinstance(engine.submit(command), Accepted)
        assert isinstance(engine.submit(cm.Deposit(source=1, nonce=2, account=7, asset=USD, amount=5)), Accepted)
        return engine.cut(2 * MINUTE).root

    bad = (
        cm.Deposit(source=1, nonce=9, account=8, asset=USD, amount=5),
        b"",
        cm.OpenAccount(source=3, nonce=1, account=7, root=7),
    )
    assert root(*bad) == root()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.MALFORMED),
        (b"\xc0", Reason.MALFORMED),
        (b"\x93\xa5Other\x01\x02", Reason.MALFORMED),
        (b"\x95\xa9SetMarket\xcc\x01\x03\x01\xc3", Reason.NOT_CANONICAL),
        (bytes(4 * 1024 * 1024 + 1), Reason.TOO_LARGE),
    ],
)
def test_cm_004_bytes_that_are_no_command(data: bytes, reason: Reason) -> None:
    """CM-004"""
    assert ready().stamp(data).reason is reason


@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [
        (cm.Deposit, {"account": 9, "asset": USD, "amount": 1}, Reason.UNKNOWN_ACCOUNT),
        (cm.IntentDone, {"account": 9, "intent": 1}, Reason.UNKNOWN_ACCOUNT),
        (cm.OpenAccount, {"account": 7, "root": 1}, Reason.ACCOUNT_EXISTS),
        (cm.OpenAccount, {"account": 9, "root": 0}, Reason.OUT_OF_RANGE),
        (cm.OpenAccount, {"account": 2**48 + 1, "root": 1}, Reason.OUT_OF_RANGE),
        (cm.OrderCheck, {"account": 7, "contract": 2, "lots": 1}, Reason.UNKNOWN_CONTRACT),
        (cm.SetMarket, {"contract": 9, "halted": True}, Reason.UNKNOWN_CONTRACT),
        (cm.FundDeposit, {"contract": 9, "asset": USD, "amount": 1}, Reason.UNKNOWN_CONTRACT),
        (cm.Withdraw, {"account": 7, "asset": 9, "amount": 1}, Reason.UNKNOWN_ASSET),
        (cm.Withdraw, {"account": 7, "asset": USD, "amount": 0}, Reason.OUT_OF_RANGE),
        (cm.Deposit, {"account": 7, "asset": USD, "amount": 2**58 + 1}, Reason.OUT_OF_RANGE),
        (cm.OrderCheck, {"account": 7, "contract": PERP, "lots": 0}, Reason.OUT_OF_RANGE),
        (cm.OrderCheck, {"account": 7, "contract": PERP, "lots": -(2**31)}, Reason.OUT_OF_RANGE),
        (cm.Fills, fills(lots=(0,)), Reason.OUT_OF_RANGE),
        (cm.Fills, fills(value=(2**61 + 1,)), Reason.OUT_OF_RANGE),
        (cm.Fills, fills(buyer=(-1,)), Reason.OUT_OF_RANGE),
        (cm.Fills, fills(buyer_intent=(-1,)), Reason.OUT_OF_RANGE),
        (cm.Fills, fills(seller_ask=(-2,)), Reason.OUT_OF_RANGE),
        (cm.Fills, fills(contract=(2,)), Reason.UNKNOWN_CONTRACT),
        (cm.Fills, fills(lots=(1, 2)), Reason.MALFORMED),
        (cm.Fills, fills(seller_bid=(1, 2)), Reason.MALFORMED),
        (cm.Fills, fills(buyer=(), seller=(), contract=(), lots=(), value=()), Reason.OUT_OF_RANGE),
        (cm.Holds, {"account": (7, 9), "contract": (PERP,) * 2, "bid": (1, 1), "ask": (0, 0)}, Reason.UNKNOWN_ACCOUNT),
        (cm.Holds, {"account": (7,), "contract": (PERP,), "bid": (-1,), "ask": (0,)}, Reason.OUT_OF_RANGE),
        (cm.SetMarks, {"contract": (PERP,), "mark": (1,), "funding": (0,), "grade": (3,)}, Reason.OUT_OF_RANGE),
        (cm.SetMarks, {"contract": (9,), "mark": (1,), "funding": (0,), "grade": (0,)}, Reason.UNKNOWN_CONTRACT),
    ],
)
def test_cm_005_to_cm_008_refusals(kind: type, fields: dict, reason: Reason) -> None:
    """CM-005, CM-006, CM-007, CM-008"""
    sequencer = ready()
    answer = send(sequencer, 3, kind, **fields)
    assert answer.reason is reason
    assert answer.detail
    assert sequencer.nonces == {1: 2}


def test_cm_007_the_vault_has_a_bound() -> None:
    """CM-007: counted within a cycle and over cycles; it never halts the engine."""
    engine = Engine(make_sheet(), MINUTE)
    answers = []
    for i in range(1, 20):
        engine.submit(cm.OpenAccount(source=1, nonce=i, account=i, root=i))
        answers.append(engine.submit(cm.Deposit(source=2, nonce=i, account=i, asset=USD, amount=2**58)))
        if i % 4 == 0:
            engine.cut((i + 1) * MINUTE)
    accepted = [isinstance(a, Accepted) for a in answers]
    assert accepted == [True] * 16 + [False] * 3
    assert (answers[-1].reason, answers[-1].needed, answers[-1].available) == (
        Reason.ADMISSION_BOUND,
        17 * 2**58,
        2**62,
    )
    assert (
        engine.submit(cm.FundDeposit(source=3, nonce=1, contract=-1, asset=USD, amount=1)).reason
        is Reason.ADMISSION_BOUND
    )
    assert engine.house.state.vault == {USD: 2**62}


def test_cm_008_a_row_is_named() -> None:
    """CM-008"""
    answer = send(
        ready(), 3, cm.Fills, **fills(buyer=(7, 7), seller=(8, 8), contract=(PERP, 2), lots=(1, 1), value=(1, 1))
    )
    assert answer.detail == "row 1: contract must be in the sheet and marked, was 2"
    many = (7,) * 65_537
    answer = send(ready(), 3, cm.Holds, account=many, contract=many, bid=many, ask=many)
    assert answer.detail == "rows must be 1 to 65536, were 65537"


def test_cm_009_and_cm_010_stamps_and_streams() -> None:
    """CM-009, CM-010: buyer first; each side in the bucket of its root."""
    sequencer = ready()
    columns = fills(buyer=(7, 8), seller=(8, 7), contract=(PERP,) * 2, lots=(1, 2), value=(5, 6), seller_bid=(3, 4))
    stamped = send(sequencer, 3, cm.Fills, **columns)
    assert stamped.accepted == Accepted(2, 4)
    rows = [(bucket, i.sequence, i.account, i.a, i.b, i.c) for bucket, i in stamped.rows]
    seven, eight = bucket_of(77), bucket_of(78)
    assert rows == [
        (seven, 2, 7, 1, 5, -1),
        (eight, 3, 8, -1, -5, 3),
        (eight, 4, 8, 2, 6, -1),
        (seven, 5, 7, -2, -6, 4),
    ]
    marks = send(sequencer, 4, cm.SetMarks, contract=(PERP,), mark=(1,), funding=(0,), grade=(0,))
    assert (marks.rows, [h.item.sequence for h in marks.house]) == ([], [6])
    holds = send(sequencer, 5, cm.Holds, account=(7, 8), contract=(PERP,) * 2, bid=(1, 1), ask=(0, 0))
    assert holds.accepted == Accepted(7, 2)


@pytest.mark.parametrize(("buyer", "seller", "side"), [(7, 999, -1), (999, 7, 1), (7, 0, -1), (0, 7, 1)])
def test_cm_011_fills_are_facts(buyer: int, seller: int, side: int) -> None:
    """CM-011: the side of an unknown account, or of account 0, goes to the ClearingHouse."""
    stamped = send(ready(), 3, cm.Fills, **fills(buyer=(buyer,), seller=(seller,)))
    assert [(i.account, i.a) for _, i in stamped.rows] == [(7, -side)]
    assert [(h.item.account, h.item.a) for h in stamped.house] == [(buyer if side > 0 else seller, side)]


def test_cm_012_when_commands_act() -> None:
    """CM-012: a deposit in the open cycle, a halt from the next on."""
    engine = Engine(make_sheet(), MINUTE)
    engine.submit(cm.OpenAccount(source=1, nonce=1, account=7, root=7))
    engine.submit(cm.Deposit(source=1, nonce=2, account=7, asset=USD, amount=5))
    engine.submit(cm.SetMarks(source=1, nonce=3, contract=(PERP,), mark=(100_000,), funding=(0,), grade=(0,)))
    engine.submit(cm.SetMarket(source=1, nonce=4, contract=PERP, halted=True))
    assert engine.opened.closed == ()
    engine.cut(2 * MINUTE)
    assert engine.read(7).cash == {USD: 5}
    assert engine.opened.closed == (PERP,)


def test_every_refusal_is_on_the_page() -> None:
    """CM-004: number and name of each reason, once, and nothing else."""
    rows = re.findall(r"^\| R-(\d+) \| (\w+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [(int(number), name) for number, name in rows] == [(int(r), r.name) for r in Reason if r]
