"""
Hyperliquid's cross and isolated margin on perpetuals.

Initial margin is notional over leverage at the mark, maintenance as in `hyperliquid_tiers`. A dex is one pool of
collateral: the account value of a pool stands behind its cross positions, an isolated position has its own. Sums go
over all pools, health is that of the worst. No closing fee is charged. Source: documentation, "Margining" and
"Liquidations".
"""

from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from typing import NamedTuple

import msgspec

from tocsin.venues.contract import (
    NUMBERS,
    Balance,
    Evaluation,
    Health,
    LegMargin,
    LiquidationPrice,
    MissingInput,
    Mode,
    NoPrice,
    Portfolio,
    Threshold,
)
from tocsin.venues.hyperliquid_tiers import Priced, dex_of, price_leg
from tocsin.venues.liquidation import find_liquidation
from tocsin.venues.params import Params, ParamSet

ZERO = Decimal(0)
UNIT = "USDC"
FORMULA = "notional x 0.5 / max leverage(bracket) - deduction; liquidation at account value < maintenance"


class Pool(NamedTuple):
    """One dex's cross positions (or all, unified) with the money behind them, None if it is not given."""

    name: str
    legs: tuple[Priced, ...]
    value: Decimal | None
    maintenance: Decimal


def evaluate_cross(portfolio: Portfolio, params: Params) -> Evaluation:
    """
    Evaluate an account with cross and isolated legs.

    Account value of a pool: `portfolio.equity` where there is one pool and no balance; else its balances (`USDC` for
    Hyperliquid's own dex, `USDC@xyz` for dex xyz) plus unrealised profit. With `extra["unified"]` = 1 all dexes are
    one pool (unified account). Isolated legs need `isolated_collateral` (rawUsd + size x entry) and `entry`.

    Without the money behind cross legs their margins stand; equity, health and their liquidation prices are None.

    Raises:
        MissingInput: A mark, a rate, or an isolated leg's collateral or entry is absent; or one equity stands for
            several dexes.
        VenueRefusal: A leg is no linear perpetual.
    """
    with localcontext(NUMBERS):
        tiers, account = params.get("tiers"), params.get("account")
        legs = tuple(price_leg(leg, tiers) for leg in portfolio.legs)
        cross = tuple(leg for leg in legs if leg.leg.mode is not Mode.ISOLATED)
        pools = make_pools(portfolio, cross)
        margins = tuple(
            _isolated_margin(leg, tiers) if leg.leg.mode is Mode.ISOLATED else _cross_margin(leg, pools, tiers)
            for leg in legs
        )
        return _sum(portfolio, legs, margins, pools, account, tiers)


def evaluate_isolated(portfolio: Portfolio, params: Params) -> Evaluation:
    """
    Evaluate every leg as isolated: its own collateral, no account behind it. Errors as `evaluate_cross`.
    """
    legs = tuple(msgspec.structs.replace(leg, mode=Mode.ISOLATED) for leg in portfolio.legs)
    found = evaluate_cross(msgspec.structs.replace(portfolio, legs=legs, balances=(), equity=None), params)
    return msgspec.structs.replace(found, rules="hyperliquid-isolated")


def make_pools(portfolio: Portfolio, cross: Sequence[Priced]) -> tuple[Pool, ...]:
    """
    Return the pools of collateral behind the cross legs, in order of name.
    """
    unified = portfolio.extra.get("unified", ZERO) != 0
    names = {"" if unified else dex_of(leg.leg.symbol) for leg in cross}
    names |= {"" if unified else _pool_of(balance) for balance in portfolio.balances}
    if portfolio.equity is not None and not portfolio.balances:
        names = names or {""}
        if len(names) > 1:
            raise MissingInput("balances", f"one equity stands for {len(names)} dexes; give each its USDC@dex")
    pools: list[Pool] = []
    for name in sorted(names):
        legs = tuple(leg for leg in cross if unified or dex_of(leg.leg.symbol) == name)
        value = _value(portfolio, name, legs, unified=unified)
        need = sum((leg.maintenance(leg.mark) for leg in legs), ZERO)
        if name == "":
            need += portfolio.other_maintenance or ZERO
        pools.append(Pool(name, legs, value, need))
    return tuple(pools)


def _pool_of(balance: Balance) -> str:
    return balance.asset.partition("@")[2]


def _value(portfolio: Portfolio, name: str, legs: Sequence[Priced], *, unified: bool) -> Decimal | None:
    own = [b for b in portfolio.balances if unified or _pool_of(b) == name]
    if not own:
        return None if portfolio.balances else portfolio.equity
    value = portfolio.other_unrealised or ZERO if name == "" else ZERO
    for balance in own:
        value += balance.amount * (balance.price if balance.price is not None else Decimal(1))
    return value + sum((_earned(leg) for leg in legs), ZERO)


def _unrealised(leg: Priced) -> Decimal:
    if leg.leg.entry is None:
        raise MissingInput("entry", f"{leg.leg.symbol}: unrealised profit is part of the account value")
    return leg.size * (leg.mark - leg.leg.entry)


def _earned(leg: Priced) -> Decimal:
    """Return unrealised profit and accrued funding, signed."""
    return _unrealised(leg) + leg.leg.accrued_funding


def _cross_margin(leg: Priced, pools: Sequence[Pool], tiers: ParamSet) -> LegMargin:
    pool = next(pool for pool in pools if any(leg is own for own in pool.legs))
    same = [own for own in pool.legs if own.leg.symbol == leg.leg.symbol]
    others = tuple(sorted({own.leg.symbol for own in pool.legs} - {leg.leg.symbol}))
    size = sum((own.size for own in same), ZERO)
    if pool.value is None:
        none = LiquidationPrice(price=None, reason=NoPrice.INPUT_MISSING, binding="account", others=others)
        return _leg_margin(leg, tiers, none, "balances: the money behind the cross positions is not given")
    room = pool.value - pool.maintenance + sum((own.maintenance(own.mark) for own in same), ZERO)

    def gap(price: Decimal) -> Decimal:
        moved = sum((own.size * (price - own.mark) for own in same), ZERO)
        return room + moved - sum((own.maintenance(price) for own in same), ZERO)

    found = _liquidate(leg, gap, size, binding="account", others=others)
    return _leg_margin(leg, tiers, found)


def _isolated_margin(leg: Priced, tiers: ParamSet) -> LegMargin:
    collateral, entry = leg.leg.isolated_collateral, leg.leg.entry
    if collateral is None:
        raise MissingInput("isolated_collateral", f"{leg.leg.symbol}: rawUsd + size x entry of the isolated position")
    if entry is None:
        raise MissingInput("entry", f"{leg.leg.symbol}: an isolated position's profit is counted from its entry")

    def gap(price: Decimal) -> Decimal:
        return collateral + leg.leg.accrued_funding + leg.size * (price - entry) - leg.maintenance(price)

    return _leg_margin(leg, tiers, _liquidate(leg, gap, leg.size, binding="leg", others=()))


def _liquidate(
    leg: Priced, gap: Callable[[Decimal], Decimal], size: Decimal, *, binding: str, others: tuple[str, ...]
) -> LiquidationPrice:
    if not size:
        return LiquidationPrice(price=None, reason=NoPrice.HEDGED, binding=binding, others=others)
    return find_liquidation(
        gap,
        mark=leg.mark,
        towards="down" if size > 0 else "up",
        edges=leg.edges(),
        binding=binding,
        others=others,
        tier_at=lambda price: leg.table.find(leg.notional(price)).number,
    )


def _leg_margin(leg: Priced, tiers: ParamSet, found: LiquidationPrice, *more: str) -> LegMargin:
    charge = leg.table.charge(leg.notional(leg.mark))
    notes = (leg.note, *more) if leg.note else more
    return LegMargin(
        symbol=leg.leg.symbol,
        unit=UNIT,
        notional=leg.notional(leg.mark),
        initial=leg.initial(),
        maintenance=charge.amount,
        unrealised=None if leg.leg.entry is None else _unrealised(leg),
        rate=charge.rate,
        tier=charge.tier.number,
        liquidation=found,
        basis=tiers.basis(FORMULA, *notes),
    )


def _sum(
    portfolio: Portfolio,
    legs: Sequence[Priced],
    margins: Sequence[LegMargin],
    pools: Sequence[Pool],
    account: ParamSet,
    tiers: ParamSet,
) -> Evaluation:
    alone = [(leg, margin) for leg, margin in zip(legs, margins, strict=True) if leg.leg.mode is Mode.ISOLATED]
    used = {leg.leg.symbol: _isolated_equity(leg) for leg, _ in alone}
    values = [pool.value for pool in pools if pool.value is not None]
    cross_value = sum(values, ZERO) if len(values) == len(pools) else None
    signed: dict[str, Decimal] = {f"marginUsed:{symbol}": value for symbol, value in used.items()}
    for leg, margin in zip(legs, margins, strict=True):
        if leg.leg.mode is not Mode.ISOLATED and margin.initial is not None:
            signed[f"marginUsed:{leg.leg.symbol}"] = margin.initial
    signed["totalNtlPos"] = sum((margin.notional for margin in margins), ZERO)
    signed["totalMarginUsed"] = sum((v for k, v in signed.items() if k.startswith("marginUsed:")), ZERO)
    value = None if cross_value is None else cross_value + sum(used.values(), ZERO)
    if pools:
        signed["crossMaintenanceMarginUsed"] = sum((pool.maintenance for pool in pools), ZERO)
    if pools and cross_value is not None and value is not None:
        signed["crossAccountValue"] = cross_value
        signed["accountValue"] = value
        signed["withdrawable"] = sum((_transferable(pool, account) for pool in pools), ZERO)
    basis = tiers.basis(FORMULA, f"thresholds of {account.valid_from}: {account.source}")
    return Evaluation(
        rules="hyperliquid",
        unit=UNIT,
        equity=value if pools or used else None,
        initial=sum((margin.initial or ZERO for margin in margins), ZERO),
        maintenance=sum((margin.maintenance or ZERO for margin in margins), portfolio.other_maintenance or ZERO),
        legs=tuple(margins),
        health=_health(pools, account),
        basis=basis,
        signed=signed,
    )


def _isolated_equity(leg: Priced) -> Decimal:
    return (leg.leg.isolated_collateral or ZERO) + _earned(leg)


def _transferable(pool: Pool, account: ParamSet) -> Decimal:
    """Return what may leave a pool: its value less `max(initial margin, floor x notional)`, never below 0."""
    value = pool.value or ZERO
    initial = sum((leg.initial() for leg in pool.legs), ZERO)
    floor = account.number("transfer_floor") * sum((leg.notional(leg.mark) for leg in pool.legs), ZERO)
    return max(value - max(initial, floor), ZERO)


def _health(pools: Sequence[Pool], account: ParamSet) -> Health | None:
    """
    Return maintenance over account value of the worst pool; None where no position is cross or a value is not given.

    The ratio is None at an account value of 0 or less with positions: such a pool is past every threshold.
    """
    busy = [pool for pool in pools if pool.maintenance > 0 or pool.legs]
    if not busy or any(pool.value is None for pool in busy):
        return None
    market, backstop = account.number("market_ratio"), account.number("backstop_ratio")
    thresholds = (
        Threshold(value=market, worse="up", effect="positions are closed by market orders, large ones in parts"),
        Threshold(value=backstop, worse="up", effect="backstop: the liquidator vault takes positions and margin"),
    )
    lost = [pool for pool in busy if (pool.value or ZERO) <= 0]
    if lost:
        state = f"{_label(lost[0])}no account value left"
        return Health(name="cross_margin_ratio", value=None, thresholds=thresholds, state=state)
    ratio, worst = max(((pool.maintenance / (pool.value or ZERO), pool) for pool in busy), key=lambda pair: pair[0])
    state = "above maintenance"
    if ratio > market:
        state = "market liquidation" if ratio <= backstop else "backstop liquidation"
    return Health(name="cross_margin_ratio", value=ratio, thresholds=thresholds, state=_label(worst) + state)


def _label(pool: Pool) -> str:
    return f"dex {pool.name}: " if pool.name else ""
