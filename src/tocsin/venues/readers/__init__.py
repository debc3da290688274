"""
Readers of venues' payloads: which one fits is told from the fields, or asked for.

A file holds one payload (an endpoint's answer as it came), a list of records with their sources, a ccxt dump, or a
bundle of several payloads of one account:

    {"venue": "bybit", "time": "2026-11-20T12:00:00Z", "payloads": [{...position list...}, {...wallet balance...}]}
"""

from importlib import import_module

from tocsin.venues.reading import Reader

MODULES: dict[str, str] = {
    "binance": "tocsin.venues.readers.binance",
    "bybit": "tocsin.venues.readers.bybit",
    "deribit": "tocsin.venues.readers.deribit",
    "derive": "tocsin.venues.readers.derive",
    "dydx": "tocsin.venues.readers.dydx",
    "hyperliquid": "tocsin.venues.readers.hyperliquid",
    "okx": "tocsin.venues.readers.okx",
    "small": "tocsin.venues.readers.small",
}
"""Venue -> the module whose `READERS` reads its payloads; its `finish`, if it has one, completes a draft."""


def readers_of(venue: str) -> tuple[Reader, ...]:
    """
    Return the readers of one venue's module, () while it has none.
    """
    module = MODULES.get(venue)
    if module is None:
        return ()
    try:
        return import_module(module).READERS
    except ModuleNotFoundError as error:
        if error.name == module:
            return ()
        raise
