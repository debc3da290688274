"""
The two pictures of the October replay: price with calls and liquidations; who pays.
"""

from collections.abc import Mapping, Sequence

from tocsin.lab.october.cadence import END_S, START_S
from tocsin.lab.october.outcome import Outcome
from tocsin.lab.october.study import Column
from tocsin.views.numbers import format_compact
from tocsin.views.payers_picture import Payments, Stage, draw_who_pays
from tocsin.views.price_picture import Events, draw_price_with_events

UNIT = 1_000_000

_NAMES = {
    Column.VENUE: "venue-style rules",
    Column.TOCSIN: "Tocsin rules",
    Column.CHANGED: "Tocsin rules, changed",
}

_STAGES = (
    Stage("Liquidated accounts", "own", "equity lost since 20:00"),
    Stage("Market funds", "fund", "lost, net of fees and income"),
    Stage("Global fund", "fund", "lost, net of income"),
    Stage("Winners", "winners", "taken from their gains"),
    Stage("Unpaid", "open", "at 23:00"),
)


def draw_price(
    prices_ticks: Sequence[int], columns: Mapping[Column, Outcome], *, accounts: int, tick: float = 0.1
) -> str:
    """
    Draw the price of BTC with the calls and the forced notional of each set of rules.

    Args:
        prices_ticks: One mark a second from 20:00:00 to 23:00:00 UTC.
    """
    assert len(prices_ticks) == END_S - START_S + 1
    times = range(START_S, END_S + 1, 5)
    last = list(columns)[-1]
    shown = columns[last]
    calls = Events(
        f"Margin calls under {_NAMES[last]}",
        [t for t, _ in shown.call_times],
        [n for _, n in shown.call_times],
        f"{shown.calls:,} to {shown.called:,} accounts" if shown.calls else "none",
    )
    forced = [
        Events(
            f"Forced under {_NAMES[column]}, USDT a minute",
            [t for t, _ in o.forced],
            [n // UNIT for _, n in o.forced],
            f"{format_compact(o.forced_notional)}, {o.liquidated:,} accounts",
        )
        for column, o in columns.items()
    ]
    return draw_price_with_events(
        title="10 October 2025: price, margin calls, forced orders and takeovers",
        subtitle=f"Real prices; {accounts:,} synthetic accounts, the same under each set of rules. Times UTC.",
        caption=(
            "Price: mark of BTC by the rulebook's rule, inside each 3-minute bar drawn from a seed. Forced: "
            "liquidation fills and positions taken over, notional, in all 64 markets. "
            "Forced orders do not move the price here."
        ),
        price_name="BTC mark, USDT",
        times_s=list(times),
        prices=[prices_ticks[t - START_S] * tick for t in times],
        calls=calls,
        liquidations=forced,
        height=580 if len(columns) < 3 else 670,
    )


def draw_payers(columns: Mapping[Column, Outcome], *, accounts: int) -> str:
    """
    Draw who carries what the liquidated accounts and the default account lost.
    """
    payments = [
        Payments(
            _NAMES[column],
            (
                max(0, o.liquidated_start - o.liquidated_end),
                max(0, -o.market_funds_change),
                max(0, -o.global_fund_change),
                o.shared,
                o.unpaid,
            ),
        )
        for column, o in columns.items()
    ]
    return draw_who_pays(
        title="Who pays",
        subtitle=f"{accounts:,} synthetic accounts, real prices of 10 October 2025, 20:00 to 23:00 UTC",
        caption=(
            "A fund that ends with more than it began paid nothing net. Winners closed by ADL at mark lose no money by "
            "it, but their position. What liquidated accounts lost includes the market's move, not only costs."
        ),
        stages=_STAGES,
        payments=payments,
    )
