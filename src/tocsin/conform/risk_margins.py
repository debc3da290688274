"""
Risk door, margin models of others: scans, spreads, sensitivities, schedules, exposures, liquidity (`tocsin.risk`).
"""

from fractions import Fraction
from typing import Any, cast

from tocsin.conform.compare import Answer
from tocsin.conform.core_scan import SPREADS
from tocsin.conform.inputs import Inputs
from tocsin.conform.numbers import InputError
from tocsin.conform.reals import pick, real, reals, to_real
from tocsin.risk import aggregation, exposure, liquidity, sensitivities, shocks

_DAY_S = 86_400
_DELTA_PRINTED = 0.005
"""How far a delta printed with two places may be from its formula."""
_FIRST = ("USD", "EUR", "JPY", "GBP", "AUD", "CHF", "CAD")
_SECOND = ("BRL", "CNY", "HKD", "INR", "KRW", "MXN", "NOK", "NZD", "RUB", "SEK", "SGD", "TRY", "ZAR")
"""Currencies of the first two concentration categories; all others are in the third."""


def run_span_total(inputs: Inputs) -> Answer:
    """
    Compute a SPAN-like requirement with spread charges and credits.
    """
    intra, delivery, inter = pick(inputs, *SPREADS[:2]), SPREADS[2], pick(inputs, *SPREADS[3:])
    names = ("scan_risk", intra, delivery, inter, "short_options", "short_option_min", "net_option_value")
    found = aggregation.span_margin(*(real(inputs, name, None if name == "scan_risk" else 0) for name in names))
    return Answer(found.total, {"span_risk": found.risk, "total_requirement": found.total})


def refuse_scan_array(inputs: Inputs) -> str:
    """
    Return why there is no array to compute, or an empty text if there is.
    """
    return (
        "" if inputs.has("price_scan_range") or inputs.has("psr") else "the arrays are given: the core door scans them"
    )


def run_scan_array(inputs: Inputs) -> Answer:
    """
    Compute the 16 P&Ls of a future: thirds of the range both ways, twice each, and two extremes partly covered.
    """
    scan_range = real(inputs, pick(inputs, "price_scan_range", "psr"))
    extreme = shocks.extreme_loss(scan_range, real(inputs, "multiple", 3), real(inputs, "cover", Fraction(33, 100)))
    thirds = [sign * scan_range * k / 3.0 for k in range(4) for sign in ((1, -1) if k else (1,))]
    array = [pnl for pnl in thirds for _ in range(2)] + [extreme, -extreme]
    return Answer(array, {"array": array, "risk_array": array, "pnl": array, "scan": -min(array)})


def run_spread(inputs: Inputs) -> Answer:
    """
    Compute the charge on spreads between months.
    """
    charge = aggregation.spread_charge(reals(inputs, "net_delta_by_month"), real(inputs, "charge_per_spread"))
    return Answer(charge, {"charge": charge})


def run_extreme(inputs: Inputs) -> Answer:
    """
    Compute what the extreme scenario counts.
    """
    value = shocks.extreme_loss(real(inputs, "price_scan_range"), real(inputs, "multiple"), real(inputs, "cover"))
    return Answer(value, {"extreme": value})


def run_weights(inputs: Inputs) -> Answer:
    """
    Compute the weights of extreme moves.
    """
    scan_range, kappa = real(inputs, "psr"), real(inputs, "kappa", 1)
    weights = [shocks.extreme_weight(scan_range, shock, kappa) for shock in reals(inputs, "shocks")]
    return Answer(weights, {"weights": weights})


def run_tenor(inputs: Inputs) -> Answer:
    """
    Compute volatility shocks by tenor: multipliers up and down, or the shock of the square-root law.
    """
    if inputs.has("base_shock"):
        power = real(inputs, "power") if inputs.has("power") else 0.5
        shock = shocks.tenor_multiplier(real(inputs, "days"), real(inputs, "base_shock"), power) - 1.0
        return Answer(shock, {"shock": shock})
    days = real(inputs, "seconds_to_expiry") / _DAY_S if inputs.has("seconds_to_expiry") else real(inputs, "days")
    long = days > shocks.TENOR_DAYS and inputs.has("long_power")
    power = real(inputs, "long_power" if long else pick(inputs, "short_power", "power"))
    inputs.raw("long_power", None)
    floor = real(inputs, pick(inputs, "dte_floor", "floor_days"), 0)
    up = shocks.tenor_multiplier(days, real(inputs, "vol_up"), power, floor)
    down = shocks.tenor_multiplier(days, -real(inputs, "vol_down"), power, floor)
    return Answer([up, down], {"up": up, "down": down})


def run_ladder_pnl(inputs: Inputs) -> Answer:
    """
    Compute the P&L of a dated future on a ladder of moves, and its contingency as a share of index notional.
    """
    index, size = real(inputs, "index"), real(inputs, "qty")
    forward = shocks.forward_of(index, real(inputs, pick(inputs, "abr", "basis_rate")), real(inputs, "days"))
    pnl = shocks.ladder_pnl(size, forward, reals(inputs, "shocks"))
    return Answer(pnl, {"F": forward, "contingency": abs(size) * real(inputs, "factor") * index, "pnl": pnl})


def run_offset(inputs: Inputs) -> Answer:
    """
    Put the stand-alone amounts of two underlyings together by correlation, on the same side and on opposite ones.
    """
    pairs = inputs.items("K")
    amounts = {str(name): to_real(f"inputs.K[{name}]", value) for name, value in pairs}
    if len(amounts) != 2:
        raise InputError(f"inputs.K must hold two underlyings, had {len(amounts)}")
    one, two = amounts
    rho = {(one, two): real(inputs, "rho")}
    same = aggregation.aggregate(amounts, rho)
    hedged = aggregation.aggregate({one: amounts[one], two: -amounts[two]}, rho)
    return Answer(same, {"same": same, "hedged": hedged})


def run_liquidity(inputs: Inputs) -> Answer:
    """
    Compute days to close and the cost of impact.
    """
    size, volume = real(inputs, "qty"), real(inputs, "adv")
    days = liquidity.days_to_close(size, volume, real(inputs, "participation"))
    spread = real(inputs, "half_spread", 0)
    cost = liquidity.impact_cost(
        size, real(inputs, "px"), volume, real(inputs, "daily_vol"), real(inputs, "impact_coef", 1), spread
    )
    return Answer(cost, {"days": days, "addon": cost})


def run_slices(inputs: Inputs) -> Answer:
    """
    Compute by what risk grows when a position is closed in equal slices.
    """
    factor = liquidity.slices_factor(inputs.whole("n"))
    return Answer(factor, {"factor": factor})


def run_haircut(inputs: Inputs) -> Answer:
    """
    Scale a haircut to another period of revaluation.
    """
    name = inputs.find("H") or "H10"
    value = liquidity.scale_haircut(real(inputs, name), real(inputs, "N_R"), real(inputs, "T_M"))
    return Answer(value, {"haircut": value})


def run_schedule(inputs: Inputs) -> Answer:
    """
    Compute the schedule margin of a netting set.
    """
    gross = real(inputs, "gross_rc") if inputs.has("gross_rc") else None
    ratio, margin = aggregation.schedule_margin(real(inputs, "gross_im"), real(inputs, "net_rc"), gross)
    return Answer(margin, {"NGR": ratio, "IM": margin})


def run_rate_exposure(inputs: Inputs) -> Answer:
    """
    Compute add-on and exposure of interest-rate swaps and swaptions.

    Trades of one `ccy` offset. Where none is named swaps offset each other and a swaption stands by itself: in the
    example of BCBS 279 the swaps are in USD, the swaption in EUR.
    """
    factor, alpha, collateral = real(inputs, "SF"), real(inputs, "alpha"), real(inputs, "C", 0)
    names = [name for name in inputs.names() if isinstance(inputs.raw(name), dict)]
    found = exposure.rate_exposure([_read_trade(inputs.object(name)) for name in names], factor, alpha, collateral)
    parts = {"AddOn": found.add_on, "RC": found.replacement_cost, "multiplier": found.multiplier, "EAD": found.ead}
    return Answer(found.ead, parts)


def _read_trade(trade: Inputs) -> exposure.RateTrade:
    """Return a swap (`M` years), or a swaption (`S` to `E`)."""
    start, end = real(trade, "S", 0), real(trade, pick(trade, "E", "M"))
    delta = _read_delta(trade, start) if start else real(trade, "delta")
    currency = str(trade.raw("ccy", "option" if start else ""))
    return exposure.RateTrade(real(trade, "notional"), start, end, delta, real(trade, "mtm", 0), currency)


def _read_delta(trade: Inputs, years: float) -> float:
    """
    Return an option's delta as given, or to full digits from `P`, `K`, `vol` if one of its four forms rounds to it.
    """
    trade.raw("type", "")
    given = real(trade, "delta")
    if not all(trade.has(name) for name in ("P", "K", "vol")):
        return given
    rate, strike, volatility = (real(trade, name) for name in ("P", "K", "vol"))
    forms = [
        exposure.option_delta(rate, strike, volatility, years, call=call, long=long)
        for call in (True, False)
        for long in (True, False)
    ]
    nearest = min(forms, key=lambda delta: abs(delta - given))
    return nearest if abs(nearest - given) <= _DELTA_PRINTED else given


def run_sensitivities(inputs: Inputs) -> Answer:
    """
    Compute the delta margin of one class, from the case's own calibration; or put classes together by correlation.
    """
    if inputs.has("psi"):
        return _run_classes(inputs)
    params = inputs.object("params")
    rows = _rows(inputs)
    if params.has("calc_ccy"):
        margin = sensitivities.fx_delta_margin([(name, amount) for name, _, amount in rows], _read_fx(params))
    else:
        found = [sensitivities.Sensitivity(name, bucket, amount) for name, bucket, amount in rows]
        margin = sensitivities.delta_margin(found, _read_calibration(params))
    return Answer(margin, {"margin": margin})


def _rows(inputs: Inputs) -> list[tuple[str, str, float]]:
    value = inputs.raw("sensitivities")
    out: list[tuple[str, str, float]] = []
    for i, row in enumerate(cast("list[Any]", value) if isinstance(value, list) else [value]):
        cells = cast("list[Any]", row) if isinstance(row, list) else []
        if len(cells) != 3:
            raise InputError(f"inputs.sensitivities[{i}] must be [factor, bucket, amount], was {row!r}")
        out.append((str(cells[0]), str(cells[1]), to_real(f"inputs.sensitivities[{i}][2]", cells[2])))
    return out


def _table(params: Inputs, name: str) -> dict[str, float]:
    pairs = params.items(name) if params.has(name) else []
    return {str(key): to_real(f"{params.path}.{name}[{key}]", value) for key, value in pairs}


def _read_calibration(params: Inputs) -> sensitivities.Calibration:
    params.raw("inter", None)
    between = {(a, b): rho for (a, _, b), rho in ((k.partition("-"), v) for k, v in _table(params, "inter").items())}
    return sensitivities.Calibration(_table(params, "RW"), _table(params, "CT"), _table(params, "intra"), between)


def _read_fx(params: Inputs) -> sensitivities.FxCalibration:
    calculation = str(params.raw("calc_ccy"))
    volatile = frozenset(str(name) for _, name in params.items("high_vol"))
    weights = params.object("RW")
    name = "corr_high_calc" if calculation in volatile else "corr_regular_calc"
    name = name if params.has(name) else params.find("corr") or name
    correlations, limits = params.object(name), params.object("CT_musd")
    first, second, third = (1e6 * real(limits, f"cat{i}") for i in (1, 2, 3))
    return sensitivities.FxCalibration(
        calculation,
        volatile,
        (real(weights, "regular"), real(weights, "mixed"), real(weights, "high")),
        (real(correlations, "rr"), real(correlations, "hr"), real(correlations, "hh")),
        {**dict.fromkeys(_FIRST, first), **dict.fromkeys(_SECOND, second), "": third},
    )


def _run_classes(inputs: Inputs) -> Answer:
    """Add product classes, each put together over its risk classes by psi."""
    psi = inputs.object("psi")
    pairs = {(one, str(two)): to_real(f"psi.{one}", v) for one in psi.names() for two, v in psi.items(one)}
    total = 0.0
    parts: dict[str, float] = {}
    for name in inputs.names():
        if name.startswith("product"):
            amounts = {str(k): to_real(f"inputs.{name}[{k}]", v) for k, v in inputs.items(name)}
            parts[name] = aggregation.aggregate(amounts, pairs)
            total += parts[name]
    return Answer(total, {**parts, "margin": total})
