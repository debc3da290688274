"""
Bybit's risk limits by symbol and the fee to close, from dated captures; what the venue states with a leg counts first.

A capture says what was in force on its day for the symbols it holds. Asked for another day, the last capture before it
that knows the symbol answers, else the first one after it; which one is in the basis.
"""

from decimal import Decimal
from typing import Any

from tocsin.venues.contract import Leg, MissingInput, Product
from tocsin.venues.params import Params, ParamSet, parse_time, suggest, versions
from tocsin.venues.tiers import Tier, TierKind, TierTable, with_deductions

ZERO, ONE = Decimal(0), Decimal(1)


def find_table(leg: Leg, params: Params) -> tuple[TierTable, ParamSet | None, bool]:
    """
    Return a leg's brackets, the set they come from (None: stated with the leg), and whether they are complete.

    Raises:
        MissingInput: No shipped capture knows the symbol and the leg states no rate.
    """
    if leg.maintenance_rate is not None:
        one = Tier(
            number=1,
            floor=ZERO,
            cap=None,
            rate=leg.maintenance_rate,
            deduction=leg.deduction or ZERO,
            initial_rate=leg.initial_rate,
        )
        return TierTable(kind=TierKind.MARGINAL, tiers=(one,)), None, True
    symbol = to_venue_symbol(leg.symbol)
    chosen = params.get("tiers")
    if symbol not in chosen.get("tables"):
        others = [v for v in versions("bybit", "tiers") if symbol in v.get("tables")] if chosen.is_shipped else []
        if not others:
            known = {str(s) for v in versions("bybit", "tiers") for s in v.get("tables")}
            hint = suggest(symbol, known) or "; give the rate of GET /v5/market/risk-limit with the position"
            raise MissingInput("maintenance_rate", f"no risk limits of {symbol} are shipped{hint}")
        chosen = _nearest(others, params.at)
    table, complete = read_table(chosen, symbol)
    return table, chosen, complete


def read_table(source: ParamSet, symbol: str) -> tuple[TierTable, bool]:
    """
    Return one symbol's brackets and whether the capture has them all; deductions follow from floors and rates.
    """
    body: dict[str, Any] = source.get("tables", symbol)
    rows: list[tuple[Decimal, Decimal, Decimal | None]] = body["rows"]
    caps: list[Decimal | None] = [*(row[0] for row in rows[1:]), body["cap"]]
    tiers = [
        Tier(number=i, floor=floor, cap=cap, rate=rate, max_leverage=leverage)
        for i, ((floor, rate, leverage), cap) in enumerate(zip(rows, caps, strict=True), 1)
    ]
    kind = TierKind(body["kind"])
    chosen = tuple(tiers) if kind is TierKind.CLIFF else with_deductions(tiers)
    return TierTable(kind=kind, tiers=chosen, unit=source.unit), bool(body["complete"])


def find_fee(leg: Leg, params: Params) -> Decimal:
    """
    Return the rate of the fee to close: the account's own as stated with the leg, else that without a discount.
    """
    return params.get("fees").number("taker") if leg.fee_rate is None else leg.fee_rate


def to_venue_symbol(symbol: str) -> str:
    """
    Return Bybit's spelling of a symbol; a connector's "BTC/USDT:USDT" is BTCUSDT, "BTC/USDC:USDC" BTCPERP.
    """
    if "/" not in symbol:
        return symbol
    base, _, rest = symbol.partition("/")
    quote, _, settle = rest.partition(":")
    settle, _, expiry = settle.partition("-")
    if expiry:
        return f"{base}{quote}-{expiry}"
    return f"{base}PERP" if settle == "USDC" else f"{base}{quote}"


def to_settle(leg: Leg) -> str:
    """
    Return the asset a leg is margined in: as given, else the coin (inverse) or what the symbol's name says.
    """
    if leg.settle:
        return leg.settle
    if leg.product is Product.INVERSE:
        return leg.underlying
    name = to_venue_symbol(leg.symbol)
    if name.endswith("USDT") or "USDT-" in name:
        return "USDT"
    if name.endswith(("PERP", "USDC")) or leg.product is Product.OPTION:
        return "USDC"
    raise MissingInput("settle", f"the margin asset of {leg.symbol} is not in its name; give it (USDT, USDC)")


def _nearest(sets: list[ParamSet], at: str) -> ParamSet:
    if not at:
        return sets[-1]
    moment = parse_time(at)
    begun = [v for v in sets if parse_time(v.valid_from) <= moment]
    return begun[-1] if begun else sets[0]
