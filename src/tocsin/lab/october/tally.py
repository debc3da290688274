"""
Count the events of each cycle into an outcome.
"""

from collections.abc import Callable, Iterable

from tocsin.core.ids import GLOBAL_FUND
from tocsin.core.integers import PPM
from tocsin.engine.engine import Engine
from tocsin.engine.messages import CycleResult
from tocsin.engine.messages import Event as EngineEvent
from tocsin.lab.october.cadence import SECOND_NS
from tocsin.lab.october.market import Trade
from tocsin.lab.october.outcome import Event, Fate, Outcome, median, peak_per_minute
from tocsin.lab.october.sheets import BTC, USDT
from tocsin.lab.october.wealth import Wealth, count_wealth, lots_residue, residue
from tocsin.lab.october.world import World


class Tally:
    """
    Counts one replay. `start` is called after the opening fills, then `add_trades` and `add_cycle`, last `finish`.
    """

    def __init__(self, world: World, engine: Engine, rules: str) -> None:
        self.outcome = Outcome(rules, len(world.accounts))
        self._engine = engine
        self._held = world.positions()
        self._marks = {m.contract: m.mark for m in world.markets}
        self._now_s = 0
        self._called: dict[int, int] = {}
        self._cured: dict[int, int] = {}
        self._forced: dict[int, int] = {}
        self._taken: dict[int, int] = {}
        self._adl: dict[int, int] = {}
        self._paid: dict[int, int] = {}
        self._adl_lots: dict[tuple[int, int], int] = {}
        self._adders: dict[str, Callable[[EngineEvent], None]] = {
            "call_issued": self._call_issued,
            "call_cured": self._call_cured,
            "call_cancelled": self._call_cancelled,
            "call_expired": self._call_expired,
            "filled": self._filled,
            "fee": self._fee,
            "taken_over": self._taken_over,
            "adl": self._adl_closed,
            "haircut": self._haircut,
            "loss_shared": self._loss_shared,
            "fund_draw": self._fund_draw,
            "error_booked": self._error_booked,
        }

    def start(self) -> None:
        """Remember who had what before anything happened; BTC collateral is valued at the end."""
        self._before = self._count(0), self._count(PPM)

    def _count(self, btc_price: int) -> Wealth:
        return count_wealth(self._engine, btc_price)

    def add_trades(self, trades: list[Trade], last: dict[int, int]) -> None:
        """
        Count forced orders that traded; `last` is the last price per lot in units, by contract.
        """
        out = self.outcome
        notional = 0
        for trade in trades:
            cost = trade.lots * (trade.per_lot - last[trade.order.contract])
            if trade.order.account:
                out.forced_cost += cost
                notional += abs(trade.lots) * trade.per_lot
            else:
                out.house_cost += cost
        out.fills_notional += notional
        self._add_forced(notional)

    def _add_forced(self, notional: int) -> None:
        if notional:
            self.outcome.forced.append((self._now_s, notional))

    def set_time(self, now_ns: int) -> None:
        """Say which cycle is open."""
        self._now_s = now_ns // SECOND_NS

    def add_cycle(self, result: CycleResult) -> list[int]:
        """
        Count the events of a closed cycle and return the accounts it called.
        """
        called = [e.account for e in result.events if e.kind == "call_issued"]
        if called:
            self.outcome.call_times.append((self._now_s, len(called)))
        for event in result.events:
            adder = self._adders.get(event.kind)
            if adder is not None:
                adder(event)
        return called

    def _call_issued(self, event: EngineEvent) -> None:
        self.outcome.calls += 1
        self._called.setdefault(event.account, self._now_s)

    def _call_cured(self, event: EngineEvent) -> None:
        self.outcome.calls_cured += 1
        self._cured.setdefault(event.account, self._now_s)

    def _call_cancelled(self, _event: EngineEvent) -> None:
        self.outcome.calls_cancelled += 1

    def _call_expired(self, _event: EngineEvent) -> None:
        self.outcome.calls_expired += 1

    def _filled(self, event: EngineEvent) -> None:
        if event.fields["intent"]:
            self._forced.setdefault(event.account, self._now_s)

    def _fee(self, event: EngineEvent) -> None:
        self.outcome.fees += int(event.fields["amount"])

    def _taken_over(self, event: EngineEvent) -> None:
        out = self.outcome
        self._taken[event.account] = self._now_s
        out.taken_over += 1
        valuation = self._engine.shards[0].valuation
        notional = sum(abs(q) * valuation.lines[c].notional for c, q in _pairs(event.fields["positions"]))
        out.takeover_notional += notional
        self._add_forced(notional)
        equity = sum(
            amount if asset == USDT else amount * valuation.prices[asset] // PPM
            for asset, amount in _pairs(event.fields["cash"])
        )
        out.left_at_takeover += max(0, equity)
        out.missing_at_takeover += max(0, -equity)

    def _adl_closed(self, event: EngineEvent) -> None:
        lots, f = abs(int(event.fields["lots"])), event.fields
        self._adl.setdefault(event.account, self._now_s)
        self.outcome.adl_lots += lots
        self.outcome.adl_notional += abs(int(f["value"]))
        key = (event.account, int(f["contract"]))
        self._adl_lots[key] = self._adl_lots.get(key, 0) + lots

    def _haircut(self, event: EngineEvent) -> None:
        self._paid.setdefault(event.account, self._now_s)
        self.outcome.shared += int(event.fields["amount"])

    def _loss_shared(self, event: EngineEvent) -> None:
        out = self.outcome
        out.largest_haircut_ppm = max(out.largest_haircut_ppm, int(event.fields["largest_ppm"]))

    def _fund_draw(self, event: EngineEvent) -> None:
        if event.account == GLOBAL_FUND:
            self.outcome.global_fund_drawn += int(event.fields["amount"])
        else:
            self.outcome.market_funds_drawn += int(event.fields["amount"])

    def _error_booked(self, _event: EngineEvent) -> None:
        self.outcome.error_sides += 1

    # The end

    def finish(self, deposited: dict[int, int]) -> Outcome:
        """
        Return the outcome; `deposited` is what each owner added after the start, in units of USDT.
        """
        out, engine = self.outcome, self._engine
        valuation = engine.shards[0].valuation
        before, after = self._start_at(valuation.prices[BTC]), self._count(valuation.prices[BTC])
        liquidated = {**self._forced, **self._taken}
        held = {a for a in liquidated if (state := engine.read(a)) is not None and state.positions}
        out.called, out.cured = len(self._called), len(self._cured)
        out.liquidated, out.standing = len(liquidated), len(held)
        out.peak_per_minute, out.peak_at_s = peak_per_minute(out.forced)
        out.adl_accounts, out.shared_accounts = len(self._adl), len(self._paid)
        self._count_adl_shares()
        out.unpaid = sum(c.amount for c in engine.house.state.claims if c.asset == USDT)
        out.deposited = sum(deposited.values())
        out.accounts_change = sum(after.accounts.values()) - sum(before.accounts.values()) - out.deposited
        out.outside_change = after.outside - before.outside
        out.market_funds_change = after.market_funds - before.market_funds
        out.global_fund_change = after.global_fund - before.global_fund
        out.house_change = after.house - before.house
        out.liquidated_start = sum(before.accounts[a] + deposited.get(a, 0) for a in liquidated)
        out.liquidated_end = sum(after.accounts[a] for a in liquidated)
        out.residue = residue(engine) + lots_residue(engine)
        out.events = self._judge(held)
        return out

    def _start_at(self, btc_price: int) -> Wealth:
        """Return the wealth at the start with BTC at another price: it is linear in the price."""
        without, whole = self._before
        accounts = {a: cash + (whole.accounts[a] - cash) * btc_price // PPM for a, cash in without.accounts.items()}
        return without._replace(accounts=accounts)

    def _count_adl_shares(self) -> None:
        closed: dict[int, int] = {}
        whole: dict[int, None] = {}
        for (account, contract), lots in self._adl_lots.items():
            closed[account] = closed.get(account, 0) + lots * self._marks[contract]
            if lots >= abs(self._held[account].get(contract, 0)):
                whole[account] = None
        shares: list[int] = []
        for account, value in closed.items():
            gross = sum(abs(q) * self._marks[c] for c, q in self._held[account].items())
            shares.append(min(PPM, value * PPM // gross))
        self.outcome.adl_share_median_ppm = median(shares)
        self.outcome.adl_whole = len(whole)

    def _judge(self, held: Iterable[int]) -> dict[int, Event]:
        """Return the worst that happened to each account that anything happened to."""
        still = set(held)
        out: dict[int, Event] = {}
        for fate, times in (
            (Fate.PAID, self._paid),
            (Fate.ADL, self._adl),
            (Fate.CALLED, self._called),
            (Fate.CURED, self._cured),
            (Fate.CLOSED, self._forced),
            (Fate.TAKEN_OVER, self._taken),
        ):
            for account, time_s in times.items():
                kept = fate is Fate.CLOSED and account in still
                out[account] = Event(Fate.REDUCED if kept else fate, time_s)
        return {account: out[account] for account in sorted(out)}


def _pairs(text: int | str) -> list[tuple[int, int]]:
    """Return the numbers of `"1:20 3:-4"`."""
    parts = (pair.split(":") for pair in str(text).split())
    return [(int(a), int(b)) for a, b in parts]
