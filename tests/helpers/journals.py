"""
Rewrite a journal with all checksums and the chain made right again: what a careful forger would do.
"""

from collections.abc import Callable, Iterable

from tocsin.journal.disk import Disk
from tocsin.journal.log import Journal, Record

Transform = Callable[[Record], Record | Iterable[Record] | None]


def read_batches(disk: Disk) -> tuple[bytes, list[list[Record]]]:
    """
    Return a journal's header and its records, batch by batch.
    """
    journal = Journal.open(disk, read_only=True)
    batches: list[list[Record]] = []
    for number in range(len(journal._firsts)):
        for _, header, _ in journal._segment_frames(number, journal.count):
            if header.records:
                batches.append([])
                for record in journal.records(header.first):
                    if len(batches[-1]) == header.records:
                        break
                    batches[-1].append(record)
    return journal.header, batches


def rewrite(disk_in: Disk, disk_out: Disk, transform: Transform, *, segment_bytes: int = 1 << 20) -> int:
    """
    Copy a journal through `transform`, keeping its batches; return how many records were changed.

    `transform` gets each record and returns it, another one (its number is ignored), several, or None to
    drop it. The copy is a whole, closed journal: only what its records mean can give it away.
    """
    header, batches = read_batches(disk_in)
    changed = 0
    with Journal.create(disk_out, header, segment_bytes=segment_bytes) as out:
        for batch in batches:
            for record in batch:
                result = transform(record)
                changed += result is not record and result != record
                if result is None:
                    continue
                for new in (result,) if isinstance(result, Record) else result:
                    out.append(new.kind, new.stream, new.payload)
            out.commit()
    return changed
