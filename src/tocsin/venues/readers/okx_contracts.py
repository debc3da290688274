"""
Kind and size of OKX's contracts, for the readers: a position names its instrument, not its `ctVal`.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from tocsin.venues.contract import NUMBERS, Product
from tocsin.venues.params import load
from tocsin.venues.reading import Fields, PayloadError

ONE = Decimal(1)
QUOTES = ("USDT", "USDC", "USD_UM")


class Listed(msgspec.Struct, frozen=True):
    """What the shipped listings say of a kind of contract: its size by coin."""

    product: Product
    contract_size: Mapping[str, Decimal]


def futures_of(*, linear: bool) -> Product:
    """
    Return the kind of a swap or a dated futures contract.
    """
    return Product.LINEAR if linear else Product.INVERSE


def size_of_contract(element: Fields, symbol: str, product: Product, size: Decimal, mark: Decimal | None) -> Decimal:
    """
    Return the contract size: `ctVal` where given, the shipped listing's, else `notionalUsd` over size and mark.
    """
    given = element.optional_positive("ctVal")
    if given is not None:
        return given * (element.optional_positive("ctMult") or ONE)
    coin = symbol.split("-", maxsplit=1)[0]
    for row in load("okx", "listings").decode(tuple[Listed, ...], "contracts"):
        if row.product is product and coin in row.contract_size:
            return row.contract_size[coin]
    value = element.optional_positive("notionalUsd")
    if value is None or (product is not Product.INVERSE and mark is None):
        raise PayloadError(f"{element.where}: ctVal of {symbol} is missing; add it from /public/instruments")
    raw = NUMBERS.divide(value, size) if product is Product.INVERSE else NUMBERS.divide(value, size * (mark or ONE))
    return _round(raw)


def _round(raw: Decimal) -> Decimal:
    """Return the power of ten nearest to a contract size that USD and USDT prices make unround."""
    power = Decimal(1).scaleb(raw.adjusted())
    size = min((power, power * 10), key=lambda near: abs(raw / near - 1))
    if abs(raw / size - 1) > Decimal("0.01"):
        raise PayloadError(f"contract size from notionalUsd is {raw}, no power of ten; give ctVal")
    return size
