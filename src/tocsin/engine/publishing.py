"""
Take what is published for the next cycle: marks per instrument, a sheet as a whole (rules MK-010 to MK-017, SH-011,
SH-012).
"""

import msgspec

from tocsin.core.errors import DataError, Reason
from tocsin.core.limits import NOTIONAL_PER_LOT_MIN
from tocsin.engine import commands as cm
from tocsin.engine.house import HouseDesk
from tocsin.engine.life import count_mark
from tocsin.sheet.marks import Grade, Mark, Marks, check_mark, has_right_sign
from tocsin.sheet.named_fields import read_sheet
from tocsin.sheet.terms import ContractTerms, Kind, hash_sheet
from tocsin.sheet.validate import check_successor


def set_marks(house: HouseDesk, command: cm.SetMarks) -> None:
    """Take marks for the next cycle, refusing or clamping per instrument (rules MK-011 to MK-015)."""
    contracts = dict(house.state.marks.contracts)
    prices = dict(house.state.marks.prices)
    terms = {c.id: c for c in house.sheet.contracts}
    slows = command.slow or (0,) * len(command.contract)
    for contract, mark, funding, grade, slow in zip(
        command.contract, command.mark, command.funding, command.grade, slows, strict=True
    ):
        state = house.state
        if contract in state.settled or contract in state.settling or contract in state.rescaling:
            # Its final mark stands; or the mark that its lots are rescaled with (rules LC-010, LC-020).
            house.note("mark_refused", contract=contract, mark=mark, reason=f"R-{int(Reason.MARKET_STATE)}")
            continue
        _set_mark(house, contracts, terms[contract], mark, funding, Grade(grade), slow)
    for asset, price in zip(command.asset, command.price, strict=True):
        cap = next(a.price_cap for a in house.sheet.assets if a.id == asset)
        if price <= 0:
            house.note("price_refused", asset=asset, price=price, why="price must be above 0")
            continue
        if price > cap:
            house.note("price_clamped", asset=asset, price=price, cap=cap)
        prices[asset] = min(price, cap)
    house.state.marks = Marks(contracts, prices)


def _set_mark(
    house: HouseDesk, contracts: dict[int, Mark], terms: ContractTerms, mark: int, funding: int, grade: Grade, slow: int
) -> None:
    used, index, reason = check_mark(terms, mark, funding)
    first = terms.id not in contracts
    # An option may be worth nothing: the sheet sees to its notional (SH-025).
    small = first and abs(used) < NOTIONAL_PER_LOT_MIN and terms.kind != Kind.OPTION
    if reason == Reason.MARK_REFUSED or small:
        house.note("mark_refused", contract=terms.id, mark=mark, reason=f"R-{int(Reason.MARK_REFUSED)}")
        return
    if not first and grade != Grade.FRESH:
        # Not good enough to be the last good mark: only the grade is taken (rule MK-017).
        contracts[terms.id] = msgspec.structs.replace(contracts[terms.id], grade=grade)
        return
    if reason == Reason.MARK_CLAMPED:
        house.note("mark_clamped", contract=terms.id, mark=mark, used=used, reason=f"R-{int(reason)}")
        house.state.frozen = sorted({*house.state.frozen, terms.id})
    if slow and not has_right_sign(terms.kind, slow):
        house.note("slow_mark_refused", contract=terms.id, slow=slow, reason=f"R-{int(Reason.MARK_REFUSED)}")
        slow = 0
    # Further from the mark than the mark itself it counts no more (rule RQ-026).
    slow = slow and max(used - abs(used), min(used + abs(used), slow))
    contracts[terms.id] = Mark(used, index, grade, house.state.time_ns, slow)
    count_mark(house, terms.id, grade)


def set_sheet(house: HouseDesk, data: bytes) -> None:
    """Take a new sheet for the next cycle, or refuse it whole with the field that is wrong (rule SH-012)."""
    try:
        if house.state.rescaling:
            raise DataError("sheet must wait for the next cycle: a contract is about to be rescaled")
        gone = dict.fromkeys(house.state.settled, 0)
        sheet = check_successor(house.sheet, read_sheet(data), gone)
    except DataError as error:
        house.note("sheet_refused", reason=f"R-{int(Reason.SHEET_REFUSED)}", why=str(error))
        return
    house.state.sheet = data
    house.state.sheet_changed = True
    house.state.frozen = []
    house.note("sheet_set", hash=hash_sheet(sheet).hex(), name=sheet.name)
