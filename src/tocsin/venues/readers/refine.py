"""
What recorded positions need beside their normalised fields: the venue's own way of stating an input.

Records hold a collector's fields and the venue's payload (`raw`). Where the payload states an input in a way that the
collector's fields do not carry (money set aside, rates in percent, the price that profit counts from), the venue's
reader puts it right here, so that a record and a payload of one position give one leg.
"""

from tocsin.venues.contract import Leg, Mode
from tocsin.venues.readers import derive, dydx, small
from tocsin.venues.reading import Draft, Fields
from tocsin.venues.registry import rulebooks_of

_BITGET_CLASSIC = ("keepMarginRate", "holdSide", "marginSize", "openPriceAvg", "averageOpenPrice")
"""Fields that only positions of Bitget's classic account have."""


def refine_leg(raw: Fields, leg: Leg, draft: Draft) -> Leg:
    """
    Return a recorded leg as its venue's payload means it.
    """
    if draft.venue == "derive":
        return derive.refine(raw, leg, draft)
    if draft.venue == "dydx":
        return dydx.refine(raw, leg, draft)
    return small.refine(raw, leg, draft, draft.venue)


def refine_account(account: Fields | None, raw: Fields, draft: Draft) -> None:
    """
    Put the account's part of a group of records right, and the name of its rulebook.
    """
    if account is not None and draft.venue == "dydx":
        dydx.refine_account(account, draft)
    if account is not None and draft.venue == "modetrade":
        small.refine_modetrade(account, draft)
    if draft.venue == "bitget" and any(name in raw for name in _BITGET_CLASSIC):
        draft.rules = "bitget-classic"
    if draft.venue in ("kucoin", "htx") and draft.legs and all(leg.mode is Mode.ISOLATED for leg in draft.legs):
        draft.rules = f"{draft.venue}-isolated"
    names = [book.name for book in rulebooks_of(draft.venue)]
    if names and draft.rules not in names:
        draft.rules = names[0]
