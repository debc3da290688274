"""
Crashes replayed and rules compared.

Comes in: shipped market data and stated assumptions. Goes out: commands for the engine, and figures for
the views. May import every part up to the engine and the journal; nothing above the line imports it.
Floats are allowed here; whatever goes to the engine is an integer.
"""
