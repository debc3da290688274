"""
Exchanges whose rule is one rate of notional per position: what differs between them is data.

`data/<venue>/terms.json` says of each: whether initial and maintenance margin are taken of the mark or of the entry
price, where the closing fee counts, which ratio the venue calls health. The maintenance rate comes with the position
where the venue states it, else from `data/<venue>/tiers.json` where one is shipped, else the amounts are refused.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import msgspec

from tocsin.core.errors import ConfigError
from tocsin.venues import VenueRefusal
from tocsin.venues.accounts import evaluate_legs
from tocsin.venues.contract import (
    NUMBERS,
    Basis,
    Evaluation,
    Health,
    Leg,
    MissingInput,
    Mode,
    Portfolio,
    Product,
    Threshold,
)
from tocsin.venues.needs import ZERO, Charge, Need, Totals, check_products
from tocsin.venues.params import Params, ParamSet
from tocsin.venues.products import notional_at, price_of_notional
from tocsin.venues.registry import Rulebook
from tocsin.venues.tiers import Tier, TierKind, TierTable

Base = Literal["mark", "entry"]


class HealthTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    The venue's ratio: its name, its form, what it does at which value (value, effect), mildest first.
    """

    name: str
    form: Literal["maintenance/equity", "equity/maintenance", "equity/notional", "(equity-maintenance)/initial"]
    thresholds: tuple[tuple[Decimal, str], ...] = ()


class Terms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    One venue's form of the rule.

    `fee_rate` is the closing fee's rate, counted in each of `fee_in`: "initial", "maintenance", "health", "liquidation"
    (the liquidation test alone). `formula` says it in the venue's words.
    """

    formula: str
    initial_of: Base
    maintenance_of: Base
    health: HealthTerms
    fee_rate: Decimal = ZERO
    fee_in: tuple[Literal["initial", "maintenance", "health", "liquidation"], ...] = ()
    notes: tuple[str, ...] = ()


class Market(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    One market's brackets: `rows` of [cap (null: no end), maintenance rate, maximal leverage], floors follow.

    `is_complete` False: the venue has further brackets that are not known here, beyond the last cap nothing is said.
    """

    rows: tuple[tuple[Decimal | None, Decimal, Decimal | None], ...]
    kind: TierKind
    measure: Literal["notional", "contracts", "base"] = "notional"
    is_complete: bool = True


def make_table(market: Market) -> TierTable:
    """
    Return the brackets as a table, deductions computed for marginal ones.
    """
    tiers: list[Tier] = []
    floor, deduction, last = ZERO, ZERO, None
    for number, (cap, rate, leverage) in enumerate(market.rows, 1):
        if last is not None:
            deduction = NUMBERS.add(deduction, NUMBERS.multiply(floor, NUMBERS.subtract(rate, last)))
        own = deduction if market.kind is TierKind.MARGINAL else ZERO
        tiers.append(Tier(number=number, floor=floor, cap=cap, rate=rate, deduction=own, max_leverage=leverage))
        last = rate
        floor = floor if cap is None else cap
    return TierTable(kind=market.kind, tiers=tuple(tiers), unit=market.measure)


def check_rate(leg: Leg, name: str, value: Decimal | None) -> Decimal | None:
    """
    Return a rate that a leg states, None if it states none; it must be from 0 to 1.
    """
    if value is not None and not 0 <= value <= 1:
        raise VenueRefusal(f"{name} of {leg.symbol} must be from 0 to 1, was {value}")
    return value


class RateRule:
    """
    The rule of one venue for one portfolio: what a leg needs at a price.
    """

    def __init__(self, terms: Terms, markets: Mapping[str, Market]) -> None:
        self._terms = terms
        self._tables: dict[str, tuple[TierTable, Market] | None] = {}
        self._markets = markets

    def at(self, leg: Leg, price: Decimal) -> Need:
        """
        Return what a leg needs at a price.

        Raises:
            MissingInput: An amount is taken of the entry price and the leg has none.
            VenueRefusal: The size lies beyond the brackets that are shipped.
        """
        terms = self._terms
        rate = check_rate(leg, "maintenance_rate", leg.maintenance_rate)
        initial_rate = check_rate(leg, "initial_rate", leg.initial_rate)
        fee_rate = check_rate(leg, "fee_rate", leg.fee_rate)
        deduction = leg.deduction or ZERO
        value = notional_at(leg, price)
        held = value if terms.maintenance_of == "mark" else self._entry_value(leg)
        tier: Tier | None = None
        if rate is None:
            table = self._table(leg)
            if table is not None:
                charge = table[0].charge(held, self._measure(leg, value, table[1]))
                self._check_reach(leg, table[1], is_beyond=charge.is_beyond)
                rate, deduction, tier = charge.rate, charge.deduction, charge.tier
        fee = NUMBERS.multiply(value, terms.fee_rate if fee_rate is None else fee_rate)
        maintenance = None
        if rate is not None:
            maintenance = max(ZERO, NUMBERS.subtract(NUMBERS.multiply(held, rate), deduction))
        fees = ZERO
        if "maintenance" in terms.fee_in and maintenance is not None:
            maintenance, fees = NUMBERS.add(maintenance, fee), fee
        initial = self._initial(leg, value, initial_rate, tier)
        if initial is not None and "initial" in terms.fee_in:
            initial = NUMBERS.add(initial, fee)
        return Need(
            initial=initial,
            maintenance=maintenance,
            fees=fees,
            closing=fee if "liquidation" in terms.fee_in else ZERO,
            rate=rate,
            tier=None if tier is None else tier.number,
            why="maintenance_rate" if maintenance is None else "leverage" if initial is None else "",
        )

    def edges(self, leg: Leg) -> tuple[Decimal, ...]:
        """
        Return the prices at which a leg's bracket changes.
        """
        if leg.maintenance_rate is not None:
            return ()
        table = self._table(leg)
        if table is None or table[1].measure != "notional":
            return ()
        return tuple(price_of_notional(leg, edge) for edge in table[0].edges()) if leg.size else ()

    def _entry_value(self, leg: Leg) -> Decimal:
        if leg.entry is None:
            raise MissingInput("entry", f"margin of {leg.symbol} is taken of it")
        return notional_at(leg, leg.entry)

    def _measure(self, leg: Leg, value: Decimal, market: Market) -> Decimal:
        if market.measure == "notional":
            return value
        size = abs(leg.size)
        return size if market.measure == "contracts" else NUMBERS.multiply(size, leg.contract_size)

    def _table(self, leg: Leg) -> tuple[TierTable, Market] | None:
        if leg.symbol not in self._tables:
            market = self._markets.get(leg.symbol) or self._markets.get(f"{leg.underlying}:{leg.product}")
            self._tables[leg.symbol] = None if market is None else (make_table(market), market)
        return self._tables[leg.symbol]

    def _check_reach(self, leg: Leg, market: Market, *, is_beyond: bool) -> None:
        if is_beyond and not market.is_complete:
            raise VenueRefusal(
                f"{leg.symbol} lies beyond {market.rows[-1][0]} {market.measure}, the last bracket that is known here; "
                "state its maintenance_rate"
            )

    def _initial(self, leg: Leg, value: Decimal, rate: Decimal | None, tier: Tier | None) -> Decimal | None:
        base = value if self._terms.initial_of == "mark" else self._entry_value(leg)
        if rate is not None:
            return NUMBERS.multiply(base, rate)
        if leg.leverage is not None:
            if leg.leverage <= 0:
                raise VenueRefusal(f"leverage of {leg.symbol} must be above 0, was {leg.leverage}")
            return NUMBERS.divide(base, leg.leverage)
        if tier is not None and tier.max_leverage is not None:
            return NUMBERS.divide(base, tier.max_leverage)
        return None


def judge(terms: Terms, totals: Totals) -> Health | None:
    """
    Return the venue's ratio of an account, None where equity or maintenance is not known.
    """
    if totals.equity is None or totals.maintenance is None:
        return None
    form = terms.health.form
    maintenance = totals.maintenance
    if "health" in terms.fee_in:
        maintenance = NUMBERS.add(maintenance, NUMBERS.multiply(totals.notional, terms.fee_rate))
    top, bottom = {
        "maintenance/equity": (maintenance, totals.equity),
        "equity/maintenance": (totals.equity, maintenance),
        "equity/notional": (totals.equity, totals.notional),
        "(equity-maintenance)/initial": (NUMBERS.subtract(totals.equity, maintenance), totals.initial or ZERO),
    }[form]
    worse = "up" if form == "maintenance/equity" else "down"
    value = NUMBERS.divide(top, bottom) if bottom else None
    steps = tuple(Threshold(value=v, worse=worse, effect=effect) for v, effect in terms.health.thresholds)
    passed = [
        s.effect for s in steps if value is not None and (value >= s.value if worse == "up" else value <= s.value)
    ]
    state = passed[-1] if passed else "" if value is None else "clear"
    if totals.equity <= 0 < maintenance:
        state = "equity is used up"
    return Health(name=terms.health.name, value=value, thresholds=steps, state=state)


def load_markets(params: Params) -> tuple[dict[str, Market], ParamSet | None]:
    """
    Return a venue's brackets by symbol and by "BTC:linear", none if no table is shipped.
    """
    try:
        found = params.get("tiers")
    except ConfigError:
        return {}, None
    return found.decode(dict[str, Market], "markets"), found


def evaluate_rates(portfolio: Portfolio, params: Params, rules: str, name: str = "terms") -> Evaluation:
    """
    Return an account under the terms `data/<venue>/<name>.json`.
    """
    shipped = params.get(name)
    terms = decode_terms(shipped)
    markets, tiers = load_markets(params)
    rule = RateRule(terms, markets)

    def basis(leg: Leg, need: Need) -> Basis:  # noqa: ARG001 - one form for all
        if need.tier is not None and tiers is not None:
            return tiers.basis(terms.formula)
        return shipped.basis(terms.formula, *(["rate stated with the position"] if need.rate is not None else []))

    return evaluate_legs(
        portfolio,
        Charge(at=rule.at, edges=rule.edges),
        rules=rules,
        basis=basis,
        account_basis=shipped.basis(terms.formula, *terms.notes),
        health=lambda totals: judge(terms, totals),
    )


def decode_terms(shipped: ParamSet) -> Terms:
    """
    Return the typed terms of a parameter set.

    Raises:
        ConfigError: A field is unknown, missing or not what it must be; the message names file and field.
    """
    values: dict[str, Any] = dict(shipped.values)
    try:
        return msgspec.convert(values, type=Terms, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{shipped.venue}/{shipped.name} of {shipped.valid_from}: {error}") from None


def make_rulebook(
    name: str,
    title: str,
    *,
    venue: str = "",
    terms: str = "terms",
    modes: tuple[Mode, ...] = (Mode.CROSS, Mode.ISOLATED),
    products: tuple[Product, ...] = (Product.LINEAR,),
    page: str = "smaller.md",
) -> Rulebook:
    """
    Return a rulebook whose rule is one rate of notional, its terms in `data/<venue>/<terms>.json`.
    """

    def evaluate(portfolio: Portfolio, params: Params) -> Evaluation:
        check_products(portfolio, products, name)
        return evaluate_rates(portfolio, params, name, terms)

    return Rulebook(
        name=name,
        title=title,
        venue=venue or name,
        modes=modes,
        products=products,
        evaluate=evaluate,
        page=page,
    )
