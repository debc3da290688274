"""
Risk door, statistics: value at risk and shortfall, backtests, procyclicality (`tocsin.risk`).
"""

import re
from fractions import Fraction
from typing import Any

from tocsin.conform.compare import Answer
from tocsin.conform.inputs import Inputs
from tocsin.conform.numbers import InputError
from tocsin.conform.reals import pick, real, reals
from tocsin.risk import backtests, procyclicality, shortfall

_RANGE = re.compile(r"integers (-?\d+)\.\.(-?\d+)")
_COUNT_MAX = 1_000_000


def run_closed_tail(inputs: Inputs) -> Answer:
    """
    Compute VaR and ES of a normal or a Student t loss.
    """
    level = real(inputs, "alpha")
    if inputs.has("nu"):
        tail = shortfall.student_tail(level, real(inputs, "nu"))
    else:
        tail = shortfall.normal_tail(level, real(inputs, "mu", 0), real(inputs, "sigma", 1))
    return Answer(tail.es, {"VaR": tail.var, "ES": tail.es})


def run_sample_tail(inputs: Inputs) -> Answer:
    """
    Compute VaR and ES of a sample: of P&L with confidence `alpha`, as losses; of sorted worst P&L with tail `alpha`.

    A case of losses and several confidences asks for ES with a fractional atom.
    """
    if inputs.has("losses"):
        losses = _read_losses(inputs)
        levels = [Fraction(a) for a in _fractions(inputs, pick(inputs, "alphas", "alpha"))]
        shortfalls = [shortfall.atomic_shortfall(losses, 1 - level) for level in levels]
        return Answer(shortfalls, {"ES": shortfalls})
    if inputs.has("worst_pnls_sorted"):
        worst = [-x for x in reals(inputs, "worst_pnls_sorted")]
        tail = shortfall.worst_tail(worst, inputs.whole("n"), inputs.number("alpha"))
        return Answer(-tail.es, {"VaR": -tail.var, "ES": -tail.es})
    tail = shortfall.sample_tail([-x for x in reals(inputs, "pnl")], 1 - inputs.number("alpha"))
    return Answer(tail.es, {"VaR": tail.var, "ES": tail.es})


def _fractions(inputs: Inputs, name: str) -> list[Fraction]:
    if not isinstance(inputs.raw(name), list):
        return [inputs.number(name)]
    pairs = inputs.items(name)
    row = Inputs({str(i): value for i, (_, value) in enumerate(pairs)}, f"inputs.{name}")
    return [row.number(str(i)) for i in range(len(pairs))]


def _read_losses(inputs: Inputs) -> list[float]:
    """Return losses: a list, or `"integers 1..100"`."""
    given = inputs.raw("losses")
    if not isinstance(given, str):
        return reals(inputs, "losses")
    match = _RANGE.fullmatch(given.strip())
    if match is None or not 0 <= int(match[2]) - int(match[1]) < _COUNT_MAX:
        raise InputError(f'inputs.losses must be a list or "integers 1..100", was {given!r}')
    return [float(i) for i in range(int(match[1]), int(match[2]) + 1)]


def run_filtered(inputs: Inputs) -> Answer:
    """
    Rescale a history of returns to today's volatility.
    """
    seed = inputs.raw("seed_var", "r0^2")
    if seed != "r0^2":
        raise InputError(f'inputs.seed_var must be "r0^2", was {seed!r}')
    found = shortfall.filter_history(reals(inputs, "returns"), real(inputs, pick(inputs, "lam", "lambda")))
    worst = min(found.returns)
    return Answer(worst, {"sigma_next": found.sigma_next, "worst": worst, "returns": found.returns})


def _count(inputs: Inputs) -> int:
    count = inputs.whole(pick(inputs, "n", "T"))
    if not 1 <= count <= _COUNT_MAX:
        raise InputError(f"inputs.n must be between 1 and {_COUNT_MAX}, was {count}")
    return count


def run_kupiec(inputs: Inputs) -> Answer:
    """
    Test a share of exceptions; without exceptions, return how few and how many are accepted at 95 %.
    """
    names = [name for name in ("exceptions", "x") if inputs.has(name)]
    if not names:
        return _accept(inputs)
    count, share = _count(inputs), real(inputs, "p")
    if isinstance(inputs.raw(names[0]), list):
        ratios = [backtests.kupiec(int(x), count, share) for x in reals(inputs, names[0])]
        rejected = [ratio.lr >= backtests.ACCEPT_95 for ratio in ratios]
        found = [ratio.lr for ratio in ratios]
        return Answer(found, {"LR": found, "pvalue": [ratio.p_value for ratio in ratios], "reject": rejected})
    ratio = backtests.kupiec(inputs.whole(names[0]), count, share)
    return Answer(ratio.lr, {"LR": ratio.lr, "pvalue": ratio.p_value, "p_value": ratio.p_value, "LR_uc": ratio.lr})


def _accept(inputs: Inputs) -> Answer:
    name = pick(inputs, "n", "T")
    counts, shares = [int(n) for n in _fractions(inputs, name)], [float(p) for p in _fractions(inputs, "p")]
    if not counts or not all(1 <= n <= _COUNT_MAX for n in counts):
        raise InputError(f"inputs.{name} must be between 1 and {_COUNT_MAX}, was {counts}")
    many = isinstance(inputs.raw(name), list) or isinstance(inputs.raw("p"), list)
    regions = [backtests.kupiec_region(n, p) for p in shares for n in counts]
    zeros = [backtests.kupiec(0, n, p).lr for p in shares for n in counts]
    first: list[Any] = [list(regions[0]), regions[0][0], regions[0][1], zeros[0]]
    rows: list[Any] = [[list(r) for r in regions], [r[0] for r in regions], [r[1] for r in regions], zeros]
    region, low, high, zero = rows if many else first
    named = {"region": region, "accepted": region, "lower": low, "min": low, "upper": high, "max": high}
    return Answer(region, {**named, "LR_zero": zero, "LR0": zero})


def run_christoffersen(inputs: Inputs) -> Answer:
    """
    Test that exceptions come independently, and jointly with their share (5 % of the days unless `p` is given).
    """
    names = ("n00", "n01", "n10", "n11")
    n00, n01, n10, n11 = (inputs.whole(name) for name in names)
    if max(n00, n01, n10, n11) > _COUNT_MAX:
        raise InputError(f"inputs.n00 to n11 must be at most {_COUNT_MAX}, was {max(n00, n01, n10, n11)}")
    ratio = backtests.christoffersen(n00, n01, n10, n11)
    found = inputs.whole(pick(inputs, "exceptions", "x"), n01 + n11)
    days = inputs.whole(pick(inputs, "n", "T"), n00 + n01 + n10 + n11)
    coverage = backtests.kupiec(found, days, real(inputs, "p", Fraction(1, 20)))
    joint = backtests.conditional_coverage(ratio.lr, coverage.lr)
    parts = {"LR": ratio.lr, "pvalue": ratio.p_value, "LR_ind": ratio.lr, "pvalue_ind": ratio.p_value}
    parts |= {"LR_uc": coverage.lr, "LR_pof": coverage.lr, "pvalue_uc": coverage.p_value}
    return Answer(ratio.lr, {**parts, "LR_cc": joint.lr, "pvalue_cc": joint.p_value})


def run_joint_coverage(inputs: Inputs) -> Answer:
    """
    Test share and independence of exceptions together: from transitions, or from the two ratios.
    """
    if inputs.has("n00"):
        answer = run_christoffersen(inputs)
        lr, p_value = answer.parts["LR_cc"], answer.parts["pvalue_cc"]
        return Answer(lr, {**answer.parts, "LR": lr, "pvalue": p_value})
    coverage = real(inputs, pick(inputs, "LR_uc", "LR_pof"))
    joint = backtests.conditional_coverage(real(inputs, pick(inputs, "LR_ind", "LR_cci")), coverage)
    return Answer(joint.lr, {"LR": joint.lr, "LR_cc": joint.lr, "pvalue": joint.p_value, "pvalue_cc": joint.p_value})


def run_coverage(inputs: Inputs) -> Answer:
    """
    Return the one-sided probability of that many exceptions or more.
    """
    value = backtests.coverage_tail(inputs.whole(pick(inputs, "x", "exceptions")), _count(inputs), real(inputs, "p"))
    return Answer(value, {"p": value, "pvalue": value})


def run_traffic_light(inputs: Inputs) -> Answer:
    """
    Return zones and plus factors of 0 to 10 exceptions, and the counts from which a zone begins.
    """
    count, share = _count(inputs), real(inputs, "p")
    yellow, red = backtests.traffic_bounds(count, share)
    if inputs.has("exceptions") and not isinstance(inputs.raw("exceptions"), list):
        asked = [inputs.whole("exceptions")]
    else:
        asked = [int(x) for x in reals(inputs, "exceptions")] if inputs.has("exceptions") else list(range(11))
    lights = [backtests.traffic_light(x, count, share) for x in asked]
    parts: dict[str, Any] = {
        "cumulative_pct": [100.0 * light.cumulative for light in lights],
        "zone": [light.zone for light in lights],
        "plus": [backtests.plus_factor(x) for x in asked],
    }
    if len(asked) == 1:
        parts = {name: values[0] for name, values in parts.items()}
    return Answer(parts["zone"], {**parts, "yellow": yellow, "red": red})


def run_plus_origin(inputs: Inputs) -> Answer:
    """
    Return the increase of the multiplier that each count of exceptions would ask for.
    """
    count, share = _count(inputs), real(inputs, "p")
    found = [backtests.plus_factor_origin(int(x), count, share) for x in reals(inputs, "exceptions")]
    return Answer(found, {"increase": found})


def run_shortfall_test(inputs: Inputs) -> Answer:
    """
    Compute Z2 of Acerbi and Szekely; VaR and ES may be one number or one per period.
    """
    pnl = reals(inputs, "pnl")
    var, es = (
        reals(inputs, name) if isinstance(inputs.raw(name), list) else [real(inputs, name)] * len(pnl)
        for name in ("VaR", "ES")
    )
    value = backtests.acerbi_szekely(pnl, var, es, real(inputs, "alpha"))
    return Answer(value, {"Z2": value})


def run_shortfall_critical(inputs: Inputs) -> Answer:
    """
    Compute critical values of Z2 at 5 % and 0.01 %, from the compound law: a number of simulations is not used.
    """
    inputs.raw("nsim", None)
    inputs.raw("seed", None)
    count, tail = _count(inputs), real(inputs, "alpha")
    five, rare = (backtests.acerbi_szekely_critical(count, tail, s) for s in (0.05, 0.0001))
    return Answer(five, {"c5": five, "c001": rare})


def run_buffer(inputs: Inputs) -> Answer:
    """
    Return margin with a buffer that is used up when margins rise.
    """
    buffer = real(inputs, "buffer", Fraction(1, 4))
    found = procyclicality.apply_buffer(reals(inputs, "calculated"), reals(inputs, "reference"), buffer)
    return Answer(found, {"margin": found})


def run_blend(inputs: Inputs) -> Answer:
    """
    Return margin with a weight on stressed observations, and the larger of it and the current one.
    """
    current = real(inputs, "current")
    blend = procyclicality.blend_stress(current, real(inputs, "stressed"), real(inputs, "w", Fraction(1, 4)))
    return Answer(max(current, blend), {"blend": blend, "max_blend": max(current, blend)})


def run_floor(inputs: Inputs) -> Answer:
    """
    Return margin at the larger of recent and ten-year volatility.
    """
    value = procyclicality.floor_margin(
        real(inputs, "position"),
        real(inputs, "z"),
        real(inputs, "vol_recent"),
        real(inputs, pick(inputs, "vol_10y", "vol_floor")),
        real(inputs, "horizon_days"),
    )
    return Answer(value, {"margin": value})


def run_movement(inputs: Inputs) -> Answer:
    """
    Return how far the margin of a constant portfolio moved, over one step and over 3, 5 and 30 where it is long enough.
    """
    margin = reals(inputs, "margin")
    one = procyclicality.measure_movement(margin)
    parts: dict[str, float] = {"peak_to_trough": one.peak_to_trough}
    for name, steps in (("one", 1), ("three", 3), ("five", 5), ("thirty", 30)):
        if len(margin) > steps:
            found = procyclicality.measure_movement(margin, steps)
            parts[f"{name}_step"], parts[f"{name}_step_pct"] = found.rise, found.rise_share
    return Answer(one.peak_to_trough, parts)
