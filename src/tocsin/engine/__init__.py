"""
The engine: a ClearingHouse and Shards that turn one log of commands into state, events and roots.

Comes in: stamped commands, cut by cut. Goes out: a `CycleResult` per cycle. Deterministic: the same commands give the
same bytes for any number of shards. May not use the clock, the disk or the network.
"""
