"""
Leverage caps beside a venue's own brackets: by jurisdiction, client, venue and product, as dated data.

A cap says what may be offered, not what a position needs: requirements come from the rulebooks. What is not listed is
not known here; an empty answer is no permission.
"""

from decimal import Decimal

import msgspec

from tocsin.venues.params import load, parse_time


class LeverageCap(msgspec.Struct, frozen=True, kw_only=True):
    """
    One rule: the highest leverage (`cap`, 0: not to be sold), for whom and since when. "*" stands for any.
    """

    venue: str
    jurisdiction: str
    client: str
    product: str
    cap: Decimal
    valid_from: str
    valid_to: str | None
    source: str
    note: str = ""


def find_caps(*, venue: str = "", jurisdiction: str = "", at: str = "") -> tuple[LeverageCap, ...]:
    """
    Return the caps that concern a venue or a jurisdiction at a time, lowest first.

    Args:
        venue: First word of a rulebook's name; "" for none in particular: rows of single venues are left out.
        jurisdiction: "EU", "UK", "JP"; "" for none in particular: rows of single jurisdictions are left out.
        at: ISO 8601 or milliseconds; "" for all that have not ended.

    Raises:
        VenueRefusal: `at` is not a time.
    """
    rows = load("market", "leverage_caps").decode(list[LeverageCap], "caps")
    found = [r for r in rows if r.venue in ("*", venue) and r.jurisdiction in ("*", jurisdiction) and _holds(r, at)]
    return tuple(sorted(found, key=lambda r: (r.cap, r.valid_from)))


def _holds(row: LeverageCap, at: str) -> bool:
    if not at:
        return row.valid_to is None
    moment = parse_time(at)
    return parse_time(row.valid_from) <= moment and (row.valid_to is None or moment < parse_time(row.valid_to))
