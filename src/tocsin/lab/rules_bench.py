"""
`bench rules`: rows per second by kind through the plain store, beside what a bare Python call does (no floors).

The plain store is the specification: it is exact and slow on purpose. These figures are what faster stores are measured
against. Every round measures each kind once, in turn; the median over rounds is reported.
"""

import time
from collections.abc import Callable
from statistics import median

from tocsin.accounts.plain import PlainStore
from tocsin.accounts.store import RowKind, Rows
from tocsin.core.errors import InvariantBroken
from tocsin.margin.state import Mode
from tocsin.margin.valuation import Valuation
from tocsin.sheet.marks import Grade, Mark, Marks
from tocsin.sheet.presets import HYSTERESIS_PPM, tiered_factors
from tocsin.sheet.terms import (
    AssetTerms,
    Components,
    ContractTerms,
    HaircutTier,
    Kind,
    LevelFactors,
    Preset,
    RiskSheet,
    Tier,
    UnderlyingTerms,
)
from tocsin.sheet.validate import validate_sheet

USD, COIN = 1, 2
CONTRACTS = 8
POSITIONS = 4
LOTS = 10

Kinds = dict[str, tuple[Callable[[], object], int]]


def bench_sheet(scenarios: int) -> RiskSheet:
    """
    Return a sheet of eight contracts on four underlyings with tiers, charges and arrays of `scenarios` columns.
    """
    moves = [(-150_000 + 300_000 * s // (scenarios - 1)) for s in range(scenarios)]
    contracts = tuple(
        ContractTerms(
            c, f"C{c}", Kind.LINEAR, USD, 10, 500_000_000, 100_000, (Tier(0, 20_000), Tier(10**9, 50_000)),
            charge_long=100_000, charge_short=150_000, underlying=c // 2, delta=1_000_000,
            array=tuple(100 * m // (1 + c % 3) for m in moves), liquidity=(Tier(0, 0), Tier(10**9, 2_000)),
        )
        for c in range(CONTRACTS)
    )  # fmt: skip
    usd = AssetTerms(USD, "USD", 6, 1_000_000, (HaircutTier(0, 0),))
    coin = AssetTerms(COIN, "COIN", 8, 4_000_000, (HaircutTier(0, 50_000),), underlying=0, row=tuple(moves))
    factors = LevelFactors(1_200_000, 900_000, 800_000, 500_000)
    return validate_sheet(
        RiskSheet(
            "bench", Preset.EXCHANGE, (usd, coin), contracts, tiered_factors(Preset.EXCHANGE), factors, HYSTERESIS_PPM,
            portfolio=Components(charge=factors, scenario=factors, addon=factors),
            scenarios=tuple(f"{m / 10_000:+.2f} %" for m in moves),
            underlyings=tuple(UnderlyingTerms(u, f"U{u}", 128) for u in range(CONTRACTS // 2)),
        )
    )  # fmt: skip


def build_store(accounts: int, mode: Mode, scenarios: int = 16) -> PlainStore:
    """
    Return a store of `accounts` with four positions each and money in both assets.
    """
    marks = {c: Mark(100_000_000, 0, Grade.FRESH, 0) for c in range(CONTRACTS)}
    store = PlainStore(Valuation(bench_sheet(scenarios), Marks(marks, {USD: 1_000_000, COIN: 1_000_000})))
    rows = Rows()
    for account in range(1, accounts + 1):
        rows.add(RowKind.OPEN, account, 0, account, mode)
        rows.add(RowKind.CASH, account, USD, 10**10)
        rows.add(RowKind.CASH, account, COIN, 10**8)
        for k in range(POSITIONS):
            lots = LOTS if (account + k) % 2 else -LOTS
            rows.add(RowKind.TRADE, account, (account + k) % CONTRACTS, lots, lots * 100_000_000)
    if any(store.apply(rows).reason):
        raise InvariantBroken("the accounts of the benchmark must open")
    return store


def run_bench_rules(*, accounts: int = 500, rounds: int = 5) -> list[dict[str, object]]:
    """
    Measure rows per second by kind, and sweeps over all accounts per second of accounts.

    Returns:
        One row per kind: `metric`, `value`, `unit`, `peer` (a bare Python call in the same run), `ratio`, `floor` None.
    """
    kinds = _kinds(accounts)
    speeds: dict[str, list[float]] = {}
    names = list(kinds)
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            run, count = kinds[name]
            start = time.perf_counter()
            run()
            speeds.setdefault(name, []).append(count / max(1e-9, time.perf_counter() - start))
    limit = median(speeds.pop("call"))
    return [
        {
            "metric": name,
            "value": median(found),
            "unit": "accounts/s" if name.startswith("sweep") or name == "leaves" else "rows/s",
            "peer": "bare Python call",
            "ratio": median(found) / limit,
            "floor": None,
        }
        for name, found in speeds.items()
    ]


def _kinds(accounts: int) -> Kinds:
    cross, portfolio = build_store(accounts, Mode.CROSS), build_store(accounts, Mode.PORTFOLIO)
    wide = build_store(accounts, Mode.PORTFOLIO, 64)
    everyone = list(range(1, accounts + 1))
    table = dict.fromkeys(everyone, 1)

    def rows(kind: RowKind, key: Callable[[int], int], a: int = 0, b: int = 0) -> Rows:
        out = Rows()
        for account in everyone:
            out.add(kind, account, key(account), a, b)
        return out

    def held(account: int) -> int:
        return account % CONTRACTS

    def usd(_account: int) -> int:
        return USD

    def no_key(_account: int) -> int:
        return 0

    def applied(store: PlainStore, batch: Rows) -> tuple[Callable[[], object], int]:
        return lambda: store.apply(batch), len(batch)

    def there_and_back(store: PlainStore) -> tuple[Callable[[], object], int]:
        out = Rows()
        for lots in (1, -1):
            for account in everyone:
                out.add(RowKind.TRADE, account, held(account), lots, lots * 100_000_000)
        return applied(store, out)

    def call() -> None:
        for account in everyone:
            table.get(account)

    swept = {n: (s.crossings, accounts) for n, s in (("cross", cross), ("16", portfolio), ("64", wide))}
    return {
        "call": (call, accounts),
        "cash": applied(cross, rows(RowKind.CASH, usd, 1)),
        "trade": there_and_back(cross),
        "hold": applied(cross, rows(RowKind.HOLD, held, 5, 5)),
        "check": applied(cross, rows(RowKind.CHECK, held, 3)),
        "check, portfolio of 16 scenarios": applied(portfolio, rows(RowKind.CHECK, held, 3)),
        "withdraw": applied(cross, rows(RowKind.WITHDRAW, usd, 1)),
        "withdraw, portfolio of 16 scenarios": applied(portfolio, rows(RowKind.WITHDRAW, usd, 1)),
        "debit": applied(cross, rows(RowKind.DEBIT, usd, 1)),
        "credit": applied(cross, rows(RowKind.CREDIT, usd, 1)),
        "accrue": applied(cross, rows(RowKind.ACCRUE, usd, 1, 1)),
        "others": applied(cross, rows(RowKind.OTHERS, held, 7)),
        "mode": applied(portfolio, rows(RowKind.MODE, no_key, Mode.PORTFOLIO)),
        "sweep of levels, cross": swept["cross"],
        "sweep of levels, portfolio of 16 scenarios": swept["16"],
        "sweep of levels, portfolio of 64 scenarios": swept["64"],
        "leaves": (lambda: cross.leaves(everyone), accounts),
    }
