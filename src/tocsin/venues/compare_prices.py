"""
Where an account of a comparison is liquidated: the rulebook's own price, or ours where it states none.
"""

import re
from decimal import Decimal, localcontext

import msgspec

from tocsin.venues import VenueRefusal
from tocsin.venues.contract import NUMBERS, Evaluation, NoPrice, Portfolio
from tocsin.venues.liquidation import amounts_only, find_liquidation, probes
from tocsin.venues.question import Question, build_portfolio
from tocsin.venues.registry import Rulebook

ZERO = Decimal(0)
CLOSING = re.compile("liquidat|auction|clos|cut")
"""Words of a health threshold at which a venue takes positions away; the mildest such threshold counts."""
REACH = 10
"""How many times the price of now a liquidation price may be; beyond it is no statement about this position."""

_BEYOND = f"none up to {REACH} times the price"


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """
    A price of a coin at which the account is liquidated, the others held: `distance` = price / now - 1, signed.

    None with the reason in words.
    """

    price: Decimal | None
    coin: str = ""
    distance: Decimal | None = None
    reason: str = ""


def find_prices(
    book: Rulebook, portfolio: Portfolio, evaluation: Evaluation, question: Question
) -> tuple[Price, Price]:
    """
    Return the nearest liquidation prices below and above the prices of now, each coin moving alone.

    A coin with one leg, no option, has the rulebook's own price. Ours is taken for several legs on one coin (all move,
    options are revalued at their volatility), and where the venue publishes none: only the account's ratio counts.
    """
    found: list[Price] = []
    for coin in dict.fromkeys(part.coin for part in question.parts):
        places = [i for i, part in enumerate(question.parts) if part.coin == coin]
        leg = portfolio.legs[places[0]]
        stated = evaluation.legs[places[0]].liquidation
        if len(places) > 1 or leg.option is not None or (stated and stated.reason is NoPrice.PORTFOLIO_MARGIN):
            found += _search(book, portfolio, question, coin)
        elif stated is None or stated.price is None:
            reason = str(stated.reason or NoPrice.INPUT_MISSING) if stated else "the rulebook states none"
            found.append(Price(price=None, coin=coin, reason=reason))
        elif stated.price > question.prices[coin] * REACH:
            found.append(Price(price=None, coin=coin, reason=_BEYOND))
        else:
            distance = NUMBERS.divide(stated.price, question.prices[coin]) - 1
            found.append(Price(price=stated.price, coin=coin, distance=distance))
    none = next((p for p in found if p.price is None), Price(price=None))
    below = [p for p in found if p.distance is not None and p.distance < 0]
    above = [p for p in found if p.distance is not None and p.distance >= 0]
    return (
        min(below, key=lambda p: abs(p.distance or ZERO), default=none),
        min(above, key=lambda p: abs(p.distance or ZERO), default=none),
    )


def _search(book: Rulebook, portfolio: Portfolio, question: Question, coin: str) -> tuple[Price, Price]:
    """
    Return where the account reaches the venue's liquidation threshold as the coin's price moves down and up.
    """
    cash = portfolio.balances[0].amount

    def gap(price: Decimal) -> Decimal:
        moved = build_portfolio(book, question.move(coin, price))
        balance = msgspec.structs.replace(moved.balances[0], amount=cash)
        with amounts_only():
            return gap_to_liquidation(book.run(msgspec.structs.replace(moved, balances=(balance,))))

    now = question.prices[coin]
    edges = probes(now, step=Decimal("1.04"), count=60)
    out: list[Price] = []
    for towards in ("down", "up"):
        found = find_liquidation(gap, mark=now, towards=towards, edges=edges, tick=now * Decimal("1e-6"))
        if found.price is None:
            out.append(Price(price=None, coin=coin, reason=str(found.reason)))
        elif found.price > now * REACH:
            out.append(Price(price=None, coin=coin, reason=_BEYOND))
        else:
            out.append(Price(price=found.price, coin=coin, distance=found.price / now - 1))
    return out[0], out[1]


def gap_to_liquidation(evaluation: Evaluation) -> Decimal:
    """
    Return how far an account is from its venue's liquidation threshold, in its money: 0 or less means liquidation.

    With a ratio that liquidates at `t`: `equity x t - maintenance` where a higher ratio is worse, `equity - t x
    maintenance` where a lower one is, numerator and denominator being the ratio's own; else equity less maintenance.

    Raises:
        VenueRefusal: The rulebook gives no equity or no maintenance for the account.
    """
    equity, maintenance, health = evaluation.equity, evaluation.maintenance, evaluation.health
    if equity is None or maintenance is None:
        raise VenueRefusal("equity or maintenance of the account is not given")
    with localcontext(NUMBERS):
        limits = [t for t in health.thresholds if CLOSING.search(t.effect)] if health else []
        if health is None or health.value is None or not limits or equity <= 0:
            return equity - maintenance
        limit = limits[0]
        if limit.worse == "up":
            return (limit.value - health.value) * equity
        return (health.value - limit.value) * maintenance
