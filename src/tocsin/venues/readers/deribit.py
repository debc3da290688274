"""
Reader of Deribit's payloads: positions, account summaries, the simulation of portfolio margin.

Daily settlement moves profit into cash, so `average_price` does not tell what is still to be added: the published
equity stands for cash and profit together. Under cross collateral every summary repeats the account's totals in USD.
Sizes are USD for inverse futures and coins else; `pme/simulate` gives all sizes in coins.
"""

from decimal import Decimal

import msgspec

from tocsin.venues.contract import NUMBERS, Leg, Mode, OptionTerms, Product
from tocsin.venues.readers.names import moment, option_terms
from tocsin.venues.reading import ACCOUNT, Draft, Fields, PayloadError, Reader

ZERO, ONE, HUNDRED = Decimal(0), Decimal(1), Decimal(100)
SIDES = {"buy": 1, "sell": -1, "zero": 0}
MODELS = {
    "segregated_sm": "deribit-sm",
    "segregated_pm": "deribit-pm",
    "cross_sm": "deribit-sm",
    "cross_pm": "deribit-pm",
}
_JUDGED = ("initial", "maintenance")


def read_position(element: Fields, draft: Draft) -> None:
    """
    Read one position; one of size 0 is none.
    """
    name = element.text("instrument_name")
    side: int = element.choice("direction", SIDES)
    size = element.number("size").copy_abs() * side
    if not size:
        return
    leg = _leg(name, size, draft)
    leg = _with_market(leg, element, element.optional_positive("average_price"))
    place = draft.add_leg(leg, element.optional_text("creation_timestamp"))
    draft.report(place, "initial", element.optional("initial_margin"), "initial_margin")
    draft.report(place, "maintenance", element.optional("maintenance_margin"), "maintenance_margin")
    draft.report(place, "orders", element.optional("open_orders_margin"), "open_orders_margin")
    if leg.product is not Product.OPTION_INVERSE:
        draft.report_price(place, element, "estimated_liquidation_price")
    for field in ("mark_price", "index_price", "settlement_price", "average_price"):
        draft.see_price(place, field, element.optional(field))
    coins = element.optional("size_currency")
    if coins and leg.product is Product.INVERSE:
        draft.see_price(place, "size / size_currency", NUMBERS.divide(abs(size), abs(coins)))


def read_summary(element: Fields, draft: Draft) -> None:
    """
    Read the summary of one currency; one without equity and margin says nothing.
    """
    currency, equity = element.text("currency"), element.number("equity")
    needs = [element.optional(f"{level}_margin") or ZERO for level in _JUDGED]
    cross = bool(element.flag("cross_collateral_enabled"))
    model = element.optional_text("margin_model")
    if model:
        rules = element.choice("margin_model", MODELS)
    else:
        rules = "deribit-pm" if element.flag("portfolio_margining_enabled") else "deribit-sm"
    if cross:
        _read_cross(element, draft)
    elif equity or any(needs):
        if draft.extra.get("cross_collateral") or (draft.equity is not None and draft.valuation != currency):
            draft.notes.append(f"{currency} stands apart from the rest of the account: it is not judged")
            return
        draft.equity, draft.valuation = equity, currency
        for level, value in zip(_JUDGED, needs, strict=True):
            draft.report(ACCOUNT, level, value, f"{level}_margin", currency)
    else:
        return
    draft.rules = rules
    if rules == "deribit-pm":
        draft.mode = Mode.PORTFOLIO


def read_simulation(element: Fields, draft: Draft) -> None:
    """
    Read the answer of private/pme/simulate: positions in coins, their markets, and the margins of one currency.
    """
    draft.rules, draft.mode = "deribit-pm", Mode.PORTFOLIO
    if "model_params" in element:
        draft.time = element.inner("model_params").inner("general").optional_text("timestamp")
    positions = element.inner("portfolio").inner("position")
    tickers = element.inner("ticker")
    for name in positions.names():
        coins = positions.number(name)
        if not coins:
            continue
        market = tickers.inner(name)
        leg = _leg(name, coins, draft)
        if leg.product is Product.INVERSE:
            leg = msgspec.structs.replace(leg, size=NUMBERS.multiply(coins, market.positive("mark_price")))
        draft.add_leg(_with_market(leg, market, None))
    margins = element.inner("margins")
    currencies = margins.names()
    if len(currencies) != 1:
        raise PayloadError(
            f"{element.where}: margins must be of one currency, were of {', '.join(currencies) or 'none'}"
        )
    own = margins.inner(currencies[0])
    for level in _JUDGED:
        draft.report(ACCOUNT, level, own.optional(f"{level}_margin"), f"{level}_margin", currencies[0].upper())
    details = own.inner("initial_margin_details")
    for field in ("open_orders_margin", "mmp_margin", "spot_margin"):
        if value := details.optional(field):
            draft.extra[field] = value
    draft.report(ACCOUNT, "risk_matrix_margin", details.optional("risk_matrix_margin"), "risk_matrix_margin")
    parts = details.inner("risk_matrix_margin_details")
    for field in ("worst_case", "roll_shock", "delta_shock"):
        draft.report(ACCOUNT, field, parts.optional(field), field)


def finish(draft: Draft) -> Draft:
    """
    Name the rulebook; leave out margins of positions that are not in the payload.
    """
    draft.venue = "deribit"
    draft.rules = draft.rules or "deribit-sm"
    if not draft.legs:
        kept = [f for f in draft.reported if f.quantity not in _JUDGED]
        if len(kept) != len(draft.reported):
            draft.notes.append("no positions are in the payload: margins are not judged")
        draft.reported = kept
    return draft


def product_of(name: str) -> Product:
    """
    Return what an instrument is: an option by its end, linear if its pair names a stablecoin, else inverse.
    """
    linear = "_" in name.partition("-")[0]
    if name.endswith(("-C", "-P")):
        return Product.OPTION if linear else Product.OPTION_INVERSE
    return Product.LINEAR if linear else Product.INVERSE


def _read_cross(element: Fields, draft: Draft) -> None:
    total = element.optional("total_margin_balance_usd")
    if draft.extra.get("cross_collateral"):
        return
    if draft.equity is not None:
        draft.notes.append(f"{draft.valuation} stands apart from the rest of the account: it is not judged")
        draft.reported = [f for f in draft.reported if f.leg != ACCOUNT]
    draft.extra["cross_collateral"] = ONE
    draft.equity, draft.valuation = total, "USD"
    for level in _JUDGED:
        field = f"total_{level}_margin_usd"
        draft.report(ACCOUNT, level, element.optional(field), field, "USD")


def _leg(name: str, size: Decimal, draft: Draft) -> Leg:
    product = product_of(name)
    pair = name.partition("-")[0]
    coin, _, settle = pair.partition("_")
    option: OptionTerms | None = None
    if product in (Product.OPTION, Product.OPTION_INVERSE):
        when = moment(draft.time) if draft.time else None
        option = option_terms(name.replace(f"_{settle}", "") if settle else name, when.isoformat() if when else "")
    return Leg(
        symbol=name,
        underlying=coin,
        product=product,
        size=size,
        settle=settle or coin,
        mode=draft.mode,
        option=option,
    )


def _with_market(leg: Leg, market: Fields, entry: Decimal | None) -> Leg:
    option = leg.option
    if option is not None:
        vol = market.optional_positive("mark_iv")
        forward = market.optional_positive("underlying_price")
        option = msgspec.structs.replace(option, forward=forward, vol=None if vol is None else vol / HUNDRED)
    mark, index = market.optional_positive("mark_price"), market.optional_positive("index_price")
    return msgspec.structs.replace(leg, entry=entry, mark=mark, index=index, option=option)


_SUMMARY = ("currency", "equity", "margin_balance", "initial_margin", "maintenance_margin")
_POSITION = ("instrument_name", "direction", "size", "initial_margin", "maintenance_margin")

READERS = (
    Reader(
        venue="deribit",
        endpoint="private/get_account_summaries",
        path=("result", "summaries"),
        keys=_SUMMARY,
        read=read_summary,
        holds="account",
    ),
    Reader(
        venue="deribit",
        endpoint="private/get_account_summary",
        path=("result",),
        keys=_SUMMARY,
        read=read_summary,
        holds="account",
    ),
    Reader(
        venue="deribit",
        endpoint="user.portfolio stream",
        path=("params", "data"),
        keys=_SUMMARY,
        read=read_summary,
        holds="account",
    ),
    Reader(
        venue="deribit",
        endpoint="private/pme/simulate",
        path=("result",),
        keys=("portfolio", "margins", "ticker", "index_price"),
        read=read_simulation,
    ),
    Reader(
        venue="deribit",
        endpoint="private/get_positions",
        path=("result",),
        keys=_POSITION,
        read=read_position,
    ),
    Reader(
        venue="deribit",
        endpoint="private/get_positions: one position",
        path=(),
        keys=_POSITION,
        read=read_position,
    ),
)
