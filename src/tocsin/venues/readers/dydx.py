"""
Reader of dYdX's indexer: a subaccount with its open positions and its USDC, a market's oracle price and fractions.

The indexer gives no mark; the oracle price is `entryPrice + unrealizedPnl / size`. USDC of the subaccount already holds
what the positions cost; `+ sum size x entryPrice` makes it money without unrealised profit.
"""

from decimal import Decimal

import msgspec

from tocsin.venues.contract import NUMBERS, Balance, Leg, Mode, Product
from tocsin.venues.readers.names import underlying_of
from tocsin.venues.reading import ACCOUNT, Draft, Fields, PayloadError, Reader

SIDES = {"LONG": 1, "SHORT": -1}


def read_subaccount(element: Fields, draft: Draft) -> None:
    """
    Read one subaccount: open positions, USDC, equity and free collateral.
    """
    positions = element.inner("openPerpetualPositions")
    for market in positions.names():
        read_position(positions.inner(market), draft)
    quote = Decimal(0)
    assets = element.inner("assetPositions")
    for name in assets.names():
        item = assets.inner(name)
        if name != "USDC":
            raise PayloadError(f"{item.where}: USDC is the only asset of a subaccount, was {name}")
        quote = item.number("size") * item.choice("side", SIDES)
    add_quote(draft, quote)
    draft.report(ACCOUNT, "equity", element.optional("equity"), "equity")
    draft.report(ACCOUNT, "freeCollateral", element.optional("freeCollateral"), "freeCollateral")


def add_quote(draft: Draft, quote: Decimal) -> None:
    """
    Note the subaccount's USDC as money without unrealised profit: what its positions cost is added back.
    """
    for leg in draft.legs:
        if leg.entry is not None:
            quote = NUMBERS.add(quote, NUMBERS.multiply(leg.size, leg.entry))
    draft.add_balance(Balance(asset="USDC", amount=quote, price=Decimal(1)))


def read_position(item: Fields, draft: Draft) -> None:
    """
    Read one open position; its mark is the oracle price that its unrealised profit implies.
    """
    symbol, size, entry = item.text("market"), item.number("size"), item.positive("entryPrice")
    sign = item.choice("side", SIDES)
    if not size or (size > 0) != (sign > 0):
        raise PayloadError(f"{item.where}: size must be signed as side and not 0, was {size}")
    oracle = NUMBERS.add(entry, NUMBERS.divide(item.number("unrealizedPnl"), size))
    if oracle <= 0:
        raise PayloadError(f"{item.where}: unrealizedPnl implies an oracle price of {oracle}, which must be above 0")
    leg = Leg(
        symbol=symbol,
        underlying=underlying_of(symbol),
        product=Product.LINEAR,
        size=size,
        settle="USDC",
        entry=entry,
        mark=oracle,
        mode=Mode.CROSS,
    )
    place = draft.add_leg(leg)
    draft.report(place, "unrealised", item.optional("unrealizedPnl"), "unrealizedPnl")
    draft.see_price(place, "oracle by unrealizedPnl", oracle)


def refine_account(account: Fields, draft: Draft) -> None:
    """
    Put a recorded account's quote balance right: it holds what the positions cost.
    """
    if account.has("quoteBalance") and "USDC" in draft.balances:
        found = draft.balances.pop("USDC")
        add_quote(draft, found.amount)


def refine(raw: Fields, leg: Leg, draft: Draft) -> Leg:
    """
    Return a recorded leg without the collector's maintenance rate: the market's tier is the venue's own.
    """
    del raw, draft
    return msgspec.structs.replace(leg, maintenance_rate=None) if leg.initial_rate is None else leg


def finish(draft: Draft) -> None:
    """
    Name the rulebook.
    """
    draft.rules = "dydx"
    draft.valuation = "USDC"


READERS = (
    Reader(
        venue="dydx",
        endpoint="/v4/addresses/{address}/subaccountNumber/{n}",
        path=("subaccount",),
        keys=("openPerpetualPositions", "assetPositions", "freeCollateral"),
        read=read_subaccount,
        holds="account",
    ),
    Reader(
        venue="dydx",
        endpoint="/v4/perpetualPositions",
        path=("positions",),
        keys=("market", "size", "sumOpen", "unrealizedPnl", "netFunding"),
        read=read_position,
    ),
)
