"""
Core door, scans: risk arrays as the scenario component of a sheet, the short-option minimum as its charge component.
"""

from fractions import Fraction
from typing import Any

from msgspec.structs import replace

from tocsin.conform.compare import Answer
from tocsin.conform.inputs import Inputs
from tocsin.conform.numbers import InputError, need_number
from tocsin.conform.reals import pick
from tocsin.conform.sheets import Contract, build_account, build_valuation, whole_scale
from tocsin.core.integers import PPM
from tocsin.core.limits import PRICE_SCALE, SCENARIOS_MAX, SCENARIOS_MIN
from tocsin.margin.requirement import LIQUIDATION, compute_requirement
from tocsin.margin.scenario import scenario_values, sum_scenarios
from tocsin.margin.valuation import Valuation
from tocsin.sheet.terms import Combine, LevelFactors, UnderlyingTerms

_FULL = LevelFactors(PPM, PPM, PPM, PPM)
_NONE = LevelFactors(0, 0, 0, 0)


def _build(arrays: list[list[int]], charges: list[int]) -> Valuation:
    """
    Return a sheet of one underlying: an array and a charge per short lot for each contract, the larger one counts.

    A sheet has 8 scenarios or more: short arrays repeat their last value, which changes no worst loss.
    """
    width = len(arrays[0])
    if width > SCENARIOS_MAX:
        raise InputError(f"inputs: risk arrays must have at most {SCENARIOS_MAX} values, had {width}")
    arrays = [array + [array[-1]] * max(0, SCENARIOS_MIN - width) for array in arrays]
    lots = 10**6
    built = build_valuation([Contract(PPM, ((0, 0),)) for _ in arrays], lots=lots)
    contracts = tuple(
        replace(terms, underlying=0, array=tuple(array), charge_short=charge)
        for terms, array, charge in zip(built.sheet.contracts, arrays, charges, strict=True)
    )
    sheet = replace(
        built.sheet,
        contracts=contracts,
        tiered=_NONE,
        charge=_FULL,
        scenario=_FULL,
        combine=Combine.MAX,
        scenarios=tuple(f"S{i + 1}" for i in range(len(arrays[0]))),
        underlyings=(UnderlyingTerms(0, "U"),),
    )
    return Valuation(sheet, built.marks)


def refuse_scan(inputs: Inputs) -> str:
    """
    Return why a case is not one of given arrays, or an empty text if it is.
    """
    return "the array itself is asked for" if inputs.has("price_scan_range") or inputs.has("psr") else ""


def run_scan(inputs: Inputs) -> Answer:
    """
    Compute the scanning loss of positions from P&L arrays: the scenario component, `sum_scenarios`.
    """
    arrays, lots = _read_arrays(inputs)
    scale = whole_scale(value for array in arrays for value in array)
    valuation = _build([[int(v * scale) for v in array] for array in arrays], [0] * len(arrays))
    account = build_account(0, {i: (n, n * PPM) for i, n in enumerate(lots)})
    values = scenario_values(account, valuation)
    if not values:
        return Answer(0, {"scan": 0, "pnl": [0] * len(arrays[0])})
    found = sum_scenarios(values, valuation)
    pnl = [Fraction(v, PPM * PRICE_SCALE * scale) for v in values[0][: len(arrays[0])]]
    scan = Fraction(compute_requirement(account, valuation, LIQUIDATION), scale)
    return Answer(scan, {"scan": scan, "scenario_index": found.worst + 1, "pnl": pnl})


def _read_arrays(inputs: Inputs) -> tuple[list[list[Fraction]], list[int]]:
    """
    Return the P&L arrays of one long lot and the signed lots: one array, or one per name beside `positions`.
    """
    if inputs.has("risk_array"):
        names, lots = ["risk_array"], [inputs.whole(pick(inputs, "position", "quantity"), 1)]
    else:
        names = [name for name in inputs.names() if name != "positions"]
        held = dict(inputs.items("positions"))
        keyed = all(name in held for name in names)
        lots = [int(need_number("inputs.positions", held.get(name if keyed else i, 0))) for i, name in enumerate(names)]
        if len(held) != len(names):
            raise InputError(f"inputs.positions must have one number for each of {names}, had {len(held)}")
    arrays = [[need_number(f"inputs.{name}[{i}]", v) for i, v in enumerate(_values(inputs, name))] for name in names]
    if not arrays or len({len(a) for a in arrays}) > 1 or not arrays[0]:
        raise InputError("inputs: risk arrays must have one length, at least 1")
    return arrays, lots


def _values(inputs: Inputs, name: str) -> list[Any]:
    return [value for _, value in inputs.items(name)]


SPREADS = ("intra_commodity_spread", "intra", "delivery", "inter_commodity_credit", "inter")


def refuse_total(inputs: Inputs) -> str:
    """
    Return why our components do not hold a SPAN-like total, or an empty text if they do.
    """
    if any(inputs.number(name, 0) for name in SPREADS):
        return "spread charges and credits are amounts beside the scan; ours offsets inside the scenarios"
    return ""


def run_total(inputs: Inputs) -> Answer:
    """
    Compute a SPAN-like requirement: the larger of scenario and charge component; option value is equity.
    """
    for name in SPREADS:
        inputs.number(name, 0)
    scan, value = inputs.number("scan_risk"), inputs.number("net_option_value", 0)
    shorts, minimum = inputs.whole("short_options", 0), inputs.number("short_option_min", 0)
    if min(scan, minimum, Fraction(shorts)) < 0:
        raise InputError("inputs: scan_risk, short_options and short_option_min must be at least 0")
    scale = whole_scale([scan, minimum])
    valuation = _build([[-int(scan * scale)], [0]], [0, int(minimum * scale)])
    account = build_account(0, {0: (1, PPM), 1: (-shorts, -shorts * PPM)})
    risk = Fraction(compute_requirement(account, valuation, LIQUIDATION), scale)
    return Answer(risk - value, {"span_risk": risk, "total_requirement": risk - value})
