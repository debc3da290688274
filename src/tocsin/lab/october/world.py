"""
Hold the world of the October replay: contracts, accounts, opening fills.

Plain integers in columns; `build_world` makes it, the demo turns it into commands. Prices and
contract terms come from real data; accounts are synthetic and seeded (docs/explanation/october-2025.md).
"""

from dataclasses import dataclass, field

from tocsin.lab.october.cure import CureModel

UNITS_PER_USDT = 1_000_000
"""One unit `u` of the settlement asset is a millionth of a USDT."""

UNITS_PER_BTC = 100_000_000
"""One unit of the collateral asset BTC is a satoshi."""


@dataclass(frozen=True, slots=True)
class Market:
    """
    Terms and risk coefficients of one linear contract; amounts in units of USDT per lot unless named.

    Attributes:
        contract: Number of the contract, 1 upwards in the order of `symbol`.
        symbol: Coin as the source names it (`BTC`, `1000PEPE`); quoted and settled in USDT.
        decimals: The tick is 10^-decimals USDT.
        lot_coins: Coins per lot, as a decimal string.
        units_per_tick_per_lot: Mark per lot is price in ticks times this, exactly (rule MK-004).
        price_ticks: Last price at 20:00:00 UTC.
        mark_max: Cap on the mark per lot.
        position_max: Cap on the absolute position of one account, in lots.
        tiers: Rising (lower bound of notional in units, maintenance rate in ppm); the first bound is 0.
        charge: Charge per lot of the `margin_call` level, rounded up.
        initial_charge: Charge per lot of the `initial` level, rounded up, >= charge.
        loadings: One-minute risk loadings per lot on the common factors, at most 8.
        own_loading: One-minute risk loading per lot on the contract's own part.
        gap_charge: What one lot can lose before a forced order works, rounded up.
        capacity_lots: Lots of forced orders per minute and side that the published rules allow.
        open_interest_lots: Lots held long (equally: short) at the start.
        volume_lots: Lots traded in the 24 hours before 20:00, scaled like the world.
        impact_ppm: Y times daily volatility, the coefficient of the square-root impact.
        fund_units: Opening balance of the market's insurance fund.
    """

    contract: int
    symbol: str
    decimals: int
    lot_coins: str
    units_per_tick_per_lot: int
    price_ticks: int
    mark_max: int
    position_max: int
    tiers: tuple[tuple[int, int], ...]
    charge: int
    initial_charge: int
    loadings: tuple[int, ...]
    own_loading: int
    gap_charge: int
    capacity_lots: int
    open_interest_lots: int
    volume_lots: int
    impact_ppm: int
    fund_units: int

    @property
    def mark(self) -> int:
        """Return the mark per lot at the 20:00 price, in units."""
        return self.price_ticks * self.units_per_tick_per_lot


@dataclass(frozen=True, slots=True)
class Fills:
    """
    Opening fills in columns; row i is one fill, the buyer gains `lots` > 0 and the seller loses them.

    `value` is price in ticks x units per tick per lot x lots, in units, the same integer for both sides.
    """

    buyer: list[int] = field(default_factory=list)
    seller: list[int] = field(default_factory=list)
    contract: list[int] = field(default_factory=list)
    lots: list[int] = field(default_factory=list)
    value: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lots)


@dataclass(frozen=True, slots=True)
class World:
    """
    Everything the demo needs besides prices.

    Attributes:
        seed: Seed of the synthetic accounts.
        markets: Terms by rising contract number.
        accounts: Identifiers 1 to n; column index i is account i + 1. Each account is its own root and owner.
        deposit_usdt: First deposit of each account in units of USDT, >= 0.
        deposit_btc: First deposit in satoshi, 0 for most accounts.
        leverage_ppm: Gross notional over equity (unhaircut) at 20:00, in ppm, for display.
        fills: Opening fills; after them the positions of each contract sum to zero.
        external_account: The named counterparty of every forced order: unmargined, its P&L is printed.
        global_fund_units: Opening balance of the global fund.
        btc_haircut_ppm: Haircut of BTC as collateral.
        btc_price_ticks: Price of BTC at 20:00 in ticks of the BTC contract.
        scale_ppm: Size of this world against the real open interest, in ppm.
        median_leverage_ppm: The leverage asked for, in ppm; what each account got is `leverage_ppm`.
        cure: Which owners answer a margin call, when, and with how much.
    """

    seed: int
    markets: tuple[Market, ...]
    accounts: list[int]
    deposit_usdt: list[int]
    deposit_btc: list[int]
    leverage_ppm: list[int]
    fills: Fills
    external_account: int
    global_fund_units: int
    btc_haircut_ppm: int
    btc_price_ticks: int
    scale_ppm: int
    median_leverage_ppm: int
    cure: CureModel

    def positions(self) -> dict[int, dict[int, int]]:
        """
        Return the opening positions: account to contract to signed lots (+ long, - short).
        """
        held: dict[int, dict[int, int]] = {account: {} for account in self.accounts}
        fills = self.fills
        for buyer, seller, contract, lots in zip(fills.buyer, fills.seller, fills.contract, fills.lots, strict=True):
            held[buyer][contract] = held[buyer].get(contract, 0) + lots
            held[seller][contract] = held[seller].get(contract, 0) - lots
        return held
