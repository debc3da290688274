"""
Rules ID and CD: identifiers and canonical bytes.
"""

from hashlib import sha256

import pytest

from tocsin.core.codec import decode, encode, sort_map
from tocsin.core.errors import CodecError, Refused
from tocsin.core.ids import GLOBAL_FUND, SUSPENSE, bucket_of, default_account, error_account, market_fund, shard_of
from tocsin.core.limits import ACCOUNT_ID_MAX, BUCKETS, COMMAND_BYTES_MAX, CONTRACTS_MAX
from tocsin.engine import commands as cm
from tocsin.engine.sequencer import Accepted, Sequencer
from tocsin.sheet.terms import Tier


@pytest.mark.parametrize(
    ("account", "accepted"), [(0, False), (-1, False), (1, True), (2**48, True), (2**48 + 1, False)]
)
def test_id_001_members_have_positive_ids(account: int, accepted: bool) -> None:
    """ID-001"""
    assert ACCOUNT_ID_MAX == 2**48
    answer = Sequencer().stamp(cm.OpenAccount(source=1, nonce=1, account=account, root=1))
    assert isinstance(answer, Refused) is not accepted


def test_id_002_own_accounts_never_meet() -> None:
    """ID-002"""
    contracts = range(CONTRACTS_MAX)
    own = [f(c) for f in (default_account, error_account, market_fund) for c in contracts] + [SUSPENSE, GLOBAL_FUND]
    assert len(set(own)) == len(own)
    assert max(own) < 0


def test_id_003_bucket_of_a_root() -> None:
    """ID-003"""
    digest = sha256(b"tocsin.bucket" + (77).to_bytes(8, "little")).digest()
    assert bucket_of(77) == (digest[0] + 256 * digest[1]) % 4096
    for shards in (1, 2, 7, 4096):
        dealt = [shard_of(b, shards) for b in range(BUCKETS)]
        sizes = [dealt.count(i) for i in range(shards)]
        assert dealt == sorted(dealt)
        assert max(sizes) - min(sizes) <= 1


def test_cd_001_arrays_without_floats() -> None:
    """CD-001"""
    assert encode(Tier(1, 2)) == b"\x92\x01\x02"
    assert encode(cm.SetMarket(source=1, nonce=2, contract=3, halted=True)) == b"\x95\xa9SetMarket\x01\x02\x03\xc3"
    with pytest.raises(CodecError, match="cannot be encoded"):
        encode([2**64])


@pytest.mark.parametrize(
    "data",
    [
        b"\x92\xcc\x01\x02",
        b"\x92\x01\xd0\x02",
        b"\x92\x01\x02\x00",
        b"\x93\x01\x02\x03",
        b"\x92\x01\xcb" + bytes(8),
        b"",
    ],
    ids=["long int", "signed int", "tail", "extra field", "float", "empty"],
)
def test_cd_002_only_one_spelling(data: bytes) -> None:
    """CD-002"""
    assert decode(b"\x92\x01\x02", Tier) == Tier(1, 2)
    with pytest.raises(CodecError):
        decode(data, Tier)


def test_cd_002_size() -> None:
    """CD-002"""
    with pytest.raises(CodecError, match="at most 4194304 bytes, was 4194305"):
        decode(bytes(COMMAND_BYTES_MAX + 1), Tier)


def test_cd_003_maps_are_sorted() -> None:
    """CD-003"""
    assert list(sort_map({3: 0, 1: 0, 2: 0})) == [1, 2, 3]


def test_cm_009_sequence_is_dense() -> None:
    """CM-009, ID-001: an accepted opening takes one number."""
    sequencer = Sequencer()
    answers = [sequencer.stamp(cm.OpenAccount(source=1, nonce=n, account=n, root=1)) for n in (1, 2)]
    assert [a.accepted for a in answers] == [Accepted(0, 1), Accepted(1, 1)]
