"""
The check itself: one row for each figure that a venue reports, beside the connector's and our own.

A row passes if reported and own agree within the tolerance of its quantity, or in the printed digits; it is skipped
with a reason if our rules cannot say, or if a named source error of the record is known; else it fails. What a
connector says is compared with what the venue says, never with ours.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

import msgspec

from tocsin.core.errors import ConfigError
from tocsin.desk.answers import Answer, ask
from tocsin.desk.attribution import attribute, find_hint, quantum
from tocsin.desk.codes import Code, Part
from tocsin.desk.question import Question
from tocsin.desk.source_errors import SourceErrors
from tocsin.desk.worlds import EXACT, Unknown, World, own_value
from tocsin.venues.contract import Evaluation, Mode, Portfolio
from tocsin.venues.params import Params
from tocsin.venues.readers.files import Found
from tocsin.venues.reading import ACCOUNT, Figure, Reading
from tocsin.venues.registry import Rulebook, find_rulebook, rulebooks_of

MARGIN_TOLERANCE = Decimal("0.001")
ISOLATED_TOLERANCE = Decimal("0.001")
CROSS_TOLERANCE = Decimal("0.005")
CONNECTOR_TOLERANCE = Decimal("1e-6")
HALF = Decimal("0.5")
BEYOND = 5
"""A price this many times the mark, or this part of it, is outside what venues print; "none" then agrees with it."""

QUANTITIES = {
    "initial": "initial margin",
    "maintenance": "maintenance margin",
    "liquidation": "liquidation price",
    "equity": "equity",
    "ratio": "health ratio",
    "unrealised": "unrealised profit",
    "isolated_collateral": "isolated collateral",
    "isolated_equity": "isolated equity",
    "notional": "notional",
    "available": "available",
    "orders": "margin of orders",
}
INPUTS = ("isolated_collateral", "orders")
"""Figures that the rules take as given: shown nowhere as a row."""
CONSISTENCY = ("unrealised", "notional")
"""Figures that follow from size and prices alone: a miss says that the payload is of two moments, not of a rule."""


class Status(StrEnum):
    """How a row ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """
    One figure of one account.

    Attributes:
        account: The reading's label. symbol: "" for the account.
        reported, derived, own: The three columns; None where there is none. `own_none`: our rules say "no price".
        field: The payload's name of `reported`; `derived_field` the connector's.
        difference: reported - own, exactly; `parts` sum to it. relative: its size over |reported|.
        hint: Where our rules cannot say: the mode under which they would give the reported figure.
        connector: derived - reported with its code, where they differ by more than a connector's rounding.
        reason: Why it is skipped, or in words why it failed.
        basis: Formula, parameters and date of `own`.
    """

    account: str
    symbol: str
    quantity: str
    status: Status
    reported: Decimal | None = None
    field: str = ""
    derived: Decimal | None = None
    derived_field: str = ""
    own: Decimal | None = None
    own_none: bool = False
    difference: Decimal | None = None
    relative: Decimal | None = None
    tolerance: Decimal | None = None
    parts: tuple[Part, ...] = ()
    connector: Part | None = None
    hint: Part | None = None
    reason: str = ""
    basis: str = ""

    @property
    def code(self) -> Code | None:
        """
        Return the cause of the largest part of the difference, else the connector's, None if there is neither.
        """
        if self.parts:
            return max(self.parts, key=lambda part: abs(part.amount)).code
        found = self.hint or self.connector
        return found.code if found else None


@dataclass
class Report:
    """
    All rows of a check, in the order of the files.
    """

    rows: list[Row] = field(default_factory=list[Row])
    notes: list[str] = field(default_factory=list[str])

    def count(self, status: Status) -> int:
        """
        Return how many rows ended so.
        """
        return sum(row.status is status for row in self.rows)

    @property
    def ok(self) -> bool:
        """
        Tell whether nothing failed and something passed.
        """
        return not self.count(Status.FAILED) and self.count(Status.PASSED) > 0


def check_found(found: Found, report: Report, *, rules: str = "", errors: SourceErrors | None = None) -> None:
    """
    Check everything in a file and add its rows to the report.

    Args:
        rules: Rulebook for every account; "" for the one that each payload names.
        errors: Known source errors of records; None for the shipped list.
    """
    known = errors if errors is not None else SourceErrors.shipped()
    for broken in found.broken:
        report.rows.append(
            Row(account=broken.label, symbol="", quantity="", status=Status.FAILED, reason=broken.reason)
        )
    for skip in found.skipped:
        report.rows.append(Row(account=skip.label, symbol="", quantity="", status=Status.SKIPPED, reason=skip.reason))
    for reading in found.readings:
        report.rows += check_reading(reading, rules=rules, errors=known)


def check_reading(reading: Reading, *, rules: str = "", errors: SourceErrors | None = None) -> list[Row]:
    """
    Return the rows of one account.

    Raises:
        ConfigError: `rules` names no rulebook; the message suggests the nearest.
    """
    book = find_rulebook(rules) if rules else choose_rulebook(reading)
    if book is None:
        why = f"no rulebook for {reading.rules or reading.portfolio.venue}"
        return [_skip(reading, figure, why) for figure in _figures(reading)] or [_nothing(reading, why)]
    known = errors if errors is not None else SourceErrors.shipped()
    world = World(reading.portfolio, book, Params(book.venue, reading.portfolio.time))
    answer = ask(world)
    if isinstance(answer, str) and len(reading.portfolio.legs) > 1:
        rows = _one_by_one(reading, book, answer, known)
    else:
        rows = [_judge(reading, figure, answer, known) for figure in _figures(reading)]
    rows += [_connector_alone(reading, figure) for figure in reading.derived if not _is_reported(reading, figure)]
    return rows or [_nothing(reading, "the payload reports no margin, liquidation price or ratio")]


def choose_rulebook(reading: Reading) -> Rulebook | None:
    """
    Return the rulebook that a reading names, else the venue's first that takes its modes and products, None if none.
    """
    try:
        return find_rulebook(reading.rules) if reading.rules else _fitting(reading)
    except ConfigError:
        return _fitting(reading)


def _fitting(reading: Reading) -> Rulebook | None:
    products = {leg.product for leg in reading.portfolio.legs}
    modes = {leg.mode for leg in reading.portfolio.legs} or {reading.portfolio.mode}
    books = rulebooks_of(reading.portfolio.venue)
    fitting = [b for b in books if modes <= set(b.modes) and products <= set(b.products)]
    alone = [b for b in fitting if modes == set(b.modes)]
    return next(iter([*alone, *fitting]), None)


def _figures(reading: Reading) -> list[Figure]:
    return [figure for figure in reading.reported if figure.quantity not in INPUTS]


def _one_by_one(reading: Reading, book: Rulebook, why: str, errors: SourceErrors) -> list[Row]:
    """
    Return the rows of an account that the rulebook refuses as a whole: each leg asked alone, the rest skipped.
    """
    rows: list[Row] = []
    for figure in _figures(reading):
        leg = reading.portfolio.legs[figure.leg] if figure.leg != ACCOUNT else None
        if leg is None or (figure.quantity == "liquidation" and leg.mode is not Mode.ISOLATED):
            rows.append(_skip(reading, figure, why))
            continue
        part = _part_of(reading, figure.leg)
        answer = ask(World(part.portfolio, book, Params(book.venue, part.portfolio.time)))
        rows.append(_judge(part, msgspec.structs.replace(figure, leg=0), answer, errors))
    return rows


def _part_of(reading: Reading, place: int) -> Reading:
    """
    Return the reading of one leg alone, without the account around it.
    """
    portfolio = msgspec.structs.replace(
        reading.portfolio, legs=(reading.portfolio.legs[place],), balances=(), equity=None
    )
    own = [msgspec.structs.replace(f, leg=0) for f in reading.reported if f.leg == place]
    derived = [msgspec.structs.replace(f, leg=0) for f in reading.derived if f.leg == place]
    prices = {0: reading.prices[place]} if place in reading.prices else {}
    aside = {0: reading.set_aside[place]} if place in reading.set_aside else {}
    records = reading.records[place : place + 1] if len(reading.records) > 1 else reading.records
    return msgspec.structs.replace(
        reading,
        portfolio=portfolio,
        reported=tuple(own),
        derived=tuple(derived),
        prices=prices,
        set_aside=aside,
        records=records,
    )


def _judge(reading: Reading, figure: Figure, answer: "Answer | str", errors: SourceErrors) -> Row:
    """
    Return the row of one reported figure.
    """
    if isinstance(answer, str):
        return _skip(reading, figure, answer)
    if figure.quantity in answer.blind:
        return _skip(reading, figure, f"it rests on {' and '.join(answer.lacking)}, not in the payload")
    if _is_given(reading, figure):
        return _skip(reading, figure, "taken as given: what it is made of is not in the payload")
    try:
        own = own_value(answer.evaluation, figure, answer.world.portfolio)
    except Unknown as unknown:
        row = _skip(reading, figure, str(unknown))
        hint = find_hint(reading, figure, answer.world, answer.evaluation)
        if hint is None:
            return row
        status = Status.FAILED if hint.code is Code.MODE_MISMATCH else row.status
        reason = f"{unknown}; {hint.code}: {hint.why}"
        return msgspec.structs.replace(row, status=status, hint=hint, reason=reason)
    row = _compare(reading, figure, own, answer)
    if row.status is not Status.FAILED or row.connector is not None:
        return row
    reason = errors.find(reading, figure.quantity)
    if reason:
        return msgspec.structs.replace(row, status=Status.SKIPPED, reason=f"source error: {reason}")
    if figure.quantity in CONSISTENCY:
        why = f"the payload's own inputs disagree with it; {row.reason}"
        return msgspec.structs.replace(row, status=Status.SKIPPED, reason=why)
    return row


def _is_given(reading: Reading, figure: Figure) -> bool:
    """
    Tell whether the rules start from this very figure, so that agreement would mean nothing.
    """
    portfolio = reading.portfolio
    if figure.leg != ACCOUNT or figure.value is None:
        return False
    if figure.quantity == "equity":
        return portfolio.equity == figure.value and not portfolio.balances
    return figure.quantity == "maintenance" and not portfolio.legs and portfolio.other_maintenance == figure.value


def _compare(reading: Reading, figure: Figure, own: Decimal | None, answer: "Answer") -> Row:
    row = _start(reading, figure)
    basis = _basis(answer.evaluation, figure)
    row = msgspec.structs.replace(row, own=own, own_none=own is None, basis=basis, connector=_connector(row))
    if figure.value is None or own is None:
        return _compare_none(reading, row, figure, answer)
    tolerance = _tolerance(figure, answer.world.portfolio)
    difference = EXACT.subtract(figure.value, own)
    size = abs(figure.value)
    relative = abs(difference) / size if size else None
    allowed = max(size * tolerance, min(quantum(figure.value) * HALF, size) if size else quantum(figure.value) * HALF)
    question = Question(reading, figure, answer.world, answer.evaluation, own)
    parts = attribute(question)
    passed = abs(difference) <= allowed
    reason = "" if passed else "; ".join(f"{part.code}: {part.why}" for part in parts)
    return msgspec.structs.replace(
        row,
        difference=difference,
        relative=relative,
        tolerance=tolerance,
        parts=parts,
        status=_with_connector(passed, row),
        reason=reason,
    )


def _compare_none(reading: Reading, row: Row, figure: Figure, answer: "Answer") -> Row:
    """
    Judge a liquidation price where one side has none: agreement, or a miss without a difference in figures.
    """
    if figure.value is None and row.own is None:
        return msgspec.structs.replace(row, status=_with_connector(True, row), reason="both say: no price")
    if figure.value is None and row.own is not None:
        leg = answer.world.portfolio.legs[figure.leg]
        mark = leg.mark or leg.entry
        if mark is not None and not mark / BEYOND <= row.own <= mark * BEYOND:
            why = "the venue prints no price; ours is outside the prices that venues print"
            return msgspec.structs.replace(row, status=_with_connector(True, row), reason=why)
        return msgspec.structs.replace(row, status=Status.FAILED, reason="the venue says there is no price")
    margin = answer.evaluation.legs[figure.leg]
    why = f"our rules give no price: {margin.liquidation.reason if margin.liquidation else 'no reason'}"
    hint = find_hint(reading, figure, answer.world, answer.evaluation)
    why = f"{why}; {hint.code}: {hint.why}" if hint else why
    return msgspec.structs.replace(row, status=Status.FAILED, hint=hint, reason=why)


def _with_connector(passed: bool, row: Row) -> Status:
    return Status.PASSED if passed and row.connector is None else Status.FAILED


def _connector(row: Row) -> Part | None:
    """
    Return how far the connector's figure is from the venue's, None where they agree to a millionth.
    """
    if row.derived is None or row.reported is None:
        return None
    gap = EXACT.subtract(row.derived, row.reported)
    if abs(gap) <= abs(row.reported) * CONNECTOR_TOLERANCE:
        return None
    return Part(Code.CONNECTOR_DERIVED, gap, f"{row.derived_field} is {row.derived}, {row.field} is {row.reported}")


def _connector_alone(reading: Reading, figure: Figure) -> Row:
    """
    Return the row of a figure that only the connector gives: shown, and never judged by our rules.
    """
    symbol = _symbol(reading, figure)
    return Row(
        account=reading.label,
        symbol=symbol,
        quantity=figure.quantity,
        status=Status.SKIPPED,
        derived=figure.value,
        derived_field=figure.field,
        reason=f"{Code.CONNECTOR_DERIVED}: the venue reports none, the connector filled in {figure.field}",
    )


def _is_reported(reading: Reading, figure: Figure) -> bool:
    return any(f.leg == figure.leg and f.quantity == figure.quantity for f in reading.reported)


def _tolerance(figure: Figure, portfolio: Portfolio) -> Decimal:
    if figure.quantity != "liquidation":
        return MARGIN_TOLERANCE
    isolated = portfolio.legs[figure.leg].mode is Mode.ISOLATED
    return ISOLATED_TOLERANCE if isolated else CROSS_TOLERANCE


def _start(reading: Reading, figure: Figure) -> Row:
    derived = next((f for f in reading.derived if f.leg == figure.leg and f.quantity == figure.quantity), None)
    return Row(
        account=reading.label,
        symbol=_symbol(reading, figure),
        quantity=figure.quantity,
        status=Status.SKIPPED,
        reported=figure.value,
        field=figure.field,
        derived=derived.value if derived else None,
        derived_field=derived.field if derived else "",
    )


def _skip(reading: Reading, figure: Figure, why: str) -> Row:
    """
    Return a skipped row; a connector that contradicts the venue fails it all the same.
    """
    row = _start(reading, figure)
    found = _connector(row)
    status = Status.SKIPPED if found is None else Status.FAILED
    return msgspec.structs.replace(row, status=status, reason=why, connector=found)


def _nothing(reading: Reading, why: str) -> Row:
    return Row(account=reading.label, symbol="", quantity="", status=Status.SKIPPED, reason=why)


def _symbol(reading: Reading, figure: Figure) -> str:
    if figure.leg == ACCOUNT:
        return ""
    leg = reading.portfolio.legs[figure.leg]
    return f"{leg.symbol} {leg.hedge_side}".strip()


def _basis(evaluation: Evaluation, figure: Figure) -> str:
    basis = evaluation.basis
    if figure.leg != ACCOUNT and figure.leg < len(evaluation.legs):
        basis = evaluation.legs[figure.leg].basis or basis
    return f"{evaluation.rules}: {basis.formula}; {basis.params} of {basis.params_date}"
