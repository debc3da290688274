"""
Core door, calls: collateral values, call amounts of an agreement, the ladder of levels, the deadline T*.

Each case becomes whole units of its own money; `tocsin.margin` and `tocsin.procedures.margin_calls` compute.
"""

from fractions import Fraction
from typing import Any

from msgspec.structs import replace

from tocsin.conform.compare import Answer, Approximate
from tocsin.conform.inputs import Inputs
from tocsin.conform.numbers import InputError
from tocsin.conform.reals import pick
from tocsin.conform.sheets import Contract, build_account, build_valuation, to_ppm, whole_scale
from tocsin.core.integers import PPM
from tocsin.core.limits import PRICE_SCALE
from tocsin.margin.deadline import t_star_minutes
from tocsin.margin.levels import compute_level
from tocsin.margin.state import AccountState, Level
from tocsin.margin.valuation import Valuation, compute_equity
from tocsin.procedures.margin_calls.amounts import (
    Approach,
    credit_support,
    credit_support_two_way,
    initial_margin_support,
    size_transfer,
)
from tocsin.risk.distributions import normal_quantile
from tocsin.sheet.marks import Marks
from tocsin.sheet.terms import AssetTerms, HaircutTier, LevelFactors

_Z_DIGITS = 10**6
_APPROACHES = {"greaterof": Approach.GREATER_OF, "distinct": Approach.DISTINCT}
_LADDER = ("3/2", "6/5", "21/20", "1")
"""Ratios of equity to maintenance margin at which Binance's bands begin, from the first below normal."""
_BANDS = {
    Level.CALM: "NORMAL",
    Level.INITIAL: "REMINDER",
    Level.MARGIN_CALL: "REDUCE_ONLY",
    Level.LIQUIDATION: "LIQUIDATION",
    Level.TAKEOVER: "LIQUIDATION_LOSS_CLAIM",
    Level.BANKRUPTCY: "LIQUIDATION_LOSS_CLAIM",
}


def run_collateral(inputs: Inputs) -> Answer:
    """
    Value collateral after haircuts: a schedule with one haircut per asset, `compute_equity`.

    The haircuts of an asset are put together as `1 - (1 - h)(1 - h_fx)(1 - h_conc)` and held in ppm.
    """
    held = [_read_asset(asset) for asset in inputs.objects("assets")]
    balances = [whole_scale([size]) for size, _, _ in held]
    prices = [price / fine for (_, price, _), fine in zip(held, balances, strict=True)]
    scale = whole_scale([price * PRICE_SCALE for price in prices])
    terms = tuple(
        AssetTerms(i, f"A{i}", 0, int(price * scale * PRICE_SCALE), (HaircutTier(0, to_ppm(haircut)),))
        for i, (price, (_, _, haircut)) in enumerate(zip(prices, held, strict=True))
    )
    empty = build_valuation([Contract(PPM, ((0, PPM),))])
    valuation = Valuation(
        replace(empty.sheet, assets=terms, contracts=()), Marks({}, {a.id: a.price_cap for a in terms})
    )
    cash = {i: int(size * fine) for i, ((size, _, _), fine) in enumerate(zip(held, balances, strict=True))}
    value = Fraction(compute_equity(AccountState(1, 1, cash=cash), valuation), scale)
    rounded = sum((abs(q) * price for q, price, haircut in held if (haircut * PPM).denominator != 1), Fraction(0))
    answer = Approximate(value, Fraction(1, scale) + rounded / PPM)
    return Answer(answer, {"value": answer})


def _read_asset(asset: Inputs) -> tuple[Fraction, Fraction, Fraction]:
    asset.raw(pick(asset, "ccy", "asset"), "")
    kept = Fraction(1)
    for name in ("h", "h_fx", "h_conc"):
        haircut = asset.number(name, 0)
        if not 0 <= haircut <= 1:
            raise InputError(f"{asset.path}.{name} must be between 0 and 1, was {haircut}")
        kept *= 1 - haircut
    size = asset.number(pick(asset, "qty", "quantity"))
    return size, asset.number(pick(asset, "px", "price")), 1 - kept if size > 0 else Fraction(0)


def run_agreement(inputs: Inputs) -> Answer:
    """
    Compute what an agreement moves, or what it requires: `size_transfer`, `credit_support`, `initial_margin_support`.
    """
    if inputs.has("margin_amount"):
        return _initial_support(inputs)
    if inputs.has("value"):
        return _two_way(inputs)
    names = ("exposure", "independent_amount", "threshold", "mta", "held_post_haircut", "disputed", "in_transit")
    exposure, independent, threshold, least, held, disputed, transit = (
        inputs.number(name, None if name in ("exposure", "held_post_haircut") else 0) for name in names
    )
    multiple = inputs.number("rounding", 0)
    for name, amount in zip(
        ("threshold", "mta", "held_post_haircut", "disputed", "in_transit", "rounding"),
        (threshold, least, held, disputed, transit, multiple),
        strict=True,
    ):
        if amount < 0:
            raise InputError(f"inputs.{name} must be at least 0, was {amount}")
    scale = whole_scale([exposure, independent, threshold, least, held, disputed, multiple, transit])
    required = credit_support(int(exposure * scale), int(independent * scale), int(threshold * scale))
    moved = size_transfer(
        required,
        int((held + transit) * scale),
        int(disputed * scale),
        least=int(least * scale),
        multiple=int(multiple * scale) or 1,
    )
    amount = Fraction(moved.amount, scale)
    parts = {"movement": moved.movement.name, "amount": amount, "required": Fraction(required, scale)}
    return Answer([moved.movement.name, amount], {**parts, "call": amount if moved.movement.name == "DELIVER" else 0})


def _initial_support(inputs: Inputs) -> Answer:
    amounts = [
        inputs.number(name, 0) for name in ("margin_amount", "threshold", pick(inputs, "ia", "independent_amount"))
    ]
    name = str(inputs.raw("approach", "Distinct"))
    approach = _APPROACHES.get(name.lower().removesuffix("approach").replace("_", ""))
    if approach is None or min(amounts) < 0:
        raise InputError(f"inputs.approach must be GreaterOf or Distinct and amounts at least 0, was {name!r}")
    scale = whole_scale(amounts)
    margin, threshold, independent = (int(a * scale) for a in amounts)
    support = Fraction(initial_margin_support(margin, threshold, independent, approach), scale)
    return Answer(support, {"credit_support_amount": support})


def _two_way(inputs: Inputs) -> Answer:
    names = ("value", "ia", pick(inputs, "threshold_receive", "threshold_rcv"), "threshold_pay")
    amounts = [inputs.number(name, None if name == "value" else 0) for name in names]
    if min(amounts[2:]) < 0:
        raise InputError(f"inputs: thresholds must be at least 0, were {amounts[2]} and {amounts[3]}")
    scale = whole_scale(amounts)
    value, independent, receive, pay = (int(a * scale) for a in amounts)
    support = Fraction(credit_support_two_way(value, independent, receive, pay), scale)
    return Answer(support, {"credit_support_amount": support})


def run_ladder(inputs: Inputs) -> Answer:
    """
    Name the band of each ratio of equity to maintenance margin: levels of a sheet, `compute_level`.

    The venue's bands end at their lower ratio (`<=`), our levels are entered below it (`<`): the account is given one
    unit less, far below any step of a ratio.
    """
    ratios = [inputs_number for _, inputs_number in _numbers(inputs, "ratios")]
    marks = (
        [n for _, n in _numbers(inputs, "thresholds")] if inputs.has("thresholds") else [Fraction(t) for t in _LADDER]
    )
    if len(marks) != 4 or sorted(marks, reverse=True) != marks:
        raise InputError("inputs.thresholds must be 4 falling ratios")
    maintenance = whole_scale(ratios) * PPM
    built = build_valuation([Contract(maintenance, ((0, PPM),))])
    valuation = Valuation(replace(built.sheet, tiered=LevelFactors(*(to_ppm(m) for m in marks))), built.marks)
    bands = [
        _BANDS[compute_level(build_account(int(r * maintenance) - 1, {0: (1, maintenance)}), valuation)] for r in ratios
    ]
    return Answer(bands, {"bands": bands})


def _numbers(inputs: Inputs, name: str) -> list[tuple[Any, Fraction]]:
    pairs = inputs.items(name)
    row = Inputs({str(i): value for i, (_, value) in enumerate(pairs)}, f"inputs.{name}")
    return [(key, row.number(str(i))) for i, (key, _) in enumerate(pairs)]


def run_deadline(inputs: Inputs) -> Answer:
    """
    Compute T* from buffer and one-minute deviation: `t_star_minutes`, in parts of a minute as fine as its cap allows.

    z is the published coefficient; a case that gives a probability p of first passage has `z = N^-1(1 - p / 2)`.
    """
    buffer, gap = inputs.number("buffer"), inputs.number("gap", 0)
    sigma = inputs.number(pick(inputs, "sigma_1min", "sigma"))
    if inputs.has("z"):
        z = inputs.number("z")
    else:
        z = Fraction(normal_quantile(1.0 - float(inputs.number("p")) / 2.0))
    if sigma < 0 or z <= 0:
        raise InputError(f"inputs: sigma must be at least 0 and z above 0, were {sigma} and {float(z)}")
    z_hundredths = max(1, round(z * 100 * _Z_DIGITS))
    unit = whole_scale([buffer, gap, sigma])
    found, parts = None, 1
    for parts in (1, 10**2, 10**4, 10**6):
        # In parts of a minute the variance is that much smaller: the same as a squared buffer that much larger.
        fine = unit * _Z_DIGITS * int(parts**0.5)
        finer = t_star_minutes(int(buffer * fine), int(gap * fine), int(sigma * unit) ** 2, z_hundredths)
        if finer is None or (found is not None and finer >= 366 * 24 * 60):
            break
        found = Approximate(Fraction(finer, parts), Fraction(1, parts))
    return Answer(found, {"minutes": found, "z": Approximate(z, Fraction(1, 10**9))})
