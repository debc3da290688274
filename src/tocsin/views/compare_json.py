"""
A comparison of rulebooks as one JSON object.
"""

from collections.abc import Mapping
from decimal import Decimal

from tocsin.venues.compare import By, Comparison, Row
from tocsin.venues.compare_prices import Price
from tocsin.venues.compare_sizes import SizeMap
from tocsin.venues.contract import NUMBERS
from tocsin.views.compare_text import cheapest_spans, reason_of


def comparison_value(
    comparison: Comparison, sizes: SizeMap | None, volatility: Mapping[str, Decimal]
) -> dict[str, object]:
    """
    Return the whole comparison for JSON: amounts as decimal text in USD, fractions as fractions.
    """
    question = comparison.question
    out: dict[str, object] = {
        "question": {
            "legs": [
                {k: str(v) for k, v in (("coin", p.coin), ("size", _text(p.size)), ("kind", p.kind),
                 ("strike", _text(p.strike)), ("days", _text(p.days)), ("vol", _text(p.vol))) if v is not None}
                for p in question.parts
            ],
            "prices": {coin: _text(price) for coin, price in question.prices.items()},
            "notional": _text(question.notional),
            "collateral": _text(question.collateral),
            "daily_volatility": {coin: _text(v) for coin, v in volatility.items()},
            "parameters_at": question.at or "latest",
        },
        "by": str(comparison.by),
        "rows": [_row_value(row) for row in comparison.rows],
        "silent": [{"rulebook": s.name, "reason": s.reason} for s in comparison.silent],
    }  # fmt: skip
    if sizes is not None:
        out["sizes"] = {
            "low": _text(sizes.low),
            "high": _text(sizes.high),
            "cheapest": [
                {"from": _text(low), "to": _text(high), "rulebooks": list(sizes.names[i])}
                for low, high, i in cheapest_spans(sizes)
            ],
            "changes": [
                {"size": _text(c.size), "below": list(sizes.names[c.below]), "above": list(sizes.names[c.above])}
                for c in sizes.changes
            ],
        }
    return out


def _row_value(row: Row) -> dict[str, object]:
    return {
        "rulebook": row.name,
        "contracts": list(row.symbols),
        "collateral_in": row.settle,
        "initial": _text(row.initial),
        "initial_rate": _text(row.rate(By.INITIAL)),
        "maintenance": _text(row.maintenance),
        "maintenance_rate": _text(row.rate(By.MAINTENANCE)),
        "liquidation_below": _price_value(row.below),
        "liquidation_above": _price_value(row.above),
        "distance": _text(row.nearest),
        "no_price_because": reason_of(row) or None,
        "parameters_of": row.dates,
        "parameters_in_force": row.is_in_force,
        "basis": [
            {
                "formula": b.formula,
                "params": b.params,
                "date": b.params_date,
                "source": b.source,
                "notes": list(b.notes),
            }
            for b in row.bases
        ],
    }


def _price_value(price: Price) -> dict[str, object] | None:
    if price.price is None:
        return None
    return {"coin": price.coin, "price": _text(price.price), "distance": _text(price.distance)}


def _text(value: Decimal | None) -> str | None:
    """
    Return a decimal as plain text with at most 16 digits; None stays None.
    """
    if value is None:
        return None
    digits = value.normalize(NUMBERS)
    short = digits.quantize(Decimal(1).scaleb(min(0, digits.adjusted() - 15)), context=NUMBERS) if digits else digits
    text = format(short, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
