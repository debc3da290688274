"""
Liquidation: plans and intents (rules LQ-001 to LQ-020). Pure functions; the shard keeps the intents.
"""
