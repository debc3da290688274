"""
OKX's cross margin: by settlement currency (spot and futures mode), or all currencies together (multi-currency mode).

- By currency: `mgnRatio = (balance + profit - held for orders) / (maintenance + closing fees)`, each currency alone.
- Together: `mgnRatio = adjEq / (maintenance + closing fees)` in USD, adjEq the sum of each currency's equity times its
  discount rate; a negative equity counts in full, and its loan has a maintenance margin and a fee of its own.

Liquidation at 100 %. Sources: help pages of both modes, API v5 account and position-builder examples.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext

from tocsin.venues.contract import (
    NUMBERS,
    Evaluation,
    Leg,
    LegMargin,
    LiquidationPrice,
    MissingInput,
    Mode,
    NoPrice,
    Portfolio,
    Product,
)
from tocsin.venues.liquidation import find_liquidation
from tocsin.venues.okx_account import Account, Move, Sums
from tocsin.venues.okx_isolated import isolated_margin, make_health, no_price, tiers_basis, total
from tocsin.venues.okx_legs import borrowed_of, need_of, unrealised_of
from tocsin.venues.okx_rates import ONE, OPTIONS, ZERO
from tocsin.venues.params import Params
from tocsin.venues.products import mark_of, notional_at

BY_CURRENCY = "(balance + unrealised profit - held) / (notional x tier rate + closing fee), each currency alone"
TOGETHER = "adjEq / (sum of notional x tier rate + borrowing margin + closing fees), USD"


def evaluate_cross(portfolio: Portfolio, params: Params) -> Evaluation:
    """
    Evaluate spot and futures mode: each settlement currency alone; isolated legs beside it.

    Balances are wallet amounts without profit; `extra["held:CCY"]` is what orders, option purchases and isolated
    openings hold. Totals over several currencies need their prices in USD.

    Raises:
        MissingInput: A mark, an entry, a rate, or for several currencies a price or a balance is absent.
        VenueRefusal: A position is beyond its tiers.
    """
    with localcontext(NUMBERS):
        account = Account(portfolio, params)
        assets = sorted({leg.settle for leg in account.legs} | set(account.balances))
        used = sorted({leg.settle for leg in account.legs})
        if len(used) > 1 and (not portfolio.balances or portfolio.other_maintenance or portfolio.other_unrealised):
            raise MissingInput("balances", f"{', '.join(used)} are judged apart: give each its balance and its legs")
        sums = {asset: account.by_currency(asset, Move()) for asset in assets}
        signed: dict[str, Decimal] = {}
        for asset, part in sums.items():
            ratio = part.ratio()
            if ratio is not None:
                signed[f"mgnRatio:{asset}"] = ratio
        ratios = [signed[k] for k in signed]
        busy = [asset for asset in assets if sums[asset].maintenance]

        def gap_of(leg: Leg) -> Callable[[Move], Decimal] | None:
            return None if sums[leg.settle].equity is None else lambda move: _gap(account.by_currency(leg.settle, move))

        legs = _legs(account, gap_of, BY_CURRENCY, signed)
        unit, prices = _unit(account, assets)
        worst = min(ratios) if ratios and len(ratios) == len(busy) else None
        if worst is not None:
            signed["mgnRatio"] = worst
        signed["liquidation_requirement"] = sum(((s.maintenance + s.fees) * prices[a] for a, s in sums.items()), ZERO)
        return Evaluation(
            rules="okx-cross",
            unit=unit,
            equity=total([None if (e := sums[a].equity) is None else e * prices[a] for a in assets]),
            initial=total([None if (i := sums[a].initial) is None else i * prices[a] for a in assets]),
            maintenance=sum((sums[a].maintenance * prices[a] for a in assets), ZERO),
            legs=legs,
            health=make_health(worst, account.rates.account) if busy else None,
            basis=account.rates.account.basis(BY_CURRENCY, *account.rates.basis_notes()),
            signed=signed,
        )


def evaluate_multi(portfolio: Portfolio, params: Params) -> Evaluation:
    """
    Evaluate multi-currency mode, USD. Without balances `portfolio.equity` is adjEq; isolated legs stand beside it.

    Raises:
        MissingInput: As `evaluate_cross`, or a discount rate (`extra["discount:CCY"]`) or a loan's rate is absent.
    """
    with localcontext(NUMBERS):
        account = Account(portfolio, params)
        sums = account.together(Move())
        signed: dict[str, Decimal] = {}

        def gap_of(leg: Leg) -> Callable[[Move], Decimal] | None:  # noqa: ARG001
            return None if sums.equity is None else lambda move: _gap(account.together(move))

        legs = _legs(account, gap_of, TOGETHER, signed)
        ratio = sums.ratio()
        if sums.equity is not None:
            signed["adjEq"] = sums.equity
        signed["fees"] = sums.fees
        signed["liquidation_requirement"] = sums.maintenance + sums.fees
        if ratio is not None:
            signed["mgnRatio"] = ratio
        return Evaluation(
            rules="okx-multi",
            unit="USD",
            equity=sums.equity,
            initial=sums.initial,
            maintenance=sums.maintenance,
            legs=legs,
            health=make_health(ratio, account.rates.account) if sums.maintenance else None,
            basis=account.collateral.basis(TOGETHER, *account.rates.basis_notes()),
            signed=signed,
        )


def _gap(sums: Sums) -> Decimal:
    return (sums.equity or ZERO) - sums.maintenance - sums.fees


def _unit(account: Account, assets: Sequence[str]) -> tuple[str, dict[str, Decimal]]:
    """Return the unit of totals and each currency's price in it: the only currency itself, else USD."""
    if len(assets) <= 1:
        return (assets[0] if assets else account.portfolio.valuation), dict.fromkeys(assets, ONE)
    return "USD", {asset: account.price(asset, Move()) for asset in assets}


def _legs(
    account: Account,
    gap_of: Callable[[Leg], Callable[[Move], Decimal] | None],
    formula: str,
    signed: dict[str, Decimal],
) -> tuple[LegMargin, ...]:
    result: list[LegMargin] = []
    for leg in account.portfolio.legs:
        if leg.mode is Mode.ISOLATED:
            result.append(isolated_margin(leg, account.rates, account.params, account.portfolio, signed))
        else:
            result.append(_cross_margin(account, leg, gap_of(leg), formula))
    return tuple(result)


def _cross_margin(account: Account, leg: Leg, gap: Callable[[Move], Decimal] | None, formula: str) -> LegMargin:
    mark = mark_of(leg)
    need = need_of(leg, mark, account.rates, account.portfolio.extra)
    notes: tuple[str, ...] = ()
    if leg.product in (Product.LINEAR, Product.INVERSE):
        _, size, note = account.rates.table(leg)
        notes = (note,) if note else (f"tier of {size} contracts of the family",)
    if gap is None:
        notes = (*notes, "balances: the money behind the cross positions is not given")
    spot = leg.product is Product.SPOT_MARGIN
    owed = borrowed_of(leg, account.portfolio.extra) if spot else None
    worth = abs(leg.size) * leg.contract_size * (leg.index or ONE) if leg.product in OPTIONS else notional_at(leg, mark)
    return LegMargin(
        symbol=leg.symbol,
        unit=leg.settle,
        notional=worth if owed is None else owed.owed_in_quote(mark) / owed.unit_in_quote(mark),
        initial=need.initial,
        maintenance=need.maintenance,
        unrealised=unrealised_of(leg, mark),
        rate=need.rate,
        tier=need.tier,
        orders=need.orders,
        liquidation=_liquidate(account, leg, gap, need.tier),
        basis=tiers_basis(leg, account.params, formula, *notes),
    )


def _liquidate(account: Account, leg: Leg, gap: Callable[[Move], Decimal] | None, tier: int | None) -> LiquidationPrice:
    """
    Return the price of a leg at which the account reaches its threshold, all of its underlying moving in proportion.
    """
    others = tuple(sorted({o.symbol for o in account.legs if o.underlying != leg.underlying}))
    if gap is None:
        return no_price(NoPrice.INPUT_MISSING, others=others)
    if leg.product in OPTIONS:
        return no_price(NoPrice.OPTION, others=others)
    mark = mark_of(leg)
    same = [o for o in account.legs if o.underlying == leg.underlying]
    coin = account.balances.get(leg.underlying)
    alone = len(same) == 1 and (coin is None or not coin.amount) and leg.settle != leg.underlying
    towards = ("down" if leg.size > 0 else "up") if alone else "both"
    return find_liquidation(
        lambda price: gap(Move(leg.underlying, price / mark)),
        mark=mark,
        towards=towards,
        edges=[mark * factor for factor in _BENDS] if not alone else (),
        binding="account",
        others=others,
        tier_at=lambda _: tier,
    )


_BENDS = tuple(Decimal(n) / 20 for n in range(1, 60) if n != 20)
"""Factors of the mark at which a gap that is not monotone (collateral that moves with the price) is probed."""
