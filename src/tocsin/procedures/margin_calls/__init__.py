"""
The margin call: issue, deadline, review (rules MC-001 to MC-020). Pure functions; the shard keeps the case.
"""
