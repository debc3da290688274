"""
The text of `why` for money between accounts, loans, owners, modes and the life of contracts.
"""

import json
from functools import cache

import pytest

from tests.helpers.broad import FUTURE, BroadChaos, broad_history
from tests.helpers.hosts import write_journal
from tests.helpers.worlds import ALT, BTC, LINEAR, MINUTE, USDT, Driver, small_sheet
from tests.unit.views.test_why_text import BALANCE, LEG, check_sums, numbers_in, shape
from tocsin.accounts.leaf import encode_leaf
from tocsin.engine import commands as cm
from tocsin.engine.ledger import InclusionProof
from tocsin.engine.messages import Event
from tocsin.engine.why import Step
from tocsin.journal.why import explain
from tocsin.margin.state import AccountClass, AccountState, Mode
from tocsin.views.leaf_text import describe_leaf, leaf_value
from tocsin.views.why_accounts import ASKED, SENTENCES
from tocsin.views.why_json import step_value
from tocsin.views.why_text import WIDTH, write_steps


@cache
def broad_steps() -> list[Step]:
    """Return the steps of every account of two wild worlds in which all is on."""
    out: list[Step] = []
    for seed in (0, 2):
        world = broad_history(seed, cycles=30)
        disk = write_journal(world.log, world.first_sheet, world.start_ns)
        for account in world.accounts:
            out += explain(disk, account).steps
    return out


def test_broad_worlds_are_told_whole() -> None:
    """WY-004: every kind a wild world with everything on tells of an account, with the fields that events have."""
    seen = {e.kind for step in broad_steps() for e in step.events}
    assert seen >= {"mode_changed", "owner_linked", "transfer_sent", "transfer_received", "borrowed", "interest"}
    assert seen >= {"converted", "conversion_asked", "settled", "trade_fee"}
    lines = list(write_steps(broad_steps()))
    assert max(map(len, lines)) <= WIDTH
    for line in lines:
        assert "None" not in line and "{" not in line


def test_broad_steps_in_json() -> None:
    """WY-005"""
    for step in broad_steps():
        value = json.loads(json.dumps(step_value(step)))
        assert all(abs(number) < 2**53 for number in numbers_in(value))
        for picture in (value[name] for name in ("at_marks", "at_decision", "after") if value[name] is not None):
            assert all(shape(b) == BALANCE for b in picture["balances"])
            assert all(shape(leg) == LEG for leg in picture["legs"])


def say(kind: str, **fields: int | str) -> str:
    """Return the sentence of one event under the small sheet."""
    event = Event(3, 0, (0, 0, 0), kind, 1, fields)
    step = Step(3, 60 * MINUTE, None, None, None, (event,), small_sheet())
    lines = [line.strip() for line in write_steps([step]) if not line.startswith("cycle")]
    return " ".join(line for line in lines if line).removeprefix("-> ")


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        (
            "mode_changed",
            {"key": 0, "a": 3, "b": 0, "x": 5_000_000, "y": 7_500_000},
            "margined as portfolio from here on: initial requirement 5.00, equity 7.50",
        ),
        (
            "owner_linked",
            {"key": 0, "a": 8, "b": 0, "x": 8, "y": 0},
            "linked to owner 8: tiers, caps and concentration are judged on all accounts of this owner",
        ),
        (
            "owner_linked",
            {"key": 0, "a": 0, "b": 0, "x": 0, "y": 0},
            "linked to no owner any more: tiers, caps and concentration are its own",
        ),
        ("transfer_sent", {"key": USDT, "a": 5, "b": 9, "x": 5, "y": 7}, "sent 0.000005 USDT to account 9"),
        (
            "transfer_received",
            {"asset": BTC, "amount": 100_000_000, "leaving": 0},
            "received 1.00 BTC from another account",
        ),
        (
            "transfer_received",
            {"asset": USDT, "amount": 1, "leaving": 2_000_000},
            (
                "received 0.000001 USDT from another account; 2.00 USDT more than it may hold is on its way out of the "
                "vault"
            ),
        ),
        (
            "borrowed",
            {"key": USDT, "a": 3_000_000, "b": 0, "x": 3_000_000, "y": 0},
            "asked to borrow 3.00 USDT: 3.00 USDT is in transit; balance before 0.00 USDT",
        ),
        (
            "borrowed",
            {"key": USDT, "a": 3_000_000, "b": 0, "x": 1_000_000, "y": -500_000},
            (
                "asked to borrow 3.00 USDT: 1.00 USDT is in transit, the most its cap and the initial level allow; "
                "balance before −0.50 USDT"
            ),
        ),
        (
            "interest",
            {"asset": USDT, "charged": 3, "credited": 0},
            "interest of 0.000003 USDT charged on what is owed",
        ),
        (
            "interest",
            {"asset": USDT, "charged": 0, "credited": 2},
            "interest of 0.000002 USDT earned on what is owned",
        ),
        (
            "conversion_asked",
            {"asset": USDT, "owed": 9_000_000, "need": 2_000_000},
            "CONVERSION asked: 9.00 USDT is owed, collateral shall be sold for 2.00 USDT of it",
        ),
        (
            "converted",
            {"collateral": BTC, "given": 100, "asset": USDT, "got": 80_000_000},
            "CONVERTED: 0.000001 BTC sold to the global fund for 80.00 USDT of what is owed",
        ),
        (
            "recourse_paid",
            {"asset": USDT, "amount": 1_000_000},
            "RECOURSE: 1.00 USDT paid for the loss of another account of the same root",
        ),
        (
            "trade_fee",
            {"contract": LINEAR, "asked": 500_000, "amount": 500_000},
            "trading fee 0.50 USDT to the operator",
        ),
        (
            "trade_fee",
            {"contract": LINEAR, "asked": -500_000, "amount": -250_000},
            "trading rebate 0.25 USDT from the operator, cut to the cap from 0.50 USDT",
        ),
        (
            "settled",
            {"contract": ALT, "lots": -3, "value": -30_000_000, "cash": 1_000_000},
            "SETTLED: -3 ALTUSDT at the final mark for −30.00 USDT, cash +1.00 USDT",
        ),
        (
            "rescaled",
            {"contract": ALT, "factor": 10, "position": 30},
            "RESCALED: one lot is now 10 lots; position +30 ALTUSDT, entry sum as before",
        ),
        (
            "intent_void",
            {"intent": 4, "contract": ALT, "filled": -2},
            "intent 4 in ALTUSDT is void, -2 lots were filled",
        ),
    ],
)
def test_each_sentence(kind: str, fields: dict[str, int | str], expected: str) -> None:
    """WY-004"""
    assert say(kind, **fields) == expected


def test_each_kind_has_its_case_above() -> None:
    (mark,) = (m for m in test_each_sentence.pytestmark if m.name == "parametrize")
    assert {kind for kind, _, _ in mark.args[1]} == set(SENTENCES)


@pytest.mark.parametrize(
    ("command", "fields", "expected"),
    [
        ("mode_changed", {"a": 3, "x": 5, "y": 4}, "change to portfolio margin; initial requirement with it 0.000005"),
        ("owner_linked", {"a": 3}, "link to owner 3"),
        ("transfer_sent", {"a": 5, "b": 9, "y": 4}, "transfer of 0.000005 USDT to account 9; 0.000004 USDT may leave"),
        ("borrowed", {"a": 5, "x": 5, "y": 0}, "loan of 0.000005 USDT; 0.00 USDT may leave"),
    ],
)
def test_refusals(command: str, fields: dict[str, int], expected: str) -> None:
    """WY-004: what was asked for, and how much would have been possible."""
    base = {"key": USDT, "a": 0, "b": 0, "x": 0, "y": 0}
    text = say("refused", command=command, reason="R-4001", why="INSUFFICIENT_MARGIN", **{**base, **fields})
    assert text.startswith(f"REFUSED (R-4001, insufficient margin): {expected}")
    assert say(
        "refused", command="order_checked", reason="R-4002", why="INSUFFICIENT_CASH", key=LINEAR, a=3, b=0, x=3, y=0
    ) == (
        "REFUSED (R-4002, insufficient cash): order of +3 BTCUSDT; more than the account owns and may borrow of what "
        "it would deliver"
    )
    assert set(ASKED) == {"mode_changed", "owner_linked", "transfer_sent", "borrowed"}


def test_brackets_above_the_owners_other_accounts() -> None:
    """WY-004, RQ-020: 100 lots above the owner's 150 elsewhere are told with what those cost by themselves."""
    world = Driver(small_sheet())
    world.marks()
    world.cut()
    for account in (1, 2):
        world.open(account, root=7, deposit=850_000_000 if account == 1 else 10**10)
        world.ok(cm.LinkOwner, account=account, owner=5)
    world.open(3, deposit=10**10)
    world.fill(1, 3, 100, 1_000_000_000, ALT)
    world.fill(2, 3, 150, 1_500_000_000, ALT)
    world.cut()
    world.cut()
    # Account 1 has lost 8.00 a lot: equity 850 - 800 = 50, below initial 10 x 2 + charge 60.
    world.marks(alt=2_000_000)
    world.cut()
    world.cut()
    disk = write_journal(world.log, world.engine.house.sheet, 1_000 * MINUTE)
    lines = [line for step in explain(disk, 1).steps for line in write_steps([step])]
    # 250 lots of 2.00 cost 500 x 5 %, the 150 by themselves 300 x 5 %.
    wanted = (
        "      notional (100 + 150) x 2.00 = 500.00; tiered 500.00 x 5 % − 15.00 = 10.00; the 150 lots of the owner's"
    )
    assert wanted in lines
    assert check_sums([wanted.partition("; the")[0].replace("(100 + 150)", "250")]) == 2


def test_look_ahead_is_told() -> None:
    """WY-004, LC-006: a requirement that the legs do not add up to is said to be without the expiring ones."""
    told = "what it needs without the contracts about to expire"
    assert told in " ".join(" ".join(write_steps(_hedge_about_to_expire())).split())


def _hedge_about_to_expire() -> list[Step]:
    world = BroadChaos()
    for account in (1, 2):
        world.ok(cm.OpenAccount, account=account, root=account, mode=Mode.PORTFOLIO)
        world.ok(cm.Deposit, account=account, asset=USDT, amount=1_700_000_000 if account == 1 else 10**12)
    world.fill(1, 2, 100, 100 * 100_000_000, LINEAR)
    world.fill(2, 1, 100, 100 * 100_000_000, FUTURE)
    world.cut()
    world.cut(31 * MINUTE)
    for _ in range(9):
        world.publish()
        world.cut()
    assert world.results[-1].opened.marks.expiring == (FUTURE,)
    disk = write_journal(world.log, world.first_sheet, world.start_ns)
    return explain(disk, 1).steps


def test_a_leaf_says_who_stands_behind_it() -> None:
    """LG-002: class, owner and recourse are part of what is proven."""
    for owner, recourse, expected in (
        (0, False, "class client, no owner"),
        (5, True, "class client, owner 5, stands for losses of other accounts of its root"),
    ):
        state = AccountState(1, 7, Mode.PORTFOLIO, owner=owner, recourse=recourse)
        proof = _proof(state)
        assert list(describe_leaf(proof))[:2] == ["account 1 under root 7, portfolio margin, bucket 12", expected]
        value = leaf_value(proof)
        assert (value["class"], value["owner"], value["recourse"]) == ("client", owner, recourse)
    maker = AccountState(1, 7, kind=AccountClass.MARKET_MAKER)
    assert list(describe_leaf(_proof(maker)))[1] == "class market maker, no owner"


def _proof(state: AccountState) -> InclusionProof:
    return InclusionProof(encode_leaf(state), bytes(32), 12, 0, (), (), bytes(32), 3, MINUTE)
