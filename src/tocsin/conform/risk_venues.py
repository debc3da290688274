"""
Venue door for risk cases: Derive's and Deribit's portfolio margins in the shape of `risk.json`.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Any, cast

from tocsin.conform.compare import Answer, Approximate
from tocsin.conform.inputs import Inputs
from tocsin.conform.numbers import InputError, need_number
from tocsin.conform.venue_derive_margin import run_portfolio_margin
from tocsin.venues.contract import Leg, Product
from tocsin.venues.deribit_grid import SAME, General, Pair, price_moves, profit_at

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


_BUCKETS_MAX = 1_000
_DECIMAL_BOUND = Fraction(1, 10**20)
_ZERO, _ONE = Decimal(0), Decimal(1)


def run_deribit_futures(inputs: Inputs) -> Answer:
    """
    Compute Deribit's risk matrix of coin-settled futures on one index: standard table and roll shock, in coins.

    Positions are coins; gains of the summed table count `pnl_offset`. Futures have neither
    volatility nor an extended table that the dampener leaves anything of at these sizes. The roll shock is the least
    one, on gross positions. Initial margin adds what orders and market maker protection need; maintenance does not.
    """
    pairs = inputs.items("positions")
    sizes = [_decimal(need_number(f"inputs.positions[{name}]", value)) for name, value in pairs]
    legs = [_future(str(name), size) for (name, _), size in zip(pairs, sizes, strict=True)]
    scan_range, buckets = inputs.number("price_range"), inputs.whole("buckets")
    if not 0 < scan_range < 1 or not 1 <= buckets <= _BUCKETS_MAX:
        raise InputError(f"inputs: price_range must be between 0 and 1 and buckets 1 to {_BUCKETS_MAX}")
    terms = dict.fromkeys(Pair.__struct_fields__, _ZERO) | {"price_range": _decimal(scan_range)}
    pair, general = Pair(**terms), General(mm_factor=_ONE, buckets=Decimal(buckets), dte_floor=_ONE, extended=())
    moves = price_moves(pair, general)
    table = [sum((profit_at(leg, move, SAME, pair, general) for leg in legs), _ZERO) for move in moves]
    offset = _decimal(inputs.number("pnl_offset", 1))
    table = [pnl * offset if pnl > 0 else pnl for pnl in table]
    worst = Fraction(max(_ZERO, -min(table)))
    roll = Fraction(sum(abs(size) for size in sizes)) * inputs.number("min_annualised_move")
    matrix = worst + roll
    added = sum((inputs.number(name, 0) for name in ("open_orders_margin", "mmp_margin", "spot_margin")), Fraction(0))
    parts = {
        "worst_case": worst,
        "roll_shock": roll,
        "risk_matrix_margin": matrix,
        "initial_margin": matrix + added,
        "maintenance_margin": matrix * inputs.number("mm_factor"),
        "standard_first": Fraction(table[0]),
        "standard_last": Fraction(table[-1]),
    }
    shown = {name: Approximate(value, _DECIMAL_BOUND) for name, value in parts.items()}
    return Answer(shown["initial_margin"], shown)


def _future(name: str, coins: Decimal) -> Leg:
    """Return a coin-settled future of so many coins: at a mark of 1 its quote units are its coins."""
    return Leg(symbol=name, underlying=name.partition("-")[0], product=Product.INVERSE, size=coins, mark=_ONE)


def _decimal(number: Fraction) -> Decimal:
    return Decimal(number.numerator) / Decimal(number.denominator)
