"""
One figure judged: reported beside own, within its tolerance or not, and why.

A row passes if reported and own agree within the tolerance of its quantity, or in the printed digits; it is skipped
with a reason if our rules cannot say, or if a named source error of the record is known; else it fails. What a
connector says is compared with what the venue says, never with ours.
"""

from decimal import Decimal

import msgspec

from tocsin.desk.account import Account
from tocsin.desk.answers import Answer
from tocsin.desk.attribution import attribute, find_hint, quantum
from tocsin.desk.codes import Code, Part
from tocsin.desk.doubts import find_doubt
from tocsin.desk.question import Question
from tocsin.desk.rows import CONSISTENCY, Row, Status
from tocsin.desk.source_errors import SourceErrors
from tocsin.desk.worlds import EXACT, Unknown, own_value
from tocsin.venues.contract import Evaluation, Mode, Portfolio
from tocsin.venues.reading import ACCOUNT, Figure, Reading

MARGIN_TOLERANCE = Decimal("0.001")
ISOLATED_TOLERANCE = Decimal("0.001")
CROSS_TOLERANCE = Decimal("0.005")
CONNECTOR_TOLERANCE = Decimal("1e-6")
HALF = Decimal("0.5")
BEYOND = 5
"""A price this many times the mark, or this part of it, is outside what venues print; "none" then agrees with it."""


def judge(account: Account, figure: Figure, answer: Answer | str, errors: SourceErrors) -> Row:
    """
    Return the row of one reported figure; `answer` is the rulebook's, or why there is none.
    """
    if isinstance(answer, str):
        return skip(account, figure, answer)
    if figure.quantity in answer.blind:
        return skip(account, figure, f"it rests on {' and '.join(answer.lacking)}, not in the payload")
    if _is_given(account.reading, figure):
        return skip(account, figure, "taken as given: what it is made of is not in the payload")
    try:
        own = own_value(answer.evaluation, figure, answer.world.portfolio)
    except Unknown as unknown:
        row = skip(account, figure, str(unknown))
        hint = find_hint(account, figure, answer.world, answer.evaluation, is_unknown=True)
        if hint is None:
            return row
        status = Status.FAILED if hint.code is Code.MODE_MISMATCH else row.status
        if hint.code is Code.PRICE_SOURCE and figure.quantity not in CONSISTENCY and row.connector is None:
            # The payload shows no price, the profit it reports implies one, and with that the figure comes out.
            status = Status.PASSED
        reason = f"{unknown}; {hint.code}: {hint.why}"
        return msgspec.structs.replace(row, status=status, hint=hint, reason=reason)
    row = _compare(account, figure, own, answer)
    if row.status is not Status.FAILED or row.connector is not None:
        return row
    reason = errors.find(account.reading, figure.quantity)
    if reason:
        return msgspec.structs.replace(row, status=Status.SKIPPED, reason=f"source error: {reason}")
    if figure.quantity in CONSISTENCY:
        why = f"the payload's own inputs disagree with it; {row.reason}"
        return msgspec.structs.replace(row, status=Status.SKIPPED, reason=why)
    if doubt := find_doubt(account, figure, answer, row):
        return msgspec.structs.replace(row, status=Status.SKIPPED, reason=doubt)
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


def _compare(account: Account, figure: Figure, own: Decimal | None, answer: Answer) -> Row:
    row = _start(account, figure)
    basis = _basis(answer.evaluation, figure)
    row = msgspec.structs.replace(row, own=own, own_none=own is None, basis=basis, connector=_connector(row))
    if figure.value is None or own is None:
        return _compare_none(account, row, figure, answer)
    tolerance = _tolerance(figure, answer.world.portfolio)
    difference = EXACT.subtract(figure.value, own)
    size = abs(figure.value)
    relative = abs(difference) / size if size else None
    allowed = max(size * tolerance, min(quantum(figure.value) * HALF, size) if size else quantum(figure.value) * HALF)
    question = Question(account, figure, answer.world, answer.evaluation, own)
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


def _compare_none(account: Account, row: Row, figure: Figure, answer: Answer) -> Row:
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
    hint = find_hint(account, figure, answer.world, answer.evaluation, is_unknown=False)
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
    why = f"the connector says {row.derived_field} {row.derived}, the venue {row.field} {row.reported}"
    return Part(Code.CONNECTOR_DERIVED, gap, why)


def _tolerance(figure: Figure, portfolio: Portfolio) -> Decimal:
    if figure.quantity != "liquidation":
        return MARGIN_TOLERANCE
    isolated = portfolio.legs[figure.leg].mode is Mode.ISOLATED
    return ISOLATED_TOLERANCE if isolated else CROSS_TOLERANCE


def _start(account: Account, figure: Figure) -> Row:
    derived = account.derived.get((figure.leg, figure.quantity))
    return Row(
        account=account.reading.label,
        symbol=name_of(account.reading, figure),
        quantity=figure.quantity,
        status=Status.SKIPPED,
        reported=figure.value,
        field=figure.field,
        derived=derived.value if derived else None,
        derived_field=derived.field if derived else "",
    )


def skip(account: Account, figure: Figure, why: str) -> Row:
    """
    Return a skipped row; a connector that contradicts the venue fails it all the same.
    """
    row = _start(account, figure)
    found = _connector(row)
    status = Status.SKIPPED if found is None else Status.FAILED
    return msgspec.structs.replace(row, status=status, reason=why, connector=found)


def name_of(reading: Reading, figure: Figure) -> str:
    """
    Return the symbol of a figure's position with its side in hedge mode, "" for the account.
    """
    if figure.leg == ACCOUNT:
        return ""
    leg = reading.portfolio.legs[figure.leg]
    return f"{leg.symbol} {leg.hedge_side}".strip()


def _basis(evaluation: Evaluation, figure: Figure) -> str:
    basis = evaluation.basis
    if figure.leg != ACCOUNT and figure.leg < len(evaluation.legs):
        basis = evaluation.legs[figure.leg].basis or basis
    return f"{evaluation.rules}: {basis.formula}; {basis.params} of {basis.params_date}"
