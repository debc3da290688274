"""
Run the replay: one world, one set of prices, one set of rules, through the engine.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tocsin.core.errors import InvariantBroken, Refused
from tocsin.core.ids import bucket_of, default_account, error_account
from tocsin.core.integers import PPM
from tocsin.engine import commands as cm
from tocsin.engine.engine import Engine
from tocsin.engine.messages import CycleResult
from tocsin.journal.disk import RealDisk
from tocsin.journal.host import EmbeddedHost
from tocsin.lab.october.cadence import SECOND_NS, Cadence, cycle_times_ns
from tocsin.lab.october.market import OutsideMarket
from tocsin.lab.october.paths import PricePath
from tocsin.lab.october.sheets import BTC, USDT, btc_price
from tocsin.lab.october.world import UNITS_PER_BTC, World
from tocsin.margin.state import Mode
from tocsin.sheet.terms import RiskSheet

MINUTE_NS = 60 * SECOND_NS
Progress = Callable[[int, str], None]


@dataclass
class Outcome:
    """
    What one set of rules did with the accounts. Money in units of USDT, counts of accounts unless named.

    `calls` and `forced` are (time in seconds, count or notional) per cycle, for pictures; `forced_notional` is what
    accounts lost control of: liquidation fills at mark value plus positions taken over.
    """

    rules: str
    accounts: int
    called: int = 0
    cured: int = 0
    cancelled: int = 0
    expired: int = 0
    liquidated: int = 0
    taken_over: int = 0
    fills_notional: int = 0
    takeover_notional: int = 0
    peak_per_minute: int = 0
    market_funds_used: int = 0
    global_fund_used: int = 0
    own_losses: int = 0
    adl_lots: int = 0
    adl_notional: int = 0
    adl_accounts: int = 0
    shared: int = 0
    shared_accounts: int = 0
    largest_haircut_ppm: int = 0
    unpaid: int = 0
    error_sides: int = 0
    outside_pnl: int = 0
    residue: int = -1
    root: str = ""
    cycles: int = 0
    calls: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    forced: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    stories: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def forced_notional(self) -> int:
        """Notional liquidated or taken over, in units."""
        return self.fills_notional + self.takeover_notional


class Replay:
    """
    One run. Prices are exogenous; forced orders trade with one named account outside, around the real price.
    """

    def __init__(
        self,
        world: World,
        paths: tuple[PricePath, ...],
        sheet: RiskSheet,
        rules: str,
        *,
        cadence: Cadence = Cadence.NORMAL,
        journal: Path | None = None,
        shards: int = 1,
    ) -> None:
        self._world = world
        self._paths = paths
        self._markets = {m.contract: m for m in world.markets}
        self._times = cycle_times_ns(cadence)
        start = self._times[0] - 2 * MINUTE_NS
        self._host: EmbeddedHost | Engine
        if journal is None:
            self._host = self._engine = Engine(sheet, start, shards=shards)
        else:
            self._host = EmbeddedHost.create(RealDisk(journal), sheet, start, shards=shards)
            self._engine = self._host.engine
        self._outside = OutsideMarket(self._markets)
        self._nonce = 0
        self._now = start
        self._due: dict[int, tuple[int, int]] = {}
        self._answered: dict[int, None] = {}
        self._liquidated: dict[int, None] = {}
        self._closed_by_adl: dict[int, None] = {}
        self._payers: dict[int, None] = {}
        self._called: dict[int, None] = {}
        self._cured: dict[int, None] = {}
        self._profits: dict[int, int] = {}
        self.outcome = Outcome(rules, len(world.accounts))

    # Driving

    def run(self, progress: Progress | None = None) -> Outcome:
        """
        Run all cycles and return what happened.
        """
        self._set_up()
        total = len(self._times)
        for i, now in enumerate(self._times):
            self._now = now
            self._outside.take_grants(self._engine.opened, self._engine.house.state.intents)
            self._trade(now)
            self._answer_calls(now)
            following = self._times[i + 1] if i + 1 < total else now + MINUTE_NS
            self._publish(min(following, self._times[-1]))
            self._after(self._cut(following))
            if progress is not None:
                progress(i + 1, "")
        self._finish()
        return self.outcome

    def _send(self, kind: type[cm.Command], **fields: object) -> None:
        self._nonce += 1
        answer = self._host.submit(kind(source=1, nonce=self._nonce, **fields))  # type: ignore[arg-type]
        if isinstance(answer, Refused):
            raise InvariantBroken(f"replay command {kind.__name__} refused: {answer.number} {answer.detail}")

    def _cut(self, time_ns: int) -> CycleResult:
        result = self._host.cut(time_ns)
        self.outcome.cycles += 1
        self.outcome.root = result.root.hex()
        return result

    def _set_up(self) -> None:
        """Open accounts, pay in, publish the first marks; then book the opening fills."""
        world = self._world
        for account, usdt, btc in zip(world.accounts, world.deposit_usdt, world.deposit_btc, strict=True):
            self._send(cm.OpenAccount, account=account, root=account)
            if usdt:
                self._send(cm.Deposit, account=account, asset=USDT, amount=usdt)
            if btc:
                self._send(cm.Deposit, account=account, asset=BTC, amount=btc)
        self._send(
            cm.OpenAccount, account=world.external_account, root=world.external_account, mode=Mode.EXTERNAL
        )
        self._send(cm.FundDeposit, contract=-1, asset=USDT, amount=world.global_fund_units)
        for market in world.markets:
            if market.fund_units:
                self._send(cm.FundDeposit, contract=market.contract, asset=USDT, amount=market.fund_units)
        self._publish(self._times[0])
        self._cut(self._times[0] - MINUTE_NS)
        fills = world.fills
        for at in range(0, len(fills), 10_000):
            part = slice(at, at + 10_000)
            self._send(
                cm.Fills,
                buyer=tuple(fills.buyer[part]),
                seller=tuple(fills.seller[part]),
                contract=tuple(fills.contract[part]),
                lots=tuple(fills.lots[part]),
                value=tuple(fills.value[part]),
            )
        self._publish(self._times[0])
        self._cut(self._times[0])

    def _publish(self, time_ns: int) -> None:
        """Publish the marks of `time_ns` for the cycle that opens then."""
        contracts = tuple(self._markets)
        marks = tuple(
            path.mark_at(time_ns) * self._markets[c].units_per_tick_per_lot
            for c, path in zip(contracts, self._paths, strict=True)
        )
        zeros = (0,) * len(contracts)
        ticks = next(p for p in self._paths if p.symbol == "BTC").mark_at(time_ns)
        self._send(
            cm.SetMarks,
            contract=contracts,
            mark=marks,
            funding=zeros,
            grade=zeros,
            asset=(USDT, BTC),
            price=(1_000_000, btc_price(ticks)),
        )

    def _trade(self, now: int) -> None:
        """Fill forced orders at the last prices of the cycle."""
        if not self._outside.orders:
            return
        last = {c: p.last_at(now) for c, p in zip(self._markets, self._paths, strict=True)}
        trades = self._outside.trade(last)
        if not trades:
            return
        outside = self._world.external_account
        sides = [(t.order.account, outside) if t.lots > 0 else (outside, t.order.account) for t in trades]
        self._send(
            cm.Fills,
            buyer=tuple(b for b, _ in sides),
            seller=tuple(s for _, s in sides),
            contract=tuple(t.order.contract for t in trades),
            lots=tuple(abs(t.lots) for t in trades),
            value=tuple(abs(t.lots) * t.per_lot for t in trades),
            buyer_intent=tuple(t.order.intent if t.lots > 0 else 0 for t in trades),
            seller_intent=tuple(t.order.intent if t.lots < 0 else 0 for t in trades),
        )
        self._count_forced(now, sum(abs(t.lots) * t.per_lot for t in trades if t.order.account))
        self.outcome.fills_notional += sum(abs(t.lots) * t.per_lot for t in trades if t.order.account)

    def _count_forced(self, now: int, notional: int) -> None:
        if notional:
            self.outcome.forced.append((now // SECOND_NS, notional))

    def _answer_calls(self, now: int) -> None:
        for account in [a for a, (due, _) in self._due.items() if due <= now]:
            _, amount = self._due.pop(account)
            if amount:
                self._send(cm.Deposit, account=account, asset=USDT, amount=amount)

    # Counting

    def _after(self, result: CycleResult) -> None:
        for account, intent in self._outside.drop_cancelled(result.events):
            self._send(cm.IntentDone, account=account, intent=intent)
        out, now = self.outcome, self._now
        calls = 0
        notional = 0
        for event in result.events:
            f = event.fields
            match event.kind:
                case "call_issued":
                    self._called[event.account] = None
                    calls += 1
                    self._plan_answer(event.account, now)
                case "call_cured":
                    self._cured[event.account] = None
                case "call_cancelled":
                    out.cancelled += 1
                case "call_expired":
                    out.expired += 1
                case "filled" if f["intent"]:
                    self._liquidated[event.account] = None
                case "taken_over":
                    self._liquidated[event.account] = None
                    out.taken_over += 1
                    notional += self._taken_notional(str(f["positions"]))
                case "adl":
                    self._closed_by_adl[event.account] = None
                    out.adl_lots += abs(int(f["lots"]))
                    out.adl_notional += abs(int(f["value"]))
                case "haircut":
                    self._payers[event.account] = None
                    out.shared += int(f["amount"])
                case "loss_shared":
                    out.largest_haircut_ppm = max(out.largest_haircut_ppm, int(f["largest_ppm"]))
                case "fund_draw":
                    if event.account == -2:
                        out.global_fund_used += int(f["amount"])
                    else:
                        out.market_funds_used += int(f["amount"])
                case "error_booked":
                    out.error_sides += 1
                case _:
                    pass
        if calls:
            out.calls.append((now // SECOND_NS, calls))
        out.takeover_notional += notional
        self._count_forced(now, notional)

    def _taken_notional(self, positions: str) -> int:
        lines = self._engine.shards[0].valuation.lines
        pairs = (p.split(":") for p in positions.split())
        return sum(abs(int(lots)) * lines[int(contract)].notional for contract, lots in pairs)

    def _plan_answer(self, account: int, now: int) -> None:
        if account in self._answered:
            return
        self._answered[account] = None
        world = self._world
        btc_value = world.deposit_btc[account - 1] * btc_price(world.btc_price_ticks) // PPM
        cure = world.cure.answer(account, world.deposit_usdt[account - 1] + btc_value)
        if cure is not None:
            self._due[account] = (now + cure.delay_s * SECOND_NS, cure.amount)

    def _finish(self) -> None:
        out, engine = self.outcome, self._engine
        out.called, out.cured = len(self._called), len(self._cured)
        out.liquidated = len(self._liquidated)
        out.adl_accounts, out.shared_accounts = len(self._closed_by_adl), len(self._payers)
        out.unpaid = sum(c.amount for c in engine.house.state.claims if c.asset == USDT)
        out.peak_per_minute = peak_per_minute(out.forced)
        out.residue = residue(engine)
        state = engine.read(self._world.external_account)
        assert state is not None
        lines = engine.shards[0].valuation.lines
        out.outside_pnl = state.cash.get(USDT, 0) + sum(
            q * lines[c].net - e for c, (q, e) in state.positions.items()
        )
        out.stories = self._choose_stories()
        if isinstance(self._host, EmbeddedHost):
            self._host.close()

    def _choose_stories(self) -> dict[str, int]:
        """Choose three accounts worth explaining: one cured or spared, one liquidated in part, one that paid for others."""
        out: dict[str, int] = {}
        partly = [a for a in self._liquidated if (s := self._engine.read(a)) is not None and s.positions]
        taken = [a for a in self._liquidated if a not in partly]
        winners = [a for a in self._payers or self._closed_by_adl]
        for name, candidates in (
            ("called and cured", list(self._cured)),
            ("liquidated in part, still standing", partly),
            ("taken over", taken),
            ("in profit, and paid for others", winners),
            ("called", list(self._called)),
        ):
            for account in candidates:
                if account not in out.values() and len(out) < 3:
                    out[name] = account
                    break
        return out


def peak_per_minute(forced: list[tuple[int, int]]) -> int:
    """
    Return the largest sum of amounts within one clock minute.
    """
    by_minute: dict[int, int] = {}
    for time_s, amount in forced:
        by_minute[time_s // 60] = by_minute.get(time_s // 60, 0) + amount
    return max(by_minute.values(), default=0)


def residue(engine: Engine) -> int:
    """
    Return what all books together hold beyond the vault, over all assets, in absolute units: 0 if money was conserved.

    Counted afresh from every account, apart from the engine's own check.
    """
    totals: dict[int, int] = {}
    stores = [shard.store for shard in engine.shards] + [engine.house.store]
    assets = {c.id: c.asset for c in engine.house.sheet.contracts}
    for store in stores:
        for account in store.accounts():
            state = store.read(account)
            assert state is not None
            for asset, amount in [*state.cash.items(), *state.in_transit.items()]:
                totals[asset] = totals.get(asset, 0) + amount
            for contract, (_, entry) in state.positions.items():
                totals[assets[contract]] = totals.get(assets[contract], 0) - entry
    vault = engine.house.state.vault
    return sum(abs(totals.get(a, 0) - vault.get(a, 0)) for a in {**totals, **vault})


