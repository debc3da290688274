"""
A world whose accounts hedge one leg with another, for auto-deleveraging.

One underlying at 100,000; FUTURE and a second one, NEXT, move with it one for one, CALL gains 6,000 when it rises by
10,000 and loses 4,000 when it falls as far. Portfolio accounts require the worst of eight scenarios, others 5 %.
"""

from tests.helpers.worlds import Driver
from tocsin.core.ids import default_account
from tocsin.engine import commands as cm
from tocsin.margin.state import AccountState, Mode
from tocsin.margin.valuation import Valuation
from tocsin.sheet import terms as t
from tocsin.sheet.marks import Grade, Mark, Marks
from tocsin.sheet.presets import HYSTERESIS_PPM, tiered_factors
from tocsin.sheet.validate import validate_sheet

USD, FUTURE, NEXT, CALL = 1, 1, 2, 3
MARKS = {FUTURE: 100_000, NEXT: 100_000, CALL: 100_000}
MOVES = (-10_000, -5_000, -1_000, 0, 0, 1_000, 5_000, 10_000)
CALL_MOVES = (-4_000, -2_500, -600, -200, 200, 700, 3_000, 6_000)


def make_sheet(*, more: int = 0, **waterfall: object) -> t.RiskSheet:
    """Return the sheet; `more` further contracts like FUTURE get the ids from 10."""

    def contract(ident: int, symbol: str, kind: t.Kind = t.Kind.LINEAR, array: tuple[int, ...] = MOVES, **more):
        return t.ContractTerms(
            ident, symbol, kind, USD, 1, 1_000_000, 1_000, (t.Tier(0, 50_000),), own_loading=100, gap_charge=100,
            impact_ppm=10_000, fee_ppm=1_000, underlying=1, array=array, **more,
        )  # fmt: skip

    contracts = [contract(FUTURE, "FUTURE"), contract(NEXT, "NEXT")]
    option = t.OptionTerms(True, 100_000)
    contracts.append(contract(CALL, "CALL", t.Kind.OPTION, CALL_MOVES, option=option, expiry_ns=2**60))
    contracts += [contract(10 + i, f"MORE{i}") for i in range(more)]
    return validate_sheet(
        t.RiskSheet(
            name="hedges",
            preset=t.Preset.EXCHANGE,
            assets=(t.AssetTerms(USD, "USD", 2, 1_000_000, (t.HaircutTier(0, 0),)),),
            contracts=tuple(contracts),
            tiered=tiered_factors(t.Preset.EXCHANGE),
            charge=t.OFF,
            hysteresis_ppm=HYSTERESIS_PPM,
            calls=t.CallPolicy(enabled=False),
            waterfall=t.WaterfallPolicy(**{"adl_after_cycles": 0, **waterfall}),
            portfolio=t.Components(scenario=tiered_factors(t.Preset.EXCHANGE)),
            scenarios=("down 10", "down 5", "down 1", "vol down", "vol up", "up 1", "up 5", "up 10"),
            underlyings=(t.UnderlyingTerms(1, "X"),),
        )
    )


def at_marks(sheet: t.RiskSheet | None = None) -> Valuation:
    sheet = sheet or make_sheet()
    marks = {c.id: Mark(MARKS.get(c.id, 100_000), 0, Grade.FRESH, 0) for c in sheet.contracts}
    return Valuation(sheet, Marks(marks, {USD: 1_000_000}))


def holder(cash: int = 10**6, mode: Mode = Mode.PORTFOLIO, **lots: int) -> AccountState:
    names = {"future": FUTURE, "next": NEXT, "call": CALL}
    ids = {names.get(name) or 10 + int(name[4:]): q for name, q in lots.items()}
    positions = {c: (q, q * MARKS.get(c, 100_000)) for c, q in ids.items()}
    return AccountState(1, 1, mode, cash={USD: cash}, positions=positions)


class World(Driver):
    """
    Account 1 is taken over with what `legs` say; accounts 2 and 3 are the other side, and MAKER where nobody else is.
    """

    MAKER = 9

    def __init__(self, side: int = 1, *, shards: int = 3, **waterfall: object) -> None:
        super().__init__(make_sheet(**waterfall), shards=shards)
        self.side = side
        self.mark()
        self.cut()
        self.open(self.MAKER, mode=Mode.EXTERNAL)
        self.open(1, deposit=150_000, asset=USD)
        for account in (2, 3):
            self.open(account, deposit=10**6, asset=USD, mode=Mode.PORTFOLIO)
        self.cut()

    def mark(self, grade: int = 0, **moves: int) -> None:
        ids = {"future": FUTURE, "next": NEXT, "call": CALL}
        marks = tuple(MARKS[c] + self.side * moves.get(name, 0) for name, c in ids.items())
        self.ok(
            cm.SetMarks,
            contract=tuple(ids.values()),
            mark=marks,
            funding=(0, 0, 0),
            grade=(grade,) * 3,
            asset=(USD,),
            price=(1_000_000,),
        )

    def trade(self, account: int, other: int, lots: int, contract: int = FUTURE) -> None:
        signed = lots * self.side
        buyer, seller = (account, other) if signed > 0 else (other, account)
        self.fill(buyer, seller, abs(signed), abs(signed) * MARKS[contract], contract)

    def lots(self, account: int, contract: int = FUTURE) -> int:
        state = self.engine.read(account) if account > 0 else self.engine.house.store.read(account)
        return self.side * state.positions.get(contract, (0, 0))[0]

    def default(self, contract: int = FUTURE) -> int:
        return self.lots(default_account(contract), contract)

    def said(self, kind: str) -> list[dict]:
        return [e.fields for e in self.results[-1].events if e.kind == kind]

    def fall(self, *, future: int = 13_000, following: int = 13_000) -> None:
        """Move against account 1's long side; then take it over and announce, deal, book."""
        self.mark(future=-future, next=-following)
        for _ in range(4):
            self.cut()
