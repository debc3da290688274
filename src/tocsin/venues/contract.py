"""
One contract for every venue's margin rules: what goes in, what comes out, and on what it rests.

A rulebook is a pure function `evaluate(portfolio, params) -> Evaluation`. Numbers are `Decimal` in the fixed context
`NUMBERS` (50 digits): exact for sums and products of payload numbers, one rounding per quotient. A value that a payload
lacks is `None`, never 0; a rule that needs it raises `MissingInput` with the field's name.
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from enum import StrEnum

import msgspec

from tocsin.venues import VenueRefusal

NUMBERS = Context(prec=50, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])


class MissingInput(VenueRefusal):
    """An input that the rule needs is absent; `field` names it in the words of `Portfolio` and `Leg`."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field} is missing: {why}")
        self.field = field


class Product(StrEnum):
    """What a leg is: margined in quote money, in the coin, a European option, or a borrowed spot position."""

    LINEAR = "linear"
    INVERSE = "inverse"
    OPTION = "option"
    OPTION_INVERSE = "option_inverse"
    SPOT_MARGIN = "spot_margin"


class Mode(StrEnum):
    """Whose collateral stands behind a leg."""

    ISOLATED = "isolated"
    CROSS = "cross"
    PORTFOLIO = "portfolio"


class OptionTerms(msgspec.Struct, frozen=True, kw_only=True):
    """
    Terms and market of a European option: `expiry_years` is the time left; `forward`, `rate`, `vol` as published.
    """

    is_call: bool
    strike: Decimal
    expiry: str = ""
    expiry_years: Decimal | None = None
    forward: Decimal | None = None
    rate: Decimal | None = None
    vol: Decimal | None = None


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """
    One position. `size` is signed: + long, - short; in contracts, each of `contract_size` (base units for linear and
    options, quote units for inverse). Prices are quote per base, option marks in the option's own price unit.

    `isolated_collateral` is the money set aside for the leg without unrealised profit, in the settlement asset.
    `order_buy` and `order_sell` are resting orders in contracts, >= 0. `hedge_side` is "long", "short" or "" (one-way).
    `leverage` None means the highest that the venue allows for a position of this size: initial margin is its least.
    `maintenance_rate` and `initial_rate` are the venue's own rates as it states them with the position (fractions):
    where given they count before any shipped table. `fee_rate` is the closing fee's rate of this account, likewise.
    `deduction` is what `maintenance_rate` x notional is lessened by (None: nothing), in the notional's unit.
    """

    symbol: str
    underlying: str
    product: Product
    size: Decimal
    contract_size: Decimal = Decimal(1)
    settle: str = ""
    entry: Decimal | None = None
    mark: Decimal | None = None
    index: Decimal | None = None
    leverage: Decimal | None = None
    mode: Mode = Mode.CROSS
    isolated_collateral: Decimal | None = None
    hedge_side: str = ""
    order_buy: Decimal = Decimal(0)
    order_sell: Decimal = Decimal(0)
    order_price: Decimal | None = None
    accrued_funding: Decimal = Decimal(0)
    maintenance_rate: Decimal | None = None
    initial_rate: Decimal | None = None
    fee_rate: Decimal | None = None
    deduction: Decimal | None = None
    option: OptionTerms | None = None


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """
    One asset of the account. `amount` is signed wallet money without unrealised profit (a loan is negative); `price` in
    the account's valuation money, `None` if unknown; `borrowed` >= 0 as the venue states it, already inside `amount`.
    """

    asset: str
    amount: Decimal
    price: Decimal | None = None
    borrowed: Decimal = Decimal(0)


class Portfolio(msgspec.Struct, frozen=True, kw_only=True):
    """
    One account at one venue at one moment: what margin is computed from, nothing that a venue computed itself.

    `equity` is the venue's published account equity, used only where the balances behind it are not given.
    `other_maintenance` and `other_unrealised` stand for positions that the payload leaves out (None: there are none).
    `time` is ISO 8601 or milliseconds as the venue wrote it, "" if unknown: which dated parameters apply.
    """

    venue: str
    legs: tuple[Leg, ...]
    balances: tuple[Balance, ...] = ()
    mode: Mode = Mode.CROSS
    valuation: str = "USD"
    equity: Decimal | None = None
    other_maintenance: Decimal | None = None
    other_unrealised: Decimal | None = None
    time: str = ""
    extra: Mapping[str, Decimal] = {}


class NoPrice(StrEnum):
    """Why a leg has no liquidation price."""

    NOT_ON_PATH = "no price above 0 reaches the threshold when this market moves alone"
    FULLY_COLLATERALISED = "the collateral covers the largest possible loss"
    HEDGED = "the legs of this market cancel: equity less requirement does not depend on its price"
    PORTFOLIO_MARGIN = "under portfolio margin the venue publishes none; the account's health is what counts"
    OPTION = "an option's liquidation is an account event: see the account's health"
    ALREADY_BELOW = "the account is below the threshold at the current marks"
    INPUT_MISSING = "an input is missing; the basis names it"
    NOT_ASKED = "only the amounts were asked for"


class LiquidationPrice(msgspec.Struct, frozen=True, kw_only=True):
    """
    Price of a leg's market at which the account (isolated: the leg) reaches the venue's liquidation threshold.

    `price` None carries `reason`. `tier` is the bracket at that price; `binding` says what was solved ("account",
    "leg", "hedged pair"), `others` the symbols whose marks were held.
    """

    price: Decimal | None
    reason: NoPrice | None = None
    tier: int | None = None
    binding: str = "leg"
    others: tuple[str, ...] = ()


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a number rests on: the formula in the venue's words, the parameter set and its date, and anything assumed.
    """

    formula: str
    params: str
    params_date: str
    source: str
    notes: tuple[str, ...] = ()


class LegMargin(msgspec.Struct, frozen=True, kw_only=True):
    """
    What one leg needs, in `unit`. `initial` and `maintenance` are >= 0; None where the venue knows them only for the
    account. `fees` is the part of `maintenance` that is a closing fee, `orders` that of `initial` for resting orders.
    """

    symbol: str
    unit: str
    notional: Decimal
    initial: Decimal | None
    maintenance: Decimal | None
    unrealised: Decimal | None
    rate: Decimal | None = None
    tier: int | None = None
    fees: Decimal = Decimal(0)
    orders: Decimal = Decimal(0)
    liquidation: LiquidationPrice | None = None
    basis: Basis | None = None


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """A value of the health ratio with what the venue does there; `worse` is "up" or "down"."""

    value: Decimal
    worse: str
    effect: str


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """
    The venue's own ratio and its thresholds, mildest first. `value` None where its denominator is 0.
    """

    name: str
    value: Decimal | None
    thresholds: tuple[Threshold, ...]
    state: str = ""


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """
    An account under one rulebook: amounts in `unit`, requirement totals >= 0, `equity` signed.

    `signed` holds the venue's own signed or differently named outputs (`uniMMR`, `mgnRatio`, `risk_matrix_margin`), and
    `liquidation_requirement` where equity is liquidated at another amount than `maintenance`.
    """

    rules: str
    unit: str
    equity: Decimal | None
    initial: Decimal | None
    maintenance: Decimal | None
    legs: tuple[LegMargin, ...]
    health: Health | None
    basis: Basis
    signed: Mapping[str, Decimal] = {}
