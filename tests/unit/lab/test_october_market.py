"""
The market outside: one price for orders that meet, never worse than a limit, lots counted once.
"""

from dataclasses import replace

import pytest

from tocsin.engine.messages import Event
from tocsin.lab.october import Market, build_world, execution_price
from tocsin.lab.october.market import Order, OutsideMarket


@pytest.fixture(scope="module")
def btc() -> Market:
    return next(m for m in build_world(accounts=200).markets if m.symbol == "BTC")


def place(market: Market, *orders: Order) -> OutsideMarket:
    return OutsideMarket({market.contract: market}, {(o.account, o.intent): o for o in orders})


def sell(market: Market, account: int, lots: int, limit_ticks: int) -> Order:
    return Order(account, 1, market.contract, -lots, limit_ticks * market.units_per_tick_per_lot)


def buy(market: Market, account: int, lots: int, limit_ticks: int) -> Order:
    return Order(account, 1, market.contract, lots, limit_ticks * market.units_per_tick_per_lot)


def test_orders_that_meet_trade_at_the_price_of_all(btc: Market) -> None:
    last = btc.price_ticks
    outside = place(btc, sell(btc, 1, 100, 1), sell(btc, 2, 300, 1))
    trades = outside.trade({btc.contract: last})
    per_lot = execution_price(btc, last, -400) * btc.units_per_tick_per_lot
    assert [(t.order.account, t.lots, t.per_lot) for t in trades] == [(1, -100, per_lot), (2, -300, per_lot)]
    assert outside.orders == {}
    assert per_lot < last * btc.units_per_tick_per_lot


@pytest.mark.parametrize("side", [1, -1])
def test_no_order_trades_beyond_its_limit_and_as_much_as_the_limit_lets(btc: Market, side: int) -> None:
    last, lots = btc.price_ticks, btc.volume_lots // 2
    limit = execution_price(btc, last, side * 1000)
    make = buy if side > 0 else sell
    outside = place(btc, make(btc, 1, lots, limit))
    (trade,) = outside.trade({btc.contract: last})
    done = abs(trade.lots)
    assert trade.per_lot == limit * btc.units_per_tick_per_lot
    assert 1000 <= done < lots
    assert execution_price(btc, last, side * (done + 1)) != limit
    assert outside.orders[1, 1].lots == side * (lots - done)


def test_who_asks_most_is_served_first_and_the_rest_waits(btc: Market) -> None:
    last = btc.price_ticks
    proud = sell(btc, 1, 50, last)
    humble = sell(btc, 2, 50, 1)
    trades = place(btc, proud, humble).trade({btc.contract: last})
    assert [(t.order.account, t.lots) for t in trades] == [(2, -50)]


def test_buys_and_sells_do_not_meet_each_other(btc: Market) -> None:
    last = btc.price_ticks
    trades = place(btc, sell(btc, 1, 50, 1), buy(btc, 2, 50, 2 * last)).trade({btc.contract: last})
    sold, bought = ({t.order.account: t.per_lot for t in trades}[a] for a in (1, 2))
    assert sold < last * btc.units_per_tick_per_lot < bought


def test_cancelled_and_finished_orders_are_gone_and_cancels_are_confirmed(btc: Market) -> None:
    orders = [replace(sell(btc, a, 10, 1), intent=a) for a in (1, 2, 3, 4)]
    outside = place(btc, *orders)
    events = [
        Event(1, 3, (0, 0, 0), "intent_cancel", 1, {"intent": 1}),
        Event(1, 3, (0, 0, 1), "intent_done", 2, {"intent": 2}),
        Event(1, 3, (0, 0, 2), "taken_over", 3, {}),
    ]
    assert outside.drop_cancelled(events) == [(1, 1)]
    assert list(outside.orders) == [(4, 4)]
