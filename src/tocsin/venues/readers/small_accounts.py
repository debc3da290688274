"""
Readers of smaller venues' account payloads: the money behind cross positions, and what the venue says of the whole.

An account read alone holds its unrealised profit as that of positions left out; with a position payload beside it the
positions' own profit counts instead (`small.finish`).
"""

from decimal import Decimal

from tocsin.venues.contract import NUMBERS, Balance, Leg, Mode, Product
from tocsin.venues.readers.names import underlying_of
from tocsin.venues.reading import ACCOUNT, Draft, Fields, PayloadError, Reader

ONE = Decimal(1)
_SIDES = {"LONG": 1, "SHORT": -1}


def _note(draft: Draft, item: Fields, rules: str, *names: str) -> None:
    draft.venue = rules.split("-", maxsplit=1)[0]
    draft.rules = draft.rules or rules
    for name in names:
        draft.report(ACCOUNT, name, item.optional(name), name)


def read_bingx(item: Fields, draft: Draft) -> None:
    """
    Read one asset of BingX's futures account.
    """
    draft.add_balance(Balance(asset=item.text("asset"), amount=item.number("balance")))
    draft.other_unrealised = item.optional("unrealizedProfit")
    _note(draft, item, "bingx", "usedMargin", "availableMargin")
    draft.report(ACCOUNT, "equity", item.optional("equity"), "equity")


def read_gate(item: Fields, draft: Draft) -> None:
    """
    Read Gate's futures account: `total` is money without unrealised profit.
    """
    draft.add_balance(Balance(asset=item.text("currency"), amount=item.number("total")))
    draft.other_unrealised = item.optional("unrealised_pnl")
    _note(draft, item, "gate", "maint_margin", "order_margin")
    draft.report(ACCOUNT, "equity", item.optional("equity"), "equity")


def read_bitget_classic(item: Fields, draft: Draft) -> None:
    """
    Read one margin coin of Bitget's classic futures account: equity less unrealised profit is money.
    """
    profit = item.optional("unrealizedPL") or Decimal(0)
    amount = NUMBERS.subtract(item.number("accountEquity"), profit)
    draft.add_balance(Balance(asset=item.text("marginCoin"), amount=amount))
    draft.other_unrealised = profit
    _note(draft, item, "bitget-classic", "crossedRiskRate", "available")


def read_bitget(item: Fields, draft: Draft) -> None:
    """
    Read Bitget's unified account: its equity in USD as published, with its margins and ratio.
    """
    draft.equity = item.number("accountEquity")
    _note(draft, item, "bitget", "effEquity", "imr", "mmr")
    ratio = item.optional("mgnRatio")
    draft.report(ACCOUNT, "ratio", ratio or None, "mgnRatio")


def read_kucoin(item: Fields, draft: Draft) -> None:
    """
    Read KuCoin's futures account overview: its equity as published.
    """
    draft.equity = item.number("accountEquity")
    _note(draft, item, "kucoin", "positionMargin", "orderMargin", "availableBalance")


def read_paradex_balance(item: Fields, draft: Draft) -> None:
    """
    Read one token of a Paradex account: money without unrealised profit.
    """
    draft.add_balance(Balance(asset=item.text("token"), amount=item.number("size"), price=ONE))
    _note(draft, item, "paradex")


def read_paradex(item: Fields, draft: Draft) -> None:
    """
    Read one Paradex position; its mark is what its unrealised profit implies, closed ones are left out.
    """
    size = abs(item.number("size"))
    if not size:
        return
    size *= item.choice("side", _SIDES)
    entry, profit = item.positive("average_entry_price"), item.number("unrealized_pnl")
    mark = NUMBERS.add(entry, NUMBERS.divide(profit, size))
    if mark <= 0:
        raise PayloadError(f"{item.where}: unrealized_pnl implies a mark of {mark}, which must be above 0")
    symbol = item.text("market")
    leg = Leg(
        symbol=symbol,
        underlying=underlying_of(symbol),
        product=Product.LINEAR,
        size=size,
        settle="USDC",
        entry=entry,
        mark=mark,
        leverage=item.optional_positive("leverage"),
        mode=Mode.CROSS,
        accrued_funding=item.optional("unrealized_funding_pnl") or Decimal(0),
    )
    place = draft.add_leg(leg, item.optional_text("last_updated_at"))
    _note(draft, item, "paradex")
    draft.report(place, "unrealised", profit, "unrealized_pnl")
    draft.report_price(place, item, "liquidation_price")
    draft.see_price(place, "mark by unrealized_pnl", mark)


READERS = (
    Reader(
        venue="bingx",
        endpoint="/openApi/swap/v2/user/balance",
        path=("data",),
        keys=("asset", "balance", "equity", "usedMargin", "freezedMargin"),
        read=read_bingx,
        holds="account",
    ),
    Reader(
        venue="gate",
        endpoint="/futures/usdt/accounts",
        path=(),
        keys=("total", "unrealised_pnl", "order_margin", "point", "currency"),
        read=read_gate,
        holds="account",
    ),
    Reader(
        venue="bitget",
        endpoint="/api/v2/mix/account/accounts",
        path=("data",),
        keys=("marginCoin", "accountEquity", "crossedRiskRate", "unrealizedPL"),
        read=read_bitget_classic,
        holds="account",
    ),
    Reader(
        venue="bitget",
        endpoint="/api/v3/account/assets",
        path=("data",),
        keys=("accountEquity", "effEquity", "mgnRatio", "imr", "mmr"),
        read=read_bitget,
        holds="account",
    ),
    Reader(
        venue="kucoin",
        endpoint="/api/v1/account-overview",
        path=("data",),
        keys=("accountEquity", "unrealisedPNL", "marginBalance", "positionMargin"),
        read=read_kucoin,
        holds="account",
    ),
    Reader(
        venue="paradex",
        endpoint="/v1/balance",
        path=("results",),
        keys=("token", "size", "last_updated_at"),
        read=read_paradex_balance,
        holds="account",
    ),
    Reader(
        venue="paradex",
        endpoint="/v1/positions",
        path=("results",),
        keys=("market", "side", "average_entry_price", "unrealized_pnl", "cached_funding_index"),
        read=read_paradex,
    ),
)
