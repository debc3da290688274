"""
Binance USD-M and COIN-M futures: one-way and hedge mode, isolated and cross, single-asset and multi-assets.

Initial margin is notional / leverage, maintenance `notional x rate - cum` by the bracket of each leg; notional is at
the mark, in the margin asset (COIN-M: contracts x contract size / mark, in coins). Cross legs of one margin asset share
its wallet; with `extra["multi_assets"] = 1` all cross legs share all assets of the USD-M wallet, valued in USD.
Liquidation is where margin ratio = maintenance / margin balance reaches 100 %.
"""

from decimal import Decimal

from tocsin.venues import VenueRefusal
from tocsin.venues.binance_legs import FORMULA, Valued, margin_of, name_others, solve_leg, value_leg
from tocsin.venues.binance_pools import Pool, multi_pool, single_pools
from tocsin.venues.binance_tables import COINM, USDM
from tocsin.venues.contract import (
    NUMBERS,
    Evaluation,
    Health,
    LegMargin,
    LiquidationPrice,
    MissingInput,
    Mode,
    NoPrice,
    Portfolio,
    Product,
    Threshold,
)
from tocsin.venues.params import Params, ParamSet
from tocsin.venues.products import entry_of, profit_between

ZERO = Decimal(0)
THRESHOLDS = (
    Threshold(value=Decimal("0.8"), worse="up", effect="Binance advises to stay below"),
    Threshold(value=Decimal(1), worse="up", effect="liquidation"),
)


def evaluate_usdm(portfolio: Portfolio, params: Params) -> Evaluation:
    """
    Return margins of USD-M futures under single-asset or multi-assets mode.
    """
    return _evaluate(portfolio, params, "binance-usdm", Product.LINEAR, USDM)


def evaluate_coinm(portfolio: Portfolio, params: Params) -> Evaluation:
    """
    Return margins of COIN-M futures, in coins.
    """
    return _evaluate(portfolio, params, "binance-coinm", Product.INVERSE, COINM)


def _evaluate(portfolio: Portfolio, params: Params, rules: str, product: Product, name: str) -> Evaluation:
    for leg in portfolio.legs:
        if leg.product is not product:
            raise VenueRefusal(f"{rules} has no rule for {leg.symbol}: it is {leg.product}, wanted {product}")
    multi = bool(portfolio.extra.get("multi_assets"))
    valued = [value_leg(leg, params) for leg in portfolio.legs]
    isolated = [v for v in valued if v.leg.mode is Mode.ISOLATED]
    cross = [v for v in valued if v.leg.mode is not Mode.ISOLATED]
    if multi and isolated:
        raise VenueRefusal(f"multi-assets mode is cross only; {isolated[0].leg.symbol} is isolated")
    pools = multi_pool(portfolio, cross, params) if multi else single_pools(portfolio, cross, isolated)
    legs = {id(v): _isolated_margin(v) for v in isolated}
    legs |= {id(v): _cross_margin(v, pool) for pool in pools for v in pool.legs}
    margins = tuple(legs[id(v)] for v in valued)
    return _total(portfolio, rules, pools, isolated, margins, params.get(name))


def _isolated_margin(v: Valued) -> LegMargin:
    collateral = v.leg.isolated_collateral
    if collateral is None:
        raise MissingInput(
            "isolated_collateral", f"{v.leg.symbol} is isolated; isolatedWallet is what stands behind it"
        )
    entry = entry_of(v.leg)

    def gap(price: Decimal) -> Decimal:
        return collateral + profit_between(v.leg, entry, price) - v.maintenance_at(price)

    return margin_of(v, solve_leg(v, gap, [v], "leg", ()))


def _cross_margin(v: Valued, pool: Pool) -> LegMargin:
    if pool.equity is None:
        none = LiquidationPrice(price=None, reason=NoPrice.INPUT_MISSING, binding="account")
        return margin_of(v, none, f"{pool.lacking} missing: the margin balance behind the leg is not known")
    moving = pool.moving(v)
    free = pool.equity - pool.maintenance

    def gap(price: Decimal) -> Decimal:
        profit, extra = ZERO, ZERO
        for w in moving:
            profit += profit_between(w.leg, w.mark, price)
            extra += w.maintenance_at(price) - w.maintenance
        return free + pool.worth(v.asset, profit) - extra * pool.prices.get(v.asset, Decimal(1))

    others = name_others(pool.by_symbol, v.leg.symbol)
    return margin_of(v, solve_leg(v, gap, moving, "account" if len(moving) == 1 else "hedged pair", others))


def _total(
    portfolio: Portfolio,
    rules: str,
    pools: list[Pool],
    isolated: list[Valued],
    margins: tuple[LegMargin, ...],
    source: ParamSet,
) -> Evaluation:
    assets = sorted({m.unit for m in margins} | {p.name for p in pools})
    unit, prices = _unit(portfolio, pools, assets)
    equity: Decimal | None = ZERO
    maintenance, signed = ZERO, dict[str, Decimal]()
    ratios: list[tuple[Decimal | None, str]] = []
    for pool in pools:
        maintenance += pool.maintenance * prices[pool.name]
        equity = None if equity is None or pool.equity is None else equity + pool.equity * prices[pool.name]
        signed[f"crossMaintMargin {pool.name}"] = pool.maintenance
        if pool.equity is not None:
            signed[f"crossMarginBalance {pool.name}"] = pool.equity
            if pool.legs:
                ratios.append((pool.maintenance / pool.equity if pool.equity > 0 else None, f"cross {pool.name}"))
    for v in isolated:
        value = (v.leg.isolated_collateral or ZERO) + (v.profit or ZERO)
        maintenance += v.maintenance * prices[v.asset]
        equity = None if equity is None else equity + value * prices[v.asset]
        ratios.append((v.maintenance / value if value > 0 else None, f"isolated {v.leg.symbol}"))
    if not portfolio.legs:
        equity = portfolio.equity if portfolio.equity is not None else _wallets(portfolio)
    initial = sum((m.initial * _price_of(prices, pools, m.unit) for m in margins if m.initial is not None), ZERO)
    notes = [f"the worst of {len(ratios)} pools is shown"] if len(ratios) > 1 else []
    return Evaluation(
        rules=rules,
        unit=unit,
        equity=equity,
        initial=initial,
        maintenance=maintenance,
        legs=margins,
        health=_health(ratios),
        basis=source.basis(FORMULA, *notes),
        signed=signed,
    )


def _wallets(portfolio: Portfolio) -> Decimal | None:
    if len(portfolio.balances) == 1:
        return portfolio.balances[0].amount
    return ZERO if not portfolio.balances else None


def _unit(portfolio: Portfolio, pools: list[Pool], assets: list[str]) -> tuple[str, dict[str, Decimal]]:
    """
    Return the unit of the account's totals and the price of each margin asset in it.
    """
    if not assets:
        unit = portfolio.balances[0].asset if len(portfolio.balances) == 1 else portfolio.valuation
        return unit, {}
    if len(assets) == 1:
        return assets[0], {assets[0]: Decimal(1)}
    if pools and pools[0].name == "USD":
        return "USD", {"USD": Decimal(1), **pools[0].prices}
    known = {b.asset: b.price for b in portfolio.balances}
    prices: dict[str, Decimal] = {}
    for asset in assets:
        price = known.get(asset)
        if price is None:
            why = f"the account has margin in {', '.join(assets)}: its totals need the price of {asset}"
            raise MissingInput("price", why + f" in {portfolio.valuation}")
        prices[asset] = price
    return portfolio.valuation, prices


def _price_of(prices: dict[str, Decimal], pools: list[Pool], asset: str) -> Decimal:
    return prices[asset] if asset in prices else pools[0].prices[asset]


def _health(ratios: list[tuple[Decimal | None, str]]) -> Health | None:
    """
    Return the worst margin ratio; a pool whose balance is gone (None) is worse than any number.
    """
    if not ratios:
        return None
    value, where = max(ratios, key=lambda r: NUMBERS.create_decimal("Infinity") if r[0] is None else r[0])
    state = f"{where}: margin balance is 0 or less" if value is None else where
    return Health(name="margin ratio", value=value, thresholds=THRESHOLDS, state=state)
