"""
Core door, a member's default: fund sizing and shares, the order of payers, haircut of gains, assessments, tear-up.

Amounts become whole units of 10^-12 of the case's money or finer: one unit is below any tolerance. Lots stay whole.
"""

from fractions import Fraction
from typing import Any

from tocsin.conform.compare import Answer, Approximate
from tocsin.conform.inputs import Inputs
from tocsin.conform.numbers import InputError, need_number
from tocsin.conform.reals import pick
from tocsin.conform.sheets import to_ppm, whole_scale
from tocsin.procedures.waterfall import (
    absorb_default,
    assessment_cap,
    haircut_gains,
    share_default_fund,
    size_default_fund,
    tear_up,
)

_FINE = 10**12


def _named(inputs: Inputs, name: str) -> tuple[list[str], list[Fraction]]:
    """Return the names and numbers of an object or a list."""
    pairs = inputs.items(name)
    return [str(key) for key, _ in pairs], [need_number(f"inputs.{name}[{key}]", value) for key, value in pairs]


def _need_positive(name: str, amounts: list[Fraction]) -> None:
    if any(a < 0 for a in amounts):
        raise InputError(f"inputs.{name} must be at least 0, was {min(amounts)}")


def _show(units: int, scale: int) -> Approximate:
    """Return units as the case's money; a share may be one unit off."""
    return Approximate(Fraction(units, scale), Fraction(1, scale))


def run_sizing(inputs: Inputs) -> Answer:
    """
    Size the fund from stress losses over margin: `size_default_fund`.
    """
    table = inputs.items(pick(inputs, "stress_loss_over_margin", "losses"))
    rows: list[list[Fraction]] = []
    for name, row in table:
        if not isinstance(row, list):
            raise InputError(f"inputs: losses of {name} must be a list, one per scenario, was {row!r}")
        values: list[Any] = list(row)  # pyright: ignore[reportUnknownArgumentType]
        rows.append([need_number(f"inputs.losses[{name}]", value) for value in values])
    if len({len(row) for row in rows}) > 1:
        raise InputError("inputs: every group must have a loss in every scenario")
    scale = whole_scale(loss for row in rows for loss in row)
    size = size_default_fund([[int(loss * scale) for loss in row] for row in rows])
    one, two, emir = (Fraction(units, scale) for units in size)
    return Answer(two, {"cover1": one, "cover2": two, "emir_42_3": emir})


def run_contributions(inputs: Inputs) -> Answer:
    """
    Share the fund by margin with a floor: `share_default_fund`.
    """
    names, weights = _named(inputs, pick(inputs, "im", "weights"))
    size, minimum = inputs.number("size"), inputs.number("minimum", 0)
    _need_positive("im", [*weights, size, minimum])
    if not sum(weights):
        raise InputError("inputs.im must not be all 0")
    scale = whole_scale([*weights, size, minimum]) * _FINE
    paid = share_default_fund(int(size * scale), [int(w * scale) for w in weights], int(minimum * scale))
    shown = {name: _show(units, scale) for name, units in zip(names, paid, strict=True)}
    return Answer(list(shown.values()), {**shown, "total": _show(sum(paid), scale)})


def run_cap(inputs: Inputs) -> Answer:
    """
    Cap a member's assessments in one period: `assessment_cap`.
    """
    fund, called = inputs.number(pick(inputs, "df", "contribution")), inputs.number("called", 0)
    multiple = inputs.number("multiple")
    _need_positive("df", [fund, called, multiple])
    scale = whole_scale([fund, called]) * _FINE
    cap = _show(assessment_cap(int(fund * scale), to_ppm(multiple), int(called * scale)), scale)
    whole = Approximate(cap.value + fund, cap.bound)
    return Answer(cap, {"max_assessment": cap, "total_liability": whole})


def run_default(inputs: Inputs) -> Answer:
    """
    Draw a default loss in the order of a clearing house: `absorb_default`.
    """
    names, fund = _named(inputs, pick(inputs, "others_df", "mutual_df"))
    stages = ("loss", "defaulter_im", "defaulter_df", "ccp_sitg")
    amounts = [inputs.number(name, None if name == "loss" else 0) for name in stages]
    multiple = inputs.number("assessment_cap_multiple", 0)
    _need_positive("amounts", [*amounts, *fund, multiple])
    scale = whole_scale([*amounts, *fund]) * _FINE
    units = [int(f * scale) for f in fund]
    loss, margin, own, capital = (int(a * scale) for a in amounts)
    result = absorb_default(loss, margin, own, capital, units, [assessment_cap(u, to_ppm(multiple)) for u in units])
    parts: dict[str, Any] = {
        "defaulter_im": _show(result.defaulter_margin, scale),
        "defaulter_df": _show(result.defaulter_contribution, scale),
        "ccp_sitg": _show(result.own_capital, scale),
        "mutual_df": {n: _show(u, scale) for n, u in zip(names, result.contributions, strict=True)},
        "assessments": {n: _show(u, scale) for n, u in zip(names, result.assessments, strict=True)},
        "uncovered": _show(result.uncovered, scale),
    }
    return Answer(parts["uncovered"], parts)


def run_gains_haircut(inputs: Inputs) -> Answer:
    """
    Cut the variation margin owed to winners: `haircut_gains`.
    """
    names, gains = _named(inputs, pick(inputs, "vm", "gains"))
    uncovered = inputs.number("uncovered")
    _need_positive("uncovered", [uncovered])
    scale = whole_scale([*gains, uncovered]) * _FINE
    result = haircut_gains(int(uncovered * scale), [int(g * scale) for g in gains])
    haircut = Fraction(result.cut, result.gains) if result.gains else Fraction(0)
    paid = {name: _show(units, scale) for name, units in zip(names, result.paid, strict=True)}
    return Answer(haircut, {"haircut": haircut, "paid": paid, "residual": _show(result.residual, scale)})


def run_tear_up(inputs: Inputs) -> Answer:
    """
    Tear up positions opposite to the unmatched book, in whole lots: `tear_up`.
    """
    short = inputs.has("ccp_unmatched_short")
    names, lots = _named(inputs, "longs" if short else "shorts")
    unmatched = inputs.whole("ccp_unmatched_short" if short else "ccp_unmatched_long")
    _need_positive("shorts", [*lots, Fraction(unmatched)])
    if any(n.denominator != 1 for n in lots):
        raise InputError("inputs: lots must be whole")
    torn = dict(zip(names, tear_up(unmatched, [int(n) for n in lots]), strict=True))
    return Answer(list(torn.values()), {**torn, "left": unmatched - sum(torn.values())})
