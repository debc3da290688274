"""
The text of `why`: every event has its sentence, every sum can be checked with a pencil.
"""

import ast
import json
import re
from fractions import Fraction
from functools import cache
from pathlib import Path

import msgspec
import pytest

import tocsin.engine
from tests.helpers.hosts import rich_world, wild_world, write_journal
from tests.helpers.worlds import ALT, MINUTE, SECOND, USDT, Driver, small_sheet
from tocsin.engine import commands as cm
from tocsin.engine.messages import Event
from tocsin.engine.why import Step
from tocsin.journal.why import explain
from tocsin.sheet import terms as t
from tocsin.views.why_events import WRITERS
from tocsin.views.why_json import step_value
from tocsin.views.why_text import WIDTH, write_steps

ENGINE = Path(tocsin.engine.__path__[0])
SHARD_MODULES = ("closing", "decisions", "desk", "fills", "opening", "point_b", "shard", "stream")


def kinds_in_source() -> set[str]:
    """Collect the kinds a shard can tell: texts given to `note` and `event`, names they are chosen from, row names."""
    found: set[str] = set()
    for module in SHARD_MODULES:
        tree = ast.parse((ENGINE / f"{module}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(attr="note"), args=[_, _, kind, *_]):
                    found |= texts(kind)
                case ast.Call(func=ast.Attribute(attr="event"), args=[_, _, kind, *_]):
                    found |= texts(kind)
                case ast.Assign(targets=[ast.Name(id="name")], value=value):
                    found |= texts(value)
                case ast.Assign(targets=[ast.Name(id="_ROWS")], value=ast.Dict(values=values)):
                    found |= {text for value in values for text in texts(value)}
                case _:
                    pass
    return found


def texts(node: ast.AST) -> set[str]:
    return {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}


@cache
def steps_of_many() -> list[Step]:
    """Return all steps of all accounts of a rich world and four others."""
    out: list[Step] = []
    for world in (rich_world(), *(wild_world(seed) for seed in range(40, 44))):
        disk = write_journal(world.log, world.first_sheet, world.start_ns)
        for account in world.accounts:
            out += explain(disk, account).steps
    return out


# ---- completeness -----------------------------------------------------------------------------------------


def test_every_kind_of_event_has_a_sentence() -> None:
    """WY-004: what a shard can tell of an account, `why` can say; and nothing is described that cannot occur."""
    kinds = kinds_in_source()
    assert {"filled", "call_issued", "hold_set", "refused", "deadline_moved", "adl", "intent_done"} <= kinds
    assert kinds == set(WRITERS)


def test_all_that_random_worlds_tell_is_described() -> None:
    """WY-004: with the fields that events really have."""
    seen = {e.kind for step in steps_of_many() for e in step.events}
    assert len(seen) >= 20
    for line in write_steps(steps_of_many()):
        assert "None" not in line and "{" not in line


def test_lines_fit_a_page() -> None:
    assert max(len(line) for line in write_steps(steps_of_many())) <= WIDTH == 110


# ---- pencil -----------------------------------------------------------------------------------------------

WORDS = re.compile(
    r"\b(tiered|charge|notional|lots|price|half band|value|equity without haircuts|equity|cash|P&L|mark|funding|entry|"
    r"initial|margin_call|liquidation|takeover|[A-Z]{3,8})\b:?"
)


def compute(text: str, extra: str = "") -> Fraction:
    """Return the value of a written sum; names are dropped, `x` multiplies, `%` divides by a hundred."""
    text = re.sub(r"\((more than|no less than)[^)]*\)", "", text)
    text = WORDS.sub("", text).replace("−", "-").replace(",", "").replace(" x ", " * ")
    text = re.sub(r"(\d) %", r"\1 * P", text)
    if not re.fullmatch(rf"[\d.*+\-()P{extra} ]+", text):
        raise ValueError(text)
    return eval(
        re.sub(r"\d+(\.\d+)?", lambda m: m[0] if m[0] == "2" else f"F('{m[0]}')", text),
        {"F": Fraction, "P": Fraction(1, 100)},
    )


def check_sums(lines) -> int:
    """Check every `left = right` of the pictures; return how many there were."""
    checked = 0
    for line in lines:
        if not line.startswith("    ") or "=" not in line or "->" in line or " due " in line or "T* = 0 min" in line:
            continue
        if found := re.fullmatch(r" +T\* = floor\((.*)\) = ([\d,]+) min( .at most a year.)?", line):
            inputs = re.sub(r"\b(buffer|gap|variance)\b", "", found[1]).replace("^2", "**2")
            assert min(compute(inputs, extra="/") // 1, 366 * 24 * 60) == compute(found[2]), line
            checked += 1
            continue
        for part in re.split(r";(?! the)", line):
            sides = part.split(" = ")
            if len(sides) < 2 or "rounded" in part or "without haircuts" in part:
                continue
            left, right = sides[-2], re.sub(r"\(.*in transit\)|; the mark.*", "", sides[-1])
            if ", x price " in left:
                amount, price = left.split(", x price ")
                assert compute(amount) * compute(price) == compute(right), line
            else:
                assert compute(left) == compute(right), line
            checked += 1
    return checked


def test_every_sum_is_right_to_the_last_digit() -> None:
    """WY-004: each line of arithmetic is recomputed from the text alone, in fractions; nothing is rounded unsaid."""
    lines: list[str] = []
    for step in steps_of_many():
        # Long sums wrap; put the lines of one sum together again.
        for line in write_steps([step]):
            if lines and re.match(r" {8,}\S", line) and "=" in lines[-1] and lines[-1].startswith("    "):
                lines[-1] += " " + line.strip()
            else:
                lines.append(line)
    assert check_sums(lines) > 3000


def test_the_check_of_sums_sees() -> None:
    check_sums(["    charge 60 lots x 8.00 = 480.00"])
    for wrong in (
        "      charge 60 lots x 8.00 = 480.01",
        "      initial      tiered 5.00 x 2, x price 91,000 = 910,001.00",
        "    USDT: cash 1.00 + P&L −2.00 = 1.00 USDT",
        "      notional 2 x 3.00 = 6.00; tiered 6.00 x 50 % − 1.00 = 2.01",
    ):
        with pytest.raises(AssertionError):
            check_sums([wrong])


# ---- a story by hand --------------------------------------------------------------------------------------


def story(sign: int = 1) -> list[Step]:
    """
    Account 1 holds 100 lots of ALT at 10.00 (long or short) with 360 USDT; ALT moves against it by 1.5 a lot; it is
    called, pays in 50 and is cured.
    """
    sheet = small_sheet()
    alt = next(c for c in sheet.contracts if c.id == ALT)
    alt = msgspec.structs.replace(alt, charge_short=alt.charge_long, loadings=(), own_loading=20_000, gap_charge=10_000)
    contracts = tuple(alt if c.id == ALT else c for c in sheet.contracts)
    world = Driver(msgspec.structs.replace(sheet, contracts=contracts))
    world.marks()
    world.cut()
    world.open(1, deposit=240_000_000)
    world.open(2, deposit=10**10)
    buyer, seller = (1, 2) if sign > 0 else (2, 1)
    world.fill(buyer, seller, 100, 1_000_000_000, ALT)
    world.marks(alt=10_000_000 - sign * 1_600_000)
    world.cut(30 * SECOND)
    world.cut(30 * SECOND)
    world.ok(cm.Deposit, account=1, asset=USDT, amount=50_000_000)
    world.cut(30 * SECOND)
    return explain(write_journal(world.log, world.engine.house.sheet, 1_000 * MINUTE), 1).steps


def test_a_call_by_hand() -> None:
    """WY-003, WY-004: the whole text of a call, with its arithmetic checked by hand."""
    called = list(write_steps(story()[1:2]))
    # 100 lots of 8.40 are a notional of 840, inside the first bracket (5 %): 42. The charge is 60. ALT adds both:
    # margin_call 42 x 1.25 + 60 x 0.5 = 82.50, exit 82.50 x 1.05 = 86.625. Equity 240 - 160 = 80: 6.625 short.
    # Buffer: 80 - 42 = 38; gap 100 x 0.01 = 1; variance (100 x 0.02)^2 = 4: T* = floor(37^2 / (3.29^2 x 4)) = 31.
    assert called == [
        "cycle 3  1970-01-01 16:41:30 UTC",
        "  at the marks of the cycle, level so far calm:",
        "    USDT: cash 240.00 + P&L −160.00 = 80.00 USDT",
        "      value 80.00 x 100 % x price 1 = 80.00",
        "    ALTUSDT: +100 lots x (mark 8.40 − funding 0.00) − entry 1,000.00 = P&L −160.00 USDT",
        "      notional 100 x 8.40 = 840.00; tiered 840.00 x 5 % = 42.00",
        "      charge 100 lots x 0.60 = 60.00",
        "      initial      tiered 42.00 x 2 + charge 60.00 x 1 = 144.00",
        "      margin_call  tiered 42.00 x 1.25 + charge 60.00 x 0.5 = 82.50",
        "      liquidation  tiered 42.00 x 1 + charge 60.00 x 0 = 42.00",
        "      takeover     tiered 42.00 x 0.666667 + charge 60.00 x 0 = 28.000014",
        "    equity = 80.00, rounded down = 80.00",
        "    equity without haircuts = 80.00",
        "    requirement initial      144.00: equity is BELOW it by 64.00",
        "    requirement margin_call  82.50: equity is BELOW it by 2.50",
        "    requirement liquidation  42.00: ok",
        "    requirement takeover     28.000014: ok",
        "  -> level calm -> margin_call",
        "  -> MARGIN CALL for 6.625: equity 80.00 is below the margin_call requirement 82.50 and must reach 86.625",
        "     cured by a deposit of 6.625 USDT or 0.00007362 BTC",
        "     T* = floor((buffer 38.00 − gap 1.00)^2 / (3.29^2 x variance 4)) = 31 min",
        "     due 1970-01-01 16:41:30 UTC + min(policy 15 min, T* 31 min) = 1970-01-01 16:56:30 UTC",
        "  = 240.00 USDT, +100 ALTUSDT; level margin_call",
        "    equity 80.00; needs initial 144.00, margin_call 82.50, liquidation 42.00, takeover 28.000014",
        "",
    ]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_call_and_its_cure(sign: int) -> None:
    """WY-004: long and short read alike."""
    text = "\n".join(write_steps(story(sign)))
    assert f"{'+' if sign > 0 else '-'}100 ALTUSDT" in text
    assert "MARGIN CALL for" in text
    assert "call of cycle 3 for" in text and "CURED: the account paid in or traded, and left margin_call" in text


def test_words_for_what_worlds_seldom_show() -> None:
    """WY-004: each writer with the fields its event has."""
    step = story()[1]

    def say(kind: str, **fields: int | str) -> str:
        told = msgspec.structs.replace(step.events[0], kind=kind, fields=fields)
        return " ".join(
            line.strip() for line in write_steps([step._replace(events=(told,), after=None)]) if "->" in line
        )

    refused = {"key": USDT, "a": 5_000_000, "b": 0, "x": 5, "y": 4, "reason": "R-4001", "why": "INSUFFICIENT_MARGIN"}
    assert say("refused", command="withdrawal", **refused) == (
        "-> REFUSED (R-4001, insufficient margin): withdrawal of 5.00 USDT; 0.000004 USDT may leave"
    )
    refused |= {"reason": "R-3003", "why": "ADMISSION_BOUND"}
    assert say("refused", command="deposited", **refused).endswith(
        "deposit of 5.00 USDT; 5 would be needed, 4 is allowed"
    )
    assert say("limit_broken", intent=9, limit=7) == "-> that fill was worse than the limit 7 of intent 9; it stands"
    assert say("deadline_moved", outage_ns=90 * 10**9) == "-> outage: the deadline of the call moved by 90 s"
    assert say("deadline_moved", outage_ns=1) == "-> outage: the deadline of the call moved by 1 ns"
    assert say("cancel_orders", contracts=2) == "-> the market is asked to cancel its orders (contracts: 2)"
    assert say("haircut", asset=USDT, amount=1) == "-> LOSS SHARED: 0.000001 USDT of the account's gains taken"
    assert (
        say("intent_done", intent=9, filled=-3)
        == "-> intent 9 done, -3 lots filled: nothing of it is reserved any more"
    )
    assert say("call_cancelled", issued_cycle=3, amount=1, why="market moved back") == (
        "-> call of cycle 3 for 0.000001 cancelled: market moved back"
    )


@pytest.mark.parametrize(
    ("own", "gap", "expected"),
    [
        (0, 0, "no T*: the sheet publishes no risk for what the account holds"),
        (20_000, 10**9, "T* = 0 min: buffer 38.00 (equity less liquidation requirement) is not above the gap charge"),
        (1, 0, "= 527,040 min (at most a year)"),
    ],
)
def test_deadlines_of_other_kinds(own: int, gap: int, expected: str) -> None:
    """WY-004: no published risk, no time left, all the time in the world."""
    step = story()[1]
    (event,) = [e for e in step.events if e.kind == "call_issued"]
    minutes = {0: -1, 20_000: 0, 1: 366 * 24 * 60}[own]
    fields = {**event.fields, "t_star_minutes": minutes, "gap": gap, "variance": "1"}
    told = msgspec.structs.replace(event, fields=fields)
    text = " ".join(" ".join(write_steps([step._replace(events=(told,))])).split())
    assert expected in text


# ---- JSON -------------------------------------------------------------------------------------------------

PICTURE = {
    "level": str, "equity": str, "equity_without_haircuts": str, "requirements": dict, "exits": dict, "deadline": dict,
    "balances": list, "legs": list, "together": dict, "scenarios": type(None),
}  # fmt: skip
BALANCE = {"asset": int, "cash": str, "pnl": str, "in_transit": str, "parts": list, "price": str, "value_e12": str}
LEG = {
    "contract": int, "lots": int, "mark": str, "funding": str, "entry": str, "pnl": str, "is_fresh": bool, "bid": int,
    "ask": int, "price": str, "needs": dict,
}  # fmt: skip
NEED = {
    "lots": int, "notional": str, "rate_ppm": int, "deduction_e6": str, "tiered_e6": str, "charge": str,
    "half_band_e6": str, "tiered_factor_ppm": int, "charge_factor_ppm": int, "counts": str, "others": int,
    "addon_e18": str, "total_e18": str,
}  # fmt: skip
LEVELS = {"initial", "margin_call", "liquidation", "takeover"}


def shape(value: dict) -> dict:
    return {name: type(field) for name, field in value.items()}


def test_the_json_of_a_step_keeps_its_shape() -> None:
    """WY-005: names, kinds and places of fields, since programs read them; no number that a double would bend."""
    for step in steps_of_many():
        value = json.loads(json.dumps(step_value(step)))
        assert list(value) == ["cycle", "time_ns", "at_marks", "at_decision", "after", "events"]
        assert isinstance(value["cycle"], int) and isinstance(value["time_ns"], str)
        for picture in (value[name] for name in ("at_marks", "at_decision", "after") if value[name] is not None):
            assert shape(picture) == PICTURE
            assert set(picture["requirements"]) == set(picture["exits"]) == LEVELS
            assert set(picture["deadline"]) == {"t_star_minutes", "buffer", "gap", "variance"}
            assert all(shape(b) == BALANCE for b in picture["balances"])
            for leg in picture["legs"]:
                assert shape(leg) == LEG and set(leg["needs"]) == LEVELS
                assert all(shape(need) == NEED for need in leg["needs"].values())
        for event in value["events"]:
            assert list(event)[:2] == ["kind", "phase"]
        assert all(abs(number) < 2**53 for number in numbers_in(value))


def numbers_in(value: object) -> list[int]:
    if isinstance(value, dict):
        return [n for v in value.values() for n in numbers_in(v)]
    if isinstance(value, list):
        return [n for v in value for n in numbers_in(v)]
    return [value] if isinstance(value, int) else []


def test_a_bracket_and_a_big_amount_in_json() -> None:
    step = story()[1]
    value = step_value(step)
    assert value["at_marks"]["equity"] == "80000000"
    assert value["at_marks"]["legs"][0]["needs"]["margin_call"] == {
        "lots": 100,
        "notional": "840000000",
        "rate_ppm": 50_000,
        "deduction_e6": "0",
        "tiered_e6": "42000000000000",
        "charge": "60000000",
        "half_band_e6": "0",
        "tiered_factor_ppm": 1_250_000,
        "charge_factor_ppm": 500_000,
        "counts": "sum",
        "others": 0,
        "addon_e18": "0",
        "total_e18": str(82_500_000 * 10**18),
    }
    assert t.Combine.SUM == 0 and isinstance(step.events[0], Event)
