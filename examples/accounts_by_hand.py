"""
One account of each kind, worked out line by line so that a pencil and a calculator can check it.

`python examples/accounts_by_hand.py` prints the arithmetic. Each figure on the right was written down by hand; the
script stops at the first that is not what the engine computes. Money is in whole dollars; BTC is counted in units of
0.0001, worth $10 each while BTC is at $100,000.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from tocsin.engine.sums import sum_account, sum_balances, sum_legs
from tocsin.margin.cure import compute_shortfall
from tocsin.margin.levels import assess
from tocsin.margin.price_band import price_band
from tocsin.margin.prices import liquidation_price
from tocsin.margin.requirement import LEG_SCALE, SCALE
from tocsin.margin.scenario import scenario_values, sum_scenarios
from tocsin.margin.state import AccountState, Level, Mode
from tocsin.margin.valuation import EQUITY_SCALE, Valuation
from tocsin.sheet import terms as t
from tocsin.sheet.marks import Grade, Mark, Marks
from tocsin.sheet.presets import HYSTERESIS_PPM, LoanTerms, lending_sheet, tiered_factors
from tocsin.sheet.validate import validate_sheet

USD, BTC = 1, 2
PERP, ETH, FUTURE, CALL, PUT = 1, 2, 3, 4, 5
BITCOIN, ETHER = 1, 2

# The loss or gain of one long lot in eight scenarios, and of a dollar of BTC, in millionths.
SCENARIOS = ("-15 %", "-10 %", "-5 %", "-2 %", "+2 %", "+5 %", "+10 %", "+15 %")
OF_FUTURE = (-15_000, -10_000, -5_000, -2_000, 2_000, 5_000, 10_000, 15_000)
OF_CALL = (-2_800, -2_400, -1_500, -700, 800, 2_300, 5_400, 9_200)
OF_PUT = (12_550, 7_800, 3_400, 1_150, -900, -1_750, -2_350, -2_480)
OF_ETH = (-20_000, -12_500, -6_250, -2_500, 2_500, 6_250, 12_500, 20_000)
OF_BTC = (-150_000, -100_000, -50_000, -20_000, 20_000, 50_000, 100_000, 150_000)

MARKS = {PERP: 100_000, ETH: 100_000, FUTURE: 100_000, CALL: 3_000, PUT: 2_500}
EXPIRY = 10**18


def make_sheet(preset: t.Preset) -> t.RiskSheet:
    """Return a sheet: a perpetual and a future on 1 BTC, a perpetual on 25 ETH, a call at 105,000, a put at 100,000."""
    usd = t.AssetTerms(USD, "USD", 0, 1_000_000, (t.HaircutTier(0, 0),))
    coin = t.AssetTerms(BTC, "BTC", 4, 50_000_000, (t.HaircutTier(0, 50_000),), underlying=BITCOIN, row=OF_BTC)
    perp = t.ContractTerms(
        PERP, "BTC-PERP", t.Kind.LINEAR, USD, 1, 1_000_000, 1_000, (t.Tier(0, 20_000), t.Tier(250_000, 40_000)),
        underlying=BITCOIN, array=OF_FUTURE, delta=100_000,
    )  # fmt: skip
    ether = replace(perp, id=ETH, symbol="ETH-PERP", units=25, tiers=(t.Tier(0, 30_000),), underlying=ETHER)
    ether = replace(ether, array=OF_ETH, delta=100_000)
    future = replace(perp, id=FUTURE, symbol="BTC-F", tiers=(t.Tier(0, 50_000),), expiry_ns=EXPIRY)
    call = t.ContractTerms(
        CALL, "BTC-105-C", t.Kind.OPTION, USD, 1, 1_000_000, 1_000, (t.Tier(0, 0),), charge_short=1_000,
        underlying=BITCOIN, array=OF_CALL, delta=40_000, option=t.OptionTerms(True, 105_000), expiry_ns=EXPIRY,
    )  # fmt: skip
    put = replace(call, id=PUT, symbol="BTC-100-P", array=OF_PUT, delta=-50_000, option=t.OptionTerms(False, 100_000))
    factors = t.LevelFactors(1_200_000, 1_000_000, 800_000, 500_000)
    even = t.LevelFactors(1_000_000, 1_000_000, 1_000_000, 1_000_000)
    return validate_sheet(
        t.RiskSheet(
            "by hand", preset, (usd, coin), (perp, ether, future, call, put), tiered_factors(preset), t.OFF,
            HYSTERESIS_PPM, portfolio=t.Components(t.OFF, even, factors, even, t.Combine.MAX),
            scenarios=SCENARIOS, alone_256=64,
            underlyings=(
                t.UnderlyingTerms(BITCOIN, "BTC", 128, PERP, 100_000, 20_000, (t.Tier(0, 0), t.Tier(500_000, 10_000))),
                t.UnderlyingTerms(ETHER, "ETH", 128, ETH, 100_000, 25_000),
            ),
        )
    )  # fmt: skip


def value(preset: t.Preset = t.Preset.EXCHANGE, funding: int = 0) -> Valuation:
    """Return the sheet at BTC 100,000 and ETH 4,000; `funding` is the perpetual's funding index."""
    marks = {c: Mark(m, funding if c == PERP else 0, Grade.FRESH, 0) for c, m in MARKS.items()}
    return Valuation(make_sheet(preset), Marks(marks, {USD: 1_000_000, BTC: 10_000_000}))


def title(text: str) -> None:
    """Print a heading."""
    print(f"\n{text}\n{'-' * len(text)}")


def line(what: str, how: str, by_hand: object, engine: object) -> None:
    """Print a line of the arithmetic; stop if the engine computes something else."""
    if by_hand != engine:
        raise SystemExit(f"{what}: {how} is {by_hand!r} by hand, but the engine says {engine!r}")
    shown = f"{by_hand:,}" if isinstance(by_hand, int) else str(by_hand)
    print(f"  {what:<16} {how:<90} = {shown}")


def levels(how: Sequence[str], by_hand: Sequence[int], account: AccountState, valuation: Valuation) -> None:
    """Print the four requirements."""
    names = ("initial", "margin call", "liquidation", "takeover")
    found = assess(account, valuation).requirements
    for name, text, need, engine in zip(names, how, by_hand, found, strict=True):
        line(name, text, need, engine)


def isolated() -> None:
    """A perpetual with collateral of its own, funding paid since it was bought."""
    title("1. Isolated: long 3 BTC-PERP from 98,000 with $25,000; mark 100,000, funding index 150")
    account = AccountState(1, 1, Mode.ISOLATED, cash={USD: 25_000}, positions={PERP: (3, 294_000)})
    at = value(funding=150)
    (leg,) = sum_legs(account, at)
    line("P&L", "3 x (100,000 - 150) - 3 x 98,000", 5_550, leg.pnl)
    line("equity", "25,000 + 5,550", 30_550, assess(account, at).equity)
    line("maintenance", "2 % of 250,000 + 4 % of the 50,000 above", 7_000, leg.needs[2].own // LEG_SCALE)
    how = ("2 x 7,000", "1.25 x 7,000", "1 x 7,000", "0.666667 x 7,000 = 4,666.67, rounded up")
    levels(how, (14_000, 8_750, 7_000, 4_667), account, at)
    text = "first m with 3 m - 269,450 < 4 % of 3 m - 5,000: 2.88 m < 264,450, m < 91,822.9"
    line("liquidated at", text, 91_822, liquidation_price(account, at, PERP).mark)
    line("level", "30,550 is above 14,000", Level.CALM.name, assess(account, at).level.name)


def cross() -> None:
    """Two perpetuals and coin collateral; the owner holds more of the first elsewhere."""
    title("2. Cross, tiers on the owner: -4 BTC-PERP from 101,000, +1 ETH-PERP from 103,000; others hold 2 BTC-PERP")
    account = AccountState(
        2, 2, cash={USD: 40_000, BTC: 5_000}, positions={PERP: (-4, -404_000), ETH: (1, 103_000)}, others={PERP: 2}
    )
    at = value()
    short, long = sum_legs(account, at)
    line("P&L of BTC", "-4 x 100,000 + 4 x 101,000", 4_000, short.pnl)
    line("P&L of ETH", "100,000 - 103,000", -3_000, long.pnl)
    usd, coin = sum_balances(account, at)
    line("dollars", "40,000 + 4,000 - 3,000", 41_000, usd.value // EQUITY_SCALE)
    line("coin", "5,000 units x 10, less 5 %", 47_500, coin.value // EQUITY_SCALE)
    line("equity", "41,000 + 47,500", 88_500, assess(account, at).equity)
    text = "f(6 lots) - f(2 lots) = (2 % of 250,000 + 4 % of 350,000) - 2 % of 200,000"
    line("BTC", text, 15_000, short.needs[2].own // LEG_SCALE)
    line("ETH", "3 % of 100,000", 3_000, long.needs[2].own // LEG_SCALE)
    how = ("2 x 18,000", "1.25 x 18,000", "1 x (15,000 + 3,000)", "0.666667 x 18,000 = 12,000.006, rounded up")
    levels(how, (36_000, 22_500, 18_000, 12_001), account, at)


def portfolio() -> None:
    """Futures, options, another coin, and collateral that moves with the first."""
    title("3. Portfolio: -2 BTC-F, -5 calls from 3,400, +4 puts from 2,600, +1 ETH-PERP from 98,500; $30,000, 1.2 BTC")
    positions = {FUTURE: (-2, -200_000), CALL: (-5, -17_000), PUT: (4, 10_400), ETH: (1, 98_500)}
    account = AccountState(3, 3, Mode.PORTFOLIO, cash={USD: 30_000, BTC: 12_000}, positions=positions)
    at = value()
    pnl = {leg.contract: leg.pnl for leg in sum_legs(account, at)}
    line("P&L", "0 + 5 x (3,400 - 3,000) + 4 x (2,500 - 2,600) + 100,000 - 98,500", 3_100, sum(pnl.values()))
    line("equity", "30,000 + 3,100 + 95 % of 120,000", 147_100, assess(account, at).equity)
    print("\n  scenario   -2 futures    -5 calls     +4 puts   1.2 BTC     sum BTC   +1 ETH   counted together")
    by_hand = (76_200, 51_200, 25_100, 9_700, -9_200, -22_500, -44_400, -67_920)
    values = scenario_values(account, at)
    for s, (name, bitcoin) in enumerate(zip(SCENARIOS, by_hand, strict=True)):
        if values[BITCOIN][s] != bitcoin * EQUITY_SCALE or values[ETHER][s] != OF_ETH[s] * EQUITY_SCALE:
            raise SystemExit(f"scenario {name}: the engine says {values[BITCOIN][s]} and {values[ETHER][s]}")
        parts = (-2 * OF_FUTURE[s], -5 * OF_CALL[s], 4 * OF_PUT[s], 120_000 * OF_BTC[s] // 1_000_000)
        ether = OF_ETH[s]
        # A gain counts for 128/256.
        joint = sum(v // 2 if v > 0 else v for v in (bitcoin, ether))
        cells = "".join(f"{cell:>{w},}" for cell, w in zip(parts, (13, 12, 12, 10), strict=True))
        print(f"  {name:<9}{cells}{bitcoin:>12,}{ether:>9,}{joint:>18,}")
    print()
    found = sum_scenarios(values, at)
    unit = 256 * EQUITY_SCALE
    line("joint loss", "worst is +15 %: 67,920 less half of the 20,000 that ETH gains", 57_920, found.joint // unit)
    line("alone", "64/256 of (67,920 of BTC at +15 % + 20,000 of ETH at -15 %)", 21_980, found.floor // unit)
    line("scenarios", "the larger of both", 57_920, found.total // unit)
    needs = sum_account(account, at)
    line("charge", "5 short calls x 1,000", 5_000, needs[1].own // SCALE)
    text = "delta -2 x 100,000 - 5 x 40,000 - 4 x 50,000 = -600,000: 1 % of 100,000"
    line("concentration", text, 1_000, needs[1].addons // SCALE)
    how = [f"max(5,000, {factor} x 57,920) + 1,000" for factor in ("1.2", "1", "0.8", "0.5")]
    levels(how, (70_504, 58_920, 47_336, 29_960), account, at)
    print("\n  If BTC rises by d: futures lose 2 d, coin gains 0.95 x 1.2 d, and 1.2 x 15 % d less is lost at +15 %.")
    band = price_band(account, at, BITCOIN)
    up = [bound.mark for bound in band.up] if band is not None else [None, None]
    text = "calls lose 5 d more, puts their 10,000: 137,100 - 5.86 d < 47,336 - 0.144 d, d > 15,703.99"
    line("falls, at worst", text, 115_704, up[0])
    text = "options stay: 147,100 - 0.86 d < 47,336 - 0.144 d, d > 139,335.2, a dollar of rounding less"
    line("falls, at best", text, 239_335, up[1])


def presets() -> None:
    """The same account at a broker and at a clearing house: which level is the maintenance margin."""
    title("4. Long 10 BTC-F with $40,000 at a broker and at a clearing house: 5 % of 1,000,000 is 50,000 at each")
    account = AccountState(4, 4, cash={USD: 40_000}, positions={FUTURE: (10, 1_000_000)})
    broker, clearing = value(t.Preset.BROKER), value(t.Preset.CLEARING)
    print("  broker: maintenance is the margin call, liquidation is at 0.8 of it")
    how = ("1.5 x 50,000", "1 x 50,000", "0.8 x 50,000", "0.5 x 50,000")
    levels(how, (75_000, 50_000, 40_000, 25_000), account, broker)
    line("level", "40,000 is below 50,000 and not below 40,000", "MARGIN_CALL", assess(account, broker).level.name)
    line("called for", "50,000 x 1.05 - 40,000", 12_500, compute_shortfall(account, broker))
    print("  clearing house: calls to the full margin, acts at half of it")
    how = ("1 x 50,000", "1 x 50,000", "0.5 x 50,000", "0.25 x 50,000")
    levels(how, (50_000, 50_000, 25_000, 12_500), account, clearing)
    line("level", "40,000 is below 50,000", "MARGIN_CALL", assess(account, clearing).level.name)
    line("called for", "50,000 x 1.05 - 40,000", 12_500, compute_shortfall(account, clearing))


def loan() -> None:
    """A loan against coin: loan to value as a level."""
    title("5. Loan: $70,000 against 1 BTC; lent up to 75 %, called above 78 %, sold above 80 %, 5 % to the buyer")
    usd = t.AssetTerms(USD, "USD", 0, 1_000_000, (t.HaircutTier(0, 0),), borrow=t.BorrowTerms(10**9))
    coin = t.AssetTerms(BTC, "BTC", 4, 50_000_000, (t.HaircutTier(0, 0),))
    sheet = lending_sheet("loans", (usd, coin), {BTC: LoanTerms(750_000, 780_000, 800_000, 50_000)})
    account = AccountState(5, 5, cash={USD: -70_000, BTC: 10_000})

    def at(price: int) -> Valuation:
        return Valuation(sheet, Marks({}, {USD: 1_000_000, BTC: price * 100}))

    print(
        "  Debt of at most x % of the collateral is equity of at least (100 - x) % of it: each level is a requirement."
    )
    line("equity", "100,000 - 70,000", 30_000, assess(account, at(100_000)).equity)
    how = ("25 % of 100,000", "22 % of 100,000", "20 % of 100,000", "4.762 % of 100,000 (1 - 1 / 1.05), rounded up")
    levels(how, (25_000, 22_000, 20_000, 4_762), account, at(100_000))
    for price, how_equity, equity, how_need, need, name in (
        (93_400, "93,400 - 70,000", 23_400, "25 % of 93,400: 70,000 is 74.95 %", 23_350, "CALM"),
        (93_200, "93,200 - 70,000", 23_200, "25 % of 93,200: 70,000 is 75.1 %, no more is lent", 23_300, "INITIAL"),
        (89_700, "89,700 - 70,000", 19_700, "22 % of 89,700: 70,000 is 78.04 %, called", 19_734, "MARGIN_CALL"),
        (87_400, "87,400 - 70,000", 17_400, "20 % of 87,400: 70,000 is 80.09 %, sold", 17_480, "LIQUIDATION"),
    ):
        found = assess(account, at(price))
        line(f"at {price:,}", how_equity, equity, found.equity)
        line("", how_need, need, found.requirements[max(0, found.level - 1)])
        line("level", "", name, found.level.name)
    line("called for", "at 89,700: 19,734 - 19,700", 34, compute_shortfall(account, at(89_700)))


def main() -> None:
    """Work out all of them."""
    for account in (isolated, cross, portfolio, presets, loan):
        account()
    print("\nEvery figure is the engine's.")


if __name__ == "__main__":
    main()
