"""
The check itself: every figure that a payload's venue reports becomes a row.
"""

from decimal import Decimal

import msgspec

from tocsin.core.errors import ConfigError
from tocsin.desk.account import Account
from tocsin.desk.answers import Answer, ask
from tocsin.desk.codes import Code, Part
from tocsin.desk.judging import judge, name_of, skip
from tocsin.desk.question import FAR_APART_S
from tocsin.desk.rows import INPUTS, Report, Row, Status
from tocsin.desk.source_errors import SourceErrors
from tocsin.desk.tables import check_table
from tocsin.desk.worlds import EXACT, Unknown, World, own_value
from tocsin.venues.contract import Mode
from tocsin.venues.params import Params
from tocsin.venues.readers.files import Found
from tocsin.venues.reading import ACCOUNT, Figure, Reading
from tocsin.venues.registry import Rulebook, find_rulebook, rulebooks_of

ALONE_FROM = 8
"""In an account of so many legs, figures that rest on one leg are searched with that leg alone."""

_OF_ONE_LEG = ("initial", "maintenance", "unrealised", "notional", "isolated_equity")


def check_found(found: Found, report: Report, *, rules: str = "", errors: SourceErrors | None = None) -> None:
    """
    Check everything in a file and add its rows to the report.

    Args:
        rules: Rulebook for every account; "" for the one that each payload names.
        errors: Known source errors of records; None for the shipped list.
    """
    known = errors if errors is not None else SourceErrors.shipped()
    report.rows += [_alone(label, Status.FAILED, reason) for label, reason in found.broken]
    report.rows += [_alone(label, Status.SKIPPED, reason) for label, reason in found.skipped]
    report.rows += [check_table(table) for table in found.tables]
    for reading in found.readings:
        report.rows += check_reading(reading, rules=rules, errors=known)
        report.notes += [(reading.label, note) for note in dict.fromkeys(reading.notes)]
        spread_s = Account(reading).spread_s
        if spread_s > FAR_APART_S:
            report.notes.append((reading.label, f"time stamps of the payload lie {spread_s} s apart"))


def check_reading(reading: Reading, *, rules: str = "", errors: SourceErrors | None = None) -> list[Row]:
    """
    Return the rows of one account.

    Raises:
        ConfigError: `rules` names no rulebook; the message suggests the nearest.
    """
    account = Account(reading)
    figures = [figure for figure in reading.reported if figure.quantity not in INPUTS]
    book = find_rulebook(rules) if rules else choose_rulebook(reading)
    if book is None:
        why = f"no rulebook for {reading.rules or reading.portfolio.venue}"
        rows = [skip(account, figure, why) for figure in figures]
        answer: Answer | str = why
    else:
        answer = ask(_world(reading, book))
        known = errors if errors is not None else SourceErrors.shipped()
        rows = _judge_all(account, figures, book, answer, known)
    rows += [_of_connector(reading, f, answer) for f in reading.derived if (f.leg, f.quantity) not in account.reported]
    nothing = "the payload reports no margin, liquidation price or ratio"
    return rows or [_alone(reading.label, Status.SKIPPED, nothing)]


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


def _judge_all(
    account: Account, figures: list[Figure], book: Rulebook, answer: Answer | str, errors: SourceErrors
) -> list[Row]:
    """
    Return the rows of an account. Where the rulebook refuses it as a whole, each leg is asked alone, the rest skipped.
    """
    reading = account.reading
    legs = reading.portfolio.legs
    rows: list[Row] = []
    parts: dict[int, tuple[Account, Answer | str]] = {}
    for figure in figures:
        if len(legs) < 2 or not _is_of_one_leg(figure, reading):
            rows.append(judge(account, figure, answer, errors))
            continue
        if isinstance(answer, Answer) and len(legs) < ALONE_FROM:
            rows.append(judge(account, figure, answer, errors))
            continue
        if figure.leg not in parts:
            part = account.part(figure.leg)
            parts[figure.leg] = (part, ask(_world(part.reading, book)))
        part, alone = parts[figure.leg]
        moved = msgspec.structs.replace(figure, leg=0)
        if isinstance(answer, str) or _says(alone, moved) == _says(answer, figure):
            rows.append(judge(part, moved, alone, errors))
        else:
            rows.append(judge(account, figure, answer, errors))
    return rows


def _is_of_one_leg(figure: Figure, reading: Reading) -> bool:
    if figure.leg == ACCOUNT:
        return False
    isolated = reading.portfolio.legs[figure.leg].mode is Mode.ISOLATED
    return isolated or figure.quantity in _OF_ONE_LEG


def _says(answer: Answer | str, figure: Figure) -> Decimal | str | None:
    if isinstance(answer, str):
        return answer
    try:
        return own_value(answer.evaluation, figure, answer.world.portfolio)
    except Unknown as unknown:
        return str(unknown)


def _world(reading: Reading, book: Rulebook) -> World:
    return World(reading.portfolio, book, Params(book.venue, reading.portfolio.time))


def _of_connector(reading: Reading, figure: Figure, answer: Answer | str) -> Row:
    """
    Return the row of a figure that only the connector gives: shown beside ours, judged by nothing.
    """
    own = _says(answer, figure)
    value = own if isinstance(own, Decimal) else None
    gap = EXACT.subtract(figure.value or Decimal(0), value or Decimal(0))
    why = f"the venue reports none, the connector filled in {figure.field}"
    return Row(
        account=reading.label,
        symbol=name_of(reading, figure),
        quantity=figure.quantity,
        status=Status.SKIPPED,
        derived=figure.value,
        derived_field=figure.field,
        own=value,
        connector=Part(Code.CONNECTOR_DERIVED, gap, why),
        reason=f"{Code.CONNECTOR_DERIVED}: {why}",
    )


def _alone(label: str, status: Status, reason: str) -> Row:
    return Row(account=label, symbol="", quantity="", status=status, reason=reason)
