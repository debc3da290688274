"""
The account store: cash, in-transit amounts, positions with entry sums, holds and levels of accounts.

Comes in: rows in batches, marks, sheets. Goes out: a result per row, level crossings, leaves. Knows nothing of calls,
intents or the waterfall. May import `core`, `sheet` and `margin`.
"""
