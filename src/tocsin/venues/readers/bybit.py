"""
Reader of Bybit's payloads: position list, wallet balance, account info, portfolio margin.

A position with a bankruptcy price belongs to a classic account: unified accounts leave `bustPrice` empty, and
`positionBalance` is not 0 in isolated margin alone. What a wallet
holds is `walletBalance - spotBorrow`; a coin's price is its `usdValue / equity`. Where the coins do not add up to
`totalEquity`, or a coin's collateral value ratio is not shipped, the published margin balance stands in for them.
`breakEvenPrice` tells the account's taker fee: entry x (1 + fee) / (1 - fee) for a long position.
"""

from decimal import Decimal

from tocsin.venues.contract import NUMBERS, Balance, Leg, Mode, Product
from tocsin.venues.params import load
from tocsin.venues.readers.bybit_portfolio import product_of, read_portfolio, terms_of
from tocsin.venues.readers.names import underlying_of
from tocsin.venues.reading import ACCOUNT, Draft, Fields, Reader

ZERO, ONE = Decimal(0), Decimal(1)
SIDES = {"Buy": 1, "Sell": -1}
HEDGE = {"0": "", "1": "long", "2": "short"}
RULES = {"REGULAR_MARGIN": "bybit", "ISOLATED_MARGIN": "bybit-isolated", "PORTFOLIO_MARGIN": "bybit-pm"}
_FEE_STEP, _FEE_MAX = Decimal("0.00001"), Decimal("0.002")


def read_position(element: Fields, draft: Draft) -> None:
    """
    Read one position; one of size 0 (a symbol that is only set up) is none.
    """
    size = element.number("size")
    if not size:
        return
    symbol = element.text("symbol")
    product = product_of(symbol)
    side: int = element.choice("side", SIDES)
    entry = element.optional_positive("avgPrice", "entryPrice")
    balance = element.optional("positionBalance")
    bust = element.optional_positive("bustPrice")
    isolated = element.optional_text("tradeMode") == "1" or draft.rules == "bybit-isolated"
    isolated = isolated or bool(balance and bust is None)
    stamp = element.optional_text("updatedTime", "updatedAt")
    draft.time = draft.time or stamp
    leg = Leg(
        symbol=symbol,
        underlying=underlying_of(symbol),
        product=product,
        size=size.copy_abs() * side,
        settle=_settle(symbol, product),
        entry=entry,
        mark=element.optional_positive("markPrice"),
        leverage=element.optional_positive("leverage"),
        mode=Mode.ISOLATED if isolated else Mode.CROSS,
        isolated_collateral=balance if isolated and balance else None,
        hedge_side=HEDGE.get(element.optional_text("positionIdx"), ""),
        fee_rate=find_fee(element, entry, side),
        option=terms_of(symbol, stamp) if product is Product.OPTION else None,
    )
    place = draft.add_leg(leg, stamp)
    draft.report(place, "initial", element.optional("positionIM"), "positionIM")
    draft.report(place, "maintenance", element.optional("positionMM"), "positionMM")
    draft.report(place, "unrealised", element.optional("unrealisedPnl"), "unrealisedPnl")
    draft.report_price(place, element, "liqPrice")
    for name in ("markPrice", "avgPrice", "entryPrice", "sessionAvgPrice"):
        draft.see_price(place, name, element.optional(name))
    if bust is not None and not isolated:
        draft.extra[f"bust_price:{symbol}"] = bust
        draft.rules = "bybit-classic"


def read_wallet(element: Fields, draft: Draft) -> None:
    """
    Read a unified account's wallet: its coins, and what the venue says of the whole.
    """
    total, worth, orders = element.number("totalEquity"), ZERO, ZERO
    draft.equity = element.optional("totalMarginBalance")
    for coin in element.each("coin"):
        equity, value = coin.optional("equity") or ZERO, coin.optional("usdValue") or ZERO
        worth += value
        amount = coin.number("walletBalance") - (coin.optional("spotBorrow") or ZERO)
        borrowed = (coin.optional("borrowAmount") or ZERO).copy_abs()
        if amount or borrowed:
            price = NUMBERS.divide(value, equity) if equity and value and (value > 0) == (equity > 0) else None
            draft.add_balance(Balance(asset=coin.text("coin"), amount=amount, price=price, borrowed=borrowed))
        held = coin.optional("totalOrderIM")
        if held and equity:
            orders += NUMBERS.multiply(held, NUMBERS.divide(value, equity))
    if abs(worth - total) > abs(total) / 200:
        draft.notes.append("the coins listed do not add up to totalEquity: the published margin balance stands in")
        draft.balances.clear()
    if draft.balances:
        draft.report(ACCOUNT, "equity", draft.equity, "totalMarginBalance", "USD")
    draft.report(ACCOUNT, "orders", orders or None, "totalOrderIM", "USD")
    draft.report(ACCOUNT, "initial", element.optional("totalInitialMargin"), "totalInitialMargin", "USD")
    draft.report(ACCOUNT, "maintenance", element.optional("totalMaintenanceMargin"), "totalMaintenanceMargin", "USD")
    draft.report(ACCOUNT, "ratio", element.optional("accountMMRate"), "accountMMRate")
    draft.report(ACCOUNT, "accountIMRate", element.optional("accountIMRate"), "accountIMRate")


def read_info(element: Fields, draft: Draft) -> None:
    """
    Read the account's margin mode.
    """
    draft.rules = element.choice("marginMode", RULES)
    if draft.rules == "bybit-pm":
        draft.mode = Mode.PORTFOLIO


def read_collateral(element: Fields, draft: Draft) -> None:
    """
    Read one coin's collateral value ratio: one for every amount, or the first tier where the amount held is within it.
    """
    coin = element.text("currency")
    tiers = element.each("collateralRatioList")
    ratio = tiers[0].optional("collateralRatio") if tiers else element.optional("collateralRatio")
    if ratio is not None and 0 <= ratio <= 1:
        draft.extra[f"collateral_rate:{coin}"] = ratio
        if len(tiers) > 1:
            draft.notes.append(
                f"{coin}: the first tier's collateral value ratio is used, up to {tiers[0].raw('maxQty')}"
            )


def finish(draft: Draft) -> Draft:
    """
    Name the rulebook, give up coins whose ratio is not shipped, and leave out margins of positions that are not here.
    """
    draft.venue = "bybit"
    if not draft.rules:
        alone = draft.legs and all(leg.mode is Mode.ISOLATED for leg in draft.legs)
        draft.rules = "bybit-isolated" if alone else "bybit"
    ratios = load("bybit", "collateral").get("ratios")
    known = {*ratios, *(name.partition(":")[2] for name in draft.extra if name.startswith("collateral_rate:"))}
    unknown = [b.asset for b in draft.balances.values() if b.amount > 0 and b.asset not in known]
    if unknown and draft.equity is not None:
        note = f"no collateral value ratio of {', '.join(unknown)} is shipped: the published margin balance stands in"
        draft.notes.append(note)
        draft.balances.clear()
        draft.reported = [f for f in draft.reported if f.quantity != "equity"]
    if not draft.legs:
        kept = [f for f in draft.reported if f.quantity not in ("initial", "maintenance", "ratio", "accountIMRate")]
        if len(kept) != len(draft.reported):
            draft.notes.append("no positions are in the payload: margins are not judged")
        draft.reported = kept
    return draft


def find_fee(element: Fields, entry: Decimal | None, side: int) -> Decimal | None:
    """
    Return the account's taker fee from `breakEvenPrice`, None where it is absent or holds more than fees.
    """
    even = element.optional_positive("breakEvenPrice")
    if even is None or entry is None:
        return None
    ratio = NUMBERS.divide(even, entry) if side > 0 else NUMBERS.divide(entry, even)
    fee = NUMBERS.divide(ratio - 1, ratio + 1).quantize(_FEE_STEP)
    if not 0 < fee <= _FEE_MAX:
        return None
    again = entry * ((1 + fee) / (1 - fee) if side > 0 else (1 - fee) / (1 + fee))
    return fee if abs(again - even) <= even * Decimal("1e-6") else None


def _settle(symbol: str, product: Product) -> str:
    if product is Product.INVERSE:
        return underlying_of(symbol)
    if product is Product.OPTION:
        return "USDT" if symbol.endswith("-USDT") else "USDC"
    return "USDT" if "USDT" in symbol else "USDC"


READERS = (
    Reader(
        venue="bybit",
        endpoint="GET /v5/account/info",
        path=("result",),
        keys=("marginMode", "unifiedMarginStatus"),
        read=read_info,
        holds="account",
    ),
    Reader(
        venue="bybit",
        endpoint="GET /v5/account/wallet-balance",
        path=("result", "list"),
        keys=("accountType", "coin", "totalEquity"),
        read=read_wallet,
        holds="account",
    ),
    Reader(
        venue="bybit",
        endpoint="account/wallet-balance: one account",
        path=(),
        keys=("accountType", "coin", "totalEquity"),
        read=read_wallet,
        holds="account",
    ),
    Reader(
        venue="bybit",
        endpoint="GET /v5/account/collateral-info",
        path=("result", "list"),
        keys=("currency", "collateralRatio", "collateralSwitch"),
        read=read_collateral,
        holds="account",
    ),
    Reader(
        venue="bybit",
        endpoint="GET /v5/spot-margin-trade/collateral",
        path=("result", "list"),
        keys=("currency", "collateralRatioList"),
        read=read_collateral,
        holds="account",
    ),
    Reader(
        venue="bybit",
        endpoint="GET /v5/asset/portfolio-margin",
        path=("result",),
        keys=("wallet", "assetPnlRange"),
        read=read_portfolio,
    ),
    Reader(
        venue="bybit",
        endpoint="GET /v5/position/list",
        path=("result", "list"),
        keys=("symbol", "side", "size", "positionIM", "positionMM"),
        read=read_position,
    ),
    Reader(
        venue="bybit",
        endpoint="position stream",
        path=("data",),
        keys=("symbol", "side", "size", "positionIM", "positionMM"),
        read=read_position,
    ),
    Reader(
        venue="bybit",
        endpoint="position/list: one position",
        path=(),
        keys=("symbol", "side", "size", "positionIM", "positionMM"),
        read=read_position,
    ),
)
