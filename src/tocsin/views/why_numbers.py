"""
Amounts of `why`: every digit that counts, none that does not, with their symbols.
"""

from datetime import UTC, datetime

from tocsin.sheet.terms import RiskSheet
from tocsin.views.numbers import format_exact

VALUE_DECIMALS = 6
"""Decimals of the valuation unit as shown."""


def format_moment(time_ns: int) -> str:
    """
    Return a log time as date and time of day in UTC, with nanoseconds only where there are any.
    """
    seconds, rest = divmod(time_ns, 10**9)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return f"{text}.{rest:09d} UTC" if rest else f"{text} UTC"


def format_trimmed(amount: int, decimals: int, *, least: int = 2) -> str:
    """
    Return an exact amount counted in `10**-decimals` without zeros at its end, but with `least` decimals.
    """
    text = format_exact(amount, decimals=decimals)
    if decimals <= least:
        return text
    whole, _, digits = text.partition(".")
    digits = digits.rstrip("0").ljust(least, "0")
    return f"{whole}.{digits}" if digits else whole


class Units:
    """
    The names and decimals of one sheet.
    """

    def __init__(self, sheet: RiskSheet, *, value_decimals: int = VALUE_DECIMALS) -> None:
        self._assets = {a.id: a for a in sheet.assets}
        self._contracts = {c.id: c for c in sheet.contracts}
        self.value_decimals = value_decimals

    def symbol(self, contract: int) -> str:
        """Return the symbol of a contract."""
        return self._contracts[contract].symbol

    def asset(self, asset: int) -> str:
        """Return the symbol of an asset."""
        return self._assets[asset].symbol

    def decimals(self, asset: int) -> int:
        """Return the decimals of an asset."""
        return self._assets[asset].decimals

    def asset_of(self, contract: int) -> int:
        """Return the settlement asset of a contract."""
        return self._contracts[contract].asset

    def lots(self, contract: int, lots: int) -> str:
        """Return signed lots with their contract."""
        return f"{lots:+,} {self.symbol(contract)}"

    def amount(self, asset: int, units: int, *, finer: int = 0, sign: bool = False) -> str:
        """Return units of an asset (counted in `10**-finer` of one) in whole coins."""
        text = format_trimmed(units, self._assets[asset].decimals + finer)
        return f"+{text}" if sign and units > 0 else text

    def money(self, asset: int, units: int, *, sign: bool = False) -> str:
        """Return units of an asset in whole coins, with its symbol."""
        return f"{self.amount(asset, units, sign=sign)} {self._assets[asset].symbol}"

    def settled(self, contract: int, units: int, *, sign: bool = False) -> str:
        """Return an amount in the settlement asset of a contract, with its symbol."""
        return self.money(self.asset_of(contract), units, sign=sign)

    def value(self, amount: int, *, finer: int = 0) -> str:
        """Return an amount of valuation units (counted in `10**-finer` of one)."""
        return format_trimmed(amount, self.value_decimals + finer)

    def price(self, asset: int, price: int) -> str:
        """Return a price (millionths of a valuation unit per unit) as the value of one whole coin."""
        return format_trimmed(price * 10 ** self._assets[asset].decimals, self.value_decimals + 6, least=0)

    def plain(self, number: int, decimals: int) -> str:
        """Return a number counted in `10**-decimals`, without zeros at its end."""
        return format_trimmed(number, decimals, least=0)
