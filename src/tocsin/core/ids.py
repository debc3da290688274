"""
Identifiers: accounts, the ClearingHouse's own accounts, and the bucket of a root.

Rules ID-001 to ID-003. Real accounts are 1 to `ACCOUNT_ID_MAX`; the ClearingHouse's own accounts are
zero or negative, so that no command of a member can name one by accident.
"""

from functools import lru_cache
from hashlib import sha256

from tocsin.core.limits import BUCKETS

SUSPENSE = -1
"""Collateral that waits for conversion, less the claims that no stage has paid yet."""

GLOBAL_FUND = -2
OPERATOR = -4
"""The operator's own money: trading fees come in, rebates go out."""

TRANSIT = -5
"""Money between two accounts, for the time from one close to the next opening."""

INTEREST = -6
"""Interest charged and not yet credited."""

OUTSIDE = -3
"""Counter-account of deposits and fund contributions; not part of the books."""

_DEFAULT_BASE = -10_000
_ERROR_BASE = -20_000
_FUND_BASE = -30_000


def default_account(contract: int) -> int:
    """
    Return the part of the default account that holds positions taken over in `contract`.
    """
    return _DEFAULT_BASE - contract


def error_account(contract: int) -> int:
    """
    Return the part of the error account that holds sides of `contract` that could not be booked.
    """
    return _ERROR_BASE - contract


def market_fund(contract: int) -> int:
    """
    Return the insurance fund of the market `contract`.
    """
    return _FUND_BASE - contract


@lru_cache(maxsize=1 << 20)
def bucket_of(root: int) -> int:
    """
    Return the bucket, 0 to 4095, in which every account of `root` lives for life.
    """
    digest = sha256(b"tocsin.bucket" + root.to_bytes(8, "little")).digest()
    return int.from_bytes(digest[:2], "little") % BUCKETS


def shard_of(bucket: int, shards: int) -> int:
    """
    Return which of `shards` shards holds `bucket`: contiguous runs, as even as whole buckets allow.
    """
    return bucket * shards // BUCKETS
