"""
What one set of rules did with the accounts, in plain integers that travel between processes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple


class Fate(IntEnum):
    """The worst that happened to one account, by rising severity."""

    PAID = 1
    """A part of its gains was taken to cover the loss of others."""
    ADL = 2
    """Lots of it were closed at mark against the default account."""
    CALLED = 3
    CURED = 4
    """Called, and back above the exit of `margin_call` because money came."""
    REDUCED = 5
    """Lots were traded by force; it still holds a position at the end."""
    CLOSED = 6
    """Lots were traded by force until none was left."""
    TAKEN_OVER = 7


class Event(NamedTuple):
    """A fate, and the time of the cycle in which it came, in seconds since 1970."""

    fate: Fate
    time_s: int


@dataclass
class Outcome:
    """
    The result of one replay. Money in units of USDT; `*_accounts` and the first block count accounts.

    Attributes:
        called: Accounts called at least once.
        cured: Accounts of which a call was cured.
        calls: Calls issued; of these `calls_cancelled` ended in liquidation or takeover, `calls_expired` unmet.
        liquidated: Accounts of which lots were traded or taken over by force; `standing` of them hold a position yet.
        fills_notional: Forced orders of accounts, at the price they traded.
        takeover_notional: Positions taken over, at mark.
        peak_per_minute: Largest notional (both kinds) within one clock minute, which began at `peak_at_s`.
        forced_cost: What forced orders of accounts paid beyond the last price; `fees` comes on top.
        house_cost: The same for orders of the default account.
        left_at_takeover: Equity above zero of accounts taken over: income of the funds.
        missing_at_takeover: Equity below zero of accounts taken over: somebody else pays.
        market_funds_drawn, global_fund_drawn: Gross draws, before what comes back.
        market_funds_change, global_fund_change: Balance at the end less at the start, BTC at its last price.
        adl_lots, adl_notional, adl_accounts: Lots closed at mark against winners, their value, and how many accounts.
        adl_share_median_ppm: Median over these accounts of the part of their opening positions that was closed.
        adl_whole: How many of these accounts lost all of a position.
        shared, shared_accounts: Gains taken from winners, and from how many.
        largest_haircut_ppm: Largest part of one winner's gains taken at once.
        unpaid: Claims nobody paid until the end.
        accounts_change: Equity of all accounts at the end less at the start and less money added later.
        outside_change: P&L of the account that took the forced orders.
        liquidated_start, liquidated_end: Equity at 20:00, and at the end, of the accounts that were liquidated.
        deposited: Money added by owners who answered a call.
        residue: Absolute units that all books hold beyond the vault; 0 if money was conserved.
        call_times, forced: (second, number or notional) per cycle, for pictures.
        events: Account to the worst that happened to it, and when first.
    """

    rules: str
    accounts: int
    called: int = 0
    cured: int = 0
    calls: int = 0
    calls_cured: int = 0
    calls_cancelled: int = 0
    calls_expired: int = 0
    liquidated: int = 0
    standing: int = 0
    taken_over: int = 0
    fills_notional: int = 0
    takeover_notional: int = 0
    peak_per_minute: int = 0
    peak_at_s: int = 0
    forced_cost: int = 0
    house_cost: int = 0
    fees: int = 0
    left_at_takeover: int = 0
    missing_at_takeover: int = 0
    market_funds_drawn: int = 0
    global_fund_drawn: int = 0
    market_funds_change: int = 0
    global_fund_change: int = 0
    adl_lots: int = 0
    adl_notional: int = 0
    adl_accounts: int = 0
    adl_share_median_ppm: int = 0
    adl_whole: int = 0
    shared: int = 0
    shared_accounts: int = 0
    largest_haircut_ppm: int = 0
    unpaid: int = 0
    error_sides: int = 0
    accounts_change: int = 0
    outside_change: int = 0
    house_change: int = 0
    liquidated_start: int = 0
    liquidated_end: int = 0
    deposited: int = 0
    residue: int = -1
    root: str = ""
    cycles: int = 0
    call_times: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    forced: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    events: dict[int, Event] = field(default_factory=dict[int, Event])

    @property
    def forced_notional(self) -> int:
        """Notional liquidated or taken over, in units."""
        return self.fills_notional + self.takeover_notional


def peak_per_minute(forced: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """
    Return the largest sum of amounts within one clock minute, and the second at which it began (first if equal).
    """
    by_minute: dict[int, int] = {}
    for time_s, amount in forced:
        by_minute[time_s // 60] = by_minute.get(time_s // 60, 0) + amount
    if not by_minute:
        return 0, 0
    minute = min(by_minute, key=lambda m: (-by_minute[m], m))
    return by_minute[minute], minute * 60


def median(values: list[int]) -> int:
    """
    Return the middle value, the lower one of two; 0 if there is none.
    """
    return sorted(values)[(len(values) - 1) // 2] if values else 0
