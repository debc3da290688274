"""
Final marks: what a lot of a contract pays at its delivery price (rules LC-010, LC-011).
"""

from tocsin.core.integers import floor_div
from tocsin.sheet.mark_rule import inverse_mark
from tocsin.sheet.terms import ContractTerms, Kind


def settlement_mark(terms: ContractTerms, price: int) -> tuple[int, bool]:
    """
    Return the final mark per lot at delivery price `price` > 0 (ticks), and whether the contract's cap cut it.

    Linear: `price x units`. Inverse: `-ceil(units / price)`. Options are exercised if they pay: `units x (S - K)` for a
    call, `units x (K - S)` for a put; in coin divided by S, rounded down. The same integer is booked on both sides, so
    rounding moves nothing between the market and the books.
    """
    assert price > 0 and terms.kind != Kind.SPOT
    option = terms.option
    if terms.kind == Kind.INVERSE:
        mark = inverse_mark(terms.units, price)
    elif option is None:
        mark = price * terms.units
    else:
        inside = max(0, price - option.strike if option.is_call else option.strike - price)
        mark = terms.units * inside
        if option.in_coin:
            mark = floor_div(mark, price)
    cap = terms.mark_cap
    # What a lot of a delta-one contract stands for never falls to 0.
    used = max(-cap, min(cap, mark))
    return used, used != mark
