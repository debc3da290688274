"""
Cases from a venue's published reference records: `{"records": [{"venue", "model", "case", ...}]}`.

Two models of Derive are known; their records hold portfolio, feeds and every part of the result. They become the inputs
and expected values of `portfolio_margin` and `standard_margin`, in the form of `engines.json`.
"""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple, cast

from tocsin.conform.inputs import Inputs
from tocsin.conform.numbers import InputError

_UNIT = 10**18
_SETTLEMENT_S = 3_600
"""Seconds before expiry from which `PercentFixed*` of the settlement price is known, in the standard records."""
_NO_FEEDS = "the record holds no feeds (forwards, volatilities) and no parameters"


class RecordCase(NamedTuple):
    """What a record becomes: engine and mechanism, inputs, expected values; or why it is no case."""

    engine: str
    mechanism: str
    inputs: dict[str, Any]
    expected: dict[str, Any]
    unrunnable: str = ""


def read_record(record: dict[str, Any], place: str) -> RecordCase | None:
    """
    Return the case a reference record holds; None if its model is not one of these.

    Args:
        record: One entry of `records`.
        place: Where it stands, for messages.

    Raises:
        InputError: A field of a known model is missing or wrong; the message names it.
    """
    model = record.get("model")
    if not isinstance(model, str):
        return None
    reader = _READERS.get(model)
    if reader is not None:
        return reader(Inputs(record, place).object("case"))
    if "portfolio" in model:
        return RecordCase("derive", model, {}, {}, _NO_FEEDS)
    return None


def _read_portfolio_record(case: Inputs) -> RecordCase:
    scenario = case.object("Scenario")
    legs = scenario.objects("Options")
    inputs = {
        "params": _read_parameters(case.object("Parameters")),
        **{name: scenario.raw(field) for name, field in _PORTFOLIO_FIELDS.items()},
        "collaterals": [_rename(c, _COLLATERAL_FIELDS) for c in scenario.objects("Collaterals")],
        "options": [{**_rename(o, _OPTION_FIELDS), "call": bool(o.raw("IsCall"))} for o in legs],
        "expiries": [_rename(feed, _FEED_FIELDS) for feed in scenario.objects("OptionFeeds")],
    }
    result = case.object("Result")
    expected = _rename(result, _PORTFOLIO_RESULTS)
    rivals = ("worst_reg_loss", "worst_tail_loss", "worst_skew_loss", "ForwardContingency")
    expected["worst_loss"] = result.raw(min(rivals, key=result.number))
    skews = result.items("skew_losses")
    if all(name in ("LINEAR", "ABS") for name, _ in skews):
        cells = [*cast("list[Any]", result.raw("reg_losses")), *cast("list[Any]", result.raw("tail_losses"))]
        expected["scenario_losses"] = [cell[-1] for cell in cells] + [loss for _, loss in skews]
    return RecordCase("derive_v2_pmrm2", "portfolio_margin", inputs, expected)


def _read_parameters(parameters: Inputs) -> dict[str, Any]:
    """Return the parameters, less the sums (`*_NORMAL`) of what stands beside them."""
    values = {name: parameters.raw(name) for name in parameters.names()}
    other = parameters.object("OtherContingency")
    values["OtherContingency"] = {n: other.raw(n) for n in other.names() if not n.endswith("_NORMAL")}
    return values


def _rename(source: Inputs, fields: dict[str, str]) -> dict[str, Any]:
    return {name: source.raw(field) for name, field in fields.items()}


_PORTFOLIO_FIELDS = {
    "cash": "Cash",
    "spot": "SpotPrice",
    "spot_confidence": "SpotConfidence",
    "stable_price": "StablePrice",
    "stable_confidence_ignored": "StableConfidence",
    "perps": "NumPerps",
    "perp_price": "PerpPrice",
    "perp_confidence": "PerpConfidence",
    "unrealised_perp_pnl": "UnrealisedPerpPNL",
    "unrealised_funding": "UnrealisedFunding",
}
_COLLATERAL_FIELDS = {
    "amount": "Amount",
    "price": "Price",
    "confidence": "Confidence",
    "risk_cancelling": "IsRiskCancelling",
    "im_haircut": "IMHaircut",
    "mm_haircut": "MMHaircut",
}
_OPTION_FIELDS = {"seconds_to_expiry": "Expiry", "strike": "Strike", "vol": "MarkVol", "amount": "Amount"}
_FEED_FIELDS = {
    "seconds": "FeedExpiry",
    "forward": "Forward",
    "forward_confidence": "ForwardConfidence",
    "rate": "Rate",
    "rate_confidence": "RateConfidence",
    "vol_confidence": "OptionVolConfidences",
}
_PORTFOLIO_RESULTS = {
    "initial_margin": "IM",
    "maintenance_margin": "MM",
    "mark_to_market": "PortfolioMTM",
    "initial_factor": "im_loss_factor",
    "basis_charge": "ForwardContingency",
    "oracle_charge": "OracleCont",
    "perp_charge": "MMPerpCont",
    "perp_initial_extra": "IMPerpCont",
    "collateral_charge": "MMBaseCont",
    "collateral_initial_extra": "IMBaseCont",
    "option_charge": "MMOptionCont",
    "option_initial_extra": "IMOptionCont",
}
"""Our names, and where a portfolio record has the value."""


def _read_standard_record(case: Inputs) -> RecordCase:
    """
    Return a case of a standard record: numbers in units of 10^-18, parameters those of the venue's tests.
    """
    scenario, result = case.object("Scenario"), case.object("Result")
    confidences = scenario.items("SpotPerpConfidences")
    perp_prices = scenario.items("PerpPrice")
    if len(confidences) != 2 or len(perp_prices) != 2:
        raise InputError(f"{scenario.path}.SpotPerpConfidences and PerpPrice must hold two markets, ETH and BTC")
    names = ("ETH", "BTC")
    inputs: dict[str, Any] = {
        "params": dict(STANDARD_PARAMETERS),
        "cash": _units(scenario, "Cash"),
        "stable_price": _units(scenario, "USDCValue"),
        "spot": {n: _units(scenario, f"{n}SpotPrice") for n in names},
        "perps": {n: _units(scenario, f"Perps_{n}") for n in names},
        "base": {n: _units(scenario, f"w{n}") for n in names},
        "entry": {n: _units(scenario, f"LastEntry{n}") for n in names},
        "funding_index": {
            **{f"global_{n}": _units(scenario, f"{n}GlobalFundingIndex") for n in names},
            **{f"account_{n}": _units(scenario, f"Account{n}FundingIndex") for n in names},
        },
        "perp_price": {n: _scale(value) for n, (_, value) in zip(names, perp_prices, strict=True)},
        "spot_perp_confidence": {n: [_scale(a), _scale(b)] for n, (a, b) in zip(names, confidences, strict=True)},
        "options": _read_standard_options(scenario),
    }
    expected = {name: str(sum(_exact(result, part) for part in parts)) for name, parts in _STANDARD_RESULTS.items()}
    return RecordCase("derive_v2_srm", "standard_margin", inputs, expected)


def _read_standard_options(scenario: Inputs) -> list[dict[str, Any]]:
    columns = {name: [value for _, value in scenario.items(field)] for name, field in _STANDARD_COLUMNS.items()}
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise InputError(f"{scenario.path}: the lists of options must be of one length, were {sorted(lengths)}")
    out: list[dict[str, Any]] = []
    for i in range(lengths.pop()):
        row = {name: values[i] for name, values in columns.items()}
        forward = _scale(row["forward"])
        name, seconds = str(row["underlying"]), row["seconds_to_expiry"]
        known = scenario.number(f"PercentFixed{name}", 0)
        if known and seconds < _SETTLEMENT_S:
            averaged = Fraction(_units(scenario, f"TWAP_{name}") or 0)
            forward = str(averaged * known + Fraction(forward or 0) * (1 - known))
        scaled = {k: _scale(row[k]) for k in ("strike", "amount", "vol", "vol_confidence", "forward_confidence")}
        out.append(
            {"underlying": name, "seconds_to_expiry": seconds, "call": bool(row["call"]), "forward": forward, **scaled}
        )
    return out


def _exact(values: Inputs, field: str) -> Fraction:
    return values.number(field) / _UNIT


def _units(values: Inputs, field: str) -> str | None:
    """Return a field in whole units as exact text, None where it is null."""
    return _scale(values.raw(field, None))


def _scale(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, int | Decimal) or isinstance(value, bool):
        raise InputError(f"a number in units of 10^-18 was {value!r}")
    return str(Fraction(value) / _UNIT)


STANDARD_PARAMETERS = {
    "max_spot_req": "0.15",
    "min_spot_req": "0.1",
    "mm_call_spot_req": "0.075",
    "mm_put_spot_req": "0.075",
    "mm_put_mtm_req": "0.075",
    "unpaired_im": "1.2",
    "unpaired_mm": "1.1",
    "mm_offset": "1.05",
    "perp_mm": "0.05",
    "perp_im": "0.065",
    "oracle_threshold": "0.4",
    "oracle_factor": "0.4",
    "base_margin_factor": "0.1",
    "base_im_scale": "1",
    "depeg_threshold": "0.98",
    "depeg_factor": "1.2",
}
"""The records do not repeat the parameters of the venue's standard tests; these are they."""
_STANDARD_COLUMNS = {
    "underlying": "OptionUnderlying",
    "seconds_to_expiry": "OptionExpiries",
    "strike": "OptionStrikes",
    "call": "OptionIsCall",
    "amount": "OptionAmounts",
    "vol": "OptionVols",
    "vol_confidence": "OptionVolConfidences",
    "forward": "Forwards",
    "forward_confidence": "ForwardConfidences",
}
_STANDARD_RESULTS = {
    "initial_margin": ("realIM",),
    "maintenance_margin": ("realMM",),
    "mark_to_market": ("PortfolioMtM",),
    "initial_option": ("ETHOptionIM", "BTCOptionIM"),
    "maintenance_option": ("ETHOptionMM", "BTCOptionMM"),
    "initial_unsettled": ("UnrealizedPNL", "UnsettledFunding"),
    "maintenance_perp": ("PerpMargin",),
    "maintenance_base": ("BaseMargin",),
    "initial_oracle": ("OracleConts",),
    "initial_depeg": ("DepegIMs",),
}
_READERS: dict[str, Callable[[Inputs], RecordCase]] = {
    "PMRM_2": _read_portfolio_record,
    "SRM (units 1e18)": _read_standard_record,
}
