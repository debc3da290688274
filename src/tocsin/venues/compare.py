"""
One position under every rulebook: what each asks, where each liquidates, and at which sizes their order changes.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from decimal import Decimal, localcontext
from enum import StrEnum
from typing import NamedTuple

import msgspec

from tocsin.core.errors import TocsinError
from tocsin.venues import VenueRefusal
from tocsin.venues.contract import (
    NUMBERS,
    Basis,
    Evaluation,
    Leg,
    LegMargin,
    MissingInput,
    NoPrice,
    Portfolio,
    Product,
)
from tocsin.venues.curves import Piece, find_crossings, is_same_curve, trace
from tocsin.venues.liquidation import amounts_only, find_liquidation, probes
from tocsin.venues.listing import NoContract
from tocsin.venues.question import Question, build_portfolio, value_unit
from tocsin.venues.registry import Rulebook

ZERO = Decimal(0)
CLOSING = re.compile("liquidat|auction|clos|cut")
"""Words of a health threshold at which a venue takes positions away; the mildest such threshold counts."""
REACH = 10
"""How many times the price of now a liquidation price may be; beyond it is no statement about this position."""

_BEYOND = f"none up to {REACH} times the price"


class By(StrEnum):
    """What the rulebooks are ranked by, least first; by distance, the farthest liquidation price first."""

    MAINTENANCE = "maintenance"
    INITIAL = "initial"
    DISTANCE = "distance"


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """
    A price of a coin at which the account is liquidated, the others held: `distance` = price / now - 1, signed.

    None with the reason in words.
    """

    price: Decimal | None
    coin: str = ""
    distance: Decimal | None = None
    reason: str = ""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """
    One rulebook's answer, amounts in USD. `initial` is the least that the venue asks: at its highest leverage for it.

    `below` and `above` are the nearest liquidation prices under and over the price of now. `settle` is the
    asset of the collateral. `bases` says what the numbers rest on, the account's first.
    """

    name: str
    title: str
    symbols: tuple[str, ...]
    coins: tuple[str, ...]
    settle: str
    product: Product
    notional: Decimal
    initial: Decimal | None
    maintenance: Decimal | None
    below: Price
    above: Price
    tier: int | None
    bases: tuple[Basis, ...]

    @property
    def is_on_several_coins(self) -> bool:
        """
        Return whether the two prices may be of different coins.
        """
        return len(self.coins) > 1

    @property
    def nearest_price(self) -> Price | None:
        """
        Return the nearer of the two liquidation prices; None where no price liquidates.
        """
        found = [p for p in (self.below, self.above) if p.distance is not None]
        return min(found, key=lambda p: abs(p.distance or ZERO), default=None)

    @property
    def nearest(self) -> Decimal | None:
        """
        Return the smaller distance to liquidation, >= 0; None where no price liquidates.
        """
        found = self.nearest_price
        return None if found is None or found.distance is None else abs(found.distance)

    def rate(self, by: By) -> Decimal | None:
        """
        Return what the rulebook is ranked by as a fraction of the notional (distance: of the price).
        """
        if by is By.DISTANCE:
            return self.nearest
        amount = self.initial if by is By.INITIAL else self.maintenance
        return None if amount is None else NUMBERS.divide(amount, self.notional)

    def is_short_of_initial(self, collateral: Decimal) -> bool:
        """
        Return whether the collateral, in USD, would not let the position be opened.
        """
        return self.initial is not None and collateral < self.initial

    @property
    def dates(self) -> str:
        """
        Return the dates of the parameters behind the row, oldest to newest, one if they agree.
        """
        found = sorted({b.params_date for b in self.bases if b.params_date})
        return found[0] if len(found) == 1 else f"{found[0]} to {found[-1]}" if found else ""


class Silent(msgspec.Struct, frozen=True, kw_only=True):
    """
    A rulebook that cannot say, and why. `field` names the input that it lacks, "contract" where it has no such one.
    """

    name: str
    title: str
    reason: str
    field: str = ""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """
    Answers ranked by `by`, then the rulebooks that cannot say.
    """

    question: Question
    by: By
    rows: tuple[Row, ...]
    silent: tuple[Silent, ...]


class Change(NamedTuple):
    """
    A size in USD below which the first of two curves asks less, and above which the second does.
    """

    size: Decimal
    below: int
    above: int


class SizeMap(msgspec.Struct, frozen=True, kw_only=True):
    """
    How the ranked amount grows with size: `curves` in USD of amount over USD of notional. `names` holds for each curve
    the rulebooks that share it; `changes` the sizes at which two curves change places, rising, as numbers of curves.
    """

    low: Decimal
    high: Decimal
    names: tuple[tuple[str, ...], ...]
    curves: tuple[tuple[Piece, ...], ...]
    changes: tuple[Change, ...]


def compare(question: Question, books: Sequence[Rulebook], *, by: By = By.MAINTENANCE) -> Comparison:
    """
    Return every rulebook's answer to one question, ranked.
    """
    rows: list[Row] = []
    silent: list[Silent] = []
    for book in books:
        try:
            rows.append(answer(question, book))
        except TocsinError as error:
            field = error.field if isinstance(error, MissingInput) else ""
            field = "contract" if isinstance(error, NoContract) else field
            silent.append(Silent(name=book.name, title=book.title, reason=str(error), field=field))
    return Comparison(question=question, by=by, rows=tuple(_ranked(rows, by)), silent=tuple(silent))


def answer(question: Question, book: Rulebook) -> Row:
    """
    Return one rulebook's answer.

    Raises:
        TocsinError: It cannot say; the message says why.
    """
    portfolio = fund(book, build_portfolio(book, question), question)
    coins = [part.coin for part in question.parts]
    alone = any(coins.count(leg.underlying) == 1 and leg.option is None for leg in portfolio.legs)
    with nullcontext() if alone else amounts_only():
        evaluation = book.run(portfolio)
    with localcontext(NUMBERS):
        unit = value_unit(evaluation.unit, question.prices)
        below, above = _find_prices(book, portfolio, evaluation, question)
        leg = evaluation.legs[0] if evaluation.legs else None
        return Row(
            name=book.name,
            title=book.title,
            symbols=tuple(leg.symbol for leg in portfolio.legs),
            coins=tuple(question.prices),
            settle=portfolio.balances[0].asset,
            product=portfolio.legs[0].product,
            notional=question.notional,
            initial=_total(evaluation, "initial", question, unit),
            maintenance=_total(evaluation, "maintenance", question, unit),
            below=below,
            above=above,
            tier=leg.tier if leg is not None and len(evaluation.legs) == 1 else None,
            bases=_bases(evaluation),
        )


def map_sizes(
    question: Question, books: Sequence[Rulebook], *, by: By = By.MAINTENANCE, low: Decimal, high: Decimal
) -> SizeMap:
    """
    Return how each rulebook's amount grows with the size of the question, and where their order changes.

    Args:
        by: MAINTENANCE or INITIAL.
        low, high: Notional in USD, 0 < low < high.
    """
    assert by is not By.DISTANCE
    whole = question.notional
    names: list[list[str]] = []
    curves: list[tuple[Piece, ...]] = []
    for book in books:
        curve = trace(_amount_of(book, question, whole, by), low, high, grain=question.prices[question.parts[0].coin])
        same = next((i for i, other in enumerate(curves) if is_same_curve(curve, other)), None)
        if same is not None:
            names[same].append(book.name)
        elif curve:
            names.append([book.name])
            curves.append(curve)
    changes: list[Change] = []
    for i, first in enumerate(curves):
        for j in range(i + 1, len(curves)):
            pair = (i, j)
            changes += [Change(c.size, pair[c.below], pair[c.above]) for c in find_crossings(first, curves[j])]
    return SizeMap(
        low=low,
        high=high,
        names=tuple(tuple(group) for group in names),
        curves=tuple(curves),
        changes=tuple(sorted(changes)),
    )


def _amount_of(book: Rulebook, question: Question, whole: Decimal, by: By) -> Callable[[Decimal], Decimal | None]:
    def amount(notional: Decimal) -> Decimal | None:
        asked = question.scale(NUMBERS.divide(notional, whole))
        try:
            with amounts_only():
                evaluation = book.run(build_portfolio(book, asked))
            return _total(evaluation, by.value, asked, value_unit(evaluation.unit, asked.prices))
        except TocsinError:
            return None

    return amount


def _total(evaluation: Evaluation, field: str, question: Question, unit: Decimal) -> Decimal | None:
    """
    Return the account's amount in USD; where the rulebook gives it by leg alone, the legs' sum.
    """
    whole: Decimal | None = getattr(evaluation, field)
    if whole is not None:
        return NUMBERS.multiply(whole, unit)
    amounts: list[Decimal] = []
    for leg in evaluation.legs:
        amount: Decimal | None = getattr(leg, field)
        if amount is None:
            return None
        amounts.append(NUMBERS.multiply(amount, value_unit(leg.unit, question.prices)))
    return sum(amounts, ZERO) if amounts else None


def fund(book: Rulebook, portfolio: Portfolio, question: Question) -> Portfolio:
    """
    Return the account with its equity equal to the collateral, also where option values count as equity.

    Whoever sells an option holds its premium: a rulebook that counts the option's value gets the premium as balance.
    """
    values = [_option_value(leg) for leg in portfolio.legs if leg.option is not None]
    if not values:
        return portfolio
    with amounts_only():
        evaluation = book.run(portfolio)
    (balance,) = portfolio.balances
    if evaluation.equity is None:
        return portfolio
    with localcontext(NUMBERS):
        unit = value_unit(evaluation.unit, question.prices) / (balance.price or 1)
        premium = sum(values, ZERO)
        counted = evaluation.equity * unit - _bare_equity(book, portfolio, unit)
        if abs(counted - premium) > abs(premium) * Decimal("1e-6"):
            return portfolio
        funded = msgspec.structs.replace(balance, amount=balance.amount - premium)
    return msgspec.structs.replace(portfolio, balances=(funded,))


def _bare_equity(book: Rulebook, portfolio: Portfolio, unit: Decimal) -> Decimal:
    """
    Return the equity of the balances alone, in the collateral's asset: haircuts of collateral are in it.
    """
    try:
        found = book.run(msgspec.structs.replace(portfolio, legs=())).equity
    except TocsinError:
        found = None
    return portfolio.balances[0].amount if found is None else found * unit


def _option_value(leg: Leg) -> Decimal:
    assert leg.mark is not None
    return NUMBERS.multiply(NUMBERS.multiply(leg.size, leg.contract_size), leg.mark)


def _find_prices(
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


def _bases(evaluation: Evaluation) -> tuple[Basis, ...]:
    legs: list[LegMargin] = list(evaluation.legs)
    found = [evaluation.basis, *(leg.basis for leg in legs if leg.basis is not None)]
    return tuple(dict.fromkeys(found))


def _ranked(rows: Sequence[Row], by: By) -> list[Row]:
    """
    Return the rows by what is asked; what is not known comes last, equal ones keep the order of the rulebooks.
    """

    def key(row: Row) -> tuple[bool, Decimal]:
        rate = row.rate(by)
        if by is By.DISTANCE:
            # The farthest first; what no price liquidates is farther than all.
            return row.maintenance is None, ZERO if rate is None else NUMBERS.divide(Decimal(1), 1 + rate)
        return rate is None, rate or ZERO

    return sorted(rows, key=key)
