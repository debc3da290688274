"""
The risk sheet: all coefficients that change rarely, in one immutable value with one hash (rules SH-001 to SH-012).

Units: money in the settlement asset's unit `u`, rates in ppm, lots whole, time in nanoseconds, loadings and gap
charges in valuation units per lot.
"""

from enum import IntEnum

import msgspec

from tocsin.core.codec import decode, encode
from tocsin.core.hashing import hash_bytes


class Kind(IntEnum):
    """
    How a price becomes a mark per lot: linear `m = p x units`, inverse `m = -ceil(K / p)`, option `m >= 0` as
    published. A spot contract exchanges two assets and holds no position; its mark is the price of a lot of its base.
    """

    LINEAR = 0
    INVERSE = 1
    OPTION = 2
    SPOT = 3


class Combine(IntEnum):
    """How two components are put together: of one contract (tiered, charge) or of an account (those, scenario)."""

    SUM = 0
    MAX = 1


class Preset(IntEnum):
    """Which level the venue calls its maintenance margin (rule LV-010)."""

    EXCHANGE = 0
    BROKER = 1
    CLEARING = 2


class LiquidationMode(IntEnum):
    """`GREEDY` closes what reaches the target; `FULL` closes the account (venue style)."""

    GREEDY = 0
    FULL = 1


class Allocation(IntEnum):
    """
    How lots (ADL) or money (loss sharing) are shared out over candidates (rules WF-009, WF-030 to WF-035).

    For lots `WATER_FILLING` levels what leverage is left, for money the share of the profit that is taken; `MIN_MAX`
    makes the largest share anybody loses as small as whole lots (units) allow.
    """

    PRO_RATA = 0
    QUEUE = 1
    WATER_FILLING = 2
    MIN_MAX = 3


class Score(IntEnum):
    """Who stands first in the queue: the score a venue publishes (rule WF-033)."""

    BITMEX = 0
    BINANCE = 1
    OKX = 2
    HYPERLIQUID = 3
    HYPERLIQUID_PROFIT = 4
    ENTRY_PRICE = 5
    START = 6


class FeeSink(IntEnum):
    """Who receives the liquidation fee of a contract."""

    MARKET_FUND = 0
    GLOBAL_FUND = 1
    OPERATOR = 2


class Weight(IntEnum):
    """What shares of lots go by (rule WF-032)."""

    LOTS = 0
    PROFIT = 1
    EQUITY = 2
    NOTIONAL = 3


class Hedges(IntEnum):
    """
    What happens to lots whose close would raise the holder's requirement (rule WF-036): they stay (`KEEP`), come after
    all others (`LAST`), or are dealt like any (`IGNORE`).
    """

    KEEP = 0
    LAST = 1
    IGNORE = 2


class Remainder(IntEnum):
    """Who takes the units that proportional shares leave over (rule WF-010)."""

    ROTATE = 0
    LAST = 1


class Tier(msgspec.Struct, frozen=True, array_like=True):
    """A bracket: from `lower` (units of notional, first 0) on, each further unit costs `rate_ppm`."""

    lower: int
    rate_ppm: int


class HaircutTier(msgspec.Struct, frozen=True, array_like=True):
    """From `lower` units of balance on, each further unit loses `haircut_ppm` of its value."""

    lower: int
    haircut_ppm: int


class BorrowTerms(msgspec.Struct, frozen=True, array_like=True):
    """
    How an asset is lent and borrowed: negative balances are loans, positive ones earn what borrowers pay.

    The yearly rate is `rate_ppm` at no utilisation, `rate_kink_ppm` at `kink_ppm` of it, `rate_full_ppm` at all of it,
    linear between. `reserve_ppm` of the interest goes to the global fund. An account may owe `account_cap` units; what
    it owes beyond is converted, at most `close_ppm` of the debt at once while it is being liquidated.
    """

    account_cap: int
    rate_ppm: int = 0
    kink_ppm: int = 800_000
    rate_kink_ppm: int = 0
    rate_full_ppm: int = 0
    reserve_ppm: int = 0
    close_ppm: int = 1_000_000


class ClassTerms(msgspec.Struct, frozen=True, array_like=True):
    """
    How accounts of one class are treated: whether they are called before they are liquidated, whether their lots may be
    closed by ADL, whether they share losses, and whether they may borrow.
    """

    called: bool = True
    deleveraged: bool = True
    shares_losses: bool = True
    borrows: bool = True


CLASS = ClassTerms()
"""The treatment of a client."""


class LifePolicy(msgspec.Struct, frozen=True, array_like=True):
    """
    After an outage or a halt nothing is liquidated for `grace_ns`, and until `quorum_ppm` of the contracts with a mark
    (after a halt: `quorum_marks` publications of the contract) are fresh, but at most for `grace_max_ns`. A delivery
    price of a linear or inverse contract is refused if its mark is more than `settle_band_ppm` (0: not looked at) away
    from the last good one.
    """

    grace_ns: int = 0
    quorum_ppm: int = 0
    quorum_marks: int = 1
    grace_max_ns: int = 3_600 * 10**9
    settle_band_ppm: int = 0


class AssetTerms(msgspec.Struct, frozen=True, array_like=True):
    """
    A settlement or collateral asset and its collateral schedule.

    `price_cap` bounds its price (millionths of a valuation unit per unit); `premium_ppm` is added to the value of a
    negative balance; `stress_ppm` is taken off when the asset is converted to pay a claim. An asset that bears market
    risk names its `underlying` and what its value gains in each scenario, `row` in ppm; its haircut then covers
    liquidity only. `gain_discount_ppm` of unrealised gains in the asset does not count at `initial`.
    """

    id: int
    symbol: str
    decimals: int
    price_cap: int
    haircuts: tuple[HaircutTier, ...]
    premium_ppm: int = 0
    stress_ppm: int = 0
    underlying: int = -1
    row: tuple[int, ...] = ()
    gain_discount_ppm: int = 0
    borrow: BorrowTerms | None = None


class UnderlyingTerms(msgspec.Struct, frozen=True, array_like=True):
    """
    What contracts and collateral share their market risk with.

    `gain_256` of 256 parts of a gain here count against losses elsewhere. Arrays were computed at `reference`, the mark
    per lot of `contract` (-1: none), and hold within `band` units of it. `concentration` are brackets over the owner's
    absolute delta in valuation units.
    """

    id: int
    symbol: str
    gain_256: int = 0
    contract: int = -1
    reference: int = 0
    band: int = 0
    concentration: tuple[Tier, ...] = ()


class OptionTerms(msgspec.Struct, frozen=True, array_like=True):
    """
    A European option: `strike` in price ticks; `in_coin` if it pays `units x (S - strike) / S`, else `units x (S -
    strike)`.
    """

    is_call: bool
    strike: int
    in_coin: bool = False


class ContractTerms(msgspec.Struct, frozen=True, array_like=True):
    """
    A contract: how it is marked, bounded, margined and liquidated.

    `units` is what one lot is worth per price tick (linear, units of `asset`) or K of `m = -ceil(K / p)` (inverse).
    `charge_long` and `charge_short` are units per lot. `stale_half_band_ppm` is added to the initial requirement
    while the mark is not fresh. `capacity_lots` may be sold or bought by force per minute and side; `impact_ppm`
    bounds the concession on each; `fee_ppm` of the filled value goes to `fee_sink`. A remainder of a plan
    below `dust_lots` is closed with it.

    `array` is the P&L of one long lot per scenario, units; `gamma` units per lot are added for a move of 100 % beyond
    the band of its `underlying`; `delta` is signed valuation units per lot; `liquidity` are brackets over the owner's
    notional. `expiry_ns` is 0 for what never expires; in the last `look_ahead_ns` before it the account must stand
    without the contract as well. A spot contract exchanges `base_units` of `base` per lot. A trading fee or
    rebate is at most `trade_fee_cap_ppm` of a fill's value. Orders that open pass while the open interest stays within
    `open_interest_cap` lots (0: no cap).
    """

    id: int
    symbol: str
    kind: Kind
    asset: int
    units: int
    mark_cap: int
    position_cap: int
    tiers: tuple[Tier, ...]
    charge_long: int = 0
    charge_short: int = 0
    combine: Combine = Combine.MAX
    stale_half_band_ppm: int = 0
    stale_after_ns: int = 0
    loadings: tuple[int, ...] = ()
    own_loading: int = 0
    gap_charge: int = 0
    capacity_lots: int = 0
    impact_ppm: int = 0
    fee_ppm: int = 0
    dust_lots: int = 0
    underlying: int = -1
    array: tuple[int, ...] = ()
    gamma: int = 0
    delta: int = 0
    liquidity: tuple[Tier, ...] = ()
    option: OptionTerms | None = None
    expiry_ns: int = 0
    look_ahead_ns: int = 0
    base: int = -1
    base_units: int = 0
    trade_fee_cap_ppm: int = 0
    open_interest_cap: int = 0
    fee_sink: FeeSink = FeeSink.MARKET_FUND


class LevelFactors(msgspec.Struct, frozen=True, array_like=True):
    """
    A component's factor at `initial`, `margin_call`, `liquidation`, `takeover`, in ppm, never rising along that row.
    """

    initial: int
    margin_call: int
    liquidation: int
    takeover: int

    def as_tuple(self) -> tuple[int, int, int, int]:
        return (self.initial, self.margin_call, self.liquidation, self.takeover)


OFF = LevelFactors(0, 0, 0, 0)
"""Factors of a component that counts at no level."""


class Components(msgspec.Struct, frozen=True, array_like=True):
    """
    How the components of a requirement count in one mode: factors per level, and how the scenario component is put
    together with the sum of the contracts' own (tiered and charge). Add-ons always add.
    """

    tiered: LevelFactors = OFF
    charge: LevelFactors = OFF
    scenario: LevelFactors = OFF
    addon: LevelFactors = OFF
    combine: Combine = Combine.SUM


class CallPolicy(msgspec.Struct, frozen=True, array_like=True):
    """
    Margin calls: on or off, the longest deadline, the shortest worth calling for, and z in hundredths.
    """

    enabled: bool = True
    deadline_ns: int = 15 * 60 * 10**9
    t_min_ns: int = 60 * 10**9
    z_hundredths: int = 329


class LiquidationPolicy(msgspec.Struct, frozen=True, array_like=True):
    """
    Liquidation: which plan, how long an intent works, how many cycles a cancel may stay unanswered.
    """

    mode: LiquidationMode = LiquidationMode.GREEDY
    intent_life_ns: int = 120 * 10**9
    cancel_grace_cycles: int = 3


class WaterfallPolicy(msgspec.Struct, frozen=True, array_like=True):
    """
    Loss policy: draw caps of the funds per cycle (ppm of balance), how lots and money are shared, remainder,
    and after how many cycles the default account's lots go to ADL.

    `score` ranks queues, `weight` is what shares of lots go by, `hedges` what is done with lots that hedge their
    holder; with `spreads` the legs of a hedge are closed together where the default account holds the other side of
    all.
    """

    market_draw_cap_ppm: int = 250_000
    global_draw_cap_ppm: int = 1_000_000
    lots: Allocation = Allocation.PRO_RATA
    money: Allocation = Allocation.WATER_FILLING
    remainder: Remainder = Remainder.ROTATE
    adl_after_cycles: int = 12
    score: Score = Score.BITMEX
    weight: Weight = Weight.LOTS
    hedges: Hedges = Hedges.KEEP
    spreads: bool = True


class CyclePolicy(msgspec.Struct, frozen=True, array_like=True):
    """
    The nominal cycle and after how many of them a late open counts as an outage.
    """

    nominal_ns: int = 60 * 10**9
    late_cycles: int = 3


class RiskSheet(msgspec.Struct, frozen=True, array_like=True):
    """
    Everything published rarely. Content-addressed: `hash_sheet` is its name.

    `tiered` and `charge` are the factors of the two components of isolated and cross accounts, and so are `scenario`,
    `addon` and `combine`; `portfolio` holds those of portfolio accounts (None: there are none). `hysteresis_ppm` is
    what an account must have above the requirement of a level, per level from `initial` to `takeover`, to leave it
    again. `scenarios` names the columns of all arrays; `alone_256` (lambda) of 256 parts of the sum of what each
    underlying would lose alone is the least scenario requirement. `classes` are the treatments of clients, market
    makers, vaults and the house.
    """

    name: str
    preset: Preset
    assets: tuple[AssetTerms, ...]
    contracts: tuple[ContractTerms, ...]
    tiered: LevelFactors
    charge: LevelFactors
    hysteresis_ppm: tuple[int, int, int, int]
    calls: CallPolicy = CallPolicy()
    liquidation: LiquidationPolicy = LiquidationPolicy()
    waterfall: WaterfallPolicy = WaterfallPolicy()
    cycle: CyclePolicy = CyclePolicy()
    scenario: LevelFactors = OFF
    addon: LevelFactors = OFF
    combine: Combine = Combine.SUM
    portfolio: Components | None = None
    scenarios: tuple[str, ...] = ()
    alone_256: int = 0
    underlyings: tuple[UnderlyingTerms, ...] = ()
    classes: tuple[ClassTerms, ClassTerms, ClassTerms, ClassTerms] = (CLASS, CLASS, CLASS, CLASS)
    life: LifePolicy = LifePolicy()

    @property
    def components(self) -> Components:
        """How components count for isolated and cross accounts."""
        return Components(self.tiered, self.charge, self.scenario, self.addon, self.combine)


def encode_sheet(sheet: RiskSheet) -> bytes:
    """
    Return the canonical bytes of a sheet.
    """
    return encode(sheet)


def decode_sheet(data: bytes) -> RiskSheet:
    """
    Return the sheet of canonical bytes.

    Raises:
        CodecError: Not a canonical sheet.
    """
    return decode(data, RiskSheet)


def hash_sheet(sheet: RiskSheet) -> bytes:
    """
    Return the sheet's name: SHA-256 over its canonical bytes (rule SH-001).
    """
    return hash_bytes(b"sheet", encode(sheet))
