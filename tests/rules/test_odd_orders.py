"""
Commands in an order that nobody expects: each is taken as the rulebook says, or told as refused.
"""

from msgspec.structs import replace

from tests.helpers.worlds import ALT, LINEAR, MINUTE, Driver, small_sheet
from tocsin.engine import commands as cm
from tocsin.sheet.terms import LifePolicy, encode_sheet


def test_lc_014_a_rescale_brings_no_settled_number_back():
    """LC-014, LC-020: the sheet of a `Rescale` is held to the same rule as any other."""
    world = Driver()
    world.marks()
    world.cut()
    world.ok(cm.Delist, contract=ALT)
    world.cut()
    world.ok(cm.Settle, contract=ALT, price=100_000)
    world.cut()
    sheet = world.engine.house.sheet
    linear, alt, inverse = sheet.contracts
    world.ok(cm.SetSheet, sheet=encode_sheet(replace(sheet, contracts=(linear, inverse))))
    world.cut()
    world.cut()
    smaller = replace(
        linear,
        units=linear.units // 10,
        mark_cap=linear.mark_cap // 10,
        position_cap=linear.position_cap * 10,
        charge_long=linear.charge_long // 10,
        charge_short=linear.charge_short // 10,
    )
    told = []
    for contracts in ((smaller, inverse, replace(alt, symbol="AGAIN")), (smaller, inverse)):
        world.ok(cm.Rescale, contract=LINEAR, factor=10, sheet=encode_sheet(replace(sheet, contracts=contracts)))
        told += [(e.kind, e.fields.get("why")) for e in world.cut().events]
    assert told == [
        ("rescale_refused", "contracts[2] must be a new number, was that of a settled contract"),
        ("rescale_asked", None),
    ]


def test_lc_002_nobody_is_told_that_a_settled_contract_comes_back():
    """LC-002, LC-010: it stays as it is, whatever is asked, and its grace never ends because none begins."""
    world = Driver(small_sheet(life=LifePolicy(grace_ns=MINUTE, quorum_ppm=0, quorum_marks=1, grace_max_ns=2 * MINUTE)))
    world.marks()
    world.cut()
    world.ok(cm.Delist, contract=ALT)
    world.cut()
    world.ok(cm.Settle, contract=ALT, price=100_000)
    world.cut()
    for halted in (False, True, False):
        world.ok(cm.SetMarket, contract=ALT, halted=halted)
        assert [(e.kind, e.fields["why"]) for e in world.cut().events] == [("market_refused", "it is settled")]
    assert not [e for _ in range(4) for e in world.cut().events]
    assert world.engine.house.state.halted == [ALT]
