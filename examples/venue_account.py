"""
One account under several venues' rules, from Python: equity, requirement, health, liquidation price, their basis.

`python examples/venue_account.py`
"""

from decimal import Decimal

from tocsin.venues.contract import Balance, Leg, Portfolio, Product
from tocsin.venues.registry import find_rulebook
from tocsin.venues.translate import translate

account = Portfolio(
    venue="binance",
    legs=(
        Leg(
            symbol="BTCUSDT",
            underlying="BTC",
            product=Product.LINEAR,
            size=Decimal(2),
            entry=Decimal(100_000),
            mark=Decimal(98_000),
            settle="USDT",
        ),
    ),
    balances=(Balance(asset="USDT", amount=Decimal(20_000), price=Decimal(1)),),
)

for name in ("binance-usdm", "bybit", "hyperliquid", "derive-sm"):
    book = find_rulebook(name)
    found = book.run(translate(account, book))
    price = found.legs[0].liquidation
    where = "none" if price is None or price.price is None else f"{price.price:,.1f}"
    print(
        f"{name}: equity {found.equity:,.0f}, maintenance {found.maintenance:,.0f} {found.unit}, liquidated at {where}"
    )
    if found.health is not None and found.health.value is not None:
        print(f"  {found.health.name} {found.health.value:.4f}; {found.basis.params} of {found.basis.params_date}")
