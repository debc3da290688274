"""
Rulebooks of smaller venues, as far as captures of their payloads or their pages show the rule.

All are of one form, `exchange`; the data of each names its source and what no capture shows. What a venue's rulebook
cannot say is refused by name, never guessed.
"""

from tocsin.venues.contract import Mode, Product
from tocsin.venues.exchange import make_rulebook

_BOTH = (Product.LINEAR, Product.INVERSE)

RULEBOOKS = (
    make_rulebook("aax", "AAX (closed 2022)"),
    make_rulebook("backpack", "Backpack", modes=(Mode.CROSS,)),
    make_rulebook("bingx", "BingX"),
    make_rulebook("bitget", "Bitget, unified account"),
    make_rulebook("bitget-classic", "Bitget, classic account", venue="bitget", terms="classic"),
    make_rulebook("bitmart", "BitMart"),
    make_rulebook("bydfi", "BYDFi"),
    make_rulebook("coinex", "CoinEx"),
    make_rulebook("digifinex", "DigiFinex"),
    make_rulebook("gate", "Gate"),
    make_rulebook("htx", "HTX, cross", modes=(Mode.CROSS,)),
    make_rulebook("htx-isolated", "HTX, isolated", venue="htx", terms="isolated", products=_BOTH),
    make_rulebook("kucoin", "KuCoin, cross", modes=(Mode.CROSS,)),
    make_rulebook("kucoin-isolated", "KuCoin, isolated", venue="kucoin", terms="isolated", modes=(Mode.ISOLATED,)),
    make_rulebook("lighter", "Lighter"),
    make_rulebook("mexc", "MEXC"),
    make_rulebook("modetrade", "ModeTrade (Orderly)", modes=(Mode.CROSS,)),
    make_rulebook("phemex", "Phemex", products=_BOTH),
    make_rulebook("poloniex", "Poloniex"),
    make_rulebook("xt", "XT"),
)
"""By name."""
