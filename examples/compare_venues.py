"""
What three venues ask for 50 M USD of BTC, and at which sizes their order changes. `python examples/compare_venues.py`
"""

from decimal import Decimal

from tocsin.venues.compare import compare
from tocsin.venues.compare_sizes import map_sizes
from tocsin.venues.question_text import read_words
from tocsin.venues.registry import find_rulebook

books = [find_rulebook(name) for name in ("binance-usdm", "dydx", "hyperliquid")]
question = read_words(["BTC", "long", "50M"], price="100000")
for row in compare(question, books).rows:
    print(f"{row.name:14} {row.maintenance:12,.0f} USD  liquidated at {row.below.price:,.1f}")

sizes = map_sizes(question, books, low=Decimal("1e4"), high=Decimal("1e9"))
for size, below, above in sizes.changes:
    print(f"at {size:,.0f} USD {sizes.names[above][0]} becomes cheaper than {sizes.names[below][0]}")
