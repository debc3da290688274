"""
Binance's rulebooks: USD-M futures, COIN-M futures, portfolio margin.
"""

from tocsin.venues.registry import Rulebook

RULEBOOKS: tuple[Rulebook, ...] = ()
