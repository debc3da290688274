"""
Say when margin cycles of the replay happen: 5 s in the core of the crash, else 60 s.
"""

from enum import Enum

SECOND_NS = 1_000_000_000
START_S = 1_760_126_400
"""2025-10-10 20:00:00 UTC, in seconds since 1970."""

CORE_START_S = START_S + 3600
CORE_END_S = START_S + 6000
END_S = START_S + 3 * 3600


class Cadence(Enum):
    """How often cycles happen, as a divisor of the step (in halves): `half` is half as often."""

    HALF = 1
    NORMAL = 2
    DOUBLE = 4


def cycle_times_ns(cadence: Cadence = Cadence.NORMAL) -> list[int]:
    """
    Return the log times of all cycles, rising, both ends of the window included.

    Steps at normal cadence: 60 s from 20:00 to 21:00, 5 s to 21:40, 60 s to 23:00 UTC.
    """
    out: list[int] = []
    at, end = START_S * SECOND_NS, END_S * SECOND_NS
    while at <= end:
        out.append(at)
        at += step_ns(at, cadence)
    return out


def step_ns(at_ns: int, cadence: Cadence = Cadence.NORMAL) -> int:
    """
    Return the time from a cycle at `at_ns` to the next, in nanoseconds.
    """
    core = CORE_START_S * SECOND_NS <= at_ns < CORE_END_S * SECOND_NS
    return (5 if core else 60) * SECOND_NS * 2 // cadence.value
