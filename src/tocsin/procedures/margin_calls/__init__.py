"""
The margin call: issue, deadline, review (rules MC-001 to MC-015). Pure functions; the shard keeps the case.
"""
