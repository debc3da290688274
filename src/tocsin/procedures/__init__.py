"""
What happens to accounts and losses: margin calls, liquidation, the waterfall. Pure: (view, sheet, policy) -> records.

Siblings never import each other; the engine carries out what they return. May import `core`, `sheet`, `margin`.
"""
