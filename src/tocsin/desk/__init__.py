"""
What a venue says of an account, checked: recomputed by its own rules, every difference traced to a cause.

Comes in: readings of payloads. Goes out: rows of reported, connector-derived and own figures, never mixed, with the
parts of the difference. May import everything but `lab`, `views` and `cli`; it reads no file but its own data.
"""
