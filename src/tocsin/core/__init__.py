"""
The ground everything stands on: integers and rounding, identifiers, codec, hashing, errors, limits.

Comes in: plain integers and bytes. Goes out: plain integers and bytes. May not import any other part
of Tocsin, nor use floats, the clock, randomness, the disk or the network.
"""
