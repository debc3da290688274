"""
Deribit accounts: a pool for each settlement currency, or one for all of them under cross collateral.

Segregated (S:SM, S:PM): every currency's equity stands behind its own positions. Cross collateral (X:SM, X:PM, asked
for with `extra["cross_collateral"] = 1`): all currencies count at their index price in USD, for initial margin less a
haircut per currency. Liquidation begins where maintenance margin exceeds the margin balance.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from tocsin.venues.contract import (
    Evaluation,
    Health,
    LegMargin,
    LiquidationPrice,
    MissingInput,
    NoPrice,
    Portfolio,
    Product,
    Threshold,
)
from tocsin.venues.deribit_legs import ONE, ZERO, Valued, index_ratio, leg_margin, to_currency, value_leg
from tocsin.venues.liquidation import find_liquidation
from tocsin.venues.params import Params, ParamSet

STABLE = ("USD", "USDC", "USDT", "USDE")
OTHERS_MAX = 200
"""Beyond so many symbols a liquidation price tells how many marks it holds, not whose."""
FORMULA = "margin usage = maintenance margin / margin balance"


@dataclass(slots=True)
class Pool:
    """
    What stands behind one set of requirements, in `name`'s money. `equity` None: `lacking` names why.
    """

    name: str
    equity: Decimal | None
    initial: Decimal
    maintenance: Decimal
    haircut: Decimal = ZERO
    lacking: str = ""
    legs: list[Valued] = field(default_factory=list[Valued])

    def by_coin(self) -> dict[str, Decimal]:
        """
        Return what legs add to equity less their maintenance, by the currency they settle in.
        """
        out: dict[str, Decimal] = {}
        for v in self.legs:
            out[v.currency] = out.get(v.currency, ZERO) + (v.worth or ZERO) - v.maintenance
        return out


def evaluate_standard(portfolio: Portfolio, params: Params) -> Evaluation:
    """
    Return an account under standard margin, segregated or cross collateral.

    Raises:
        MissingInput: A mark, rates of a coin, or the price of a currency whose amounts must be added up.
        VenueRefusal: A product without a rule here.
    """
    valued = [value_leg(leg, params) for leg in portfolio.legs]
    prices = find_prices(portfolio, needs_all=is_cross(portfolio))
    pools = build_pools(portfolio, valued, prices)
    where = {id(v): pool for pool in pools for v in pool.legs}
    rests = {pool.name: pool.by_coin() for pool in pools}
    named = {pool.name: [v.leg.symbol for v in pool.legs] for pool in pools}
    margins: list[LegMargin] = []
    for v in valued:
        pool = where[id(v)]
        price = _solve(v, pool, rests[pool.name], portfolio, prices)
        if price is not None:
            price = msgspec.structs.replace(price, others=_name_others(named[pool.name], v.leg.symbol))
        margins.append(leg_margin(v, price))
    return total_up(portfolio, "deribit-sm", pools, tuple(margins), prices, params.get("standard"))


def is_cross(portfolio: Portfolio) -> bool:
    """
    Tell whether the account is under cross collateral.
    """
    return bool(portfolio.extra.get("cross_collateral"))


def find_prices(portfolio: Portfolio, *, needs_all: bool) -> dict[str, Decimal]:
    """
    Return the USD price of each currency of legs and balances: as given, else the index or mark of its own contracts.

    Raises:
        MissingInput: `needs_all`, and a currency has no price.
    """
    out = {b.asset: b.price for b in portfolio.balances if b.price is not None}
    for leg in portfolio.legs:
        price = leg.index or (leg.mark if leg.product is Product.INVERSE else None)
        if price is not None:
            out.setdefault(leg.underlying, price)
    out |= {name: ONE for name in STABLE if name not in out}
    for name in (*(to_currency(leg) for leg in portfolio.legs), *(b.asset for b in portfolio.balances)):
        if needs_all and name not in out:
            raise MissingInput(f"balances.{name}.price", f"{name} is added to other currencies in USD")
    return out


def build_pools(portfolio: Portfolio, valued: Sequence[Valued], prices: Mapping[str, Decimal]) -> list[Pool]:
    """
    Return the pools with equity and the legs' margins.
    """
    if is_cross(portfolio):
        pool = Pool("USD", ZERO, ZERO, portfolio.other_maintenance or ZERO, legs=list(valued))
        for v in valued:
            pool.initial += (v.initial + v.orders) * prices[v.currency]
            pool.maintenance += v.maintenance * prices[v.currency]
        return [with_equity(portfolio, pool, prices, alone=True)]
    names = sorted({v.currency for v in valued} | {b.asset for b in portfolio.balances})
    pools: list[Pool] = []
    for name in names:
        own = [v for v in valued if v.currency == name]
        others = (portfolio.other_maintenance or ZERO) if len(names) == 1 else ZERO
        first = sum((v.initial + v.orders for v in own), ZERO)
        pool = Pool(name, ZERO, first, sum((v.maintenance for v in own), others), legs=own)
        pools.append(with_equity(portfolio, pool, {name: ONE}, alone=len(names) == 1))
    return pools


def with_equity(portfolio: Portfolio, pool: Pool, prices: Mapping[str, Decimal], *, alone: bool) -> Pool:
    """
    Return the pool with its margin balance: cash plus futures' profit plus options' value, or the published equity.
    """
    held = {b.asset: b.amount for b in portfolio.balances if b.asset in prices}
    if not held:
        pool.equity, pool.lacking = (portfolio.equity, "equity") if alone else (None, "balances")
        return pool
    total = (portfolio.other_unrealised or ZERO) if alone else ZERO
    for v in pool.legs:
        if v.worth is None:
            pool.equity, pool.lacking = None, "entry"
            return pool
        held[v.currency] = held.get(v.currency, ZERO) + v.worth
    for name, amount in held.items():
        total += amount * prices[name]
        pool.haircut += max(amount, ZERO) * prices[name] * portfolio.extra.get(f"haircut:{name}", ZERO)
    pool.equity = total
    return pool


def total_up(
    portfolio: Portfolio,
    rules: str,
    pools: Sequence[Pool],
    margins: tuple[LegMargin, ...],
    prices: Mapping[str, Decimal],
    source: ParamSet,
    signed: Mapping[str, Decimal] | None = None,
    notes: Sequence[str] = (),
) -> Evaluation:
    """
    Return the evaluation of an account: one pool's money, or USD where there are several; the worst pool's usage.
    """
    unit = pools[0].name if len(pools) == 1 else "USD" if pools else portfolio.valuation
    rate = {p.name: ONE if p.name == unit else prices.get(p.name) for p in pools}
    lost = next((name for name, price in rate.items() if price is None), "")
    if lost:
        raise MissingInput(f"balances.{lost}.price", f"{lost} is added to other currencies in USD")
    equities = [None if p.equity is None else p.equity * (rate[p.name] or ONE) for p in pools]
    equity = None if None in equities else sum((e for e in equities if e is not None), ZERO)
    out: dict[str, Decimal] = dict(signed or {})
    for pool in pools:
        if pool.equity is not None:
            key = f"available_funds {pool.name}" if len(pools) > 1 else "available_funds"
            out[key] = pool.equity - pool.haircut - pool.initial
    return Evaluation(
        rules=rules,
        unit=unit,
        equity=equity if pools else portfolio.equity,
        initial=sum((p.initial * (rate[p.name] or ONE) for p in pools), ZERO),
        maintenance=sum((p.maintenance * (rate[p.name] or ONE) for p in pools), ZERO),
        legs=margins,
        health=_health(pools, source),
        basis=source.basis(FORMULA, *notes),
        signed=out,
    )


def _health(pools: Sequence[Pool], source: ParamSet) -> Health | None:
    known = [(p, p.equity) for p in pools if p.equity is not None and (p.legs or p.maintenance)]
    if not known:
        return None
    worst = max(known, key=lambda k: k[0].maintenance / k[1] if k[1] > 0 else Decimal("Infinity"))
    pool, equity = worst
    value = pool.maintenance / equity if equity > 0 else None
    state = pool.name if value is not None else f"{pool.name}: margin balance is 0 or less"
    thresholds = source.decode(tuple[Threshold, ...], "thresholds")
    return Health(name="maintenance_margin / margin_balance", value=value, thresholds=thresholds, state=state)


def _name_others(symbols: Sequence[str], own: str) -> tuple[str, ...]:
    if len(symbols) > OTHERS_MAX:
        return (f"{len(symbols) - 1} other symbols",)
    return tuple(sorted({symbol for symbol in symbols if symbol != own}))


def _solve(
    v: Valued, pool: Pool, rest: Mapping[str, Decimal], portfolio: Portfolio, prices: Mapping[str, Decimal]
) -> LiquidationPrice | None:
    """
    Return where the pool's margin balance falls to its maintenance as one futures market moves, options held.

    In a cross pool the coin's own price moves with the market, and with it every amount held in that coin.
    """
    if v.table is None:
        return None
    if pool.equity is None:
        return LiquidationPrice(price=None, reason=NoPrice.INPUT_MISSING, binding="account")
    gap = _gap(v, pool, rest, portfolio, prices)
    coin = v.leg.underlying
    exposed = pool.name == "USD" and any(b.asset == coin and b.amount for b in portfolio.balances)
    towards = "both" if exposed or not v.leg.size else "down" if v.leg.size > 0 else "up"
    return find_liquidation(gap, mark=v.mark, towards=towards, binding="account")


def _gap(
    v: Valued, pool: Pool, rest: Mapping[str, Decimal], portfolio: Portfolio, prices: Mapping[str, Decimal]
) -> Callable[[Decimal], Decimal]:
    equity = pool.equity or ZERO
    if pool.name != "USD":
        free = equity - pool.maintenance + v.maintenance
        return lambda price: free + v.worth_at(price) - v.maintenance_at(price)
    coin, ratio = v.leg.underlying, index_ratio(v.leg)
    net = sum((b.amount for b in portfolio.balances if b.asset == coin), ZERO) + rest.get(coin, ZERO)
    if v.currency == coin:
        net -= (v.worth or ZERO) - v.maintenance
    own = (v.worth or ZERO) - v.maintenance
    start = prices.get(coin, v.mark * ratio)
    fixed = equity - pool.maintenance - net * start - own * prices[v.currency]

    def gap(price: Decimal) -> Decimal:
        now = start * price / v.mark
        mine = (v.worth or ZERO) + v.worth_at(price) - v.maintenance_at(price)
        return fixed + net * now + mine * (now if v.currency == coin else prices[v.currency])

    return gap
