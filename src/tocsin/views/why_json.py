"""
The steps of `why` as JSON values (rule WY-005). Amounts, prices and times are decimal strings, since they may not fit a
double; identifiers, lots, levels, cycles and rates are numbers.
"""

from typing import Any

from tocsin.engine.sums import AccountNeed, BalanceSum, LegSum, Need
from tocsin.engine.why import Picture, Step
from tocsin.margin.scenario import ScenarioSum
from tocsin.margin.state import Level

_LEVELS = ("initial", "margin_call", "liquidation", "takeover")

_PLAIN = frozenset(
    {
        "account",
        "contract",
        "contracts",
        "asset",
        "intent",
        "lots",
        "position",
        "filled",
        "left",
        "issued_cycle",
        "reaches",
        "factor",
    }
)
"""Fields of events that are small numbers."""


def step_value(step: Step) -> dict[str, Any]:
    """
    Return one step: the account at decision points A and B and after the cycle (null before it was opened), its events.
    """
    return {
        "cycle": step.cycle,
        "time_ns": str(step.time_ns),
        "at_marks": _picture(step.at_marks),
        "at_decision": _picture(step.at_decision),
        "after": _picture(step.after),
        "events": [
            {"kind": e.kind, "phase": e.phase, **{k: _field(k, v) for k, v in e.fields.items()}} for e in step.events
        ],
    }


def _field(name: str, value: int | str) -> int | str:
    return value if name in _PLAIN else str(value)


def _picture(picture: Picture | None) -> dict[str, Any] | None:
    if picture is None:
        return None
    numbers, risk = picture.numbers, picture.risk
    return {
        "level": Level(picture.was).name.lower(),
        "equity": str(numbers.equity),
        "equity_without_haircuts": str(numbers.raw_equity),
        "requirements": dict(zip(_LEVELS, map(str, numbers.requirements), strict=True)),
        "exits": dict(zip(_LEVELS, map(str, numbers.exits), strict=True)),
        "deadline": {
            "t_star_minutes": risk.minutes,
            "buffer": str(risk.buffer),
            "gap": str(risk.gap),
            "variance": str(risk.variance),
        },
        "balances": [_balance(b) for b in picture.balances],
        "legs": [_leg(leg) for leg in picture.legs],
        "together": {name: _together(need) for name, need in zip(_LEVELS, picture.needs, strict=True)},
        "scenarios": None if picture.scenarios is None else _scenarios(picture.scenarios),
    }


def _together(need: AccountNeed) -> dict[str, Any]:
    return {
        "contracts_e18x256": str(need.own),
        "scenario_e18x256": str(need.scenario),
        "combined_by": "sum" if need.summed else "max",
        "addons_e18x256": str(need.addons),
        "total_e18x256": str(need.total),
    }


def _scenarios(found: ScenarioSum) -> dict[str, Any]:
    return {
        "worst": found.worst,
        "joint_e12x256": str(found.joint),
        "floor_e12x256": str(found.floor),
        "values_e12": {str(underlying): str(value) for underlying, value in sorted(found.values.items())},
    }


def _balance(balance: BalanceSum) -> dict[str, Any]:
    return {
        "asset": balance.asset,
        "cash": str(balance.cash),
        "pnl": str(balance.pnl),
        "in_transit": str(balance.in_transit),
        "parts": [{"units": str(p.units), "weight_ppm": p.weight_ppm} for p in balance.parts],
        "price": str(balance.price),
        "value_e12": str(balance.value),
    }


def _leg(leg: LegSum) -> dict[str, Any]:
    return {
        "contract": leg.contract,
        "lots": leg.lots,
        "mark": str(leg.mark),
        "funding": str(leg.funding),
        "entry": str(leg.entry),
        "pnl": str(leg.pnl),
        "is_fresh": leg.is_fresh,
        "bid": leg.hold[0],
        "ask": leg.hold[1],
        "price": str(leg.price),
        "needs": {name: _need(need) for name, need in zip(_LEVELS, leg.needs, strict=True)},
    }


def _need(need: Need) -> dict[str, Any]:
    return {
        "lots": need.lots,
        "notional": str(need.notional),
        "rate_ppm": need.rate_ppm,
        "deduction_e6": str(need.deduction),
        "tiered_e6": str(need.tiered),
        "charge": str(need.charge),
        "half_band_e6": str(need.band),
        "tiered_factor_ppm": need.tiered_factor,
        "charge_factor_ppm": need.charge_factor,
        "counts": need.counts,
        "others": need.others,
        "addon_e18": str(need.addon),
        "total_e18": str(need.total),
    }
