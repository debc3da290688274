"""
Errors and refusals. Three kinds, never mixed.

- Programmer errors: `InvariantBroken` (or `assert`); the host stops, the journal stays valid.
- Operating errors, below: wrong configuration, data, journal.
- Refusals: values with a stable number `R-xxxx`, journaled like any event; not exceptions.

    TocsinError
      ConfigError
      DataError
        CodecError
        SheetError
      JournalError
      LimitReached
      MissingExtra
    InvariantBroken
"""

from enum import IntEnum

import msgspec


class TocsinError(Exception):
    """Base of every operating error."""


class ConfigError(TocsinError):
    """A setting is wrong; the message names it, its value and what is accepted."""


class DataError(TocsinError):
    """Data from outside is wrong; the message names field, value and what is accepted."""


class CodecError(DataError):
    """Bytes are not a canonical command."""


class SheetError(DataError):
    """A risk sheet breaks a bound; the message names field, value and bound."""


class JournalError(TocsinError):
    """The journal cannot be written, or is not what was written."""


class LimitReached(TocsinError):
    """A bound of `tocsin.core.limits` was reached."""


class MissingExtra(TocsinError):
    """A part needs an extra that is not installed; the message names it."""


class InvariantBroken(Exception):
    """A rule that must always hold does not; the host stops."""


class Reason(IntEnum):
    """Stable numbers of refusals; a page of the reference explains each."""

    OK = 0
    MALFORMED = 1001
    NOT_CANONICAL = 1002
    TOO_LARGE = 1003
    DUPLICATE = 1004
    OUT_OF_ORDER = 1005
    OUT_OF_RANGE = 1006
    UNKNOWN_ACCOUNT = 2001
    UNKNOWN_CONTRACT = 2002
    UNKNOWN_ASSET = 2003
    ACCOUNT_EXISTS = 2004
    ACCOUNT_NOT_FLAT = 2005
    CONTRACT_NOT_ALLOWED = 2006
    MODE_NOT_ALLOWED = 2007
    MARKET_STATE = 2008
    POSITION_CAP = 3001
    POSITIONS_MAX = 3002
    ADMISSION_BOUND = 3003
    LOTS_RESERVED = 3004
    MARKET_HALTED = 3005
    INSUFFICIENT_MARGIN = 4001
    INSUFFICIENT_CASH = 4002
    ACCOUNT_RESTRICTED = 4003
    REDUCE_ONLY = 4004
    MARK_REFUSED = 5001
    STALE_MARK = 5002
    MARK_CLAMPED = 5003
    SHEET_REFUSED = 5004
    UNKNOWN_INTENT = 6001


class Refused(msgspec.Struct, frozen=True):
    """
    A deterministic no: why, what would have been needed, what there was (both in units, 0 if not amounts).
    """

    reason: Reason
    needed: int = 0
    available: int = 0
    detail: str = ""

    @property
    def number(self) -> str:
        return f"R-{int(self.reason)}"
