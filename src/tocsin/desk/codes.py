"""
Causes of a difference between what a venue reports and what its rules give, in the order in which they are tried.
"""

from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple


class Code(StrEnum):
    """Cause of a part of a difference. The order of the list is the order of the search."""

    PRICE_SOURCE = "PRICE_SOURCE"
    TIER_VERSION = "TIER_VERSION"
    FEE_IN_MM = "FEE_IN_MM"
    TIER_AT_LIQ = "TIER_AT_LIQ"
    MODE_MISMATCH = "MODE_MISMATCH"
    COLLATERAL_HAIRCUT = "COLLATERAL_HAIRCUT"
    ORDER_MARGIN = "ORDER_MARGIN"
    STALE_SNAPSHOT = "STALE_SNAPSHOT"
    CONNECTOR_DERIVED = "CONNECTOR_DERIVED"
    ROUNDING = "ROUNDING"
    UNEXPLAINED = "UNEXPLAINED"


MEANING = {
    Code.PRICE_SOURCE: "another price than the mark the payload shows (index, last, entry, another mark)",
    Code.TIER_VERSION: "another version of the brackets, or another bracket of them",
    Code.FEE_IN_MM: "a closing fee inside the margin, or another rate of it",
    Code.TIER_AT_LIQ: "the bracket at the mark instead of the one at the liquidation price",
    Code.MODE_MISMATCH: "another margin mode than the payload says",
    Code.COLLATERAL_HAIRCUT: "another haircut of the collateral",
    Code.ORDER_MARGIN: "margin of resting orders, in one figure and not in the other",
    Code.STALE_SNAPSHOT: "parts of the payload are of different moments",
    Code.CONNECTOR_DERIVED: "the connector's figure is its own, not the venue's",
    Code.ROUNDING: "the venue's printed digits",
    Code.UNEXPLAINED: "no single cause, and no two, give the reported figure",
}


class Part(NamedTuple):
    """
    One cause's share of a difference, signed; all parts of a row sum exactly to reported - own.
    """

    code: Code
    amount: Decimal
    why: str
