"""
Binance USD-M and COIN-M futures: one-way and hedge mode, isolated and cross, single-asset and multi-assets.

Initial margin is notional / leverage, maintenance `notional x rate - cum` by the bracket of each leg; notional is at
the mark, in the margin asset (COIN-M: contracts x contract size / mark, in coins). Cross legs of one margin asset share
its wallet; with `extra["multi_assets"] = 1` all cross legs share all assets of the USD-M wallet, valued in USD.
Liquidation is where margin ratio = maintenance / margin balance reaches 100 %.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from tocsin.venues import VenueRefusal
from tocsin.venues.binance_legs import FORMULA, Valued, margin_of, name_others, solve_leg, value_leg
from tocsin.venues.binance_tables import COINM, USDM
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


@dataclass(slots=True)
class Pool:
    """
    Legs that stand on one balance: a margin asset's wallet, or all of them. `equity` None where it is not known.

    `sums` and `rates` are of multi-assets mode: each asset's wallet and profit, and its collateral rate.
    """

    name: str
    legs: list[Valued]
    equity: Decimal | None
    maintenance: Decimal
    prices: dict[str, Decimal]
    lacking: str = ""
    sums: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    rates: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    by_symbol: dict[str, list[Valued]] = field(default_factory=dict[str, list[Valued]])

    def __post_init__(self) -> None:
        for v in self.legs:
            self.by_symbol.setdefault(v.leg.symbol, []).append(v)

    def moving(self, v: Valued) -> list[Valued]:
        """
        Return the legs whose price moves with one leg: those of its symbol.
        """
        return self.by_symbol[v.leg.symbol]

    def worth(self, asset: str, change: Decimal) -> Decimal:
        """
        Return what a change of an asset's sum is worth in the pool's unit: where it counts at a rate, only above 0.
        """
        price = self.prices.get(asset, Decimal(1))
        if asset not in self.rates:
            return change * price
        before, rate = self.sums[asset] * price, self.rates[asset]
        after = before + change * price
        return min(after * rate, after) - min(before * rate, before)


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
    pools = _multi_pool(portfolio, cross, params) if multi else _single_pools(portfolio, cross, isolated)
    legs = {id(v): _isolated_margin(v) for v in isolated}
    legs |= {id(v): _cross_margin(v, pool) for pool in pools for v in pool.legs}
    margins = tuple(legs[id(v)] for v in valued)
    return _total(portfolio, rules, pools, isolated, margins, params.get(name))


def _single_pools(portfolio: Portfolio, cross: list[Valued], isolated: list[Valued]) -> list[Pool]:
    pools: list[Pool] = []
    wallets = {b.asset: b for b in portfolio.balances}
    # A wallet that isolated legs were taken from is a pool of its own, also without cross legs.
    assets = sorted({v.asset for v in cross} | {v.asset for v in isolated if v.asset in wallets})
    for asset in assets:
        legs = [v for v in cross if v.asset == asset]
        aside = [v for v in isolated if v.asset == asset]
        alone = len(assets) == 1 and all(v.asset == asset for v in isolated)
        equity, lacking = _pool_equity(portfolio, wallets.get(asset), legs, aside, alone)
        maintenance = sum((v.maintenance for v in legs), ZERO)
        if portfolio.other_maintenance is not None:
            if not alone:
                raise VenueRefusal("other_maintenance is in one asset; the account has several margin assets")
            maintenance += portfolio.other_maintenance
        pools.append(Pool(asset, legs, equity, maintenance, {asset: Decimal(1)}, lacking))
    return pools


def _pool_equity(
    portfolio: Portfolio, wallet: Balance | None, legs: list[Valued], aside: list[Valued], alone: bool
) -> tuple[Decimal | None, str]:
    """
    Return the margin balance of a cross pool: wallet less what isolated legs hold, plus profit; or the field lacking.
    """
    held = [v.leg.isolated_collateral for v in aside]
    if wallet is None:
        if portfolio.equity is None or not alone:
            return None, "balances"
        apart = ZERO
        for v in aside:
            if v.leg.isolated_collateral is None or v.profit is None:
                return None, "isolated_collateral"
            apart += v.leg.isolated_collateral + v.profit
        return portfolio.equity - apart, ""
    if any(v.profit is None for v in legs):
        return None, "entry"
    profit = sum((v.profit for v in legs if v.profit is not None), ZERO)
    amount = wallet.amount - sum((h for h in held if h is not None), ZERO)
    return amount + profit + ((portfolio.other_unrealised or ZERO) if alone else ZERO), ""


def _multi_pool(portfolio: Portfolio, cross: list[Valued], params: Params) -> list[Pool]:
    """
    Return the one pool of multi-assets mode, in USD: each asset's wallet and profit, positive sums at their rate.
    """
    if not cross:
        return []
    if not portfolio.balances:
        return [_published_pool(portfolio, cross)]
    rates = params.get("multi_assets")
    amounts = {b.asset: b.amount for b in portfolio.balances}
    prices: dict[str, Decimal] = {}
    for balance in portfolio.balances:
        if balance.price is None:
            raise MissingInput("price", f"balance {balance.asset} has no price in USD, which multi-assets mode needs")
        prices[balance.asset] = balance.price
    for v in cross:
        if v.asset not in prices:
            raise MissingInput(
                "balances", f"the price of {v.asset} in USD is needed: give its balance, also if it is 0"
            )
        amounts[v.asset] += profit_between(v.leg, entry_of(v.leg), v.mark)
    equity = portfolio.other_unrealised or ZERO
    used: dict[str, Decimal] = {}
    for asset, amount in amounts.items():
        given = portfolio.extra.get(f"collateral_rate:{asset}")
        used[asset] = rates.number("rates", asset) if given is None else given
        worth = amount * prices[asset]
        equity += min(worth * used[asset], worth)
    maintenance = sum((v.maintenance * prices[v.asset] for v in cross), ZERO) + (portfolio.other_maintenance or ZERO)
    return [Pool("USD", cross, equity, maintenance, prices, sums=amounts, rates=used)]


def _published_pool(portfolio: Portfolio, cross: list[Valued]) -> Pool:
    """
    Return the pool with the venue's own equity in USD; a margin asset without `extra["price:ASSET"]` counts as 1 USD.
    """
    prices = {v.asset: portfolio.extra.get(f"price:{v.asset}", Decimal(1)) for v in cross}
    maintenance = sum((v.maintenance * prices[v.asset] for v in cross), ZERO) + (portfolio.other_maintenance or ZERO)
    lacking = "balances" if portfolio.equity is None else ""
    return Pool("USD", cross, portfolio.equity, maintenance, prices, lacking)


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
