"""
One position under every rulebook: what each asks, where each liquidates, ranked.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from decimal import Decimal, localcontext
from enum import StrEnum

import msgspec

from tocsin.core.errors import TocsinError
from tocsin.venues.compare_prices import Price, find_prices
from tocsin.venues.contract import (
    NUMBERS,
    Basis,
    Evaluation,
    Leg,
    LegMargin,
    MissingInput,
    Portfolio,
    Product,
)
from tocsin.venues.liquidation import amounts_only
from tocsin.venues.listing import NoContract
from tocsin.venues.params import NOT_IN_FORCE, parse_time
from tocsin.venues.question import Question, build_portfolio, value_unit
from tocsin.venues.registry import Rulebook

ZERO = Decimal(0)


class By(StrEnum):
    """What the rulebooks are ranked by, least first; by distance, the farthest liquidation price first."""

    MAINTENANCE = "maintenance"
    INITIAL = "initial"
    DISTANCE = "distance"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """
    One rulebook's answer, amounts in USD. `initial` is the least that the venue asks: at its highest leverage for it.

    `below` and `above` are the nearest liquidation prices under and over the price of now. `settle` is the
    asset of the collateral. `bases` says what the numbers rest on, the account's first; `is_in_force`
    whether all of that holds at the time asked for.
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
    is_in_force: bool = True

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
        below, above = find_prices(book, portfolio, evaluation, question)
        leg = evaluation.legs[0] if evaluation.legs else None
        return Row(
            name=book.name,
            title=book.title,
            symbols=tuple(leg.symbol for leg in portfolio.legs),
            coins=tuple(question.prices),
            settle=portfolio.balances[0].asset,
            product=portfolio.legs[0].product,
            notional=question.notional,
            initial=total_of(evaluation, "initial", question, unit),
            maintenance=total_of(evaluation, "maintenance", question, unit),
            below=below,
            above=above,
            tier=leg.tier if leg is not None and len(evaluation.legs) == 1 else None,
            bases=_bases(evaluation),
            is_in_force=all(_covers(basis, question.at) for basis in _bases(evaluation)),
        )


def total_of(evaluation: Evaluation, field: str, question: Question, unit: Decimal) -> Decimal | None:
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


def _bases(evaluation: Evaluation) -> tuple[Basis, ...]:
    legs: list[LegMargin] = list(evaluation.legs)
    found = [evaluation.basis, *(leg.basis for leg in legs if leg.basis is not None)]
    return tuple(dict.fromkeys(found))


def _covers(basis: Basis, at: str) -> bool:
    if at and basis.params_date and parse_time(basis.params_date) > parse_time(at):
        return False
    return NOT_IN_FORCE not in basis.notes


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
