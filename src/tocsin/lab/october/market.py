"""
The market outside: takes forced orders around the real price, at a cost, never worse than their limit.

Orders of one contract and side that meet in one cycle trade at one price, that of their total size; the most willing
limits are served first. The path of prices is given and does not react.
"""

from dataclasses import dataclass, field

from tocsin.engine.messages import CloseLots, CycleOpen, Event, Grant
from tocsin.lab.october.liquidity import execution_price
from tocsin.lab.october.world import Market
from tocsin.procedures.liquidation.intent import Intent, IntentState

HOUSE = 0
"""Account number by which fills name the default account."""


@dataclass(slots=True)
class Order:
    """A forced order at work: account (0: the default account), intent, contract, signed lots left, limit per lot."""

    account: int
    intent: int
    contract: int
    lots: int
    limit: int


@dataclass(slots=True)
class Trade:
    """Lots of an order that traded, signed, and the value per lot in units."""

    order: Order
    lots: int
    per_lot: int


@dataclass
class OutsideMarket:
    """
    Orders at work and what they traded; `markets` by contract number.
    """

    markets: dict[int, Market]
    orders: dict[tuple[int, int], Order] = field(default_factory=dict[tuple[int, int], Order])

    def take_grants(self, opened: CycleOpen, house_intents: list[Intent]) -> None:
        """
        Take the orders that the opening of a cycle grants, and the default account's.

        Where ADL closes lots of the same account in the same opening, the order waits a cycle: its grant may be cut
        to what is left.
        """
        closing = {(d.account, d.contract) for d in opened.decisions if isinstance(d, CloseLots)}
        for decision in opened.decisions:
            if isinstance(decision, Grant) and (decision.account, decision.contract) not in closing:
                order = Order(decision.account, decision.intent, decision.contract, decision.lots, decision.limit)
                self.orders[order.account, order.intent] = order
        for intent in house_intents:
            if (HOUSE, intent.id) not in self.orders and intent.state < IntentState.CANCEL_PENDING:
                self.orders[HOUSE, intent.id] = Order(HOUSE, intent.id, intent.contract, intent.left, intent.limit)

    def trade(self, last_ticks: dict[int, int]) -> list[Trade]:
        """
        Trade what can be traded at the last prices (ticks by contract) and return it, in (contract, side) order.
        """
        out: list[Trade] = []
        keys = sorted({(o.contract, o.lots > 0) for o in self.orders.values()})
        for contract, buys in keys:
            book = [o for o in self.orders.values() if (o.contract, o.lots > 0) == (contract, buys)]
            book.sort(key=lambda o: (-o.limit if buys else o.limit, o.account, o.intent))
            out.extend(self._trade_side(self.markets[contract], last_ticks[contract], buys, book))
        for trade in out:
            trade.order.lots -= trade.lots
            if trade.order.lots == 0:
                del self.orders[trade.order.account, trade.order.intent]
        return out

    def _trade_side(self, market: Market, last: int, buys: bool, book: list[Order]) -> list[Trade]:
        sign = 1 if buys else -1
        taken: list[tuple[Order, int]] = []
        total = 0
        for order in book:
            lots = self._largest(market, last, sign, total, order)
            if lots:
                taken.append((order, lots))
                total += lots
            if lots < abs(order.lots):
                break
        if not total:
            return []
        per_lot = execution_price(market, last, sign * total) * market.units_per_tick_per_lot
        return [Trade(order, sign * lots, per_lot) for order, lots in taken]

    def _largest(self, market: Market, last: int, sign: int, before: int, order: Order) -> int:
        """Return the most lots of an order that keep the price of all within its limit, by bisection."""

        def fits(lots: int) -> bool:
            per_lot = execution_price(market, last, sign * (before + lots)) * market.units_per_tick_per_lot
            return per_lot <= order.limit if sign > 0 else per_lot >= order.limit

        low, high = 0, abs(order.lots)
        if fits(high):
            return high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if fits(middle) else (low, middle)
        return low

    def drop_cancelled(self, events: list[Event]) -> list[tuple[int, int]]:
        """
        Take back orders whose cancel was asked for or that are done; return (account, intent) of cancels to confirm.
        """
        confirm: list[tuple[int, int]] = []
        for event in events:
            if event.kind == "intent_cancel":
                key = (event.account, int(event.fields["intent"]))
                self.orders.pop(key, None)
                confirm.append(key)
            elif event.kind == "intent_done":
                self.orders.pop((event.account, int(event.fields["intent"])), None)
            elif event.kind == "taken_over":
                for key in [k for k in self.orders if k[0] == event.account]:
                    del self.orders[key]
        return confirm
