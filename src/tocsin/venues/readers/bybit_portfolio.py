"""
Reader of Bybit's portfolio margin answer, and what its symbols say.

The payload has no volatilities: the venue's own scenario profits of options are inputs, futures are revalued. The index
price follows from the profits of the spot that hedges.
"""

import re
from decimal import Decimal

from tocsin.venues.contract import NUMBERS, Leg, Mode, OptionTerms, Product
from tocsin.venues.readers.names import moment, option_terms
from tocsin.venues.reading import ACCOUNT, Draft, Fields

ZERO = Decimal(0)
_INVERSE = re.compile(r"^[A-Z0-9]+USD([FGHJKMNQUVXZ]\d\d)?$")
_OPTION = re.compile(r"-[CP](-USD[TC])?$")
_SHOCKS = ("up", "same", "down")


def product_of(symbol: str) -> Product:
    """
    Return what a symbol is: an option by its end, inverse if it is quoted in USD, else linear.
    """
    if _OPTION.search(symbol):
        return Product.OPTION
    return Product.INVERSE if _INVERSE.match(symbol) else Product.LINEAR


def terms_of(symbol: str, stamp: str) -> OptionTerms | None:
    """
    Return the terms in an option's symbol; the time left is counted from the stamp, None without one.
    """
    when = moment(stamp) if stamp else None
    return option_terms(symbol, when.isoformat() if when else "")


def read_portfolio(element: Fields, draft: Draft) -> None:
    """
    Read the answer of the portfolio margin endpoint: futures, the venue's own profits of options, contingencies.
    """
    draft.rules, draft.mode = "bybit-pm", Mode.PORTFOLIO
    wallet = element.inner("wallet")
    draft.equity = wallet.optional("marginBalance")
    needs = ZERO
    for unit in element.each("assetPnlRange"):
        coin = unit.text("baseCoin")
        index = _read_hedge(unit, coin, draft)
        for perp in unit.each("perpPositionPnlRanges"):
            _read_perp(perp, coin, index, draft)
        for expiry in unit.each("optionExpiryDatePnlRanges"):
            for option in expiry.each("optionPositionPnlRanges"):
                _read_option(option, coin, index, draft)
        parts = unit.inner("contingency")
        for name, field in (
            ("future", "futureContingency"),
            ("delta", "futureDeltaContingency"),
            ("option", "optionContingency"),
            ("vega", "optionVegaContingency"),
            ("stable", "usdtUsdcContingency"),
        ):
            draft.extra[f"contingency:{coin}:{name}"] = parts.number(field)
        asset = unit.inner("asset")
        needs += asset.optional("assetMM") or ZERO
        for name in ("assetMM", "assetIM"):
            draft.report(ACCOUNT, f"{name} {coin}", asset.optional(name), name, "USD")
    whole = wallet.optional("accountMM")
    if whole is not None and abs(whole - needs) <= abs(whole) / 1000:
        draft.report(ACCOUNT, "maintenance", whole, "wallet.accountMM", "USD")
    elif whole is not None:
        draft.notes.append("accountMM holds more than the risk units listed: it is not judged")


def _read_hedge(unit: Fields, coin: str, draft: Draft) -> Decimal | None:
    """
    Note the spot that hedges a unit; return the index price that its profits imply.
    """
    if "spotHedgeInfo" not in unit:
        return None
    hedge = unit.inner("spotHedgeInfo")
    size = hedge.optional("hedgeSpotSize") or ZERO
    if not size:
        return None
    draft.extra[f"spot_hedge:{coin}"] = size
    for row in hedge.each("pnlRanges"):
        move, profits = row.number("priceScale"), _profits(row)
        if move and profits[0]:
            return NUMBERS.divide(profits[0], NUMBERS.multiply(size, move))
    return None


def _read_perp(perp: Fields, coin: str, index: Decimal | None, draft: Draft) -> None:
    symbol = perp.text("symbolAlias", "symbolName")
    product = product_of(symbol)
    leg = Leg(
        symbol=symbol,
        underlying=coin,
        product=product,
        size=perp.number("position"),
        settle=perp.optional_text("settleCoin"),
        entry=perp.optional_positive("sessionAvgPrice"),
        mark=perp.positive("markPrice"),
        index=index,
        mode=Mode.PORTFOLIO,
    )
    place = draft.add_leg(leg)
    draft.see_price(place, "markPrice", leg.mark)


def _read_option(option: Fields, coin: str, index: Decimal | None, draft: Draft) -> None:
    symbol = option.text("symbolName")
    leg = Leg(
        symbol=symbol,
        underlying=coin,
        product=Product.OPTION,
        size=option.number("position"),
        settle=option.optional_text("settleCoin"),
        entry=option.optional_positive("sessionAvgPrice"),
        mark=option.positive("markPrice"),
        index=index,
        mode=Mode.PORTFOLIO,
        option=terms_of(symbol, ""),
    )
    draft.add_leg(leg)
    for row in option.each("pnlRanges"):
        for shock, profit in zip(_SHOCKS, _profits(row), strict=False):
            draft.extra[f"profit:{symbol}:{row.number('priceScale').normalize():f}:{shock}"] = profit


def _profits(row: Fields) -> list[Decimal]:
    values = row.raw("pnls")
    items: list[object] = list(values) if isinstance(values, list) else []  # pyright: ignore[reportUnknownArgumentType]
    return [Fields({"pnls": item}, row.where).number("pnls") for item in items] or [ZERO]
