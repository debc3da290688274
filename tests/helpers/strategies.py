"""
Hypothesis strategies for sheets, marks and accounts. Every sheet drawn is one that publication accepts.
"""

import msgspec
from hypothesis import reject
from hypothesis import strategies as st

from tocsin.accounts.booking import book_fill
from tocsin.core.errors import SheetError
from tocsin.core.limits import NOTIONAL_MAX
from tocsin.margin.state import AccountState, Level, Mode
from tocsin.sheet import terms as t
from tocsin.sheet.marks import Grade, Mark, Marks
from tocsin.sheet.validate import validate_sheet

A, B = 1, 2
PRICE_CAPS = {A: 1_100_000, B: 2_000_000_000}
PPM = 1_000_000


@st.composite
def haircuts(draw):
    """A collateral schedule: rising lower bounds and haircuts."""
    lowers = sorted(draw(st.sets(st.integers(1, 10**12), max_size=3)))
    rates = sorted(draw(st.lists(st.integers(0, PPM), min_size=len(lowers) + 1, max_size=len(lowers) + 1)))
    return tuple(t.HaircutTier(lower, rate) for lower, rate in zip([0, *lowers], rates, strict=True))


@st.composite
def tiers(draw, *, first_min=0):
    """Convex brackets with a first rate of at least `first_min`."""
    lowers = sorted(draw(st.sets(st.integers(1, 2**45), max_size=3)))
    rates = sorted(draw(st.lists(st.integers(first_min, 400_000), min_size=len(lowers) + 1, max_size=len(lowers) + 1)))
    return tuple(t.Tier(lower, rate) for lower, rate in zip([0, *lowers], rates, strict=True))


@st.composite
def contracts(draw, ident, asset, *, kind, costs=False, first_min=0):
    """A contract; with `costs` it has fee and impact below its liquidation rate."""
    mark_cap = draw(st.sampled_from((10**6, 10**8, 2**32 // 7)))
    most = NOTIONAL_MAX * min(PPM, PPM * PPM // PRICE_CAPS[asset]) // PPM // mark_cap
    position_cap = draw(st.integers(100, min(2**20, most)))
    impact = draw(st.integers(0, first_min // 5)) if costs else 0
    fee = draw(st.integers(0, first_min // 5)) if costs else 0
    return t.ContractTerms(
        ident,
        f"C{ident}",
        kind,
        asset,
        draw(st.integers(1, 1000)),
        mark_cap,
        position_cap,
        draw(tiers(first_min=first_min)),
        charge_long=draw(st.integers(0, mark_cap // 2)),
        charge_short=draw(st.integers(0, mark_cap // 2)),
        combine=draw(st.sampled_from(t.Combine)),
        stale_half_band_ppm=draw(st.integers(0, 100_000)),
        loadings=tuple(draw(st.lists(st.integers(-(10**6), 10**6), max_size=3))),
        own_loading=draw(st.integers(0, 10**5)),
        gap_charge=draw(st.integers(0, 10**5)),
        impact_ppm=impact,
        fee_ppm=fee,
        dust_lots=draw(st.sampled_from((0, 0, 3, 50))) if costs else 0,
    )


def factors(low=0):
    """Factors that never rise from `initial` to `takeover`."""
    values = st.lists(st.integers(low, 2_500_000), min_size=4, max_size=4)
    return values.map(lambda v: t.LevelFactors(*sorted(v, reverse=True)))


@st.composite
def sheets(draw, *, costs=False):
    """A sheet of two assets and four contracts that passes validation; with `costs` liquidation has a price."""
    first_min = 10_000 if costs else 0
    assets = tuple(
        t.AssetTerms(
            ident,
            f"A{ident}",
            6,
            cap,
            draw(haircuts()) if ident == B else (t.HaircutTier(0, draw(st.sampled_from((0, 0, 20_000)))),),
            premium_ppm=draw(st.sampled_from((0, 50_000, PPM))),
            stress_ppm=draw(st.integers(0, 300_000)),
        )
        for ident, cap in PRICE_CAPS.items()
    )
    kinds = ((1, A, t.Kind.LINEAR), (2, A, t.Kind.LINEAR), (3, B, t.Kind.INVERSE), (4, A, t.Kind.INVERSE))
    charge = draw(factors())
    charge = t.LevelFactors(*(v // 3 for v in charge.as_tuple()))
    return validate_sheet(
        t.RiskSheet(
            "drawn",
            t.Preset.EXCHANGE,
            assets,
            tuple(draw(contracts(c, a, kind=k, costs=costs, first_min=first_min)) for c, a, k in kinds),
            tiered=draw(factors(low=1_000_000 if costs else 0)),
            charge=charge,
            hysteresis_ppm=tuple(draw(st.lists(st.integers(0, 300_000), min_size=4, max_size=4))),
            liquidation=t.LiquidationPolicy(mode=t.LiquidationMode.GREEDY),
        )
    )


SCENARIOS = tuple(f"s{i}" for i in range(8))


@st.composite
def broad_sheets(draw):
    """A sheet with scenarios, add-ons, an option, risky collateral, portfolio components; it passes validation."""
    sheet = draw(sheets())
    scenario = draw(factors().map(lambda f: t.LevelFactors(*(v // 5 for v in f.as_tuple()))))
    portfolio = t.Components(
        draw(st.sampled_from((t.OFF, sheet.tiered))),
        sheet.charge,
        draw(factors().map(lambda f: t.LevelFactors(*(v // 2 for v in f.as_tuple())))),
        draw(factors()),
        draw(st.sampled_from(t.Combine)),
    )
    underlyings = []
    for ident, contract in ((7, 1), (8, 4), (9, -1)):
        reference = band = 0
        if contract != -1:
            terms = next(c for c in sheet.contracts if c.id == contract)
            reference = draw(mark_values(terms))
            band = draw(st.integers(0, abs(reference)))
        focus = draw(st.one_of(st.just(()), tiers()))
        gain = draw(st.sampled_from((0, 64, 153, 256)))
        underlyings.append(t.UnderlyingTerms(ident, f"U{ident}", gain, contract, reference, band, focus))
    option = draw(contracts(5, A, kind=t.Kind.OPTION))
    option = msgspec.structs.replace(option, option=t.OptionTerms(draw(st.booleans()), 10**6), expiry_ns=10**18)
    homes = {1: 7, 2: 7, 3: 8, 4: 8, 5: 9}
    broad = []
    for terms in (*sheet.contracts, option):
        pnl = st.integers(-terms.mark_cap // 3, terms.mark_cap // 3)
        array = draw(st.one_of(st.just(()), st.lists(pnl, min_size=8, max_size=8).map(tuple)))
        broad.append(
            msgspec.structs.replace(
                terms,
                underlying=homes[terms.id],
                array=array,
                gamma=draw(st.integers(0, terms.mark_cap // 1000)) if homes[terms.id] != 9 else 0,
                delta=draw(st.integers(-terms.mark_cap // 10, terms.mark_cap // 10)),
                liquidity=draw(st.one_of(st.just(()), tiers())),
            )
        )
    first, second = sheet.assets
    second = msgspec.structs.replace(
        second,
        haircuts=(t.HaircutTier(0, draw(st.integers(0, 200_000))),),
        underlying=8,
        row=tuple(draw(st.lists(st.integers(-500_000, 500_000), min_size=8, max_size=8))),
        gain_discount_ppm=draw(st.integers(0, PPM)),
    )
    first = msgspec.structs.replace(first, gain_discount_ppm=draw(st.sampled_from((0, 0, 400_000))))
    out = msgspec.structs.replace(
        sheet,
        assets=(first, second),
        contracts=tuple(broad),
        scenario=scenario,
        addon=draw(factors()),
        combine=draw(st.sampled_from(t.Combine)),
        portfolio=portfolio,
        scenarios=SCENARIOS,
        alone_256=draw(st.sampled_from((0, 100, 256))),
        underlyings=tuple(underlyings),
    )
    try:
        return validate_sheet(out)
    except SheetError:
        reject()


@st.composite
def broad_worlds(draw, *, holds=True, fresh=False, priced=False, rich=False):
    """A (sheet, marks, account) with every component on: slow marks, contracts about to expire, an owner's others."""
    sheet = draw(broad_sheets())
    found = draw(marks(sheet, fresh=fresh, priced=priced))
    entries = {}
    for terms in sheet.contracts:
        entry = found.contracts[terms.id]
        slow = draw(st.one_of(st.just(0), st.integers(1, abs(entry.mark) * 2 + 1)))
        entries[terms.id] = msgspec.structs.replace(entry, slow=slow if entry.mark >= 0 else -slow)
    expiring = tuple(sorted(draw(st.sets(st.sampled_from((2, 5)), max_size=2))))
    prices = Marks(entries, found.prices, expiring)
    account = draw(accounts(sheet, prices, holds=holds, rich=rich))
    account.mode = draw(st.sampled_from((Mode.CROSS, Mode.PORTFOLIO)))
    for key in (1, 2, 3, -8, -9):
        if draw(st.booleans()):
            account.others[key] = draw(st.integers(1, 10**6))
    return sheet, prices, account


def mark_values(terms):
    """Marks of the right sign within the cap, small ones and large ones."""
    if terms.kind == t.Kind.OPTION:
        return st.integers(0, terms.mark_cap // 3)
    values = st.one_of(st.integers(1, terms.mark_cap), st.integers(terms.mark_cap // 3, terms.mark_cap))
    return values if terms.kind == t.Kind.LINEAR else values.map(lambda v: -v)


@st.composite
def marks(draw, sheet, *, fresh=False, priced=False):
    """Marks of every contract; assets may lack a price unless `priced`."""
    entries = {}
    for terms in sheet.contracts:
        grade = Grade.FRESH if fresh else draw(st.sampled_from((Grade.FRESH, Grade.FRESH, Grade.STALE, Grade.HALTED)))
        funding = draw(st.one_of(st.just(0), st.integers(-terms.mark_cap // 10, terms.mark_cap // 10)))
        funding = 0 if terms.kind == t.Kind.OPTION else funding
        entries[terms.id] = Mark(draw(mark_values(terms)), funding, grade, 0)
    prices = {}
    for asset in sheet.assets:
        if priced or draw(st.integers(0, 9)):
            prices[asset.id] = draw(st.integers(asset.price_cap // 10, asset.price_cap))
    return Marks(entries, prices)


@st.composite
def accounts(draw, sheet, prices, *, holds=True, rich=False):
    """An account whose entry sums come from fills at marks near the given ones; cash around what it may need."""
    state = AccountState(1, 1, Mode.CROSS, draw(st.sampled_from(Level)))
    for terms in sheet.contracts:
        if not draw(st.booleans()):
            continue
        lots = draw(st.one_of(st.integers(1, 50), st.integers(1, terms.position_cap))) * draw(st.sampled_from((1, -1)))
        mark = prices.contracts[terms.id]
        value = lots * (mark.mark + mark.mark * draw(st.integers(-100_000, 100_000)) // PPM)
        cap = abs(lots) * terms.mark_cap
        booked = book_fill(0, 0, lots, max(-cap, min(cap, value)), mark.funding)
        state.positions[terms.id] = (booked.lots, booked.entry)
    if holds:
        for terms in sheet.contracts:
            if draw(st.integers(0, 3)) == 0:
                side = st.integers(0, terms.position_cap)
                bid, ask = draw(side), draw(side)
                if bid or ask:
                    state.holds[terms.id] = (bid, ask)
    for asset in sheet.assets:
        low = 0 if rich else -(10**11)
        cash = draw(st.one_of(st.just(0), st.integers(low, 10**12), st.integers(low // 1000, 10**9)))
        if cash:
            state.cash[asset.id] = cash
    return state


@st.composite
def worlds(draw, *, costs=False, holds=True, fresh=False, priced=False, rich=False):
    """A (sheet, marks, account)."""
    sheet = draw(sheets(costs=costs))
    prices = draw(marks(sheet, fresh=fresh, priced=priced))
    return sheet, prices, draw(accounts(sheet, prices, holds=holds, rich=rich))
