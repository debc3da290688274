"""
Core door, money: water-filling, loss sharing, the insurance fund. Tocsin's own functions on a case's numbers.
"""

from fractions import Fraction
from typing import Any

from tocsin.conform.compare import Shared
from tocsin.conform.inputs import Inputs
from tocsin.conform.numbers import InputError, need_number
from tocsin.conform.sheets import whole_scale
from tocsin.procedures.waterfall import (
    OtherRemainder,
    Stage,
    draw_stages,
    share_pro_rata_floor,
    share_water_filling,
)
from tocsin.sheet.terms import Remainder

_REMAINDERS = {
    "rotate": Remainder.ROTATE,
    "last": Remainder.LAST,
    "largest": OtherRemainder.LARGEST,
    "largest_remainder": OtherRemainder.LARGEST,
}


def _remainder(inputs: Inputs, default: str) -> Remainder | OtherRemainder:
    name = inputs.raw("remainder", default)
    if name not in _REMAINDERS:
        raise InputError(f"inputs.remainder must be one of {sorted(_REMAINDERS)}, was {name!r}")
    return _REMAINDERS[name]


def _named(pairs: list[tuple[Any, Any]], values: list[Any]) -> Any:
    """Return values under the names of `pairs`, or as a list where these are positions."""
    names = [name for name, _ in pairs]
    return values if names == list(range(len(names))) else dict(zip(map(str, names), values, strict=True))


def run_water_filling(inputs: Inputs) -> dict[str, Any]:
    """
    Level the haircuts of winners' profits: `share_water_filling`.

    The exact level is found with units fine enough for every cap to be whole; amounts are whole units of the case,
    the remainder by largest fraction unless the case names a policy. Losers (profit <= 0) pay nothing.
    """
    pairs = inputs.items("winner_pnl")
    pnl = [max(Fraction(0), need_number(f"inputs.winner_pnl[{name}]", w)) for name, w in pairs]
    if inputs.has("caps"):
        caps = [need_number(f"inputs.caps[{name}]", cap) for name, cap in inputs.items("caps")]
    else:
        caps = [Fraction(1)] * len(pnl)
    if len(caps) != len(pnl) or not all(0 <= cap <= 1 for cap in caps):
        raise InputError(f"inputs.caps must be {len(pnl)} numbers between 0 and 1")
    if inputs.has("budget"):
        budget = inputs.number("budget")
    else:
        budget = inputs.number("deficit") * inputs.number("severity", 1)
    if budget < 0:
        raise InputError(f"inputs.budget must be at least 0, was {budget}")
    policy = _remainder(inputs, "largest")

    fine = whole_scale([*pnl, *(w * cap for w, cap in zip(pnl, caps, strict=True)), budget])
    level = share_water_filling(
        int(budget * fine),
        [int(w * fine) for w in pnl],
        [int(w * cap * fine) for w, cap in zip(pnl, caps, strict=True)],
        remainder=policy,
    )
    eta = Fraction(level.level_numerator, level.level_denominator)
    haircuts = [min(eta, cap) if w else Fraction(0) for w, cap in zip(pnl, caps, strict=True)]
    exact = [w * h for w, h in zip(pnl, haircuts, strict=True)]

    coarse = whole_scale([*pnl, budget])
    amounts = share_water_filling(
        int(budget * coarse),
        [int(w * coarse) for w in pnl],
        [int(w * cap * coarse) for w, cap in zip(pnl, caps, strict=True)],
        remainder=policy,
    ).amounts
    if coarse == 1:
        taken: list[Any] = [Shared(a, x) for a, x in zip(amounts, exact, strict=True)]
    else:
        taken = list(exact)
    uncovered = Fraction(level.uncovered, fine)
    return {
        "haircuts": _named(pairs, haircuts),
        "taken": _named(pairs, taken),
        "level": eta,
        "eta": eta,
        "uncovered": uncovered,
        "residual": uncovered,
        "feasible": uncovered == 0,
    }


def run_loss_socialisation(inputs: Inputs) -> dict[str, Any]:
    """
    Pay winners from what losers could pay and the fund adds: `draw_stages`, `share_pro_rata_floor`, remainder `last`.

    A winner named `network` takes the remainder, wherever it stands in the list.
    """
    pairs = inputs.items("winners")
    wins = [need_number(f"inputs.winners[{name}]", w) for name, w in pairs]
    owed = inputs.number("losers_owed", sum(wins))
    collected, pool = inputs.number("collected"), inputs.number("insurance_pool", 0)
    policy = _remainder(inputs, "last")
    scale = whole_scale([*wins, owed, collected, pool])
    if min([*wins, collected, pool]) < 0 or owed < sum(wins):
        raise InputError("inputs: winners, collected and insurance_pool must be at least 0, losers_owed their sum")
    missing = max(Fraction(0), owed - collected)
    stages = draw_stages(int(missing * scale), [Stage(0, int(pool * scale))])
    order = sorted(range(len(pairs)), key=lambda i: (pairs[i][0] == "network", i))
    paid_in_order = share_pro_rata_floor(
        [int(wins[i] * scale) for i in order],
        int(collected * scale) + stages.draws[0][1],
        owed_total=int(owed * scale),
        remainder=policy,
    )
    paid = [Fraction(0)] * len(pairs)
    for i, units in zip(order, paid_in_order, strict=True):
        paid[i] = Fraction(units, scale)
    drawn = Fraction(stages.draws[0][1], scale)
    return {
        "paid": _named(pairs, paid),
        "realised_loss": _named(pairs, [w - p for w, p in zip(wins, paid, strict=True)]),
        "insurance_drawn": drawn,
        "insurance_pool_after": pool - drawn,
    }
