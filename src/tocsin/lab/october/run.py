"""
Run the replay: one world, one set of prices, one set of rules, through the engine.
"""

from collections.abc import Callable
from pathlib import Path
from typing import cast

from tocsin.core.errors import InvariantBroken, Refused
from tocsin.core.integers import PPM
from tocsin.engine import commands as cm
from tocsin.engine.engine import Engine
from tocsin.engine.messages import CycleResult
from tocsin.journal.disk import RealDisk
from tocsin.journal.host import EmbeddedHost
from tocsin.lab.october.cadence import SECOND_NS, Cadence, cycle_times_ns
from tocsin.lab.october.market import OutsideMarket
from tocsin.lab.october.outcome import Outcome
from tocsin.lab.october.paths import PricePath
from tocsin.lab.october.sheets import BTC, USDT, btc_price
from tocsin.lab.october.tally import Tally
from tocsin.lab.october.world import World
from tocsin.margin.state import Mode
from tocsin.sheet.mark_rule import linear_mark
from tocsin.sheet.terms import RiskSheet

MINUTE_NS = 60 * SECOND_NS
FILLS_PER_COMMAND = 10_000

Progress = Callable[[int, str], None]


class Replay:
    """
    One run. Prices are exogenous; forced orders trade with one named account outside, around the real price.

    Args:
        world: Accounts and markets.
        paths: Prices of all markets by contract number.
        sheet: The rules.
        rules: What to call them.
        cadence: How often cycles happen.
        journal: Folder of a journal to write; None keeps none.
        shards: P; changes nothing in the result.
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
        self._btc = next(p for p in paths if p.symbol == "BTC")
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
        self._tally = Tally(world, self._engine, rules)
        self._nonce = 0
        self._due: dict[int, tuple[int, int]] = {}
        self._answered: dict[int, None] = {}
        self._deposited: dict[int, int] = {}

    def run(self, progress: Progress | None = None) -> Outcome:
        """
        Run all cycles and return what happened; `progress` is called with (cycles done, note).
        """
        try:
            return self._run(progress)
        finally:
            if isinstance(self._host, EmbeddedHost):
                self._host.close()

    def _run(self, progress: Progress | None) -> Outcome:
        self._set_up()
        self._tally.start()
        for i, now in enumerate(self._times):
            self._tally.set_time(now)
            self._outside.take_grants(self._engine.opened, self._engine.house.state.intents)
            self._trade(now)
            self._answer_calls(now)
            following = self._times[i + 1] if i + 1 < len(self._times) else now + MINUTE_NS
            self._publish(min(following, self._times[-1]))
            result = self._cut(following)
            for account, intent in self._outside.drop_cancelled(result.events):
                self._send(cm.IntentDone, account=account, intent=intent)
            for account in self._tally.add_cycle(result):
                self._plan_answer(account, now)
            if progress is not None:
                progress(i + 1, "")
        return self._tally.finish(self._deposited)

    def _send(self, kind: type[cm.Command], **fields: object) -> None:
        self._nonce += 1
        command = kind(source=1, nonce=self._nonce, **fields)
        answer = self._host.submit(cast(cm.AnyCommand, command))
        if isinstance(answer, Refused):
            raise InvariantBroken(f"replay command {kind.__name__} refused: {answer.number} {answer.detail}")

    def _cut(self, time_ns: int) -> CycleResult:
        result = self._host.cut(time_ns)
        self._tally.outcome.cycles += 1
        self._tally.outcome.root = result.root.hex()
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
        self._send(cm.OpenAccount, account=world.external_account, root=world.external_account, mode=Mode.EXTERNAL)
        self._send(cm.FundDeposit, contract=-1, asset=USDT, amount=world.global_fund_units)
        for market in world.markets:
            if market.fund_units:
                self._send(cm.FundDeposit, contract=market.contract, asset=USDT, amount=market.fund_units)
        self._publish(self._times[0])
        self._cut(self._times[0] - MINUTE_NS)
        fills = world.fills
        for at in range(0, len(fills), FILLS_PER_COMMAND):
            part = slice(at, at + FILLS_PER_COMMAND)
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
            linear_mark(self._markets[c].units_per_tick_per_lot, path.mark_at(time_ns))
            for c, path in zip(contracts, self._paths, strict=True)
        )
        zeros = (0,) * len(contracts)
        self._send(
            cm.SetMarks,
            contract=contracts,
            mark=marks,
            funding=zeros,
            grade=zeros,
            asset=(USDT, BTC),
            price=(1_000_000, btc_price(self._btc.mark_at(time_ns))),
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
        self._tally.add_trades(trades, {c: n * self._markets[c].units_per_tick_per_lot for c, n in last.items()})

    def _plan_answer(self, account: int, now: int) -> None:
        """Decide, at an account's first call, what its owner will add and when."""
        if account in self._answered:
            return
        self._answered[account] = None
        world = self._world
        btc_value = world.deposit_btc[account - 1] * btc_price(world.btc_price_ticks) // PPM
        cure = world.cure.answer(account, world.deposit_usdt[account - 1] + btc_value)
        if cure is not None:
            self._due[account] = (now + cure.delay_s * SECOND_NS, cure.amount)

    def _answer_calls(self, now: int) -> None:
        for account in [a for a, (due, _) in self._due.items() if due <= now]:
            _, amount = self._due.pop(account)
            if amount:
                self._send(cm.Deposit, account=account, asset=USDT, amount=amount)
                self._deposited[account] = amount
