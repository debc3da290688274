"""
Risk numbers in floating point: option prices, shortfall, scenario laws, models of margin, and tests of all of them.

Comes in: prices, histories, sensitivities, terms. Goes out: floats, for venues' portfolio rules, sheets, pictures and
studies. Nothing here decides about an account of Tocsin: the engine never imports it. May import `core`.
"""
