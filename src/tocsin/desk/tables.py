"""
Tables of brackets checked: the deductions that a venue states against those that make its brackets continuous.
"""

from decimal import Decimal

from tocsin.desk.codes import Code, Part
from tocsin.desk.rows import Row, Status
from tocsin.desk.worlds import EXACT
from tocsin.venues.readers.tables import Table
from tocsin.venues.tiers import Tier, deductions

TOLERANCE = Decimal("1e-6")
"""Rates and bounds are printed to some digits; a deduction is a sum of their products."""

BASIS = "deduction = the one before + floor x (rate - rate before)"


def check_table(table: Table) -> Row:
    """
    Return the row of a table: its highest deduction, or the first that does not follow from the brackets below it.

    A table without deductions, or of a single bracket, is skipped with the reason.
    """
    if table.why or len(table.rows) < 2:
        why = table.why or "one bracket: its deduction follows from nothing"
        return Row(account=table.label, symbol="", quantity="", status=Status.SKIPPED, reason=why)
    tiers = [Tier(number=n, floor=r.floor, cap=r.cap, rate=r.rate) for n, r in enumerate(table.rows, 1)]
    own = deductions(tiers)
    missed = [n for n, (row, value) in enumerate(zip(table.rows, own, strict=True)) if not _agree(row.deduction, value)]
    place = missed[0] if missed else len(own) - 1
    row, value = table.rows[place], own[place]
    difference = EXACT.subtract(row.deduction, value)
    code = Code.UNEXPLAINED if missed else Code.ROUNDING
    why = f"bracket {place + 1} of {len(own)}, from {row.floor}, rate {row.rate}"
    return Row(
        account=table.label,
        symbol=table.symbol,
        quantity="deduction",
        status=Status.FAILED if missed else Status.PASSED,
        reported=row.deduction,
        field="deduction",
        own=value,
        difference=difference,
        relative=abs(difference) / abs(row.deduction) if row.deduction else None,
        tolerance=TOLERANCE,
        parts=(Part(code, difference, why),) if difference else (),
        reason=f"{code}: {why}: {BASIS}" if missed else "",
        basis=BASIS,
    )


def _agree(said: Decimal, own: Decimal) -> bool:
    return abs(EXACT.subtract(said, own)) <= abs(said) * TOLERANCE
