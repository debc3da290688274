"""
Margin balance of a Bybit unified account, in USD: each coin's wallet and profit, positive sums at their ratio.

Cross margin counts wallet and profit of perpetuals and futures; portfolio margin the value of options too. A coin that
is owed (a negative sum) is counted in full. Collateral value ratios are marginal: each slice of an amount at its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from tocsin.venues import VenueRefusal
from tocsin.venues.contract import MissingInput, Portfolio
from tocsin.venues.params import Params

ZERO, ONE = Decimal(0), Decimal(1)
STABLE = ("USD", "USDT", "USDC")
"""Taken at 1 USD where the payload has no price for them; the basis says so."""


@dataclass(slots=True)
class Wallet:
    """
    What stands behind cross legs. `amounts` by coin without profit; None: only the published `equity` is known.
    """

    amounts: dict[str, Decimal] | None
    prices: dict[str, Decimal]
    ratios: dict[str, list[tuple[Decimal | None, Decimal]]]
    fixed: Decimal
    notes: list[str]

    def balance(self, profits: Mapping[str, Decimal]) -> Decimal:
        """
        Return the margin balance in USD when legs have made these profits by coin (published equity: since the mark).
        """
        total = self.fixed
        if self.amounts is None:
            return total + sum((p * self.prices[a] for a, p in profits.items()), ZERO)
        for asset in {*self.amounts, *profits}:
            amount = self.amounts.get(asset, ZERO) + profits.get(asset, ZERO)
            total += weigh(amount, self.ratios.get(asset)) * self.prices[asset]
        return total


def read_wallet(
    portfolio: Portfolio, params: Params, needed: Mapping[str, Decimal | None], option_value: Decimal
) -> Wallet | None:
    """
    Return the wallet behind cross legs, None where neither balances nor equity are given.

    Args:
        needed: Coins that legs settle in, each with its price in USD as the legs tell it (None: they do not).
        option_value: USD added to what the coins are worth.

    Raises:
        MissingInput: A coin with an amount has no price or no collateral value ratio, or a loan no margin.
    """
    notes: list[str] = []
    prices: dict[str, Decimal] = {}
    wanted = {**needed, **{b.asset: b.price for b in portfolio.balances if b.price is not None}}
    for asset in sorted({*needed, *(b.asset for b in portfolio.balances)}):
        prices[asset] = _price(asset, wanted.get(asset), notes)
    if not portfolio.balances:
        if portfolio.equity is None:
            return None
        notes.append("margin balance is the venue's published equity; profits are counted in full from there")
        return Wallet(None, prices, {}, portfolio.equity, notes)
    amounts = {b.asset: b.amount for b in portfolio.balances}
    ratios = {a: _ratio(portfolio, params, a) for a in {*amounts, *needed} if a in needed or amounts[a] > 0}
    return Wallet(amounts, prices, ratios, option_value + (portfolio.other_unrealised or ZERO), notes)


def read_loans(portfolio: Portfolio) -> tuple[Decimal, Decimal]:
    """
    Return initial and maintenance margin of borrowed coins in USD, as given in `extra`.

    Raises:
        MissingInput: Something is borrowed and `extra["borrow_initial"]` or `extra["borrow_maintenance"]` is not given.
    """
    owed = [b.asset for b in portfolio.balances if b.borrowed]
    names = ("borrow_initial", "borrow_maintenance")
    for name in names:
        if owed and name not in portfolio.extra:
            why = f"{owed[0]} is borrowed; the venue's borrowing rates are not shipped: give the margin in USD"
            raise MissingInput(f'extra["{name}"]', why)
        if portfolio.extra.get(name, ZERO) < 0:
            raise VenueRefusal(f'extra["{name}"] must be 0 or more, was {portfolio.extra[name]}')
    return portfolio.extra.get(names[0], ZERO), portfolio.extra.get(names[1], ZERO)


def weigh(amount: Decimal, tiers: list[tuple[Decimal | None, Decimal]] | None) -> Decimal:
    """
    Return what an amount of a coin counts: slices at their ratios if it is positive, in full if it is owed.
    """
    if amount <= 0:
        return amount
    if tiers is None:
        raise MissingInput("collateral_rate", "a positive amount of a coin needs its collateral value ratio")
    total, floor = ZERO, ZERO
    for cap, ratio in tiers:
        top = amount if cap is None else min(amount, cap)
        total += max(top - floor, ZERO) * ratio
        floor = top
    return total


def _price(asset: str, price: Decimal | None, notes: list[str]) -> Decimal:
    if price is not None:
        return price
    if asset not in STABLE:
        raise MissingInput(f"balances.{asset}.price", "its value in USD is part of the margin balance")
    if asset != "USD":
        notes.append(f"{asset} is taken at 1 USD")
    return ONE


def _ratio(portfolio: Portfolio, params: Params, asset: str) -> list[tuple[Decimal | None, Decimal]]:
    given = portfolio.extra.get(f"collateral_rate:{asset}")
    if given is not None:
        return [(None, given)]
    if asset == "USD":
        return [(None, ONE)]
    source = params.get("collateral")
    if asset not in source.get("ratios"):
        why = f"no collateral value ratio of {asset} is shipped; give it (GET /v5/account/collateral-info)"
        raise MissingInput(f'extra["collateral_rate:{asset}"]', why)
    return source.decode(list[tuple[Decimal | None, Decimal]], "ratios", asset)
