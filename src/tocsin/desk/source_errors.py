"""
Known errors of recorded payloads: figures that no rule can give, with the reason, as data beside the code.

An entry names record, quantity and reason. A figure that misses and is named is skipped with that reason; one that is
named and agrees passes all the same.
"""

from collections.abc import Mapping
from functools import cache
from importlib import resources

import msgspec

from tocsin.venues.reading import Reading


class SourceError(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    One figure of one record: `quantity` as in `Figure`, "*" for all of them.
    """

    record: str
    quantity: str
    reason: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    records: tuple[SourceError, ...]
    note_words: tuple[str, ...]


class SourceErrors:
    """The list, by record and quantity; and words by which a collector's note says that a record is flawed."""

    def __init__(self, entries: Mapping[tuple[str, str], str], note_words: tuple[str, ...] = ()) -> None:
        self._entries = dict(entries)
        self._note_words = note_words

    @classmethod
    def shipped(cls) -> "SourceErrors":
        """
        Return the shipped list, `data/source_errors.json`.
        """
        return _shipped()

    def find(self, reading: Reading, quantity: str) -> str:
        """
        Return the reason why this figure of a record is known to be wrong, "" if it is not known to be.
        """
        for name in reading.records:
            for key in ((name, quantity), (name, "*")):
                if key in self._entries:
                    return self._entries[key]
        for note in reading.notes if reading.records else ():
            if any(word in note for word in self._note_words):
                return note
        return ""


@cache
def _shipped() -> SourceErrors:
    raw = (resources.files("tocsin.desk") / "data" / "source_errors.json").read_bytes()
    known = msgspec.json.decode(raw, type=_File)
    return SourceErrors({(entry.record, entry.quantity): entry.reason for entry in known.records}, known.note_words)
