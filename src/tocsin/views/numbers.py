"""
Amounts as people read them; rounded for the eye only, in integers, half away from zero.
"""

from datetime import UTC, datetime

MINUS = "−"
_SUFFIXES = ((0, ""), (3, " k"), (6, " M"), (9, " B"), (12, " T"))


def format_compact(amount: int, *, unit: int = 1_000_000) -> str:
    """
    Return an amount with three significant digits and a suffix, such as `12.3 M`.

    Args:
        amount: Integer count of the smallest published unit; negative keeps its sign.
        unit: How many of those make one whole, > 0 (1,000,000 for micro-units, 1 for counts).

    Returns:
        `0` for zero only; what would round to zero shows as `<0.01`.
    """
    if amount == 0:
        return "0"
    sign, size = (MINUS if amount < 0 else ""), abs(amount)
    for exponent, suffix in _SUFFIXES:
        divisor = unit * 10**exponent
        last = exponent == _SUFFIXES[-1][0]
        decimals = 2 if size < 10 * divisor else 1 if size < 100 * divisor else 0
        scaled = (2 * size * 10**decimals + divisor) // (2 * divisor)
        if scaled < 1000 or (decimals == 0 and last):
            if scaled == 0:
                return f"{sign}<0.01"
            return f"{sign}{_point(scaled, decimals, strip=exponent == 0)}{suffix}"
        if scaled == 1000 and decimals:
            # 9.996 rounds to 10.0 and 99.96 to 100: one decimal fewer.
            return f"{sign}{_point(scaled // 10, decimals - 1, strip=exponent == 0)}{suffix}"
    raise AssertionError("the last suffix takes every amount")


def format_exact(amount: int, *, decimals: int = 6) -> str:
    """
    Return every digit of an amount counted in units of `10**-decimals`, such as `1,234.567890`.
    """
    sign, size = (MINUS if amount < 0 else ""), abs(amount)
    whole, rest = divmod(size, 10**decimals)
    return f"{sign}{whole:,}" + (f".{rest:0{decimals}d}" if decimals else "")


def format_percent(part: int, whole: int, *, decimals: int = 1) -> str:
    """
    Return `part` of `whole` in percent, such as `12.5 %`; a dash when `whole` is zero.
    """
    if whole == 0:
        return "–"
    sign = MINUS if (part < 0) != (whole < 0) and part else ""
    part, whole = abs(part), abs(whole)
    scaled = (2 * part * 100 * 10**decimals + whole) // (2 * whole)
    if scaled == 0 and part:
        return f"{sign}<{_point(1, decimals)} %"
    return f"{sign}{_point(scaled, decimals)} %"


def format_time(time_s: int, *, seconds: bool = False) -> str:
    """
    Return the time of day in UTC of a Unix time in seconds, such as `21:20`.
    """
    return datetime.fromtimestamp(time_s, UTC).strftime("%H:%M:%S" if seconds else "%H:%M")


def _point(scaled: int, decimals: int, *, strip: bool = False) -> str:
    """
    Return `scaled / 10**decimals` with a decimal point; `strip` drops zeros at its end.
    """
    if decimals == 0:
        return f"{scaled:,}"
    whole, rest = divmod(scaled, 10**decimals)
    digits = f"{rest:0{decimals}d}"
    if strip:
        digits = digits.rstrip("0")
    return f"{whole:,}.{digits}" if digits else f"{whole:,}"
