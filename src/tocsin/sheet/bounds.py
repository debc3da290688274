"""
The words in which a sheet's bounds are checked: each names field, value and what is accepted (rule SH-012).
"""

from collections.abc import Iterable

from tocsin.core import limits
from tocsin.core.errors import SheetError
from tocsin.core.integers import PPM
from tocsin.sheet.terms import LevelFactors, Tier


def require(ok: bool, field: str, value: object, accepted: str) -> None:
    """
    Raise a `SheetError` unless `ok`.
    """
    if not ok:
        raise SheetError(f"{field} must be {accepted}, was {value!r}")


def require_between(field: str, value: int, low: int, high: int) -> None:
    """
    Raise a `SheetError` unless `low <= value <= high`.
    """
    require(low <= value <= high, field, value, f"between {low} and {high}")


def require_text(field: str, value: str, most: int) -> None:
    """
    Raise a `SheetError` unless `value` can be shown to people as it is: 1 to `most` printable ASCII characters.
    """
    ok = 1 <= len(value) <= most and value.isascii() and value.isprintable()
    require(ok, field, value, f"1 to {most} printable ASCII characters")


def require_unique(field: str, values: Iterable[int | str]) -> None:
    """
    Raise a `SheetError` if a value comes twice.
    """
    seen: dict[int | str, bool] = {}
    for value in values:
        require(value not in seen, field, value, "unique: identifiers are never used twice")
        seen[value] = True


def require_factors(name: str, factors: LevelFactors) -> None:
    """
    Raise a `SheetError` unless the factors never rise from `initial` to `takeover` (rule SH-004).
    """
    values = factors.as_tuple()
    names = ("initial", "margin_call", "liquidation", "takeover")
    for i, value in enumerate(values):
        require_between(f"{name}.{names[i]}", value, 0, limits.RATE_PPM_MAX)
        if i:
            require(
                value <= values[i - 1],
                f"{name}.{names[i]}",
                value,
                f"at most {name}.{names[i - 1]} = {values[i - 1]}: levels are nested",
            )


def require_brackets(field: str, tiers: tuple[Tier, ...]) -> None:
    """
    Raise a `SheetError` unless brackets begin at 0, rise, and their rates never fall: what they cost is convex.
    """
    require(1 <= len(tiers) <= limits.TIERS_MAX, field, len(tiers), f"1 to {limits.TIERS_MAX} tiers")
    require(tiers[0].lower == 0, f"{field}[0].lower", tiers[0].lower, "0")
    for i, tier in enumerate(tiers):
        low = tiers[i - 1].rate_ppm if i else 0
        # A margin above the notional itself is allowed for no bracket.
        require_between(f"{field}[{i}].rate_ppm", tier.rate_ppm, low, PPM)
        if i:
            require_between(f"{field}[{i}].lower", tier.lower, tiers[i - 1].lower + 1, limits.NOTIONAL_MAX)
