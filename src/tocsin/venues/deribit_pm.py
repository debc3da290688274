"""
Deribit portfolio margin (S:PM): worst scenario, roll shock and delta shock of each index in a settlement currency.

`risk_matrix_margin = worst case + roll shock + delta shock`; initial margin adds what orders, market maker protection
and spot reserve; maintenance is `mm_factor` (0.8) of the matrix alone. The extended table's sum is dampened towards 0
by `(|move| / range - 1) x dampener` USD. Roll shock: for each expiry |delta| times the larger of the minimum and
`exp(annual risk x years) - 1`. Delta shock: on the delta that long options do not cover, beyond the threshold, `m_inc`
for each coin, at most `max_delta_shock`. Indices of one currency are added without offset: the venue's offsets between
them (`pnl_offset`, correlation) are not published in full.
"""

import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from tocsin.venues import VenueRefusal
from tocsin.venues.contract import (
    Basis,
    Evaluation,
    Leg,
    LegMargin,
    LiquidationPrice,
    MissingInput,
    NoPrice,
    Portfolio,
    Product,
)
from tocsin.venues.deribit_account import Pool, find_prices, is_cross, total_up, with_equity
from tocsin.venues.deribit_grid import (
    ONE,
    ZERO,
    General,
    Pair,
    Vectors,
    compute_vectors,
    delta_of,
    is_coin_settled,
)
from tocsin.venues.deribit_legs import Valued, to_currency
from tocsin.venues.option_market import YEARS_MAX, require_market
from tocsin.venues.params import Params, ParamSet, parse_time
from tocsin.venues.products import mark_of, notional_at, profit_between

FORMULA = "risk_matrix_margin = worst_case + roll_shock + delta_shock; maintenance = mm_factor x risk_matrix_margin"
_DATE = re.compile(r"-(\d{1,2}[A-Z]{3}\d{2})(?:-|$)")
_YEAR_SECONDS = 365 * 86400


class Charge(NamedTuple):
    """
    What one index needs in its settlement currency, parts >= 0.
    """

    worst_case: Decimal
    roll_shock: Decimal
    delta_shock: Decimal

    @property
    def total(self) -> Decimal:
        """
        Return the risk matrix margin of the index.
        """
        return self.worst_case + self.roll_shock + self.delta_shock


def evaluate_portfolio(portfolio: Portfolio, params: Params) -> Evaluation:
    """
    Return an account under portfolio margin, in its settlement currency, in USD if it has several.

    `extra` may hold `open_orders_margin`, `mmp_margin` and `spot_margin`, in that currency.

    Raises:
        MissingInput: Parameters of an index, an option's market, the account's time where a dated future needs it.
        VenueRefusal: Resting orders stand on a leg (their effect on the matrix is not covered).
    """
    source = params.get("portfolio")
    ordered = next((leg.symbol for leg in portfolio.legs if leg.order_buy or leg.order_sell), "")
    if ordered:
        raise VenueRefusal(f"{ordered}: orders change the matrix in a way not covered; give extra.open_orders_margin")
    prices = find_prices(portfolio, needs_all=is_cross(portfolio))
    groups: dict[tuple[str, str], list[Leg]] = {}
    for leg in portfolio.legs:
        groups.setdefault((to_currency(leg), leg.underlying), []).append(leg)
    charges = {key: charge_index(legs, portfolio, source) for key, legs in groups.items()}
    added = _added(portfolio)
    pools = _pools(portfolio, charges, prices, source.number("general", "mm_factor"), added)
    margins = tuple(_leg_margin(leg, source) for leg in portfolio.legs)
    signed = _parts(charges)
    notes = ["parameters of ETH are those of 2026-02-15, of BTC those of 2024-06-17"]
    if len(charges) > 1:
        notes.append("indices are added without the venue's offsets between them: an upper bound")
    if any(not is_coin_settled(leg) for leg in portfolio.legs):
        notes.append("stablecoin-settled positions use the parameters of their coin; not reproduced on a payload")
    return total_up(portfolio, "deribit-pm", pools, margins, prices, source, signed, notes)


def _added(portfolio: Portfolio) -> Decimal:
    total = ZERO
    for name in ("open_orders_margin", "mmp_margin", "spot_margin"):
        value = portfolio.extra.get(name, ZERO)
        if value < 0:
            raise VenueRefusal(f'extra["{name}"] must be 0 or more, was {value}')
        total += value
    return total


def charge_index(legs: Sequence[Leg], portfolio: Portfolio, source: ParamSet) -> Charge:
    """
    Return what positions on one index need, all in one settlement currency.
    """
    coin = legs[0].underlying
    if coin not in source.get("pairs"):
        why = f"parameters of {coin} are not shipped (known: {', '.join(source.get('pairs'))})"
        raise MissingInput(f"pairs.{coin}", why)
    pair, general = source.decode(Pair, "pairs", coin), source.decode(General, "general")
    money = source.decode(dict[str, Decimal], "currencies", coin)
    index = next((leg.index for leg in legs if leg.index is not None), None)
    if index is None:
        raise MissingInput("index", f"the dampener and the delta shock of {coin} are in USD at its index price")
    in_coin = is_coin_settled(legs[0])
    total = add_vectors(compute_vectors(leg, pair, general) for leg in legs)
    far = dampen(total.extended, general, pair, money["extended_dampener"], index if in_coin else None)
    worst = -min((*total.standard, *far, ZERO))
    deltas = [(leg, delta_of(leg)) for leg in legs]
    roll = ZERO
    for years, delta in _by_expiry(deltas, portfolio):
        grown = Decimal(repr(math.exp(float(money["annualised_move_risk"] * years)))) - 1
        roll += abs(delta) * max(money["min_annualised_move"], grown)
    shock = shock_delta(deltas, index, pair)
    return Charge(worst, roll if in_coin else roll * index, shock if in_coin else shock * index)


def add_vectors(vectors: Iterable[Vectors]) -> Vectors:
    """
    Return the sums of positions' profits, scenario by scenario.
    """
    found = list(vectors)
    return Vectors(
        tuple(sum(column, ZERO) for column in zip(*(v.standard for v in found), strict=True)),
        tuple(sum(column, ZERO) for column in zip(*(v.extended for v in found), strict=True)),
    )


def dampen(
    profits: Sequence[Decimal], general: General, pair: Pair, dampener: Decimal, index: Decimal | None
) -> tuple[Decimal, ...]:
    """
    Return the extended table's sums brought towards 0, never across it.

    Args:
        dampener: USD for each multiple of the range that a move is beyond it.
        index: Index price where profits are in coins (at the price of the range's end), None where they are in USD.
    """
    out: list[Decimal] = []
    for move, profit in zip(general.extended, profits, strict=True):
        amount = (max(abs(move) / pair.price_range, ONE) - 1) * dampener
        if index is not None:
            amount /= index * (1 + pair.price_range.copy_sign(move))
        out.append(max(abs(profit) - amount, ZERO).copy_sign(profit))
    return tuple(out)


def shock_delta(deltas: Sequence[tuple[Leg, Decimal]], index: Decimal, pair: Pair) -> Decimal:
    """
    Return the delta shock in coins, >= 0.

    What long options cover of the delta of futures and short options does not count; they add none of their own.
    """
    bought = [leg for leg, _ in deltas if leg.product in (Product.OPTION, Product.OPTION_INVERSE) and leg.size > 0]
    covering = sum((d for leg, d in deltas if leg in bought), ZERO)
    naked = sum((d for leg, d in deltas if leg not in bought), ZERO)
    left = min(max(naked + covering, naked), ZERO) if naked < 0 else max(min(naked + covering, naked), ZERO)
    size = abs(left)
    beyond = max(size - pair.delta_total_liq_shock_threshold / index, ZERO)
    return size * min(pair.m_inc * beyond, pair.max_delta_shock)


def _by_expiry(deltas: Sequence[tuple[Leg, Decimal]], portfolio: Portfolio) -> Iterable[tuple[Decimal, Decimal]]:
    """
    Return years left and net delta of each expiry; a perpetual is one of its own, with 0 years.
    """
    out: dict[str, tuple[Decimal, Decimal]] = {}
    for leg, delta in deltas:
        match = _DATE.search(leg.symbol)
        if leg.product in (Product.OPTION, Product.OPTION_INVERSE):
            years = require_market(leg).years
            name = match[1] if match else f"{years}"
        elif match is None:
            name, years = leg.symbol, ZERO
        else:
            name, years = match[1], _years(leg, match[1], portfolio)
        known, net = out.get(name, (years, ZERO))
        out[name] = (known, net + delta)
    return out.values()


def _years(leg: Leg, date: str, portfolio: Portfolio) -> Decimal:
    if not portfolio.time:
        raise MissingInput("time", f"the roll shock of {leg.symbol} depends on the time left to its expiry")
    try:
        day = datetime.strptime(date.title(), "%d%b%y").replace(hour=8, tzinfo=UTC)
    except ValueError:
        raise VenueRefusal(f"{leg.symbol}: {date} is no date such as 28JUN24") from None
    seconds = Decimal(str((day - parse_time(portfolio.time)).total_seconds()))
    years = max(seconds / _YEAR_SECONDS, ZERO)
    if years > YEARS_MAX:
        raise VenueRefusal(f"time must be within {YEARS_MAX} years of the expiry of {leg.symbol}, was {portfolio.time}")
    return years


def _pools(
    portfolio: Portfolio,
    charges: dict[tuple[str, str], Charge],
    prices: dict[str, Decimal],
    mm_factor: Decimal,
    added: Decimal,
) -> list[Pool]:
    cross = is_cross(portfolio)
    names = sorted({c for c, _ in charges} | {b.asset for b in portfolio.balances})
    if cross:
        names = ["USD"]
    pools: list[Pool] = []
    for name in names:
        pool = Pool(name, ZERO, ZERO, ZERO)
        for (currency, _), charge in charges.items():
            if cross or currency == name:
                worth = charge.total * (prices[currency] if cross else ONE)
                pool.initial += worth
                pool.maintenance += worth * mm_factor
        if len(names) == 1:
            pool.initial += added
            pool.maintenance += portfolio.other_maintenance or ZERO
        legs = [leg for leg in portfolio.legs if cross or to_currency(leg) == name]
        pool.legs = [_worth(leg) for leg in legs]
        pools.append(with_equity(portfolio, pool, prices if cross else {name: ONE}, alone=len(names) == 1))
    if added and len(names) > 1:
        raise VenueRefusal("extra margins are in one currency; the account has several")
    return pools


def _worth(leg: Leg) -> Valued:
    """
    Return the leg as equity sees it: futures by profit, options by their value.
    """
    mark = mark_of(leg)
    if leg.product in (Product.LINEAR, Product.INVERSE):
        worth = None if leg.entry is None else profit_between(leg, leg.entry, mark) + leg.accrued_funding
    else:
        worth = leg.size * leg.contract_size * mark
    return Valued(
        leg=leg, currency=to_currency(leg), mark=mark, initial=ZERO, maintenance=ZERO, orders=ZERO, worth=worth,
        table=None, source=None,
    )  # fmt: skip


def _leg_margin(leg: Leg, source: ParamSet) -> LegMargin:
    option = leg.product in (Product.OPTION, Product.OPTION_INVERSE)
    profit: Decimal | None = None
    if leg.entry is not None:
        mark = mark_of(leg)
        profit = leg.size * leg.contract_size * (mark - leg.entry) if option else profit_between(leg, leg.entry, mark)
    basis: Basis = source.basis(FORMULA)
    return LegMargin(
        symbol=leg.symbol,
        unit=to_currency(leg),
        notional=abs(leg.size) * leg.contract_size if option else notional_at(leg, mark_of(leg)),
        initial=None,
        maintenance=None,
        unrealised=profit,
        liquidation=LiquidationPrice(price=None, reason=NoPrice.PORTFOLIO_MARGIN, binding="account"),
        basis=basis,
    )


def _parts(charges: dict[tuple[str, str], Charge]) -> dict[str, Decimal]:
    out: dict[str, Decimal] = {}
    for (currency, coin), charge in charges.items():
        where = f" {coin.lower()}_{currency.lower()}" if len(charges) > 1 else ""
        out[f"worst_case{where}"] = charge.worst_case
        out[f"roll_shock{where}"] = charge.roll_shock
        out[f"delta_shock{where}"] = charge.delta_shock
        out[f"risk_matrix_margin{where}"] = charge.total
    return out
