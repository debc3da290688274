"""
Binance portfolio margin: one ratio, uniMMR, over cross margin, USD-M and COIN-M wallets.

`uniMMR = (sum of min(x x price x rate, x x price) - open loss) / sum of maintenance`, x = margin asset - loan + futures
wallet + futures profit of each asset: a negative sum takes no haircut. Maintenance is that of every futures position by
its bracket, at the asset's price, and a rate of each loan by the margin leverage. It nets collateral, never risk: legs
do not offset each other.
"""

from decimal import Decimal

from tocsin.venues import VenueRefusal
from tocsin.venues.binance_legs import Valued, margin_of, name_others, solve_leg, value_leg
from tocsin.venues.contract import (
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
RULES = "binance-pm"
FORMULA = "uniMMR = adjusted equity / maintenance, both in USD"
STABLE = frozenset({"USDT", "USDC", "USD1", "FDUSD", "BUSD"})
HELD = "liquidation price: this market's mark moves alone; prices of collateral are held"


def evaluate_pm(portfolio: Portfolio, params: Params) -> Evaluation:
    """
    Return maintenance, adjusted equity and uniMMR.

    `extra["open_loss"]` (USD, >= 0) and `extra["margin_leverage"]` (3, 5 or 10; needed where something is borrowed) are
    the account's; `extra["collateral_rate:ASSET"]` overrides a shipped rate. Balances hold wallets of all three kinds,
    loans inside, with their index price. Where a balance lacks its price, or there is none, `equity` is taken as the
    venue's `accountEquity`. A dollar stablecoin without a price counts as 1 USD.
    """
    for leg in portfolio.legs:
        if leg.product not in (Product.LINEAR, Product.INVERSE):
            raise VenueRefusal(f"{RULES} has no rule for {leg.symbol}: it is {leg.product}, wanted linear or inverse")
        if leg.mode is Mode.ISOLATED:
            raise VenueRefusal(f"portfolio margin knows no isolated position; {leg.symbol} is isolated")
    rules = params.get("portfolio_margin")
    valued = [value_leg(leg, params) for leg in portfolio.legs]
    prices = _prices(portfolio, valued)
    loans, loan_initial = _loans(portfolio, rules)
    futures = sum((v.maintenance * prices[v.asset] for v in valued), ZERO)
    maintenance = futures + loans + (portfolio.other_maintenance or ZERO)
    limit = rules.number("liquidation")
    book = _Collateral(portfolio, valued, params, prices)
    equity = book.equity()
    margins = tuple(_leg_margin(v, valued, book, equity, maintenance, limit) for v in valued)
    initial = sum((v.initial + v.orders) * prices[v.asset] for v in valued) + loan_initial
    signed = {"sumMM": maintenance, "marginMM": loans, "liquidation_requirement": limit * maintenance}
    if equity is not None:
        signed["adjustedEquity"] = equity
        if maintenance > 0:
            signed["uniMMR"] = equity / maintenance
    return Evaluation(
        rules=RULES,
        unit="USD",
        equity=equity,
        initial=Decimal(initial),
        maintenance=maintenance,
        legs=margins,
        health=_health(rules, equity, maintenance),
        basis=rules.basis(FORMULA, HELD),
        signed=signed,
    )


class _Collateral:
    """
    Adjusted equity as a function of one symbol's price.
    """

    def __init__(self, portfolio: Portfolio, valued: list[Valued], params: Params, prices: dict[str, Decimal]) -> None:
        priced = bool(portfolio.balances) and all(b.price is not None for b in portfolio.balances)
        self.given = None if priced else portfolio.equity
        self.known = priced or self.given is not None
        self.prices = prices
        self.open_loss = portfolio.extra.get("open_loss", ZERO) - (portfolio.other_unrealised or ZERO)
        self.amounts = {b.asset: b.amount for b in portfolio.balances}
        self.rates: dict[str, Decimal] = {}
        if not priced:
            return
        for v in valued:
            profit = profit_between(v.leg, entry_of(v.leg), v.mark)
            self.amounts[v.asset] = self.amounts.get(v.asset, ZERO) + profit
        shipped = params.get("collateral")
        for asset in self.amounts:
            given = portfolio.extra.get(f"collateral_rate:{asset}")
            self.rates[asset] = shipped.number("rates", asset) if given is None else given

    def equity(self, changes: dict[str, Decimal] | None = None) -> Decimal | None:
        """
        Return adjusted equity in USD after changes of the assets' sums; None where it is not known.
        """
        if not self.known:
            return None
        changes = changes or {}
        if self.given is not None:
            return self.given + sum((change * self.prices[asset] for asset, change in changes.items()), ZERO)
        total = -self.open_loss
        for asset, amount in self.amounts.items():
            worth = (amount + changes.get(asset, ZERO)) * self.prices[asset]
            total += min(worth * self.rates[asset], worth)
        return total


def _prices(portfolio: Portfolio, valued: list[Valued]) -> dict[str, Decimal]:
    prices: dict[str, Decimal] = {}
    for balance in portfolio.balances:
        if balance.price is not None:
            prices[balance.asset] = balance.price
        elif portfolio.equity is None:
            raise MissingInput("price", f"balance {balance.asset}: portfolio margin values it at its index price")
    for v in valued:
        if v.asset in prices:
            continue
        index = portfolio.extra.get(f"price:{v.asset}")
        if v.leg.product is Product.INVERSE:
            index = index or v.leg.index or v.mark
        if index is None and v.asset in STABLE:
            index = Decimal(1)
        if index is None:
            raise MissingInput("balances", f"the price of {v.asset} in USD is needed: give its balance, even of 0")
        prices[v.asset] = index
    return prices


def _loans(portfolio: Portfolio, rules: ParamSet) -> tuple[Decimal, Decimal]:
    """
    Return maintenance and initial margin of the loans in USD: rate by leverage, and loan / (leverage - 1).
    """
    owed = ZERO
    for balance in portfolio.balances:
        if balance.borrowed and balance.price is None:
            raise MissingInput("price", f"balance {balance.asset}: its loan is margined at its index price")
        owed += balance.borrowed * (balance.price or ZERO)
    if not owed:
        return ZERO, ZERO
    leverage = portfolio.extra.get("margin_leverage")
    if leverage is None:
        raise MissingInput("extra.margin_leverage", "the maintenance rate of loans depends on it: 3, 5 or 10")
    rate = rules.number("loan_maintenance", f"{leverage.normalize():f}")
    return owed * rate, owed / (leverage - 1)


def _leg_margin(
    v: Valued, valued: list[Valued], book: _Collateral, equity: Decimal | None, maintenance: Decimal, limit: Decimal
) -> LegMargin:
    if equity is None:
        none = LiquidationPrice(price=None, reason=NoPrice.INPUT_MISSING, binding="account")
        return margin_of(v, none, "balances missing: the adjusted equity is not known")
    moving = [w for w in valued if w.leg.symbol == v.leg.symbol]

    def gap(price: Decimal) -> Decimal:
        changes: dict[str, Decimal] = {}
        needed = maintenance
        for w in moving:
            changes[w.asset] = changes.get(w.asset, ZERO) + profit_between(w.leg, w.mark, price)
            needed += (w.maintenance_at(price) - w.maintenance) * book.prices[w.asset]
        after = book.equity(changes)
        assert after is not None, "known at the mark, so known at every price"
        return after - limit * needed

    others = name_others(dict.fromkeys(w.leg.symbol for w in valued), v.leg.symbol)
    return margin_of(v, solve_leg(v, gap, moving, "account", others), HELD)


def _health(rules: ParamSet, equity: Decimal | None, maintenance: Decimal) -> Health:
    thresholds = tuple(
        Threshold(value=row["at"], worse="down", effect=row["effect"]) for row in rules.get("thresholds")
    )
    value = None if equity is None or not maintenance else equity / maintenance
    state = ""
    if value is not None:
        reached = [t.effect for t in thresholds if value <= t.value]
        state = reached[-1] if reached else "free"
    return Health(name="uniMMR", value=value, thresholds=thresholds, state=state)
