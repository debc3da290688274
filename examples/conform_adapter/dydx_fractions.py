"""
An adapter for `tocsin conform --engine`: dYdX v4's published liquidation formulas in exact fractions.

It imports nothing of Tocsin, so that it is a second opinion on the same cases. Reads one JSON request per line on
standard input, writes one JSON reply per line on standard output (docs/reference/conform-protocol.md).

    tocsin conform vectors/engines.json --engine "python examples/conform_adapter/dydx_fractions.py"
"""

import json
import sys
from fractions import Fraction
from math import ceil, floor, trunc


class NoAnswer(Exception):
    """The engine refuses the request; the message says why."""


def amount(value):
    """Return a number of a request (int, decimal or text) as an exact fraction."""
    return Fraction(str(value))


def value_of(leg, size):
    """Return the net value of `size` base quantums in quote quantums, cut toward zero; > 0 for a long."""
    quote_per_base = amount(leg["price_usd"]) * Fraction(10) ** (leg.get("atomic_resolution", -8) + 6)
    return trunc(size * quote_per_base)


def maintenance_of(leg, size):
    """Return maintenance margin in quote quantums: initial margin rounded up, then its fraction rounded up."""
    initial = ceil(Fraction(abs(value_of(leg, size)) * leg["imf_ppm"], 1_000_000))
    return ceil(Fraction(initial * leg["maintenance_fraction_ppm"], 1_000_000))


def bankruptcy_price(usdc, legs, index, delta):
    """Return -dNNV - floor(TNC x |dMMR| / TMMR) in quote quantums, rounded up."""
    leg = legs[index]
    size = leg["quantums"]
    if delta == 0 or (delta > 0) == (size > 0) or abs(delta) > abs(size):
        raise NoAnswer(f"invalid position size delta {delta} for position {size}")
    total_value = int(amount(usdc) * 1_000_000) + sum(value_of(p, p["quantums"]) for p in legs)
    total_maintenance = sum(maintenance_of(p, p["quantums"]) for p in legs)
    if total_maintenance == 0:
        raise NoAnswer("no maintenance margin")
    value_change = value_of(leg, size + delta) - value_of(leg, size)
    freed = maintenance_of(leg, size) - maintenance_of(leg, size + delta)
    return -value_change - floor(Fraction(total_value * freed, total_maintenance))


def answer_bankruptcy(inputs):
    """Answer `bankruptcy_price_quote_quantums`."""
    delta = inputs["delta_quantums"]
    price = bankruptcy_price(inputs["usdc"], inputs["positions"], inputs["close_index"], delta)
    return {"bankruptcy_price_quote_quantums": price}


def answer_insurance(inputs):
    """Answer `insurance_fund_delta`: the only position is closed in full, so that its price does not matter."""
    leg = {
        "quantums": inputs["position_quantums_btc"],
        "price_usd": 50_000,
        "imf_ppm": 200_000,
        "maintenance_fraction_ppm": 500_000,
    }
    delta = -leg["quantums"]
    fill = inputs["fill_quote_quantums"]
    received = fill if delta < 0 else -fill
    gained = received - bankruptcy_price(inputs["usdc"], [leg], 0, delta)
    if gained > 0:
        gained = min(gained, fill * inputs["max_liquidation_fee_ppm"] // 1_000_000)
    return {"insurance_fund_delta": gained}


def answer_fillable(inputs):
    """Answer `liquidation_fillable_price`: (PNNV - ABR x SMMR x PMMR) / PS."""
    initial = int(amount(inputs["imf"]) * 1_000_000)
    fraction = int(amount(inputs["mmf"]) / amount(inputs["imf"]) * 1_000_000)
    resolution = {"BTC": -8, "ETH": -9}
    legs = [
        {
            **leg,
            "imf_ppm": initial,
            "maintenance_fraction_ppm": fraction,
            "atomic_resolution": leg.get("atomic_resolution", resolution.get(leg["asset"], -8)),
        }
        for leg in inputs["positions"]
    ]
    leg = legs[inputs["close_index"]]
    total_value = int(amount(inputs["usdc"]) * 1_000_000) + sum(value_of(p, p["quantums"]) for p in legs)
    total_maintenance = sum(maintenance_of(p, p["quantums"]) for p in legs)
    rating = amount(inputs["bankruptcy_adjustment"]) * (1 - Fraction(total_value, total_maintenance))
    rating = min(max(rating, Fraction(0)), Fraction(1))
    spread = amount(inputs["spread_to_maintenance_ratio"]) * maintenance_of(leg, leg["quantums"])
    price = (value_of(leg, leg["quantums"]) - rating * spread) / leg["quantums"]
    return {"fillable_price_quote_quantums_per_base_quantum": f"{price.numerator}/{price.denominator}"}


ANSWERS = {
    "bankruptcy_price_quote_quantums": answer_bankruptcy,
    "insurance_fund_delta": answer_insurance,
    "liquidation_fillable_price": answer_fillable,
}


def reply_to(request):
    """Return the reply to one request."""
    answer = ANSWERS.get(request["mechanism"]) if request["engine"] == "dydx_v4" else None
    if answer is None:
        return {"id": request["id"], "unsupported": True}
    try:
        return {"id": request["id"], "outputs": answer(request["inputs"])}
    except NoAnswer as error:
        return {"id": request["id"], "error": str(error)}


def main():
    """Answer until standard input ends."""
    for line in sys.stdin:
        print(json.dumps(reply_to(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
