"""
The case: the open procedure of an account that is not calm (rules CS-001 to CS-004).
"""

import msgspec

from tocsin.core.codec import decode, encode
from tocsin.core.hashing import ZERO_HASH, hash_bytes
from tocsin.procedures.liquidation.intent import Intent
from tocsin.procedures.margin_calls.call import Call


class Moved(msgspec.Struct, frozen=True, array_like=True):
    """An intent that moved to the default account with its lots: later fills of it go there (signed lots left)."""

    intent: int
    contract: int
    left: int
    give_up_cycle: int


class Case(msgspec.Struct, array_like=True):
    """
    An account's open call, whether its risk is being reduced, its intents, and those taken over with its positions.

    `acted` says that since the call was issued the account paid in or traded; `idle` counts cycles of risk reduction in
    which there was nothing left to trade and nothing was converted.
    """

    account: int
    call: Call | None = None
    reducing: bool = False
    acted: bool = False
    intents: list[Intent] = msgspec.field(default_factory=list[Intent])
    moved: list[Moved] = msgspec.field(default_factory=list[Moved])
    idle: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing is open, so that the case may go."""
        return self.call is None and not self.reducing and not self.intents and not self.moved


def encode_case(case: Case) -> bytes:
    """
    Return the canonical bytes of a case.
    """
    return encode(case)


def decode_case(data: bytes) -> Case:
    """
    Return the case of canonical bytes.
    """
    return decode(data, Case)


def hash_case(case: Case | None) -> bytes:
    """
    Return the hash that stands for the case in its account's leaf; zeros for none (rule CS-004).
    """
    return ZERO_HASH if case is None else hash_bytes(b"case", encode_case(case))
