"""
10 October 2025, 20:00 to 23:00 UTC: real prices, synthetic accounts, stated assumptions.

Comes in: the shipped tables of `tocsin.lab.data`, a seed, numbers of the reader's choice. Goes out:
integers for the engine. Pure functions of their arguments; see docs/explanation/october-2025.md.
"""
