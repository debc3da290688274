"""
Core door, prices and requirements: tiers, bankruptcy value, insurance fund delta, liquidation price.

Each case becomes a sheet with tiered components, marks and accounts; `tocsin.margin` computes.
"""

from fractions import Fraction
from typing import Any, NamedTuple

from tocsin.conform.compare import Approximate, Undefined
from tocsin.conform.inputs import Inputs
from tocsin.conform.numbers import InputError
from tocsin.conform.sheets import Contract, build_account, build_valuation, to_ppm, whole_scale
from tocsin.core.integers import PPM, ceil_div
from tocsin.margin.prices import bankruptcy_value, liquidation_price
from tocsin.margin.requirement import INITIAL, LIQUIDATION, SCALE, compute_requirement, sum_requirement
from tocsin.margin.state import AccountState
from tocsin.margin.valuation import Valuation, compute_equity
from tocsin.procedures.waterfall import insurance_fund_delta

MARK_FINE = 10**9
"""Marks per lot of a liquidation price case are at least this many units: one mark is a part in 10^9 or less."""


def run_tiers(inputs: Inputs) -> dict[str, Any]:
    """
    Compute maintenance margin by brackets: the tiered component of a sheet, at the `liquidation` level.

    Rates are ppm, rounded to the nearest: a rate that is no whole ppm holds within 1 ppm of notional.
    """
    if inputs.has("notional"):
        notional = abs(inputs.number("notional"))
    else:
        size = inputs.number("size") if inputs.has("size") else inputs.number("position")
        notional = abs(size * inputs.number("mark_price"))
    tiers: list[tuple[Fraction, Fraction]] = []
    for tier in inputs.objects("tiers"):
        lower = tier.number("lower_bound", 0)
        if tier.has("max_leverage"):
            leverage = tier.number("max_leverage")
            if leverage <= 0:
                raise InputError(f"inputs.tiers: max_leverage must be above 0, was {leverage}")
            rate = Fraction(1, 2) / leverage
        else:
            rate = tier.number("maintenance_rate")
        tiers.append((lower, rate))
    tiers.sort()
    if not tiers or tiers[0][0] != 0:
        raise InputError("inputs.tiers must begin with a lower_bound of 0")
    scale = whole_scale([notional, *(lower for lower, _ in tiers)], Fraction(1), PPM)
    valuation = build_valuation(
        [Contract(max(1, int(notional * scale)), tuple((int(lo * scale), to_ppm(rate)) for lo, rate in tiers))]
    )
    account = build_account(0, {0: (1 if notional else 0, 0)})
    margin = Fraction(compute_requirement(account, valuation, LIQUIDATION), scale)
    # The one rounding upwards moves the result by less than a unit, a rate that is no whole ppm by a ppm.
    bound = Fraction(1 if sum_requirement(account, valuation, LIQUIDATION) % SCALE else 0, scale)
    if any((rate * PPM).denominator != 1 for _, rate in tiers):
        bound += notional / PPM
    return {"maintenance_margin": Approximate(margin, bound)}


class _Leg(NamedTuple):
    """A position of a dYdX case: signed base quantums, quote quantums per base quantum, rates in ppm."""

    size: int
    price: Fraction
    initial_ppm: int
    fraction_ppm: int


class _Risk(NamedTuple):
    """Net value (signed) and maintenance requirement (>= 0) of one leg, in quote quantums."""

    value: int
    maintenance: int


def _read_leg(leg: Inputs, size: int | None = None) -> _Leg:
    leg.raw("asset", "")
    exponent = leg.whole("atomic_resolution", -8) + 6
    if abs(exponent) > 40:
        raise InputError(f"atomic_resolution must be between -46 and 34, was {exponent - 6}")
    price = leg.number("price_usd", 50_000) * Fraction(10) ** exponent
    if price <= 0:
        raise InputError("price_usd must be above 0")
    return _Leg(
        leg.whole("quantums") if size is None else size,
        price,
        leg.whole("imf_ppm", 200_000),
        leg.whole("maintenance_fraction_ppm", 500_000),
    )


def _assess_leg(leg: _Leg, size: int) -> _Risk:
    """
    Return value and maintenance of `size` of a leg, each position in an account of its own.

    The unit is the quote quantum where one base quantum is worth a whole number of them, lots are base quantums.
    Else the position is one lot marked at its value cut to a whole quantum, as its engine does. Initial margin is the
    tiered component rounded up; maintenance is its fraction, rounded up again.
    """
    if not size:
        return _Risk(0, 0)
    if leg.price.denominator == 1:
        mark, lots = int(leg.price), size
    else:
        mark, lots = int(abs(size) * leg.price), 1 if size > 0 else -1
    if not mark:
        return _Risk(0, 0)
    valuation = build_valuation([Contract(mark, ((0, leg.initial_ppm),))], lots=abs(lots))
    account = build_account(0, {0: (lots, 0)})
    initial = compute_requirement(account, valuation, INITIAL)
    return _Risk(compute_equity(account, valuation), ceil_div(initial * leg.fraction_ppm, PPM))


def _value_close(cash: int, legs: list[_Leg], index: int, delta: int) -> int | Undefined:
    """
    Return the bankruptcy value of trading `delta` of leg `index`, in quote quantums, or why there is none.
    """
    size = legs[index].size
    if not delta or (delta > 0) == (size > 0) or abs(delta) > abs(size):
        return Undefined(f"delta_quantums must close part of {size}, was {delta}")
    risks = [_assess_leg(leg, leg.size) for leg in legs]
    after = _assess_leg(legs[index], size + delta)
    equity = cash + sum(r.value for r in risks)
    requirement = sum(r.maintenance for r in risks)
    if requirement <= 0:
        return Undefined("no maintenance requirement to share the equity by")
    freed = risks[index].maintenance - after.maintenance
    return bankruptcy_value(risks[index].value - after.value, equity, freed, requirement)


def _cash_quantums(inputs: Inputs) -> int:
    cash = inputs.number("usdc") * PPM
    if cash.denominator != 1:
        raise InputError(f"inputs.usdc must have at most 6 decimal places, was {cash / PPM}")
    return cash.numerator


def _close_index(inputs: Inputs, count: int) -> int:
    index = inputs.whole("close_index", 0)
    if not 0 <= index < count:
        raise InputError(f"inputs.close_index must be between 0 and {count - 1}, was {index}")
    return index


def run_bankruptcy_price(inputs: Inputs) -> dict[str, Any]:
    """
    Compute what a close must bring so that it costs the fund nothing: `bankruptcy_value`, rounded up.
    """
    legs = [_read_leg(leg) for leg in inputs.objects("positions")]
    index = _close_index(inputs, len(legs))
    delta = inputs.whole("delta_quantums", -legs[index].size)
    value = _value_close(_cash_quantums(inputs), legs, index, delta)
    return {"bankruptcy_price_quote_quantums": value}


def run_insurance_delta(inputs: Inputs) -> dict[str, Any]:
    """
    Compute what a fill adds to the insurance fund: `bankruptcy_value`, then `insurance_fund_delta`.

    The position is closed in full unless `delta_quantums` says otherwise. A full close of the only position has the
    same bankruptcy value at any price and rate, so that these may be absent.
    """
    if inputs.has("positions"):
        legs = [_read_leg(leg) for leg in inputs.objects("positions")]
    else:
        name = inputs.find("position_quantums") or "position_quantums"
        legs = [_read_leg(inputs, inputs.whole(name))]
    index = _close_index(inputs, len(legs))
    delta = inputs.whole("delta_quantums", -legs[index].size)
    value = _value_close(_cash_quantums(inputs), legs, index, delta)
    if isinstance(value, Undefined):
        return {"insurance_fund_delta": value}
    fill = abs(inputs.whole("fill_quote_quantums"))
    fee_ppm = inputs.whole("max_liquidation_fee_ppm", 5_000)
    if fee_ppm < 0:
        raise InputError(f"inputs.max_liquidation_fee_ppm must be at least 0, was {fee_ppm}")
    received = fill if delta < 0 else -fill
    return {"insurance_fund_delta": insurance_fund_delta(received, value, fill * fee_ppm // PPM)}


class PriceCase(NamedTuple):
    """
    A liquidation price case: signed size in contract units, lots per unit, mark, rate of |size| x mark that
    the tiered component takes, slippage quadratic in size, funding owed, collateral (None: equal to maintenance).
    """

    lots: int
    per_unit: Fraction
    mark: Fraction
    rate: Fraction
    quadratic: Fraction
    funding: Fraction
    collateral: Fraction | None

    @property
    def size(self) -> Fraction:
        """Signed size in units of the underlying."""
        return self.lots / self.per_unit

    @property
    def owed(self) -> Fraction:
        """Funding that counts against the account: max(0, size x funding per unit)."""
        return max(Fraction(0), self.size * self.funding)


def read_price_case(inputs: Inputs) -> PriceCase:
    """
    Read the inputs of a liquidation price.

    Raises:
        InputError: One is missing or wrong.
    """
    size = inputs.number("position_size")
    per_unit = inputs.number("position_factor", 1)
    mark = inputs.number("mark_price")
    if per_unit <= 0 or mark <= 0:
        raise InputError("inputs.position_factor and inputs.mark_price must be above 0")
    if size.denominator != 1:
        size, per_unit = Fraction(size.numerator), per_unit * size.denominator
    long_rate, short_rate = inputs.number("rf_long", 0), inputs.number("rf_short", 0)
    given = inputs.raw("collateral", "equal to maintenance margin")
    equal = isinstance(given, str) and "equal" in given.lower() and "maintenance" in given.lower()
    return PriceCase(
        lots=size.numerator,
        per_unit=per_unit,
        mark=mark,
        rate=inputs.number("linear_slippage", 0) + (short_rate if size < 0 else long_rate),
        quadratic=inputs.number("quadratic_slippage", 0),
        funding=inputs.number("funding_per_unit", 0),
        collateral=None if equal else inputs.number("collateral"),
    )


def accepts_price_case(inputs: Inputs) -> str:
    """
    Return why Tocsin's own rules do not hold a case, or an empty text if they do.
    """
    case = read_price_case(inputs)
    if inputs.has("buy_orders") or inputs.has("sell_orders"):
        return "walks resting orders one by one"
    if case.quadratic:
        return "slippage is quadratic in size, a requirement is piecewise linear"
    if case.rate < 0 or (case.rate >= 1 and case.lots > 0):
        return "a margin of the whole notional or more is allowed for no contract"
    return ""


def run_liquidation_price(inputs: Inputs) -> dict[str, Any]:
    """
    Compute the price at which collateral equals the maintenance margin: `liquidation_price` of a sheet whose one tier
    is linear slippage plus risk factor; funding owed is taken from the cash.

    Tocsin's answer is the first mark at which the account falls; the last at which it stands is reported, exact
    within one mark per lot (a part in 10^9 or less) and the account's two roundings. No such mark above zero gives 0.
    """
    case = read_price_case(inputs)
    if not case.lots:
        return {"liquidation_price": Fraction(0)}
    per_lot = case.mark / case.per_unit
    money = [per_lot, case.owed] if case.collateral is None else [per_lot, case.owed, case.collateral]
    scale = whole_scale(money, per_lot, MARK_FINE)
    mark = int(per_lot * scale)
    # A short may owe more than the notional: then the factor of the level is the rate and the tier is one.
    rate, factor = (to_ppm(case.rate), PPM) if case.rate <= 1 else (PPM, to_ppm(case.rate))
    valuation = build_valuation([Contract(mark, ((0, rate),))], factor, abs(case.lots))
    account = build_account(0, {0: (case.lots, case.lots * mark)})
    if case.collateral is None:
        cash = compute_requirement(account, valuation, LIQUIDATION)
    else:
        cash = int((case.collateral - case.owed) * scale)
    account = build_account(cash, account.positions)

    stands = _last_standing(account, valuation, case.lots)
    price = Fraction(stands, scale) * case.per_unit
    # Two roundings move equity less requirement by less than two units; one mark moves it by |slope|.
    side = 1 if case.lots > 0 else -1
    slope = abs(case.lots) * abs(1 - side * case.rate)
    bound = Fraction(0) if _is_level(account, valuation, stands) else (1 + 2 / slope) / scale * case.per_unit
    if (case.rate * PPM).denominator != 1:
        bound += max(price, case.mark) / PPM / abs(1 - side * case.rate)
    return {"liquidation_price": Approximate(price, bound)}


def _is_level(account: AccountState, valuation: Valuation, mark: int) -> bool:
    """
    Return True if equity is the unrounded requirement at `mark`: then the price is exact.
    """
    if not mark:
        return False
    moved = valuation.with_mark(0, mark)
    return compute_equity(account, moved) * SCALE == sum_requirement(account, moved, LIQUIDATION)


def _last_standing(account: AccountState, valuation: Valuation, lots: int) -> int:
    """
    Return the last mark, moving against the position, at which equity is not below the liquidation requirement; 0 if
    a long stands at every mark, or a short at none.
    """
    now = valuation.lines[0].mark
    start = now
    answer = liquidation_price(account, valuation, 0)
    while answer.reason == "already below":
        # The price lies on the other side of the mark: ask again from a mark at which the account stands.
        start = start * 2 if lots > 0 else start // 2
        if not start:
            return 0
        answer = liquidation_price(account, valuation.with_mark(0, start), 0)
    while answer.reason == "never":
        if lots > 0:
            return 0
        start *= 2**10
        valuation = _raise_cap(valuation, start)
        answer = liquidation_price(account, valuation.with_mark(0, now), 0)
    assert answer.mark is not None
    return answer.mark + (1 if lots > 0 else -1)


def _raise_cap(valuation: Valuation, cap: int) -> Valuation:
    """Return a valuation whose contract 0 may be marked up to `cap`."""
    line = valuation.lines[0]
    return build_valuation(
        [Contract(cap, tuple(zip(line.lowers, line.rates, strict=True)))], valuation.sheet.tiered.liquidation
    )
