"""
Venue door, rules of one or two mechanisms each: Synthetix v3, Paradex, Percolator, Hyperliquid.
"""

from fractions import Fraction
from typing import Any

from tocsin.conform.compare import Approximate, Undefined
from tocsin.conform.inputs import Inputs
from tocsin.conform.numbers import InputError, need_number
from tocsin.venues import VenueRefusal, hyperliquid, paradex, percolator, synthetix

_CUT = Fraction(1, 10**15)
_PRINTED = Fraction(1, 2000)


def _cut(value: Fraction) -> Approximate:
    """Return a value that its engine cuts at 10^-18 in each product."""
    return Approximate(value, _CUT * max(1, abs(value)))


def run_skew_margin(inputs: Inputs) -> dict[str, Any]:
    """
    Compute an account's margins under Synthetix's skew-scaled ratios.
    """
    rows = [
        (
            leg.number("size"),
            leg.number("price"),
            synthetix.MarginTerms(
                leg.number("skew_scale", 0),
                leg.number("im_ratio", 0),
                leg.number("min_im_ratio", 0),
                leg.number("mm_scalar", 1),
                leg.number("min_position_margin", 0),
            ),
        )
        for leg in inputs.objects("positions")
    ]
    margins = synthetix.account_margins(rows)
    return {"initial_margin": _cut(margins.initial), "maintenance_margin": _cut(margins.maintenance)}


def _read_calls(given: Inputs, name: str) -> list[int]:
    row = Inputs({str(i): value for i, (_, value) in enumerate(given.items(name))}, name)
    return [row.whole(i) for i in row.names()]


def run_window(inputs: Inputs) -> dict[str, Any]:
    """
    Liquidate accounts call by call through one market-wide window, in order of time, the first account first.
    """
    terms = synthetix.WindowTerms(
        inputs.number("maker_fee"),
        inputs.number("taker_fee"),
        inputs.number("skew_scale"),
        inputs.number("accumulation_multiplier", 1),
        inputs.whole("window_seconds"),
        inputs.number("max_pd", 0),
    )
    window = synthetix.LiquidationWindow(terms)
    sizes, calls = [inputs.number("position_size")], [_read_calls(inputs, "calls_at_s")]
    if inputs.has("second_account"):
        second = inputs.object("second_account")
        sizes.append(second.number("size"))
        calls.append(_read_calls(second, "calls_at_s"))
    skew = inputs.number("skew") if inputs.has("skew") else None
    after: list[dict[int, Fraction]] = [{} for _ in sizes]
    order = sorted((at, account, i) for account, times in enumerate(calls) for i, at in enumerate(times))
    for at, account, i in order:
        done = window.liquidate(at, sizes[account], skew=skew)
        signed = done if sizes[account] > 0 else -done
        sizes[account] -= signed
        if skew is not None:
            skew -= signed
        after[account][i] = sizes[account]
    out: dict[str, Any] = {"window_capacity": _cut(terms.capacity), "size_after": _in_order(after[0])}
    if len(after) > 1:
        out["second_account_size_after"] = _in_order(after[1])
    return out


def _in_order(sizes: dict[int, Fraction]) -> list[Approximate]:
    return [_cut(sizes[i]) for i in sorted(sizes)]


def run_share(inputs: Inputs) -> dict[str, Any]:
    """
    Compute the share of all positions that Paradex closes, with its table: share, requirement, fee, value, ratio.

    The ratio is printed with three places.
    """
    fraction = inputs.number("mmf") if inputs.has("mmf") else None
    positions: list[paradex.Position] = []
    for leg in inputs.objects("positions"):
        leg.raw("market", "")
        own = leg.number("mmf") if leg.has("mmf") or fraction is None else fraction
        positions.append(paradex.Position(leg.number("size"), leg.number("entry"), leg.number("mark"), own))
    value = paradex.account_value(inputs.number("collateral"), positions)
    requirement = paradex.maintenance_requirement(positions)
    share, steps = paradex.choose_share(
        value,
        requirement,
        step=inputs.number("share_multiple", Fraction(1, 5)),
        target=inputs.number("target_margin_ratio", Fraction(9, 10)),
        fee_share=inputs.number("fee_share", paradex.TABLE_FEE_SHARE),
    )
    table: list[list[Any]] = []
    for step in steps:
        ratio = Undefined("no value is left") if step.ratio is None else Approximate(step.ratio, _PRINTED)
        table.append([step.share, step.requirement, step.fee, step.value, ratio])
    return {"account_value": value, "mmr": requirement, "chosen_share": share, "table": table}


def run_haircut(inputs: Inputs) -> dict[str, Any]:
    """
    Compute Percolator's share of backed profit and each account's, rounded down.
    """
    name = "positive_pnl" if inputs.has("positive_pnl") else "pnl"
    pairs = inputs.items(name)
    profits = [need_number(f"inputs.{name}[{key}]", value) for key, value in pairs]
    haircut = percolator.profit_haircut(
        inputs.number("vault"), inputs.number("capital_total"), inputs.number("insurance", 0), profits
    )
    effective = [max(Fraction(0), p) * haircut // 1 for p in profits]
    keys = [key for key, _ in pairs]
    listed = isinstance(inputs.raw(name), list) and keys == list(range(len(keys)))
    named = effective if listed else dict(zip(map(str, keys), effective, strict=True))
    return {"h": haircut, "effective": named}


def run_crisis(inputs: Inputs) -> dict[str, Any]:
    """
    Compute Percolator's stages: unvested profit, insurance, equity; its ratio holds within 2^-64.
    """
    totals = percolator.Totals(
        inputs.whole("sum_principal"),
        inputs.whole("sum_realised", 0),
        inputs.whole("sum_warming_pnl", 0),
        inputs.whole("insurance", 0),
        inputs.whole("collateral"),
    )
    done = percolator.apply_crisis(totals)
    unit = Fraction(1, percolator.SCALE_ONE)
    return {
        "burned_warming": done.burned_warming,
        "insurance_draw": done.insurance_draw,
        "equity_haircut_ratio": Approximate(done.equity_ratio * unit, unit),
        "deficit_after": done.after.deficit,
        "principal_after": done.after.principal,
        "realised_after": done.after.realised,
        "warming_after": done.after.warming,
    }


def run_adl_score(inputs: Inputs) -> dict[str, Any]:
    """
    Compute Hyperliquid's scores as documented and with profit first, and both rankings, highest first.
    """
    documented: dict[str, Any] = {}
    profit_first: dict[str, Any] = {}
    for i, row in enumerate(inputs.objects("candidates")):
        name, side = str(row.raw("id", i)), row.raw("side")
        if side not in ("long", "short"):
            raise InputError(f"inputs.candidates[{i}].side must be long or short, was {side!r}")
        mark, entry = row.number("mark"), row.number("entry")
        notional = row.number("notional") if row.has("notional") else row.number("size") * mark
        value = row.number("account_value")
        try:
            documented[name] = hyperliquid.documented_score(mark, entry, notional, value)
            profit_first[name] = hyperliquid.profit_first_score(side == "long", mark, entry, notional, value)
        except VenueRefusal as refusal:
            documented[name] = profit_first[name] = Undefined(str(refusal))
    return {
        "scores_documented": documented,
        "scores_profit_first": profit_first,
        "rank_documented": _rank(documented),
        "rank_profit_first": _rank(profit_first),
    }


def _rank(scores: dict[str, Any]) -> list[str]:
    return sorted((n for n, s in scores.items() if isinstance(s, Fraction)), key=lambda n: (-scores[n], n))


RULES = {
    "skew_scaled_margin": run_skew_margin,
    "liquidation_window_capacity": run_window,
    "partial_liquidation_share": run_share,
    "global_profit_haircut_h": run_haircut,
    "o1_loss_socialisation": run_crisis,
    "adl_score": run_adl_score,
}
