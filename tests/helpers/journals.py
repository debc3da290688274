"""
Rewrite a journal with all checksums and the chain made right again: what a careful forger would do.
"""

from collections.abc import Callable, Iterable

from tocsin.journal.disk import Disk
from tocsin.journal.log import Journal, Record

Transform = Callable[[Record], Record | Iterable[Record] | None]


def rewrite(disk_in: Disk, disk_out: Disk, transform: Transform, *, segment_bytes: int = 1 << 20) -> int:
    """
    Copy a journal through `transform`, keeping its batches; return how many records were changed.

    `transform` gets each record and returns it, another one (its number is ignored), several, or None to
    drop it. The copy is a whole, closed journal: only what its records mean can give it away.
    """
    journal = Journal.open(disk_in, read_only=True)
    changed = 0
    with Journal.create(disk_out, journal.header, segment_bytes=segment_bytes) as out:
        for batch in journal.batches():
            for record in batch:
                result = transform(record)
                changed += result is not record and result != record
                if result is None:
                    continue
                for new in (result,) if isinstance(result, Record) else result:
                    out.append(new.kind, new.stream, new.payload)
            out.commit()
    return changed
