"""
Whatever arrives is accepted or refused by a value with a stable number; a refusal changes nothing and nothing halts.
"""

import copy
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.checks import check_all
from tests.helpers.worlds import ALT, BTC, INVERSE, LINEAR, USDT, Driver, small_sheet
from tocsin.core import limits
from tocsin.core.errors import Refused
from tocsin.engine import commands as cm
from tocsin.engine.sequencer import Accepted
from tocsin.margin.state import Mode
from tocsin.sheet.terms import BorrowTerms


def world():
    """Return a driver with two accounts, marks, and one cycle behind it; its next nonce is free."""
    sheet = small_sheet()
    usdt = msgspec.structs.replace(sheet.assets[0], borrow=BorrowTerms(10**9))
    driver = Driver(msgspec.structs.replace(sheet, assets=(usdt, sheet.assets[1])))
    driver.marks()
    driver.cut()
    driver.open(1, deposit=10**9)
    driver.open(2, deposit=10**9)
    driver.fill(1, 2, 3, 300_000_000)
    driver.cut()
    return driver


def memory(engine):
    """Return everything a command could change before the cut."""
    s = engine.sequencer
    log = (s.sequence, s.log_hash, s._rows_hash.digest())
    return copy.deepcopy((log, s.directory, s.nonces, s._admission._vault, engine.row_counts(), engine._house_stream))


BASE = world()
NEXT = BASE.nonce + 1


def refuse(command, number, engine=None):
    """Submit what must be refused with `number`, leaving no trace."""
    engine = engine or BASE.engine
    before = memory(engine)
    answer = engine.submit(command)
    assert isinstance(answer, Refused), answer
    assert answer.number == number, answer
    assert answer.detail
    assert memory(engine) == before


def valid(kind, **fields):
    """Return a command that would be accepted, with some fields changed."""
    defaults = {
        cm.OpenAccount: {"account": 3, "root": 3},
        cm.Deposit: {"account": 1, "asset": USDT, "amount": 5},
        cm.Withdraw: {"account": 1, "asset": USDT, "amount": 5},
        cm.Fills: {"buyer": (1,), "seller": (2,), "contract": (LINEAR,), "lots": (1,), "value": (100_000_000,)},
        cm.Holds: {"account": (1,), "contract": (LINEAR,), "bid": (1,), "ask": (0,)},
        cm.OrderCheck: {"account": 1, "contract": LINEAR, "lots": 1},
        cm.IntentDone: {"account": 1, "intent": 1},
        cm.SetMarks: {"contract": (LINEAR,), "mark": (10**8,), "funding": (0,), "grade": (0,)},
        cm.SetSheet: {"sheet": b"\x01"},
        cm.SetMarket: {"contract": LINEAR, "halted": True},
        cm.FundDeposit: {"contract": -1, "asset": USDT, "amount": 5},
        cm.ChangeMode: {"account": 1, "mode": Mode.ISOLATED},
        cm.LinkOwner: {"account": 1, "owner": 7},
        cm.Transfer: {"account": 1, "to": 2, "asset": USDT, "amount": 5},
        cm.Borrow: {"account": 1, "asset": USDT, "amount": 5},
        cm.Delist: {"contract": LINEAR},
        cm.Settle: {"contract": LINEAR, "price": 10**7},
        cm.Rescale: {"contract": LINEAR, "factor": 10, "sheet": b"\x01"},
    }
    return kind(**{"source": 1, "nonce": NEXT, **defaults[kind], **fields})


KINDS = [
    cm.OpenAccount, cm.Deposit, cm.Withdraw, cm.Fills, cm.Holds, cm.OrderCheck, cm.IntentDone, cm.SetMarks, cm.SetSheet,
    cm.SetMarket, cm.FundDeposit, cm.ChangeMode, cm.LinkOwner, cm.Transfer, cm.Borrow, cm.Delist, cm.Settle, cm.Rescale,
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_accepted_as_value_and_as_bytes(kind):
    for form in (valid(kind), cm.encode_command(valid(kind))):
        driver = world()
        before = driver.engine.sequencer.sequence
        answer = driver.engine.submit(form)
        assert isinstance(answer, Accepted)
        assert answer.first == before
        assert driver.engine.sequencer.sequence == before + answer.rows
        driver.cut()


# Bytes


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x90",
        b"\x93\xc0",
        b"\xc1",
        b"not a command",
        msgspec.msgpack.encode(["Deposit"]),
        msgspec.msgpack.encode(["Deposit", 1, NEXT, 1, USDT]),
        msgspec.msgpack.encode(["Deposit", 1, NEXT, 1, USDT, "5"]),
        msgspec.msgpack.encode(["Deposit", 1, NEXT, 1, USDT, None]),
        msgspec.msgpack.encode(["Deposit", 1, NEXT, 1, USDT, True]),
        msgspec.msgpack.encode(["Deposit", 1, NEXT, 1, USDT, 5.0]),
        msgspec.msgpack.encode(["Deposit", 1, NEXT, 1, USDT, 5.5]),
        msgspec.msgpack.encode(["Deposit", 1, NEXT, 1, USDT, float("nan")]),
        msgspec.msgpack.encode(["Deposit", 1, NEXT, 1, USDT, float("inf")]),
        msgspec.msgpack.encode(["Deposit", 1, NEXT, 1, USDT, [5]]),
        msgspec.msgpack.encode(["Deposits", 1, NEXT, 1, USDT, 5]),
        msgspec.msgpack.encode({"Deposit": 1}),
        msgspec.msgpack.encode(["OpenAccount", 1, NEXT, 3, 3, 7]),
        msgspec.msgpack.encode(["SetMarket", 1, NEXT, LINEAR, 1]),
        msgspec.msgpack.encode(["ChangeMode", 1, NEXT, 1, 4]),
        msgspec.msgpack.encode(["ChangeMode", 1, NEXT, 1, -1]),
        msgspec.msgpack.encode(["OpenAccount", 1, NEXT, 3, 3, 0, 4, False]),
        msgspec.msgpack.encode(["OpenAccount", 1, NEXT, 3, 3, 0, 0, 1]),
        msgspec.msgpack.encode(["Rescale", 1, NEXT, LINEAR, 10, "sheet"]),
        b"\x91" * 100_000,
        b"\xdd\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        cm.encode_command(valid(cm.Deposit)) + b"\x00",
        cm.encode_command(valid(cm.Deposit))[:-1],
    ],
)
def test_bytes_that_are_no_command_are_malformed(data):
    refuse(data, "R-1001")


def widened(value):
    """Return `value` as the long spelling of a msgpack integer."""
    return b"\xd3" + struct.pack(">q", value)


@pytest.mark.parametrize(
    "data",
    [
        # A longer spelling of 5, of the array's length, of the name's length; a field too many; one too few.
        b"\x96\xa7Deposit\x01" + msgspec.msgpack.encode(NEXT) + b"\x01\x01" + widened(5),
        b"\xdc\x00\x06" + msgspec.msgpack.encode(["Deposit", 1, NEXT, 1, USDT, 5])[1:],
        b"\x96\xd9\x07Deposit" + msgspec.msgpack.encode(["Deposit", 1, NEXT, 1, USDT, 5])[9:],
        msgspec.msgpack.encode(["Deposit", 1, NEXT, 1, USDT, 5, 0]),
        msgspec.msgpack.encode(["OpenAccount", 1, NEXT, 3, 3]),
    ],
)
def test_another_spelling_of_a_command_is_not_canonical(data):
    answer = BASE.engine.submit(data)
    assert isinstance(answer, Refused)
    refuse(data, "R-1002")


def test_a_command_of_more_than_four_mebibytes_is_too_large():
    refuse(b"\x00" * (limits.COMMAND_BYTES_MAX + 1), "R-1003")


# Order


@pytest.mark.parametrize(
    ("fields", "number"),
    [
        ({"nonce": NEXT - 1}, "R-1004"),
        ({"nonce": NEXT - 2}, "R-1005"),
        ({"nonce": 0}, "R-1006"),
        ({"nonce": -1}, "R-1006"),
        ({"nonce": 2**62 + 1}, "R-1006"),
        ({"nonce": 2**64 - 1}, "R-1006"),
        ({"source": -1}, "R-1006"),
        ({"source": 2**31}, "R-1006"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_repeated_late_and_impossible_nonces_are_refused(kind, fields, number):
    refuse(cm.encode_command(valid(kind, **fields)), number)


# Fields: (kind, changed fields, number)

ROW = {cm.Fills: "row 0", cm.Holds: "row 0", cm.SetMarks: "row 0"}
BAD = [
    (cm.OpenAccount, {"account": 0}, "R-1006"),
    (cm.OpenAccount, {"account": -5}, "R-1006"),
    (cm.OpenAccount, {"account": limits.ACCOUNT_ID_MAX + 1}, "R-1006"),
    (cm.OpenAccount, {"root": 0}, "R-1006"),
    (cm.OpenAccount, {"root": 2**63 - 1}, "R-1006"),
    (cm.OpenAccount, {"account": 1}, "R-2004"),
    (cm.Deposit, {"account": 9}, "R-2001"),
    (cm.Deposit, {"account": 0}, "R-2001"),
    (cm.Deposit, {"account": -1}, "R-2001"),
    (cm.Deposit, {"asset": 9}, "R-2003"),
    (cm.Deposit, {"amount": 0}, "R-1006"),
    (cm.Deposit, {"amount": -1}, "R-1006"),
    (cm.Deposit, {"amount": limits.CASH_MAX + 1}, "R-1006"),
    (cm.Deposit, {"amount": 2**64 - 1}, "R-1006"),
    (cm.Withdraw, {"account": 9}, "R-2001"),
    (cm.Withdraw, {"asset": 9}, "R-2003"),
    (cm.Withdraw, {"amount": 0}, "R-1006"),
    (cm.Withdraw, {"amount": -(2**63)}, "R-1006"),
    (cm.Fills, {"contract": (9,)}, "R-2002"),
    (cm.Fills, {"lots": (0,)}, "R-1006"),
    (cm.Fills, {"lots": (-1,)}, "R-1006"),
    (cm.Fills, {"lots": (2**31,)}, "R-1006"),
    (cm.Fills, {"value": (2**61 + 1,)}, "R-1006"),
    (cm.Fills, {"value": (-(2**61) - 1,)}, "R-1006"),
    (cm.Fills, {"value": (2**64 - 1,)}, "R-1006"),
    (cm.Fills, {"buyer": (-1,)}, "R-1006"),
    (cm.Fills, {"seller": (limits.ACCOUNT_ID_MAX + 1,)}, "R-1006"),
    (cm.Fills, {"buyer": (), "seller": (), "contract": (), "lots": (), "value": ()}, "R-1006"),
    (cm.Fills, {"buyer": (1, 1)}, "R-1001"),
    (cm.Fills, {"value": ()}, "R-1001"),
    (cm.Fills, {"buyer_intent": (1, 1)}, "R-1001"),
    (cm.Fills, {"buyer_intent": (-1,)}, "R-1006"),
    (cm.Fills, {"seller_intent": (-1,)}, "R-1006"),
    (cm.Fills, {"buyer_bid": (-2,)}, "R-1006"),
    (cm.Fills, {"seller_ask": (2**31,)}, "R-1006"),
    (cm.Holds, {"account": (9,)}, "R-2001"),
    (cm.Holds, {"contract": (9,)}, "R-2002"),
    (cm.Holds, {"bid": (-1,)}, "R-1006"),
    (cm.Holds, {"ask": (2**31,)}, "R-1006"),
    (cm.Holds, {"account": (), "contract": (), "bid": (), "ask": ()}, "R-1006"),
    (cm.Holds, {"ask": ()}, "R-1001"),
    (cm.OrderCheck, {"account": 9}, "R-2001"),
    (cm.OrderCheck, {"contract": 9}, "R-2002"),
    (cm.OrderCheck, {"lots": 0}, "R-1006"),
    (cm.OrderCheck, {"lots": -(2**31)}, "R-1006"),
    (cm.IntentDone, {"account": 9}, "R-2001"),
    (cm.SetMarks, {"contract": (9,)}, "R-2002"),
    (cm.SetMarks, {"grade": (3,)}, "R-1006"),
    (cm.SetMarks, {"grade": (-1,)}, "R-1006"),
    (cm.SetMarks, {"mark": ()}, "R-1001"),
    (cm.SetMarks, {"asset": (USDT,), "price": ()}, "R-1001"),
    (cm.SetMarks, {"asset": (9,), "price": (1,)}, "R-2003"),
    (cm.SetMarks, {"contract": (), "mark": (), "funding": (), "grade": ()}, "R-1006"),
    (cm.SetMarks, {"contract": (), "funding": (), "grade": (), "asset": (USDT,), "price": (10**6,)}, "R-1006"),
    (cm.SetMarket, {"contract": 9}, "R-2002"),
    (cm.FundDeposit, {"contract": 9}, "R-2002"),
    (cm.FundDeposit, {"contract": -3}, "R-2002"),
    (cm.FundDeposit, {"asset": 9}, "R-2003"),
    (cm.FundDeposit, {"amount": 0}, "R-1006"),
    (cm.FundDeposit, {"amount": limits.CASH_MAX + 1}, "R-1006"),
    (cm.Fills, {"buyer_fee": (limits.CASH_MAX + 1,)}, "R-1006"),
    (cm.Fills, {"seller_fee": (-limits.CASH_MAX - 1,)}, "R-1006"),
    (cm.Fills, {"seller_fee": (1, 1)}, "R-1001"),
    (cm.SetMarks, {"slow": (1, 1)}, "R-1001"),
    (cm.SetMarks, {"slow": (limits.MARK_MAX + 1,)}, "R-1006"),
    (cm.SetMarks, {"slow": (-limits.MARK_MAX - 1,)}, "R-1006"),
    (cm.ChangeMode, {"account": 9}, "R-2001"),
    (cm.LinkOwner, {"account": 9}, "R-2001"),
    (cm.LinkOwner, {"owner": -1}, "R-1006"),
    (cm.LinkOwner, {"owner": limits.ACCOUNT_ID_MAX + 1}, "R-1006"),
    (cm.Transfer, {"account": 9}, "R-2001"),
    (cm.Transfer, {"to": 9}, "R-2001"),
    (cm.Transfer, {"to": 1}, "R-1006"),
    (cm.Transfer, {"to": 0}, "R-2001"),
    (cm.Transfer, {"asset": 9}, "R-2003"),
    (cm.Transfer, {"amount": 0}, "R-1006"),
    (cm.Transfer, {"amount": -5}, "R-1006"),
    (cm.Transfer, {"amount": limits.CASH_MAX + 1}, "R-1006"),
    (cm.Borrow, {"account": 9}, "R-2001"),
    (cm.Borrow, {"asset": 9}, "R-2003"),
    (cm.Borrow, {"asset": BTC}, "R-2003"),
    (cm.Borrow, {"amount": 0}, "R-1006"),
    (cm.Borrow, {"amount": limits.CASH_MAX + 1}, "R-1006"),
    (cm.Delist, {"contract": 9}, "R-2002"),
    (cm.Delist, {"contract": -1}, "R-2002"),
    (cm.Settle, {"contract": 9}, "R-2002"),
    (cm.Settle, {"price": 0}, "R-1006"),
    (cm.Settle, {"price": -1}, "R-1006"),
    (cm.Settle, {"price": 2**60 + 1}, "R-1006"),
    (cm.Rescale, {"contract": 9}, "R-2002"),
    (cm.Rescale, {"factor": 1}, "R-1006"),
    (cm.Rescale, {"factor": 0}, "R-1006"),
    (cm.Rescale, {"factor": -10}, "R-1006"),
    (cm.Rescale, {"factor": 10**6 + 1}, "R-1006"),
]


@pytest.mark.parametrize(("kind", "fields", "number"), BAD)
def test_a_bad_field_is_refused_with_its_number(kind, fields, number):
    refuse(cm.encode_command(valid(kind, **fields)), number)


@pytest.mark.parametrize("amount", [1.5, float("nan"), "7", None, 2**64, b"1", [1]])
def test_a_value_with_fields_of_another_type_is_malformed(amount):
    """CM-002: a command given as a value is held to the same types as its bytes."""
    refuse(cm.Deposit(source=1, nonce=NEXT, account=1, asset=USDT, amount=amount), "R-1001")


@pytest.mark.parametrize(("kind", "fields", "number"), [b for b in BAD if b[0] is cm.Fills and len(b[1]) == 1])
def test_one_bad_row_refuses_the_whole_batch(kind, fields, number):
    """Nothing is half applied: a good row before and after the bad one is refused with it."""
    good = valid(kind)
    columns = ("buyer", "seller", "contract", "lots", "value")
    name, bad = next(iter(fields.items()))
    if name not in columns or len(bad) != 1:
        return
    batch = {c: getattr(good, c) + (bad if c == name else getattr(good, c)) + getattr(good, c) for c in columns}
    refuse(cm.encode_command(valid(kind, **batch)), number)


def test_unmarked_contracts_have_no_fills_holds_or_checks():
    driver = Driver()
    driver.open(1)
    fill = {"buyer": (1,), "seller": (1,), "contract": (ALT,), "lots": (1,), "value": (1,)}
    refuse(cm.Fills(source=1, nonce=9, **fill), "R-2002", driver.engine)
    refuse(cm.Holds(source=1, nonce=9, account=(1,), contract=(ALT,), bid=(1,), ask=(0,)), "R-2002", driver.engine)
    refuse(cm.OrderCheck(source=1, nonce=9, account=1, contract=ALT, lots=1), "R-2002", driver.engine)


def test_deposits_cannot_overflow_the_vault():
    driver = Driver()
    for _ in range(limits.VAULT_MAX // limits.CASH_MAX):
        driver.ok(cm.FundDeposit, contract=-1, asset=USDT, amount=limits.CASH_MAX)
    late = cm.FundDeposit(source=1, nonce=driver.nonce + 1, contract=-1, asset=USDT, amount=1)
    refuse(late, "R-3003", driver.engine)
    driver.cut()
    refuse(late, "R-3003", driver.engine)
    assert isinstance(driver.engine.submit(msgspec.structs.replace(late, asset=BTC)), Accepted)


def test_a_sheet_that_cannot_be_used_is_refused_when_the_cycle_closes():
    for data in (b"", b"\x01", b"\xc1", b"\x91" * 1000, msgspec.msgpack.encode([1, 2.5])):
        driver = world()
        driver.ok(cm.SetSheet, sheet=data)
        result = driver.cut()
        assert [e.kind for e in result.events] == ["sheet_refused"]
        assert result.events[0].fields["reason"] == "R-5004"
        assert driver.engine.house.sheet == BASE.engine.house.sheet


def test_marks_of_any_size_stop_nothing():
    for mark in (0, 1, -1, 2**63 - 1, -(2**63), 2**64 - 1):
        driver = world()
        driver.ok(
            cm.SetMarks,
            contract=(LINEAR, ALT, INVERSE),
            mark=(mark,) * 3,
            funding=(mark,) * 3,
            grade=(0,) * 3,
            asset=(USDT, BTC),
            price=(mark,) * 2,
        )
        for _ in range(3):
            check_all(driver.engine, driver.cut(), driver.engine.house.sheet)


# Anything at all

SEED_COMMANDS = [cm.encode_command(valid(kind)) for kind in KINDS]
SCALARS = st.one_of(
    st.integers(-(2**63), 2**64 - 1), st.integers(-3, 5), st.floats(), st.booleans(), st.none(), st.text(max_size=8),
    st.binary(max_size=8),
)  # fmt: skip
NESTED = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=6), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=20,
)
NAMES = st.sampled_from([kind.__name__ for kind in KINDS])
INTEGERS = st.one_of(
    st.integers(-2, 4), st.integers(-(2**63), 2**64 - 1), st.sampled_from((2**31, 2**52, 2**58, 2**61))
)
COLUMNS = st.lists(INTEGERS, max_size=3)


@st.composite
def damaged(draw):
    """A real command with bytes flipped, cut out or put in."""
    data = bytearray(draw(st.sampled_from(SEED_COMMANDS)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data) - 1))
        match draw(st.integers(0, 2)):
            case 0:
                data[at] = draw(st.integers(0, 255))
            case 1:
                del data[at : at + draw(st.integers(1, 4))]
            case _:
                data[at:at] = draw(st.binary(min_size=1, max_size=4))
        if not data:
            break
    return bytes(data)


@st.composite
def shaped(draw):
    """An array that begins like a command: a name, a fresh nonce, then integers and columns of any size."""
    rest = draw(st.lists(st.one_of(INTEGERS, COLUMNS, st.booleans()), min_size=2, max_size=13))
    return msgspec.msgpack.encode([draw(NAMES), 1, draw(st.integers(NEXT, NEXT + 5)), *rest])


ANYTHING = st.one_of(st.binary(max_size=64), NESTED.map(msgspec.msgpack.encode), damaged(), shaped())
DRIVER = world()
"""One engine takes everything: each example adds to what the ones before left."""


@given(st.lists(ANYTHING, min_size=1, max_size=8))
def test_anything_is_accepted_or_refused_and_nothing_stops(messages):
    engine = DRIVER.engine
    for data in messages:
        before = memory(engine)
        answer = engine.submit(data)
        if isinstance(answer, Refused):
            assert memory(engine) == before
            assert 1001 <= int(answer.reason) <= 6001
        else:
            assert cm.encode_command(cm.decode_command(data)) == data
    sheet = engine.house.sheet
    result = DRIVER.cut()
    DRIVER.results.clear()
    check_all(engine, result, sheet)


@given(st.lists(ANYTHING, min_size=1, max_size=8))
def test_what_is_refused_leaves_no_trace_in_the_root(messages):
    """An engine that was sent only what another one accepted has the same root."""
    ours, theirs = world(), world()
    for data in messages:
        if isinstance(ours.engine.submit(data), Accepted):
            theirs.engine.submit(data)
    assert ours.cut().root == theirs.cut().root
    assert ours.engine.snapshot() == theirs.engine.snapshot()
