"""
Binance's maintenance brackets by symbol, from dated captures of `leverageBracket`.

A capture says what was in force on its day, for the symbols it holds. Asked for another day, the last capture before it
that knows the symbol answers, else the first one after it; which one is in the basis.
"""

from decimal import Decimal
from typing import Any

from tocsin.venues.contract import Leg, MissingInput, Product
from tocsin.venues.params import Params, ParamSet, parse_time, suggest, versions
from tocsin.venues.tiers import Tier, TierKind, TierTable, flat, with_deductions

USDM, COINM = "usdm_tiers", "coinm_tiers"
_tables: dict[tuple[int, str], tuple[Any, TierTable]] = {}


def find_table(leg: Leg, params: Params) -> tuple[TierTable, ParamSet | None]:
    """
    Return the brackets of a leg and the set they come from; rates given with the leg count first (then None).

    Raises:
        MissingInput: No shipped capture knows the symbol and the leg gives no rate.
    """
    if leg.maintenance_rate is not None:
        table = flat(leg.maintenance_rate, initial_rate=leg.initial_rate)
        given = table.tiers[0]
        one = Tier(
            number=1,
            floor=given.floor,
            cap=None,
            rate=given.rate,
            deduction=leg.deduction or Decimal(0),
            initial_rate=given.initial_rate,
        )
        return TierTable(kind=TierKind.MARGINAL, tiers=(one,)), None
    name = COINM if leg.product is Product.INVERSE else USDM
    symbol = to_venue_symbol(leg.symbol)
    chosen = params.get(name)
    if symbol in chosen.get("symbols"):
        return read_table(chosen, symbol), chosen
    others = [v for v in versions("binance", name) if symbol in v.get("symbols")] if chosen.is_shipped else []
    if not others:
        known = {str(s) for v in versions("binance", name) for s in v.get("symbols")}
        hint = suggest(symbol, known) or "; give the rate and deduction of leverageBracket with the position"
        raise MissingInput("maintenance_rate", f"no brackets of {symbol} are shipped in {name}{hint}")
    nearest = _nearest(others, params.at)
    return read_table(nearest, symbol), nearest


def read_table(source: ParamSet, symbol: str) -> TierTable:
    """
    Return one symbol's brackets; deductions are computed from floors and rates.
    """
    key = (id(source.values), symbol)
    found = _tables.get(key)
    if found is None or found[0] is not source.values:
        ladder: dict[str, Any] = source.get("ladders")[int(source.number("symbols", symbol))]
        rows: list[list[Decimal]] = ladder["rows"]
        caps: list[Decimal | None] = [*(row[0] for row in rows[1:]), ladder["cap"]]
        tiers = [
            Tier(number=i, floor=floor, cap=cap, rate=rate, max_leverage=leverage)
            for i, ((floor, rate, leverage), cap) in enumerate(zip(rows, caps, strict=True), 1)
        ]
        table = TierTable(kind=TierKind.MARGINAL, tiers=with_deductions(tiers), unit=source.unit)
        found = _tables[key] = (source.values, table)
    return found[1]


def to_venue_symbol(symbol: str) -> str:
    """
    Return Binance's spelling of a symbol; a connector's "BTC/USDT:USDT-260925" is BTCUSDT_260925.
    """
    if "/" not in symbol:
        return symbol
    base, _, rest = symbol.partition("/")
    quote, _, settle = rest.partition(":")
    expiry = settle.partition("-")[2]
    if expiry:
        return f"{base}{quote}_{expiry}"
    return f"{base}{quote}_PERP" if settle and settle == base and quote == "USD" else f"{base}{quote}"


def to_settle(leg: Leg) -> str:
    """
    Return the asset a leg is margined in: as given, else the coin (inverse) or the quote in the symbol's name.
    """
    if leg.settle:
        return leg.settle
    if leg.product is Product.INVERSE:
        return leg.underlying
    name = to_venue_symbol(leg.symbol).partition("_")[0]
    for quote in ("USDT", "USDC", "USD1", "BUSD", "FDUSD"):
        if name.endswith(quote):
            return quote
    raise MissingInput("settle", f"the margin asset of {leg.symbol} is not in its name; give it (USDT, USDC, ...)")


def _nearest(sets: list[ParamSet], at: str) -> ParamSet:
    if not at:
        return sets[-1]
    moment = parse_time(at)
    begun = [v for v in sets if parse_time(v.valid_from) <= moment]
    return begun[-1] if begun else sets[0]
