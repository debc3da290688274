"""
Misses that say nothing about the rule: our figure rests on something that the payload does not hold.

Such a row is skipped with its reason, its parts are kept. Each doubt is told from the account and the parameters, never
from a record's name.
"""

from decimal import Decimal

from tocsin.desk.account import Account
from tocsin.desk.answers import Answer
from tocsin.desk.codes import Code
from tocsin.desk.rows import CONSISTENCY, Row
from tocsin.desk.worlds import EXACT, Unknown, World, own_value
from tocsin.venues.contract import Leg
from tocsin.venues.params import NOT_IN_FORCE
from tocsin.venues.readers.names import moment
from tocsin.venues.reading import ACCOUNT, Figure

ONE = Decimal(1)
APART = Decimal("0.001")
"""Inputs disagree where the unrealised profit of the payload and of its prices differ by this part of the notional."""

_OF_BRACKETS = ("maintenance", "liquidation", "ratio")
_OF_TIME = (Code.UNEXPLAINED, Code.FEE_IN_MM, Code.TIER_VERSION, Code.TIER_AT_LIQ)


def find_doubt(account: Account, figure: Figure, answer: Answer, row: Row) -> str:
    """
    Return why a miss is none of the venue's or ours, "" where it stands.
    """
    return (
        _on_leverage(account, figure, answer.world, row)
        or _on_brackets(figure, answer, row)
        or _on_inputs(account, figure, answer, row)
    )


def _on_leverage(account: Account, figure: Figure, world: World, row: Row) -> str:
    """
    A position without its leverage: ours is the least that the venue allows, the account may have set less of it.
    """
    legs = account.reading.portfolio.legs
    bare = [n for n, leg in enumerate(legs) if leg.leverage is None and leg.initial_rate is None]
    if figure.leg != ACCOUNT:
        bare = [n for n in bare if n == figure.leg]
    if not bare:
        return ""
    other = world
    for n in bare:
        # The answer may stand on a stand-in of 1.
        other = other.with_leg(n, leverage=ONE if world.portfolio.legs[n].leverage is None else ONE + ONE)
    evaluation = account.evaluate(f"another leverage of {bare}", other)
    if evaluation is None or other.value(figure, evaluation) == row.own:
        return ""
    return f"it rests on leverage of {legs[bare[0]].symbol}, not in the payload"


def _on_brackets(figure: Figure, answer: Answer, row: Row) -> str:
    """
    Brackets of another day: no shipped version covers the payload's time and it states no rate.
    """
    if figure.quantity not in _OF_BRACKETS or row.code not in _OF_TIME:
        return ""
    evaluation, legs = answer.evaluation, answer.world.portfolio.legs
    places = range(len(legs)) if figure.leg == ACCOUNT else [figure.leg]
    for n in places:
        basis = evaluation.legs[n].basis if n < len(evaluation.legs) else None
        basis = basis or evaluation.basis
        if legs[n].maintenance_rate is not None or not basis.params:
            continue
        if NOT_IN_FORCE in basis.notes or _is_younger(basis.params_date, answer.world.portfolio.time):
            return f"the brackets of its day are not shipped; those of {basis.params_date} do not give it"
    return ""


def _is_younger(date: str, time: str) -> bool:
    """
    Tell whether parameters of a date came into force after the account's time; False where either is unknown.
    """
    begun, taken = moment(date), moment(time)
    return begun is not None and taken is not None and begun > taken


def _on_inputs(account: Account, figure: Figure, answer: Answer, row: Row) -> str:
    """
    A collected record whose own inputs contradict each other: its parts were copied at different moments.
    """
    if not account.reading.records or figure.leg == ACCOUNT or row.code is not Code.UNEXPLAINED:
        return ""
    said = account.said(figure.leg, "unrealised")
    if said is None or figure.quantity in CONSISTENCY:
        return ""
    leg: Leg = answer.world.portfolio.legs[figure.leg]
    try:
        own = own_value(
            answer.evaluation,
            Figure(leg=figure.leg, quantity="unrealised", value=said, field=""),
            answer.world.portfolio,
        )
        notional = answer.evaluation.legs[figure.leg].notional
    except Unknown:
        return ""
    if own is None or abs(EXACT.subtract(said, own)) <= abs(notional) * APART:
        return ""
    return f"source error: parts of another moment: {leg.symbol} reports a profit of {said}, its prices give {own:.10g}"
