"""
A world for replays of incidents: dollars and a coin as collateral, two markets, and everything mirrored.

With `side` -1 the contracts are inverse ones, marks are negated and lots change sign: a long of the story is a short
with the same gains, whatever the price does.
"""

from typing import Any

from msgspec.structs import replace

from tests.helpers.checks import check_all
from tests.helpers.worlds import MINUTE, Driver
from tocsin.core.ids import default_account
from tocsin.engine import commands as cm
from tocsin.engine.messages import CloseLots, Debit, Grant, Release
from tocsin.margin.state import AccountState, Mode
from tocsin.sheet import terms as t
from tocsin.sheet.presets import HYSTERESIS_PPM, tiered_factors
from tocsin.sheet.validate import validate_sheet

USD, COIN = 1, 2
PERP, ALT = 1, 2
MARK = 100_000


def incident_sheet(side: int = 1, **changes: Any) -> t.RiskSheet:
    """
    Return the sheet: 10 % initial, 5 % liquidation, no calls, one minute of ADL patience. `perp`, `alt`, `usd` and
    `coin` are changes of those, all else of the sheet.
    """
    kind = t.Kind.LINEAR if side > 0 else t.Kind.INVERSE
    usd = t.AssetTerms(USD, "USD", 2, 1_000_000, (t.HaircutTier(0, 0),))
    coin = t.AssetTerms(COIN, "COIN", 2, 4_000_000, (t.HaircutTier(0, 100_000),), stress_ppm=100_000)

    def contract(ident: int, symbol: str) -> t.ContractTerms:
        return t.ContractTerms(
            ident, symbol, kind, USD, 1, 10_000_000, 100_000, (t.Tier(0, 50_000),), capacity_lots=100,
            impact_ppm=10_000, fee_ppm=1_000, loadings=(30,), own_loading=10, gap_charge=100,
        )  # fmt: skip

    perp = replace(contract(PERP, "PERP"), **changes.pop("perp", {}))
    alt = replace(contract(ALT, "ALT"), **changes.pop("alt", {}))
    sheet = t.RiskSheet(
        name="incident",
        preset=t.Preset.EXCHANGE,
        assets=(replace(usd, **changes.pop("usd", {})), replace(coin, **changes.pop("coin", {}))),
        contracts=(perp, alt),
        tiered=tiered_factors(t.Preset.EXCHANGE),
        charge=t.OFF,
        hysteresis_ppm=HYSTERESIS_PPM,
        calls=t.CallPolicy(enabled=False),
    )
    return validate_sheet(replace(sheet, **changes))


class Scene(Driver):
    """
    The sheet at work. Every cut is checked: books, levels, cases, decisions, queue. MAKER trades unmargined;
    without `priced` the coin has no price.
    """

    MAKER = 9

    def __init__(self, side: int = 1, *, shards: int = 3, priced: bool = True, **changes: Any) -> None:
        super().__init__(incident_sheet(side, **changes), shards=shards)
        self.side = side
        self.priced = priced
        self.mark()
        self.cut()
        self.open(self.MAKER, mode=Mode.EXTERNAL)
        self.cut()

    def mark(self, perp: int = MARK, alt: int = MARK, *, grade: int = 0, coin: int = 2_000_000, slow: int = 0) -> None:
        """Publish marks for the next cycle; `slow` is PERP's."""
        self.ok(
            cm.SetMarks,
            contract=(PERP, ALT),
            mark=(self.side * perp, self.side * alt),
            funding=(0, 0),
            grade=(grade, grade),
            asset=(USD, COIN) if self.priced else (USD,),
            price=(1_000_000, coin) if self.priced else (1_000_000,),
            slow=(self.side * slow, 0) if slow else (),
        )

    def cut(self, step_ns: int = MINUTE):
        sheet = self.engine.shards[0].sheet
        if self.engine.opened.sheet:
            sheet = t.decode_sheet(self.engine.opened.sheet)
        result = super().cut(step_ns)
        check_all(self.engine, result, sheet)
        return result

    def cuts(self, n: int) -> None:
        for _ in range(n):
            self.cut()

    def join(self, account: int, usd: int, *, coin: int = 0, **more: Any) -> None:
        """Open an account with cash in it."""
        self.ok(cm.OpenAccount, account=account, root=more.pop("root", account), **more)
        for asset, amount in ((USD, usd), (COIN, coin)):
            if amount:
                self.ok(cm.Deposit, account=account, asset=asset, amount=amount)

    def trade(self, account: int, lots: int, other: int = MAKER, *, price: int = MARK, contract: int = PERP, **more):
        """`account` buys `lots` (sells if < 0) from `other` at `price`, mirrored."""
        signed = lots * self.side
        buyer, seller = (account, other) if signed > 0 else (other, account)
        self.fill(buyer, seller, abs(lots), self.side * abs(lots) * price, contract, **more)

    def serve(self, account: int, intent: int, lots: int, price: int, contract: int = PERP) -> None:
        """Fill signed `lots` of an intent, as the engine counts them, against MAKER."""
        side = "seller_intent" if lots < 0 else "buyer_intent"
        self.trade(account, self.side * lots, price=price, contract=contract, **{side: intent})

    def hold(self, account: int, bid: int, ask: int, contract: int = PERP) -> None:
        """Report resting orders, mirrored."""
        bid, ask = (bid, ask) if self.side > 0 else (ask, bid)
        self.ok(cm.Holds, account=(account,), contract=(contract,), bid=(bid,), ask=(ask,))

    def ask(self, account: int, lots: int, contract: int = PERP) -> str:
        """Return what an order check says: OK or a number. Ends the cycle."""
        sequence = self.engine.sequencer.sequence
        self.ok(cm.OrderCheck, account=account, contract=contract, lots=self.side * lots)
        told = [e for e in self.cut().events if e.phase == 2 and e.order[0] >= sequence and e.account == account]
        return str(told[-1].fields.get("reason", "OK"))

    def state(self, account: int) -> AccountState:
        found = self.engine.read(account) if account > 0 else self.engine.house.store.read(account)
        assert found is not None
        return found

    def lots(self, account: int, contract: int = PERP) -> int:
        """Return mirrored lots."""
        return self.side * self.state(account).positions.get(contract, (0, 0))[0]

    def cash(self, account: int, asset: int = USD) -> int:
        return self.state(account).cash.get(asset, 0)

    def default(self, contract: int = PERP) -> int:
        return self.lots(default_account(contract), contract)

    def said(self, kind: str, account: int | None = None) -> list[dict[str, int | str]]:
        """Return the fields of the last cycle's events of a kind."""
        return [e.fields for e in self.results[-1].events if e.kind == kind and account in (None, e.account)]

    def ever(self, kind: str, account: int | None = None) -> list[dict[str, int | str]]:
        """Return the fields of all events of a kind."""
        return [e.fields for e in self.events(kind) if account in (None, e.account)]

    def decided(self, kind: type) -> list[Any]:
        """Return the decisions of a kind that the open cycle began with."""
        return [d for d in self.engine.opened.decisions if isinstance(d, kind)]

    def released(self, *accounts: int, asset: int = USD) -> int:
        """Return what left the vault for accounts so far."""
        opened = {id(r.opened): r.opened for r in self.results} | {0: self.engine.opened}
        out = 0
        for opening in opened.values():
            for d in opening.decisions:
                if isinstance(d, Release) and d.asset == asset and d.account in accounts:
                    out += d.amount
        return out


__all__ = [
    "ALT", "COIN", "MARK", "PERP", "USD", "CloseLots", "Debit", "Grant", "Release", "Scene", "incident_sheet",
]  # fmt: skip
