"""
Risk numbers in floating point: option prices and what moves them.

Comes in: forwards, strikes, volatilities, times. Goes out: prices and greeks as floats, for venues' portfolio rules,
pictures and studies. Nothing here decides about an account of Tocsin: the engine never imports it. May import `core`.
"""
