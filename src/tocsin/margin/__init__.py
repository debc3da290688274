"""
Equity, requirement, levels, prices and deadlines: pure functions of (account state, marks, sheet).

Comes in: an `AccountState` and a `Valuation` (sheet and marks of one cycle). Goes out: integers in the valuation unit.
Nothing here changes an account. May import `core` and `sheet` only.
"""
