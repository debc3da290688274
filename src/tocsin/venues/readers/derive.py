"""
Reader of Derive's payloads: get_subaccount(s) with positions and collaterals, get_positions.

Margins are signed and net: `-maintenance_margin` of a position is its requirement less unsettled profit, `mark_value`
of a perpetual is that profit with pending funding. What was settled is in the collateral, so the price that profit is
counted from is `mark - (mark_value - pending_funding) / amount`, not `average_price`. The instrument's name holds an
option's terms; forward and volatility are not in these payloads.
"""

from decimal import Decimal

import msgspec

from tocsin.venues.contract import NUMBERS, Balance, Leg, Mode, Product
from tocsin.venues.readers.names import option_terms, underlying_of
from tocsin.venues.reading import ACCOUNT, Draft, Fields, PayloadError, Reader

KINDS = {"perp": Product.LINEAR, "option": Product.OPTION}
_ACCOUNT_FIGURES = (
    "initial_margin",
    "maintenance_margin",
    "subaccount_value",
    "positions_maintenance_margin",
    "positions_initial_margin",
    "collaterals_maintenance_margin",
    "collaterals_initial_margin",
    "open_orders_margin",
)


def read_subaccount(account: Fields, draft: Draft) -> None:
    """
    Read one subaccount: its collaterals, its positions, and its net margins.
    """
    kind = account.optional_text("margin_type")
    if kind and draft.venue == "derive" and not draft.rules:
        draft.rules = {"SM": "derive-sm", "PM": "derive-pm", "PM2": "derive-pm"}.get(kind, "")
    for item in account.each("collaterals"):
        read_collateral(item, draft)
    for item in account.each("positions"):
        read_position(item, draft)
    for name in _ACCOUNT_FIGURES:
        draft.report(ACCOUNT, name, account.optional(name), name)


def read_collateral(item: Fields, draft: Draft) -> None:
    """
    Read one deposited asset; interest that is pending counts with it.
    """
    amount = NUMBERS.add(item.number("amount"), item.optional("pending_interest") or Decimal(0))
    draft.add_balance(Balance(asset=item.text("asset_name"), amount=amount, price=item.optional_positive("mark_price")))


def read_position(item: Fields, draft: Draft) -> None:
    """
    Read one perpetual or option position.
    """
    symbol, amount = item.text("instrument_name"), item.number("amount")
    if not amount:
        raise PayloadError(f"{item.where}: amount must not be 0: {symbol} is no position")
    stamp = item.optional_text("creation_timestamp")
    if not draft.time and len(stamp) == 13:
        draft.time = stamp
        draft.notes.append("time taken from creation_timestamp: the payload has no other")
    product: Product = item.choice("instrument_type", KINDS)
    mark, pending = item.positive("mark_price"), item.optional("pending_funding") or Decimal(0)
    entry = item.optional_positive("average_price")
    unsettled = _unsettled(item) if product is Product.LINEAR else None
    if unsettled is not None:
        gained = NUMBERS.subtract(unsettled, pending)
        entry = NUMBERS.subtract(mark, NUMBERS.divide(gained, amount))
    leg = Leg(
        symbol=symbol,
        underlying=underlying_of(symbol),
        product=product,
        size=amount,
        settle="USDC",
        entry=entry,
        mark=mark,
        index=item.optional_positive("index_price"),
        mode=Mode.CROSS,
        accrued_funding=pending if product is Product.LINEAR else Decimal(0),
        option=option_terms(symbol, draft.time),
    )
    place = draft.add_leg(leg)
    for name, quantity in (("initial_margin", "initial"), ("maintenance_margin", "maintenance")):
        value = item.optional(name)
        draft.report(place, quantity, None if value is None else abs(value), name)
    draft.report(place, "unrealised", item.optional("mark_value") if product is Product.LINEAR else None, "mark_value")
    if "liquidation_price" in item:
        draft.report_price(place, item, "liquidation_price")
    draft.see_price(place, "mark_price", mark)
    draft.see_price(place, "index_price", leg.index)


def refine(raw: Fields, leg: Leg, draft: Draft) -> Leg:
    """
    Return a recorded leg with what its payload says of unsettled profit and pending funding.
    """
    stamp = raw.optional_text("creation_timestamp")
    if not draft.time and len(stamp) == 13:
        draft.time = stamp
    unsettled = _unsettled(raw)
    if leg.product is not Product.LINEAR or leg.mark is None or unsettled is None or not leg.size:
        return leg
    pending = raw.optional("pending_funding") or Decimal(0)
    gained = NUMBERS.subtract(unsettled, pending)
    entry = NUMBERS.subtract(leg.mark, NUMBERS.divide(gained, leg.size))
    return msgspec.structs.replace(leg, entry=entry, accrued_funding=pending)


def _unsettled(item: Fields) -> Decimal | None:
    """
    Return a perpetual's unsettled profit: `mark_value`, else unrealised profit less what was settled of it.
    """
    if item.has("unrealized_pnl", "net_settlements") and not item.has("mark_value"):
        return NUMBERS.subtract(item.number("unrealized_pnl"), item.number("net_settlements"))
    return item.optional("mark_value")


def finish(draft: Draft) -> None:
    """
    Name the rulebook where the payload does not: standard margin.
    """
    draft.rules = draft.rules or "derive-sm"
    draft.valuation = "USDC"


_SUBACCOUNT = ("subaccount_id", "margin_type", "collaterals", "positions")
_POSITION = ("instrument_name", "instrument_type", "amount", "mark_price", "maintenance_margin")
READERS = (
    Reader(
        venue="derive",
        endpoint="private/get_all_portfolios",
        path=("result",),
        keys=_SUBACCOUNT,
        read=read_subaccount,
        holds="account",
    ),
    Reader(
        venue="derive",
        endpoint="private/get_subaccount",
        path=(),
        keys=_SUBACCOUNT,
        read=read_subaccount,
        holds="account",
    ),
    Reader(
        venue="derive",
        endpoint="private/get_positions",
        path=("result", "positions"),
        keys=_POSITION,
        read=read_position,
    ),
    Reader(venue="derive", endpoint="position", path=(), keys=_POSITION, read=read_position),
)
