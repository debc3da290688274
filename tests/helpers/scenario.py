"""
The fixed scenario: wild histories, one of them with every feature on, that every interpreter, hash seed and number of
shards must agree on.

Run as a script it prints one line per cycle: cycle, root, and a hash of the cycle's events.

    python -m tests.helpers.scenario [shards]
"""

import sys
from hashlib import sha256

import msgspec

from tests.helpers.broad import broad_history
from tests.helpers.chaos import wild_history

SEEDS = (3, 21)
BROAD_SEED = 5
CYCLES = 40


def describe(result) -> str:
    """Return cycle, root and a hash over the events of a closed cycle."""
    events = sha256(msgspec.json.encode(result.events)).hexdigest()
    return f"{result.opened.cycle} {result.root.hex()} {events}"


def run(shards: int = 1) -> list[str]:
    """Return the lines of the scenario."""
    lines = []
    for seed in SEEDS:
        world = wild_history(seed, cycles=CYCLES, accounts=10, shards=shards)
        world.calm(4)
        lines += [f"{seed} {describe(result)}" for result in world.results]
    world = broad_history(BROAD_SEED, shards=shards)
    world.calm(6)
    lines += [f"broad {describe(result)}" for result in world.results]
    return lines


if __name__ == "__main__":
    print("\n".join(run(int(sys.argv[1]) if len(sys.argv) > 1 else 1)))
