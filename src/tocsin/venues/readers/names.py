"""
What a venue's own symbol says: the underlying, and an option's terms.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tocsin.venues import VenueRefusal
from tocsin.venues.contract import NUMBERS, OptionTerms
from tocsin.venues.params import parse_time

_QUOTES = ("USDTM", "USDCM", "USDM", "FDUSD", "USDT", "USDC", "BUSD", "USDE", "USD", "PERP")
_ALIASES = {"XBT": "BTC"}
_OPTION = re.compile(
    r"^(?P<base>[A-Z0-9]+)(?:[-_]USD[TC]?)?-(?P<day>\d{1,2}[A-Z]{3}\d{2}|\d{6}|\d{8})-(?P<strike>[\d.d]+)-(?P<kind>[CP])"
)
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_EXPIRY_HOUR = 8
_YEAR_S = Decimal(365 * 86400)


def underlying_of(symbol: str) -> str:
    """
    Return the coin of a symbol: "BTC" for BTCUSDT, ETH-USD-210430, PERP_BTC_USDC, XBTUSDTM, BTC/USDC:USDC.
    """
    parts = [part for part in re.split(r"[-_/:.]", symbol.upper()) if part not in ("", "PERP", "SWAP", "PERPETUAL")]
    name = parts[0] if parts else symbol.upper()
    for quote in _QUOTES:
        if name.endswith(quote) and len(name) > len(quote):
            name = name.removesuffix(quote)
            break
    return _ALIASES.get(name, name)


def option_terms(symbol: str, time: str = "") -> OptionTerms | None:
    """
    Return the terms in an option's symbol (ETH-25AUG23-2100-C, BTC-USD-240329-32000-C), None for another kind.

    `expiry_years` is from `time` to 08:00 UTC of the day, 365 days a year; None without a time.
    """
    found = _OPTION.match(symbol.upper())
    if not found:
        return None
    day = _expiry(found["day"])
    if day is None:
        return None
    years = None
    if time:
        left = day - parse_time(time)
        years = NUMBERS.divide(Decimal(left // timedelta(seconds=1)), _YEAR_S)
    return OptionTerms(
        is_call=found["kind"] == "C",
        strike=Decimal(found["strike"].replace("d", ".").replace("D", ".")),
        expiry=day.isoformat().replace("+00:00", "Z"),
        expiry_years=years,
    )


def moment(text: str) -> datetime | None:
    """
    Return the moment of a time stamp (ISO 8601; seconds, milliseconds, microseconds or nanoseconds), None if unclear.
    """
    digits = text.split(".", maxsplit=1)[0]
    try:
        if digits.isdigit():
            scale = {10: 1, 13: 10**3, 16: 10**6, 19: 10**9}.get(len(digits))
            return None if scale is None else datetime.fromtimestamp(0, UTC) + timedelta(seconds=int(digits) // scale)
        return parse_time(text)
    except (VenueRefusal, OverflowError):
        return None


def _expiry(day: str) -> datetime | None:
    try:
        if day.isdigit():
            year = int(day[:-4]) if len(day) == 8 else 2000 + int(day[:2])
            return datetime(year, int(day[-4:-2]), int(day[-2:]), _EXPIRY_HOUR, tzinfo=UTC)
        month = _MONTHS.index(day[-5:-2]) + 1
        return datetime(2000 + int(day[-2:]), month, int(day[:-5]), _EXPIRY_HOUR, tzinfo=UTC)
    except ValueError:
        return None
