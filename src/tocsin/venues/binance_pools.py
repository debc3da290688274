"""
Who shares what in Binance's futures: the legs and the money of a cross pool, in single-asset and multi-assets mode.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from tocsin.venues import VenueRefusal
from tocsin.venues.binance_legs import Valued
from tocsin.venues.contract import Balance, MissingInput, Portfolio
from tocsin.venues.params import Params
from tocsin.venues.products import entry_of, profit_between

ZERO = Decimal(0)


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


def single_pools(portfolio: Portfolio, cross: list[Valued], isolated: list[Valued]) -> list[Pool]:
    """
    Return one pool a margin asset: its cross legs on its wallet less what isolated legs hold.
    """
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


def multi_pool(portfolio: Portfolio, cross: list[Valued], params: Params) -> list[Pool]:
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
