"""
The engine in one process: sequencer, ClearingHouse and P shards (rules CY-001 to CY-009).

`submit` stamps commands into the open cycle; `cut` closes it and opens the next. The result does not depend on P, on
how commands were batched, or on anything but the commands and the times of the cuts.
"""

import msgspec

from tocsin.accounts.leaf import decode_leaf
from tocsin.core.codec import decode, encode, sort_map
from tocsin.core.errors import DataError, Refused
from tocsin.core.hashing import hash_bytes
from tocsin.core.ids import bucket_of, shard_of
from tocsin.core.limits import BUCKETS
from tocsin.engine import clearing_house as ch
from tocsin.engine import queries
from tocsin.engine.case import decode_case, hash_case
from tocsin.engine.commands import AnyCommand
from tocsin.engine.ledger import InclusionProof, hash_bucket, hash_state, new_bucket_tree
from tocsin.engine.messages import CycleOpen, CycleResult, Item, open_contracts
from tocsin.engine.queries import AdlRank
from tocsin.engine.sequencer import Accepted, HouseItem, Sequencer
from tocsin.engine.shard import Shard
from tocsin.margin.price_band import PriceBand
from tocsin.margin.state import AccountState, Level
from tocsin.procedures.waterfall.adl import LotPolicy
from tocsin.sheet.marks import Marks
from tocsin.sheet.terms import RiskSheet, decode_sheet, encode_sheet
from tocsin.sheet.validate import validate_sheet


class EngineSnapshot(msgspec.Struct, frozen=True, array_like=True):
    """
    The whole engine between two cycles, after a cut: independent of P. `marks` and `sheet` are those of the closed
    cycle: the shards book the next opening's decisions under them.
    """

    house: ch.Snapshot
    leaves: tuple[bytes, ...]
    cases: tuple[bytes, ...]
    nonces: dict[int, int]
    sequence: int
    log_hash: bytes
    opened: CycleOpen
    marks: Marks
    sheet: bytes


class Engine:
    """
    A complete Tocsin over one log.

    Args:
        sheet: The first risk sheet.
        time_ns: Log time of the first cycle.
        shards: P, 1 to 4096; changes nothing but who computes.
    """

    def __init__(self, sheet: RiskSheet, time_ns: int, *, shards: int = 1) -> None:
        check_time_ns("time_ns", time_ns, 0)
        validate_sheet(sheet)
        self._set_shards(sheet, shards)
        self.house = ch.ClearingHouse(sheet, time_ns)
        self.sequencer = Sequencer()
        self.opened = self.house.open(time_ns)
        self.sequencer.set_terms(sheet, frozenset())

    _last: CycleResult | None = None

    def _set_shards(self, sheet: RiskSheet, shards: int) -> None:
        if not 1 <= shards <= BUCKETS:
            raise DataError(f"shards must be 1 to {BUCKETS}, was {shards}")
        self.shards = [Shard(sheet) for _ in range(shards)]
        self._streams: list[list[Item]] = [[] for _ in range(shards)]
        self._house_stream: list[HouseItem] = []
        self._tree = new_bucket_tree()

    @property
    def cycle(self) -> int:
        """The open cycle."""
        return self.opened.cycle

    def submit(self, command: AnyCommand | bytes) -> Accepted | Refused:
        """
        Stamp a command into the open cycle, or return why it is refused; a refused command leaves no trace.
        """
        stamped = self.sequencer.stamp(command)
        if isinstance(stamped, Refused):
            return stamped
        for bucket, item in stamped.rows:
            self._streams[shard_of(bucket, len(self.shards))].append(item)
        self._house_stream.extend(stamped.house)
        return stamped.accepted

    def row_counts(self) -> tuple[int, ...]:
        """Return how many rows each stream holds in the open cycle, the ClearingHouse's first."""
        return (len(self._house_stream), *(len(stream) for stream in self._streams))

    def check_time(self, next_time_ns: int) -> None:
        """
        Check a time for the next cut.

        Raises:
            DataError: Not a whole number after the open cycle's time and up to 2^62.
        """
        check_time_ns("next_time_ns", next_time_ns, self.opened.time_ns + 1)

    def cut(self, next_time_ns: int) -> CycleResult:
        """
        Close the open cycle over what was submitted and open the next at log time `next_time_ns`.

        Raises:
            DataError: The time is not after the open cycle's.
        """
        self.check_time(next_time_ns)
        opened = self.opened
        counts = self.row_counts()
        self.house.apply(self._house_stream)
        closes = [
            shard.run(_for_shard(opened, i, len(self.shards)), items)
            for i, (shard, items) in enumerate(zip(self.shards, self._streams, strict=True))
        ]
        self._house_stream = []
        self._streams = [[] for _ in self.shards]
        self.house.close(closes)
        changed = {bucket: root for close in closes for bucket, root in close.roots.items()}
        changed = {bucket: changed[bucket] for bucket in sorted(changed)}
        self._tree.update(changed)
        admitted = encode((sort_map(self.sequencer.nonces), self.sequencer.sequence, self.sequencer.close_log()))
        house_root = hash_bytes(b"engine", self.house.root(), admitted)
        root = hash_state(self._tree.root, house_root, opened.cycle, opened.time_ns)
        self.house.decide(root)
        events = [e for close in closes for e in close.events] + self.house.events
        events.sort(key=lambda e: (e.phase, e.order))
        result = CycleResult(opened, root, self._tree.root, house_root, changed, events, counts)
        self._last = result
        self.opened = self.house.open(next_time_ns)
        self.sequencer.set_terms(self.house.sheet, open_contracts(self.opened), self.house.state.vault)
        return result

    # Reading

    def read(self, account: int) -> AccountState | None:
        """Return a copy of an account, or None if there is none."""
        root = self.sequencer.directory.get(account)
        if root is None:
            return None
        state = self.shards[shard_of(bucket_of(root), len(self.shards))].store.read(account)
        return None if state is None else state.copy()

    def prove(self, account: int) -> InclusionProof:
        """
        Return the proof that ties an account to the root of the last closed cycle.

        Raises:
            DataError: There is no such account, or no cycle was closed yet.
        """
        root = self.sequencer.directory.get(account)
        last = self._last
        if root is None or last is None:
            raise DataError(f"account must be open in a closed cycle, was {account}")
        bucket = bucket_of(root)
        shard = self.shards[shard_of(bucket, len(self.shards))]
        if shard.store.read(account) is None:
            raise DataError(f"account must be open in a closed cycle, was {account}, opened in this one")
        return InclusionProof(
            leaf=shard.store.leaves([account])[0],
            case_hash=hash_case(shard.cases.get(account)),
            bucket=bucket,
            position=shard.bucket_accounts(bucket).index(account),
            leaf_hashes=tuple(shard.leaf_hashes(bucket)),
            path=tuple(self._tree.path(bucket)),
            house_root=last.house_root,
            cycle=last.opened.cycle,
            time_ns=last.opened.time_ns,
        )

    def price_band(self, account: int, underlying: int, level: Level = Level.LIQUIDATION) -> PriceBand:
        """
        Return where an account falls below `level` as the price of one underlying falls or rises: marks per lot of the
        contract that measures it, near and far, or why there is none (rules PR-010 to PR-014).

        Raises:
            DataError: No such account or underlying, nothing that measures it, or nothing of it held (rule PR-013).
        """
        shard = self.shards[shard_of(bucket_of(self.sequencer.directory.get(account, 0)), len(self.shards))]
        return queries.find_band(shard, account, underlying, level)

    def adl_rank(self, account: int, contract: int, wanted: int | None = None) -> AdlRank:
        """
        Return where a position stands in auto-deleveraging as of the last closed cycle, and what each way of dealing
        would close of it if `wanted` lots were to go (rules WF-060, WF-061).

        Raises:
            DataError: The account holds no lots of the contract that ADL may ask for; `wanted` is out of range.
        """
        return queries.adl_rank(self.shards, self.house, account, contract, wanted)

    def adl_what_if(self, contract: int, lots: int, policy: LotPolicy | None = None) -> list[tuple[int, int]]:
        """
        Return (account, signed lots closed) if signed `lots` of the default account were to go now (rule WF-061).

        Raises:
            DataError: No such contract or mark, or lots out of range.
        """
        return queries.adl_what_if(self.shards, self.house, contract, lots, policy)

    # Snapshots

    def snapshot(self) -> bytes:
        """
        Return the engine as bytes, right after a cut (before anything is submitted).

        Raises:
            DataError: Commands were submitted since the last cut.
        """
        if self._house_stream or any(self._streams):
            raise DataError("snapshot must be taken right after a cut, commands were submitted since")
        parts = [shard.dump() for shard in self.shards]
        leaves = tuple(sorted((leaf for p in parts for leaf in p[0]), key=lambda x: int.from_bytes(x[:8], "little")))
        cases = tuple(case for p in parts for case in p[1])
        return encode(
            EngineSnapshot(
                self.house.snapshot(),
                leaves,
                tuple(sorted(cases)),
                sort_map(self.sequencer.nonces),
                self.sequencer.sequence,
                self.sequencer.log_hash,
                self.opened,
                self.shards[0].valuation.marks,
                encode_sheet(self.shards[0].sheet),
            )
        )

    @classmethod
    def restore(cls, data: bytes, *, shards: int = 1) -> "Engine":
        """
        Return the engine of a snapshot, with any number of shards.

        Raises:
            CodecError: Not a snapshot.
        """
        snapshot = decode(data, EngineSnapshot, limit=None)
        engine = cls.__new__(cls)
        engine.house = ch.ClearingHouse.restore(snapshot.house)
        engine._set_shards(decode_sheet(snapshot.sheet), shards)
        engine.opened = snapshot.opened
        engine.sequencer = Sequencer()
        engine.sequencer.nonces = dict(snapshot.nonces)
        engine.sequencer.sequence = snapshot.sequence
        engine.sequencer.log_hash = snapshot.log_hash
        leaves: list[list[bytes]] = [[] for _ in range(shards)]
        cases: list[list[bytes]] = [[] for _ in range(shards)]
        for leaf in snapshot.leaves:
            state = decode_leaf(leaf)
            engine.sequencer.directory[state.id] = state.root
            leaves[shard_of(bucket_of(state.root), shards)].append(leaf)
        for case in snapshot.cases:
            bucket = bucket_of(engine.sequencer.directory[decode_case(case).account])
            cases[shard_of(bucket, shards)].append(case)
        for shard, part, open_cases in zip(engine.shards, leaves, cases, strict=True):
            shard.load(part, open_cases, snapshot.marks)
        engine.sequencer.set_terms(engine.house.sheet, open_contracts(engine.opened), engine.house.state.vault)
        for bucket in range(BUCKETS):
            shard = engine.shards[shard_of(bucket, shards)]
            if shard.bucket_accounts(bucket):
                engine._tree.update({bucket: _bucket_root(shard, bucket)})
        return engine


def check_time_ns(name: str, time_ns: object, first: int) -> None:
    """
    Check a log time.

    Raises:
        DataError: Not a whole number from `first` to 2^62.
    """
    if type(time_ns) is not int or not first <= time_ns <= 2**62:
        raise DataError(f"{name} must be a whole number from {first} to 2^62, was {time_ns!r}")


def _bucket_root(shard: Shard, bucket: int) -> bytes:
    return hash_bucket(shard.leaf_hashes(bucket))


def _for_shard(opened: CycleOpen, index: int, shards: int) -> CycleOpen:
    """Return the opening with the decisions of one shard's buckets."""
    if shards == 1:
        return opened
    mine = tuple(d for d in opened.decisions if shard_of(d.bucket, shards) == index)
    return msgspec.structs.replace(opened, decisions=mine)
