"""
Readers of smaller venues' position payloads: one table of field names, and what single venues need beside it.

Contracts' size, where a payload does not give it, is its own value divided by price and number of contracts; where it
gives no value either, the shipped list of contracts must know the symbol. Rules' data: `tocsin.venues.smaller`.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from tocsin.core.errors import ConfigError
from tocsin.venues.contract import NUMBERS, Balance, Leg, Mode, Product
from tocsin.venues.params import load
from tocsin.venues.readers import small_accounts
from tocsin.venues.readers.names import underlying_of
from tocsin.venues.readers.small_shapes import SHAPES, Shape
from tocsin.venues.reading import ACCOUNT, Draft, Fields, PayloadError, Reader

ZERO, ONE = Decimal(0), Decimal(1)
_DOLLARS = ("USD", "USDT", "USDC")
_SIDES = {"long": 1, "buy": 1, "1": 1, "short": -1, "sell": -1, "2": -1, "-1": -1}
_MODES = {
    "isolated": Mode.ISOLATED,
    "fixed": Mode.ISOLATED,
    "cross": Mode.CROSS,
    "crossed": Mode.CROSS,
    "0": Mode.CROSS,
    "1": Mode.ISOLATED,
}


def read_shape(name: str) -> Callable[[Fields, Draft], None]:
    """
    Return what reads one position of a shape.
    """

    def read(item: Fields, draft: Draft) -> None:
        add_position(item, draft, name)

    return read


def add_position(item: Fields, draft: Draft, name: str) -> int | None:
    """
    Add a position of a shape, None if its size is 0: these venues list closed ones too.
    """
    shape, venue = SHAPES[name], name.split(maxsplit=1)[0]
    symbol, size = item.text(*shape.symbol.split()), item.number(*shape.size.split())
    if not size:
        return None
    if shape.side:
        field = item.first(*shape.side.split())
        sign = item.choice(field, _SIDES | {"both": 1 if size > 0 else -1})
        if size < 0 < sign or (size < 0 and name != "bingx"):
            raise PayloadError(f"{item.where}: {shape.size} must not be below 0 beside {field}, was {size}")
        size = abs(size) * sign
    entry, mark = _price(item, shape.entry), _price(item, shape.mark)
    mode = _mode(item, shape, name)
    leverage = item.optional_positive(*shape.leverage.split()) if shape.leverage else None
    collateral = item.optional(shape.collateral) if shape.collateral and mode is Mode.ISOLATED else None
    product = _product(item, venue, symbol)
    coin = underlying_of(symbol)
    leg = Leg(
        symbol=symbol,
        underlying=coin,
        product=product,
        size=size,
        contract_size=_contract_size(item, shape, venue, symbol, size, product),
        settle=coin if product is Product.INVERSE else shape.settle,
        entry=entry,
        mark=mark,
        leverage=leverage,
        mode=mode,
        isolated_collateral=collateral,
        maintenance_rate=item.optional(shape.rate) if shape.rate else None,
        initial_rate=item.optional(shape.initial_rate) if shape.initial_rate else None,
    )
    place = draft.add_leg(refine_payload(item, leg, draft, name))
    draft.venue = venue
    if not draft.rules:
        draft.rules = rules_of(name, mode)
    for quantity, field in (("initial", shape.initial), ("maintenance", shape.maintenance)):
        if field:
            draft.report(place, quantity, item.optional(field), field)
    if shape.unrealised:
        draft.report(place, "unrealised", item.optional(shape.unrealised), shape.unrealised)
    if shape.liquidation:
        draft.report_price(place, item, shape.liquidation)
    draft.see_price(place, shape.mark.split()[0] if shape.mark else "mark", mark)
    return place


def rules_of(name: str, mode: Mode) -> str:
    """
    Return the rulebook of a shape and mode.
    """
    if name in ("kucoin", "htx") and mode is Mode.ISOLATED:
        return f"{name}-isolated"
    return {"kucoin uta": "kucoin", "bitget classic": "bitget-classic", "htx isolated": "htx-isolated"}.get(name, name)


def _price(item: Fields, names: str) -> Decimal | None:
    return item.optional_positive(*names.split()) if names else None


def _mode(item: Fields, shape: Shape, name: str) -> Mode:
    if shape.flag:
        return Mode.CROSS if item.flag(shape.flag) else Mode.ISOLATED
    if name == "bingx":
        return Mode.ISOLATED if item.flag("isolated") else Mode.CROSS
    if name == "mexc":
        return Mode.ISOLATED if item.number("openType") == 1 else Mode.CROSS
    if name == "gate":
        return Mode.ISOLATED if item.number("leverage") else Mode.CROSS
    if shape.mode.startswith("="):
        return Mode(shape.mode[1:])
    mode: Mode = item.choice(shape.mode, _MODES) if item.has(shape.mode) else Mode.CROSS
    return mode


def _product(item: Fields, venue: str, symbol: str) -> Product:
    """
    Return what a position is margined in: the coin where the venue's symbol or margin coin says so, else quote money.
    """
    if venue == "kucoin":
        coin = item.flag("isInverse")
        is_coin = symbol.endswith("USDM") or item.optional_text("settleCurrency") not in ("", *_DOLLARS)
        return Product.INVERSE if (is_coin if coin is None else coin) else Product.LINEAR
    money = {"phemex": "currency", "bitget": "marginCoin"}.get(venue)
    if money is not None:
        word = item.optional_text(money)
        return Product.LINEAR if word in ("", "USD", "USDT", "USDC") else Product.INVERSE
    is_coin = venue in ("htx", "gate", "bingx", "mexc") and symbol.endswith(("-USD", "_USD"))
    return Product.INVERSE if is_coin else Product.LINEAR


def _contract_size(item: Fields, shape: Shape, venue: str, symbol: str, size: Decimal, product: Product) -> Decimal:
    """
    Return base (inverse: quote) units of one contract: 1, or from the payload's value, or the shipped list's.
    """
    if item.has("contractSize"):
        return item.positive("contractSize")
    if not shape.value and product is Product.LINEAR:
        return ONE
    if shape.value not in ("", "?") and item.has(shape.value, shape.value_price):
        worth, price = abs(item.number(shape.value)), item.positive(shape.value_price)
        whole = NUMBERS.multiply(worth, price) if product is Product.INVERSE else NUMBERS.divide(worth, price)
        return _round_size(NUMBERS.divide(whole, abs(size)))
    known = contract_sizes(venue)
    if symbol in known:
        return known[symbol]
    raise PayloadError(
        f"{item.where}: contractSize is missing: the payload has no value to tell it from, and the list of contracts "
        f"does not hold {symbol}; add contractSize to the position"
    )


def _round_size(ratio: Decimal) -> Decimal:
    """Return the power of ten nearest to a ratio within 0.1 %, else the ratio: contracts are round."""
    power = ONE.scaleb(ratio.adjusted())
    for size in (power, power * 10):
        if abs(ratio - size) <= size * Decimal("0.001"):
            return size
    return ratio


def contract_sizes(venue: str) -> Mapping[str, Decimal]:
    """
    Return base units per contract of the symbols that a venue's captures show, {} if none are shipped.
    """
    try:
        return load(venue, "contracts").decode(dict[str, Decimal], "sizes")
    except ConfigError:
        return {}


def refine_payload(item: Fields, leg: Leg, draft: Draft, name: str) -> Leg:
    """
    Return a leg with what single venues state in their own way.
    """
    if name in ("htx", "htx isolated", "lighter", "poloniex", "coinex"):
        return refine(item, leg, draft, name.split(maxsplit=1)[0])
    if name == "gate" and leg.mode is Mode.CROSS and item.has("margin") and draft.equity is None and not draft.balances:
        profit = item.optional("unrealised_pnl") or ZERO
        draft.equity = NUMBERS.add(item.number("margin"), profit)
        return msgspec.structs.replace(leg, leverage=item.optional_positive("cross_leverage_limit"))
    return leg


def refine(raw: Fields, leg: Leg, draft: Draft, venue: str) -> Leg:
    """
    Return a leg, recorded or read, with what its venue's payload says in its own way.

    KuCoin: money set aside is `posInit`. HTX: rate is `adjust_factor / lever_rate`, profit counts from `cost_hold`,
    prices are `last_price`. Lighter: initial fraction in percent. CoinEx: `bkr_price` is the price of no equity. Gate,
    cross: `margin` is the account's, without profit.
    """
    change = msgspec.structs.replace
    if venue == "kucoin" and leg.mode is Mode.ISOLATED and raw.has("posInit"):
        return change(leg, isolated_collateral=raw.number("posInit"))
    if venue == "htx" and raw.has("adjust_factor", "lever_rate"):
        rate = NUMBERS.divide(raw.number("adjust_factor"), raw.positive("lever_rate"))
        held = raw.optional("margin_static") if leg.mode is Mode.ISOLATED else None
        entry = raw.optional_positive("cost_hold") or leg.entry
        return change(leg, maintenance_rate=rate, entry=entry, isolated_collateral=held or leg.isolated_collateral)
    if venue == "lighter" and raw.has("initial_margin_fraction"):
        rate = NUMBERS.divide(raw.number("initial_margin_fraction"), Decimal(100))
        mark = leg.mark
        if raw.has("position_value") and leg.size:
            mark = NUMBERS.divide(raw.positive("position_value"), abs(leg.size))
        return change(leg, initial_rate=rate, mark=mark)
    if venue == "coinex" and raw.has("bkr_price") and leg.entry is not None:
        size = NUMBERS.multiply(leg.size, leg.contract_size)
        held = NUMBERS.multiply(size, NUMBERS.subtract(leg.entry, raw.positive("bkr_price")))
        draft.notes.append("money behind the position counted from bkr_price, the price at which none is left")
        return change(leg, mode=Mode.ISOLATED, isolated_collateral=held)
    if venue == "gate" and leg.mode is Mode.CROSS and draft.equity is None:
        margin, profit = raw.optional("margin", "im"), raw.optional("unrealised_pnl", "upl")
        if margin is not None and profit is not None:
            draft.equity = NUMBERS.add(margin, profit)
    return leg


def refine_modetrade(account: Fields, draft: Draft) -> None:
    """
    Read what a recorded account says: collateral value, and positions left out, through the ratio to all notional.

    The positions left out are taken to have the maintenance rate of the recorded one.
    """
    draft.equity = account.optional("total_collateral_value")
    ratio = account.optional_positive("current_margin_ratio")
    if draft.equity is None or ratio is None or len(draft.legs) != 1:
        return
    leg = draft.legs[0]
    if leg.mark is None or leg.maintenance_rate is None:
        return
    others = NUMBERS.subtract(NUMBERS.divide(draft.equity, ratio), NUMBERS.multiply(abs(leg.size), leg.mark))
    if others > 0:
        draft.other_maintenance = NUMBERS.multiply(others, leg.maintenance_rate)
        draft.notes.append("positions left out: notional from current_margin_ratio, maintenance rate as of this one")


def read_lighter(account: Fields, draft: Draft) -> None:
    """
    Read one Lighter account: its positions, and its total asset value.
    """
    for item in account.each("positions"):
        add_position(item, draft, "lighter")
    draft.venue, draft.rules = "lighter", "lighter"
    value = account.optional("cross_asset_value", "total_asset_value")
    collateral = account.optional("collateral")
    if any(leg.mode is Mode.CROSS for leg in draft.legs) and collateral is not None:
        draft.add_balance(Balance(asset="USDC", amount=collateral, price=ONE))
        draft.report(ACCOUNT, "equity", value, "total_asset_value")
    else:
        draft.equity = value
    draft.report(ACCOUNT, "available", account.optional("available_balance"), "available_balance")


def _reader(shape: str, endpoint: str, path: tuple[str, ...], keys: str, absent: str = "") -> Reader:
    return Reader(
        venue=shape.split(maxsplit=1)[0],
        endpoint=endpoint,
        path=path,
        keys=tuple(keys.split()),
        read=read_shape(shape),
        absent=tuple(absent.split()),
    )


READERS = (
    *(
        reader
        for path in ((), ("data",))
        for reader in (
            _reader("kucoin", "/api/v1/positions", path, "currentQty posInit maintMarginReq avgEntryPrice"),
            _reader(
                "kucoin uta", "/api/ua/v1/position", path, "positionValue unrealizedPnL mmr entryPrice symbol size"
            ),
            _reader("bitget classic", "/api/v2/mix/position", path, "holdSide keepMarginRate marginSize total"),
            _reader("bitget", "/api/v3/position/current-position", path, "posSide positionBalance mmr avgPrice"),
            _reader("htx", "/v5/trade/position/opens", path, "contract_code open_avg_price maintenance_margin"),
            _reader("htx isolated", "/linear-swap-api/v1/swap_account_position_info", path, "cost_hold adjust_factor"),
            _reader("mexc", "/api/v1/private/position/open_positions", path, "holdVol holdAvgPrice openType im"),
            _reader("poloniex", "/v3/trade/position/opens", path, "openAvgPx markPx mgnMode mm im qty"),
            _reader("bingx", "/openApi/swap/v2/user/positions", path, "positionAmt avgPrice riskRate onlyOnePosition"),
            _reader("bydfi", "/v1/fapi/trade/positions", path, "volume avgPrice unPnl positionMargin mm im"),
            _reader(
                "digifinex", "/swap/v2/account/positions", path, "instrument_id avg_cost maint_margin_ratio position"
            ),
            _reader("modetrade", "/v1/positions", path, "position_qty average_open_price est_liq_price mmr imr"),
            _reader("phemex", "/accounts/accountPositions", path, "avgEntryPriceEp maintMarginReq positionMargin side"),
        )
    ),
    _reader("gate", "/futures/usdt/positions", (), "contract size maintenance_rate entry_price mark_price margin"),
    _reader("backpack", "/api/v1/position", (), "netQuantity imf mmf estLiquidationPrice netCost"),
    _reader("xt", "/future/user/v1/position", ("result",), "positionSize entryPrice isolatedMargin positionType"),
    _reader("phemex", "/accounts/accountPositions", ("data", "positions"), "avgEntryPriceEp maintMarginReq side"),
    Reader(
        venue="lighter",
        endpoint="/api/v1/account",
        path=("accounts",),
        keys=("positions", "collateral", "total_asset_value"),
        read=read_lighter,
        holds="account",
    ),
    *small_accounts.READERS,
)


def finish(draft: Draft) -> None:
    """
    Name the account's mode after its legs; profit of positions counts once, from the positions where they are given.
    """
    if draft.balances and draft.legs:
        draft.other_unrealised = None
    if draft.legs and all(leg.mode is Mode.ISOLATED for leg in draft.legs):
        draft.mode = Mode.ISOLATED
        if draft.rules in ("kucoin", "htx"):
            draft.rules = f"{draft.rules}-isolated"
