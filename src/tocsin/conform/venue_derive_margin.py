"""
Venue door, Derive's margins: portfolio margin (PMRM 2) and standard margin (SRM), computed in floating point.

Inputs are read as exact numbers and then made floats; a result agrees within the bound stated here.
"""

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any, cast

from tocsin.conform.compare import Approximate
from tocsin.conform.inputs import Inputs
from tocsin.conform.numbers import InputError, need_number
from tocsin.venues import derive_pm, derive_srm
from tocsin.venues.derive_shocks import Expiry, Option
from tocsin.venues.derive_terms import (
    BasisTerms,
    ContingencyTerms,
    LossTerms,
    PortfolioTerms,
    Scenario,
    Shock,
    SkewTerms,
    StandardTerms,
    VolTerms,
)

PORTFOLIO_BOUND = Fraction(1, 10**6)
STANDARD_BOUND = Fraction(1, 10**3)
"""Relative bounds of agreement: of portfolio margins, and of standard margins (the source's own tolerance)."""
_NOTIONAL_BOUND = 1e-12
"""What floating point may leave of the account's gross notional where parts cancel."""

_GROUPS: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "SkewShock": (
        SkewTerms,
        (
            "LINEAR_SCALE_CAP", "LINEAR_CBASE", "ABS_SCALE_CAP", "ABS_CBASE",
            "MIN_K_STAR", "MIN_WIDTH_SCALE", "VOL_PARAM_STATIC", "VOL_PARAM_SCALE",
        ),
    ),
    "VolShock": (
        VolTerms,
        ("VOLRANGEUP", "MIN_VOL_EVAL_SHOCKED", "VOLRANGEDOWN", "SHORTTERMPOWER", "LONGTERMPOWER", "DTE_FLOOR"),
    ),
    "Margin": (
        LossTerms,
        (
            "MM_LOSS_FACTOR", "IM_LOSS_FACTOR", "SHORT_RATE_MULTSCALE", "LONG_RATE_MULTSCALE",
            "SHORT_RATE_ADDSCALE", "LONG_RATE_ADDSCALE", "BASE_STATIC_DISCOUNT", "BASE_STATIC_DISCOUNT_NEG",
        ),
    ),
    "BasisContingency": (
        BasisTerms,
        ("SCENARIO_SPOT_UP", "SCENARIO_SPOT_DOWN", "BASIS_CONT_ADD_FACTOR", "BASIS_CONT_MULT_FACTOR"),
    ),
    "OtherContingency": (
        ContingencyTerms,
        (
            "PEG_LOSS_THRESHOLD", "PEG_LOSS_FACTOR", "CONF_THRESHOLD", "CONF_MARGIN",
            "MM_PERP_PERCENT", "IM_PERP_PERCENT", "MM_OPTION_PERCENT", "IM_OPTION_PERCENT",
        ),
    ),
}  # fmt: skip
"""The venue's groups and names, in the order of the fields of our terms."""

_STANDARD_NAMES = (
    "max_spot_req", "min_spot_req", "mm_call_spot_req", "mm_put_spot_req", "mm_put_mtm_req", "mm_offset", "unpaired_im",
    "unpaired_mm", "perp_mm", "perp_im", "oracle_threshold", "oracle_factor", "base_margin_factor", "base_im_scale",
    "depeg_threshold", "depeg_factor",
)  # fmt: skip
_MARKET_INPUTS = ("spot", "perp_price", "perps", "base", "spot_perp_confidence", "entry", "funding_index")


def run_portfolio_margin(inputs: Inputs) -> dict[str, Any]:
    """
    Compute Derive's portfolio margin of one case, with its parts.
    """
    portfolio = _read_portfolio(inputs)
    margin = derive_pm.compute_portfolio_margin(portfolio, _read_portfolio_terms(inputs.object("params")))
    gross = sum(abs(o.size) * max(o.strike, portfolio.spot) for o in portfolio.options)
    gross += abs(portfolio.perps) * portfolio.spot + abs(portfolio.cash)
    out: dict[str, float] = {
        "initial_margin": margin.initial_margin,
        "maintenance_margin": margin.maintenance_margin,
        "mark_to_market": margin.mark_to_market,
        "worst_loss": margin.worst_loss,
        "initial_factor": margin.initial_factor,
        "basis_charge": margin.basis_charge,
        "oracle_charge": margin.oracle_charge,
    }
    for name, charges in (("perp", margin.perp), ("collateral", margin.collateral), ("option", margin.option)):
        out[f"{name}_charge"], out[f"{name}_initial_extra"] = charges
    shown = {key: _approximate(value, PORTFOLIO_BOUND, gross) for key, value in out.items()}
    losses = [_approximate(value, PORTFOLIO_BOUND, gross) for value in margin.scenario_losses]
    return {**shown, "worst_scenario": margin.worst_scenario, "scenario_losses": losses}


def run_standard_margin(inputs: Inputs) -> dict[str, Any]:
    """
    Compute Derive's standard margin of one case, with its parts.
    """
    terms = StandardTerms(*_reals(inputs.object("params"), _STANDARD_NAMES))
    markets = _read_markets(inputs)
    cash = _real(inputs, "cash")
    margin = derive_srm.compute_standard_margin(
        cash, markets, dict.fromkeys(markets, terms), _real(inputs, "stable_price", 1)
    )
    gross = abs(cash) + sum(
        m.spot * (abs(m.perps) + m.base) + sum(abs(o.size) * max(o.strike, m.spot) for o in m.options)
        for m in markets.values()
    )
    parts: dict[str, Any] = {"mark_to_market": _approximate(margin.mark_to_market, STANDARD_BOUND, gross)}
    for name, level in (("initial", margin.initial), ("maintenance", margin.maintenance)):
        for part, value in level._asdict().items():
            parts[f"{name}_{part}"] = _approximate(value, STANDARD_BOUND, gross)
    return parts


def _approximate(value: float, relative: Fraction, gross: float) -> Approximate:
    exact = Fraction(value)
    return Approximate(exact, abs(exact) * relative + Fraction(gross * _NOTIONAL_BOUND))


def _real(inputs: Inputs, name: str, default: int | None = None) -> float:
    """Return an input as a float; a larger number than a float holds is refused."""
    number = inputs.number(name, default)
    try:
        return float(number)
    except OverflowError:
        raise InputError(f"{inputs.path}.{name} must be a number below 1e308, was larger") from None


def _reals(inputs: Inputs, names: Iterable[str]) -> list[float]:
    return [_real(inputs, name) for name in names]


def _flag(inputs: Inputs, name: str) -> bool:
    value = inputs.raw(name)
    if not isinstance(value, bool):
        raise InputError(f"{inputs.path}.{name} must be true or false, was {value!r}")
    return value


def _read_portfolio_terms(params: Inputs) -> PortfolioTerms:
    skew, vol, loss, basis, contingency = (
        kind(*_reals(params.object(group), names)) for group, (kind, names) in _GROUPS.items()
    )
    scenarios = tuple(_read_scenario(s) for s in params.objects("Scenarios"))
    return PortfolioTerms(scenarios, skew, vol, loss, basis, contingency)


def _read_scenario(scenario: Inputs) -> Scenario:
    words = [str(shock) for shock in Shock]
    word = scenario.raw("VolShockDirection")
    if word not in words:
        raise InputError(f"{scenario.path}.VolShockDirection must be one of {', '.join(words)}, was {word!r}")
    spot = _real(scenario, "SpotShock")
    if spot < 0:
        raise InputError(f"{scenario.path}.SpotShock must be at least 0, was {spot:g}")
    return Scenario(spot, Shock(word), _real(scenario, "DampeningFactor"))


def _read_portfolio(inputs: Inputs) -> derive_pm.Portfolio:
    inputs.raw("stable_confidence_ignored", None)
    options = tuple(
        Option(
            seconds_to_expiry=_real(o, "seconds_to_expiry"),
            strike=_real(o, "strike"),
            call=_flag(o, "call"),
            volatility=_real(o, "vol"),
            size=_real(o, "amount"),
        )
        for o in inputs.objects("options")
    )
    expiries = tuple(
        Expiry(
            seconds=_real(e, "seconds"),
            forward=_real(e, "forward"),
            rate=_real(e, "rate"),
            forward_confidence=_real(e, "forward_confidence"),
            rate_confidence=_real(e, "rate_confidence"),
            volatility_confidence=_real(e, "vol_confidence"),
        )
        for e in inputs.objects("expiries")
    )
    collaterals = tuple(
        derive_pm.Collateral(
            size=_real(c, "amount"),
            price=_real(c, "price"),
            maintenance_haircut=_real(c, "mm_haircut"),
            initial_extra_haircut=_real(c, "im_haircut"),
            confidence=_real(c, "confidence"),
            risk_cancelling=_flag(c, "risk_cancelling"),
        )
        for c in inputs.objects("collaterals")
    )
    return derive_pm.Portfolio(
        cash=_real(inputs, "cash"),
        spot=_real(inputs, "spot"),
        options=options,
        expiries=expiries,
        collaterals=collaterals,
        perps=_real(inputs, "perps"),
        perp_price=_real(inputs, "perp_price"),
        perp_pnl=_real(inputs, "unrealised_perp_pnl", 0),
        funding=_real(inputs, "unrealised_funding", 0),
        spot_confidence=_real(inputs, "spot_confidence"),
        perp_confidence=_real(inputs, "perp_confidence"),
        stable_price=_real(inputs, "stable_price"),
    )


def _read_markets(inputs: Inputs) -> dict[str, derive_srm.Market]:
    """
    Return the markets of a standard margin case: one for each underlying that `spot` names.
    """
    options: dict[str, list[derive_srm.StandardOption]] = {}
    for o in inputs.objects("options"):
        options.setdefault(str(o.raw("underlying")), []).append(
            derive_srm.StandardOption(
                seconds_to_expiry=_real(o, "seconds_to_expiry"),
                strike=_real(o, "strike"),
                call=_flag(o, "call"),
                volatility=_real(o, "vol"),
                size=_real(o, "amount"),
                forward=_real(o, "forward"),
                volatility_confidence=_real(o, "vol_confidence"),
                forward_confidence=_real(o, "forward_confidence"),
            )
        )
    quotes = {name: inputs.object(name) for name in _MARKET_INPUTS}
    names = quotes["spot"].names()
    unknown = sorted({*options, *quotes["perps"].names(), *quotes["base"].names()} - set(names))
    if unknown:
        raise InputError(f"{quotes['spot'].path}.{unknown[0]} must be given, of a position; was missing")
    return {name: _read_market(quotes, name, tuple(options.get(name, ()))) for name in names}


def _read_market(
    quotes: dict[str, Inputs], name: str, options: tuple[derive_srm.StandardOption, ...]
) -> derive_srm.Market:
    """
    Return one market. P&L counts from the entry price; funding is what the account's index is above the global one.
    """
    perps, price = _real(quotes["perps"], name), _real(quotes["perp_price"], name)
    entry, index = quotes["entry"], quotes["funding_index"]
    if perps and not entry.has(name):
        raise InputError(f"{entry.path}.{name} must be given with a perpetual, was missing")
    above = _real(index, f"account_{name}", 0) - _real(index, f"global_{name}", 0)
    spot_confidence, perp_confidence = _read_pair(quotes["spot_perp_confidence"], name)
    return derive_srm.Market(
        spot=_real(quotes["spot"], name),
        perp_price=price,
        perps=perps,
        perp_pnl=perps * (price - _real(entry, name, 0)),
        funding=perps * above,
        base=_real(quotes["base"], name),
        options=options,
        spot_confidence=spot_confidence,
        perp_confidence=perp_confidence,
    )


def _read_pair(inputs: Inputs, name: str) -> tuple[float, float]:
    value = inputs.raw(name)
    if not isinstance(value, list) or len(cast("list[Any]", value)) != 2:
        raise InputError(f"{inputs.path}.{name} must be [spot, perpetual], was {value!r}")
    first, second = cast("list[Any]", value)
    return float(need_number(f"{inputs.path}.{name}[0]", first)), float(need_number(f"{inputs.path}.{name}[1]", second))
