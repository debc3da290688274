"""
Readers of venues' payloads: which one fits is told from the fields, or asked for.

A file holds one payload (an endpoint's answer as it came), a list of records with their sources, a ccxt dump, or a
bundle of several payloads of one account:

    {"venue": "bybit", "time": "2026-11-20T12:00:00Z", "payloads": [{...position list...}, {...wallet balance...}]}
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from tocsin.venues.reading import Draft, Reader

MODULES: dict[str, str] = {
    "binance": "tocsin.venues.readers.binance",
    "bybit": "tocsin.venues.readers.bybit",
    "deribit": "tocsin.venues.readers.deribit",
    "derive": "tocsin.venues.readers.derive",
    "dydx": "tocsin.venues.readers.dydx",
    "hyperliquid": "tocsin.venues.readers.hyperliquid",
    "okx": "tocsin.venues.readers.okx",
    "backpack": "tocsin.venues.readers.small",
    "bingx": "tocsin.venues.readers.small",
    "bitget": "tocsin.venues.readers.small",
    "bydfi": "tocsin.venues.readers.small",
    "digifinex": "tocsin.venues.readers.small",
    "gate": "tocsin.venues.readers.small",
    "htx": "tocsin.venues.readers.small",
    "kucoin": "tocsin.venues.readers.small",
    "lighter": "tocsin.venues.readers.small",
    "mexc": "tocsin.venues.readers.small",
    "modetrade": "tocsin.venues.readers.small",
    "paradex": "tocsin.venues.readers.small",
    "phemex": "tocsin.venues.readers.small",
    "poloniex": "tocsin.venues.readers.small",
    "xt": "tocsin.venues.readers.small",
}
"""Venue -> the module whose `READERS` reads its payloads; its `finish`, if it has one, completes a draft."""

_FOUND: dict[str, tuple[Reader, ...]] = {}


def readers_of(venue: str) -> tuple[Reader, ...]:
    """
    Return the readers of one venue, () if it has none.
    """
    if venue not in _FOUND:
        module = _load(venue)
        _FOUND[venue] = () if module is None else tuple(r for r in module.READERS if r.venue == venue)
    return _FOUND[venue]


def finish_of(venue: str, reader: Reader) -> Callable[[Draft], None]:
    """
    Return what completes a draft once all payloads of an account are read: the `finish` of the reader's module.
    """
    for name in (venue, *MODULES):
        module = _load(name)
        if module is not None and reader in module.READERS:
            return getattr(module, "finish", _leave)
    return _leave


def _leave(draft: Draft) -> None:
    """A draft that needs no completion."""


def _load(name: str) -> Any:
    module = MODULES.get(name)
    if module is None:
        return None
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name == module:
            return None
        raise
