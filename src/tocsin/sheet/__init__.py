"""
What is published: contract terms, collateral schedules, risk sheets and marks, all integers.

Comes in: numbers that were rounded once, against the account, by whoever publishes them. Goes out: validated,
immutable, content-addressed values. May import only `core`.
"""
