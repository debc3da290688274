"""
One account under rulebooks as JSON: amounts are decimal strings, absent values null.
"""

from decimal import Decimal
from typing import Any

from tocsin.venues.assess import Assessment, Distance
from tocsin.venues.contract import Basis, Leg, LegMargin
from tocsin.venues.cures import Cure
from tocsin.views.margin_text import Judged


def judged_value(judged: Judged) -> dict[str, Any]:
    """
    Return one rulebook's answer; `error` says why there is none.
    """
    if judged.assessment is None or judged.portfolio is None:
        return {"rules": judged.rules, "error": judged.reason}
    found = judged.assessment
    evaluation = found.evaluation
    health = evaluation.health
    legs = zip(judged.portfolio.legs, evaluation.legs, found.distances, strict=True)
    return {
        "rules": judged.rules,
        "unit": evaluation.unit,
        "equity": _text(evaluation.equity),
        "initial": _text(evaluation.initial),
        "maintenance": _text(evaluation.maintenance),
        "health": None
        if health is None
        else {
            "name": health.name,
            "value": _text(health.value),
            "state": health.state,
            "thresholds": [{"value": _text(t.value), "worse": t.worse, "effect": t.effect} for t in health.thresholds],
        },
        "signed": {name: _text(value) for name, value in evaluation.signed.items()},
        "legs": [_leg_value(leg, margin, distance) for leg, margin, distance in legs],
        "t_star_minutes": found.t_star_minutes,
        "daily_volatility": {coin: _text(vol) for coin, vol in found.volatilities.items()},
        "volatility_source": found.volatility_source,
        "cures": [_cure_value(cure) for cure in found.cures],
        "basis": _basis_value(evaluation.basis),
        "notes": list(_all_notes(found)),
    }


def _leg_value(leg: Leg, margin: LegMargin, distance: Distance) -> dict[str, Any]:
    found = margin.liquidation
    return {
        "symbol": leg.symbol,
        "side": leg.hedge_side,
        "mode": str(leg.mode),
        "size": _text(leg.size),
        "mark": _text(leg.mark),
        "unit": margin.unit,
        "notional": _text(margin.notional),
        "initial": _text(margin.initial),
        "maintenance": _text(margin.maintenance),
        "unrealised": _text(margin.unrealised),
        "rate": _text(margin.rate),
        "tier": margin.tier,
        "fees": _text(margin.fees),
        "orders": _text(margin.orders),
        "liquidation": None
        if found is None
        else {
            "price": _text(found.price),
            "reason": None if found.reason is None else found.reason.name,
            "why": None if found.reason is None else str(found.reason),
            "tier": found.tier,
            "binding": found.binding,
            "others": list(found.others),
        },
        "distance": _text(distance.share),
        "daily_moves": _text(distance.daily_moves),
        "basis": None if margin.basis is None else _basis_value(margin.basis),
    }


def _cure_value(cure: Cure) -> dict[str, Any]:
    return {
        "scope": cure.scope,
        "level": cure.level,
        "deposit": _text(cure.deposit),
        "unit": cure.unit,
        "close": None
        if cure.close_share is None
        else {
            "leg": cure.leg,
            "contracts": _text(cure.close),
            "share": _text(cure.close_share),
            "notional": _text(cure.close_notional),
        },
    }


def _basis_value(basis: Basis) -> dict[str, Any]:
    return {
        "formula": basis.formula,
        "params": basis.params,
        "params_date": basis.params_date,
        "source": basis.source,
        "notes": list(basis.notes),
    }


def _all_notes(found: Assessment) -> tuple[str, ...]:
    return found.notes


def _text(value: Decimal | None) -> str | None:
    """
    Return a number with at most 18 significant digits, without exponent.
    """
    if value is None:
        return None
    short = f"{Decimal(f'{value:.18g}'):f}"
    return short.rstrip("0").rstrip(".") if "." in short else short
