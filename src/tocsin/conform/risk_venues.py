"""
Venue door for risk cases: Derive's portfolio margin in the shape of `risk.json`.
"""

from typing import Any, cast

from tocsin.conform.compare import Answer
from tocsin.conform.inputs import Inputs
from tocsin.conform.numbers import InputError
from tocsin.conform.venue_derive_margin import run_portfolio_margin

_FIELDS = {
    "cash": "cash",
    "spot": "spot",
    "spot_confidence": "spot_conf",
    "stable_price": "stable",
    "perps": "perps",
    "perp_price": "perp_price",
    "perp_confidence": "perp_conf",
    "unrealised_perp_pnl": "unrealised",
}
_OPTION = {"seconds_to_expiry": "Expiry", "strike": "Strike", "vol": "MarkVol", "amount": "Amount"}
_FEED = {
    "seconds": "FeedExpiry",
    "forward": "Forward",
    "rate": "Rate",
    "forward_confidence": "ForwardConfidence",
    "rate_confidence": "RateConfidence",
    "vol_confidence": "OptionVolConfidences",
}
_COLLATERAL = {
    "amount": "Amount",
    "price": "Price",
    "confidence": "Confidence",
    "risk_cancelling": "IsRiskCancelling",
    "im_haircut": "IMHaircut",
    "mm_haircut": "MMHaircut",
}
_SCENARIO = ("SpotShock", "VolShockDirection", "DampeningFactor")


def run_derive_portfolio(inputs: Inputs) -> Answer:
    """
    Compute Derive's portfolio margin; the margins are net, what is left above the requirement.
    """
    params = inputs.object("params")
    terms = {name: params.raw(name) for name in params.names()}
    other = params.object("OtherContingency")
    # `*_NORMAL` are sums of what stands beside them.
    read = {name: other.raw(name) for name in other.names()}
    terms["OtherContingency"] = {name: value for name, value in read.items() if not name.endswith("_NORMAL")}
    case = {
        "params": {**terms, "Scenarios": _read_scenarios(inputs)},
        **{name: inputs.raw(field) for name, field in _FIELDS.items()},
        "options": [{**_rename(o, _OPTION), "call": bool(o.raw("IsCall"))} for o in inputs.objects("options")],
        "expiries": [_rename(feed, _FEED) for feed in inputs.objects("feeds")],
        "collaterals": [_read_collateral(c) for c in inputs.objects("collateral")],
    }
    margin = run_portfolio_margin(Inputs(case))
    named = {"IM": "initial_margin", "MM": "maintenance_margin", "mtm": "mark_to_market"}
    parts = {**margin, **{short: margin[name] for short, name in named.items()}}
    return Answer(parts["IM"], parts)


def _rename(source: Inputs, fields: dict[str, str]) -> dict[str, Any]:
    return {name: source.raw(field) for name, field in fields.items()}


def _read_collateral(held: Inputs) -> dict[str, Any]:
    held.raw("Name", "")
    return _rename(held, _COLLATERAL)


def _read_scenarios(inputs: Inputs) -> list[dict[str, Any]]:
    rows = inputs.raw("scenarios")
    out: list[dict[str, Any]] = []
    for i, row in enumerate(cast("list[Any]", rows) if isinstance(rows, list) else [rows]):
        cells = cast("list[Any]", row) if isinstance(row, list) else []
        if len(cells) != len(_SCENARIO):
            raise InputError(f"inputs.scenarios[{i}] must be [spot factor, volatility, damping], was {row!r}")
        out.append(dict(zip(_SCENARIO, cells, strict=True)))
    return out
