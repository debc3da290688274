"""
Decimal amounts, sizes, prices and fractions as people read them.
"""

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

from tocsin.venues.contract import NUMBERS
from tocsin.views.numbers import MINUS


def format_money(amount: Decimal) -> str:
    """
    Return whole dollars with separators, cents below 1,000.
    """
    with localcontext(NUMBERS):
        places = 0 if abs(amount) >= 1000 or amount == amount.to_integral_value() else 2
    return format_places(amount, places)


def format_size(amount: Decimal) -> str:
    """
    Return a size such as `2.346 M` with four digits.
    """
    for exponent, suffix in ((9, " B"), (6, " M"), (3, " k")):
        if amount >= Decimal(10) ** exponent * Decimal("0.99995"):
            return format(_four(NUMBERS.scaleb(amount, Decimal(-exponent))), "f") + suffix
    return format(_four(amount), "f")


def format_price(price: Decimal) -> str:
    """
    Return a price with six digits or more, thousands separated.
    """
    places = max(0, 5 - price.adjusted())
    text = format_places(price, places)
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_share(part: Decimal, whole: Decimal) -> str:
    """
    Return `part` of `whole` in percent with two decimals.
    """
    return format_percent(NUMBERS.divide(part, whole))


def format_percent(fraction: Decimal, *, places: int = 2) -> str:
    """
    Return a fraction in percent.
    """
    return f"{format_places(NUMBERS.scaleb(fraction, Decimal(2)), places)} %"


def format_places(value: Decimal, places: int) -> str:
    """
    Return a number with so many decimals, half to even, thousands separated.
    """
    rounded = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN, context=NUMBERS)
    return f"{MINUS if rounded < 0 else ''}{abs(rounded):,f}"


def _four(value: Decimal) -> Decimal:
    rounded = value.quantize(Decimal(1).scaleb(value.adjusted() - 3), context=NUMBERS)
    return rounded.quantize(Decimal(1)) if rounded == rounded.to_integral_value() else rounded.normalize(NUMBERS)
