"""
An account under given inputs and rules, and what one of its figures is there: the unit that the attribution swaps in.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Context, Decimal

import msgspec

from tocsin.venues.contract import NUMBERS, Evaluation, Leg, LegMargin, Mode, NoPrice, Portfolio
from tocsin.venues.params import Params
from tocsin.venues.reading import ACCOUNT, Figure
from tocsin.venues.registry import Rulebook

EXACT = Context(prec=400)
"""For differences and their parts: sums of 50-digit numbers without rounding."""

Adjust = Callable[[Figure, Evaluation, Decimal], Decimal]


class Unknown(Exception):
    """The rulebook gives no such figure for this account; the message says why."""


@dataclass(frozen=True)
class World:
    """
    One account, one rulebook, its parameters; `adjust` changes a figure after the rule (what no input can say).
    """

    portfolio: Portfolio
    book: Rulebook
    params: Params
    adjust: tuple[Adjust, ...] = ()

    def with_leg(self, place: int, **changes: object) -> "World":
        """
        Return the world with one leg changed.
        """
        legs = list(self.portfolio.legs)
        legs[place] = msgspec.structs.replace(legs[place], **changes)
        return self.with_portfolio(legs=tuple(legs))

    def with_portfolio(self, **changes: object) -> "World":
        """
        Return the world with fields of the portfolio changed.
        """
        return replace(self, portfolio=msgspec.structs.replace(self.portfolio, **changes))

    def with_extra(self, name: str, value: Decimal) -> "World":
        """
        Return the world with one named extra input.
        """
        return self.with_portfolio(extra={**self.portfolio.extra, name: value})

    def evaluate(self) -> Evaluation:
        """
        Return the rulebook's evaluation; errors of the rule pass.
        """
        return self.book.run(self.portfolio, self.params)

    def value(self, figure: Figure, evaluation: Evaluation) -> Decimal | None:
        """
        Return the figure by this world's evaluation: None for "no liquidation price", and where there is none.
        """
        try:
            value = own_value(evaluation, figure, self.portfolio)
            if value is None:
                return None
            for adjust in self.adjust:
                value = adjust(figure, evaluation, value)
        except (Unknown, ArithmeticError, IndexError):
            return None
        return value


def own_value(evaluation: Evaluation, figure: Figure, portfolio: Portfolio) -> Decimal | None:
    """
    Return what an evaluation says for a figure.

    Raises:
        Unknown: It says nothing; the message is the reason.
    """
    if figure.leg == ACCOUNT:
        return _account_value(evaluation, figure)
    if figure.leg >= len(evaluation.legs):
        raise Unknown("the rulebook gives no figures by position")
    margin = evaluation.legs[figure.leg]
    leg = portfolio.legs[figure.leg]
    match figure.quantity:
        case "liquidation":
            # The price as the venue publishes it, where that is not the crossing itself (OKX: one step nearer).
            return evaluation.signed.get(f"liqPx:{leg.symbol}", _liquidation(margin))
        case "initial":
            # What Hyperliquid calls marginUsed is initial margin of a cross position, equity of an isolated one.
            if leg.mode is Mode.ISOLATED and f"{figure.field}:{leg.symbol}" in evaluation.signed:
                return evaluation.signed[f"{figure.field}:{leg.symbol}"]
            return _known(margin.initial, "initial margin by position")
        case "maintenance":
            return _known(margin.maintenance, "maintenance margin by position")
        case "notional":
            return margin.notional
        case "unrealised":
            return _known(margin.unrealised, "unrealised profit")
        case "orders":
            return margin.orders
        case "isolated_equity":
            return _isolated_equity(leg, margin)
        case "ratio":
            return _leg_ratio(evaluation, portfolio, leg)
        case name:
            for key in (f"{name}:{leg.symbol}", f"{leg.symbol}:{name}", name):
                if key in evaluation.signed:
                    return evaluation.signed[key]
            raise Unknown(f"the rulebook has no figure {name}")


def _account_value(evaluation: Evaluation, figure: Figure) -> Decimal | None:
    match figure.quantity:
        case "initial":
            return _known(evaluation.initial, "initial margin of the account")
        case "maintenance":
            return _known(evaluation.maintenance, "maintenance margin of the account")
        case "equity":
            return _known(evaluation.equity, "equity")
        case "ratio":
            if evaluation.health is None:
                raise Unknown("the rulebook gives no health ratio")
            return _known(evaluation.health.value, "health ratio (its denominator is 0)")
        case "unrealised":
            parts = [leg.unrealised for leg in evaluation.legs]
            if any(part is None for part in parts) or len({leg.unit for leg in evaluation.legs}) > 1:
                raise Unknown("unrealised profit is not known for every position in one unit")
            return sum((part for part in parts if part is not None), Decimal(0))
        case name:
            if name in evaluation.signed:
                return evaluation.signed[name]
            raise Unknown(f"the rulebook has no figure {name}")


def _known(value: Decimal | None, what: str) -> Decimal:
    if value is None:
        raise Unknown(f"the rulebook gives no {what}")
    return value


def _liquidation(margin: LegMargin) -> Decimal | None:
    found = margin.liquidation
    if found is None:
        raise Unknown("the rulebook gives no liquidation price")
    if found.price is None and found.reason is NoPrice.INPUT_MISSING:
        notes = margin.basis.notes if margin.basis else ()
        raise Unknown("; ".join(notes) or "an input of the liquidation price is not in the payload")
    return found.price


def _isolated_equity(leg: Leg, margin: LegMargin) -> Decimal:
    if leg.isolated_collateral is None or margin.unrealised is None:
        raise Unknown("the position's own collateral is not in the payload")
    return NUMBERS.add(leg.isolated_collateral, margin.unrealised)


def _leg_ratio(evaluation: Evaluation, portfolio: Portfolio, leg: Leg) -> Decimal:
    for key in (f"ratio:{leg.symbol}", f"{leg.symbol}:ratio", f"mgnRatio:{leg.symbol}", f"mgnRatio {leg.symbol}"):
        if key in evaluation.signed:
            return evaluation.signed[key]
    if len(portfolio.legs) == 1 and evaluation.health is not None and evaluation.health.value is not None:
        return evaluation.health.value
    raise Unknown("the rulebook gives no ratio by position")
