"""
Risk door, options: prices and greeks of the Black-Scholes family (`tocsin.risk.pricing`, `tocsin.risk.spot_options`).
"""

from tocsin.conform.compare import Answer
from tocsin.conform.inputs import Inputs
from tocsin.conform.numbers import InputError
from tocsin.conform.reals import pick, real
from tocsin.risk.pricing import compute_greeks
from tocsin.risk.spot_options import compute_spot_greeks

_SIDES = {"c": True, "call": True, "p": False, "put": False}


def run_option(inputs: Inputs) -> Answer:
    """
    Price a European option on a forward, or on spot with a yield `q` (dividends, or the foreign rate).
    """
    name = str(inputs.raw("type"))
    call = _SIDES.get(name.lower())
    if call is None:
        raise InputError(f"inputs.type must be C or P, was {name!r}")
    strike, rate = real(inputs, "strike"), real(inputs, "r", 0)
    years, volatility = real(inputs, pick(inputs, "T", "t")), real(inputs, pick(inputs, "vol", "sigma"))
    if inputs.has("forward"):
        greeks = compute_greeks(real(inputs, "forward"), strike, years, volatility, call=call, rate=rate)
    else:
        carry = real(inputs, "q", 0)
        spot = real(inputs, "spot")
        greeks = compute_spot_greeks(spot, strike, years, volatility, call=call, rate=rate, carry_yield=carry)
    return Answer(greeks.price, dict(greeks._asdict()))
