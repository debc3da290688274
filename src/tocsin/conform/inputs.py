"""
Read the inputs of a case by name, and remember which were read.

What a case holds and no one read is told with the outcome, so that nothing is ignored in silence.
"""

from fractions import Fraction
from typing import Any, cast

from tocsin.conform.numbers import InputError, need_number, need_whole

_ABSENT = object()


class Inputs:
    """
    One object of a case's inputs, with exact numbers.

    Args:
        values: The object.
        path: Its place, for messages.
    """

    def __init__(self, values: dict[str, Any], path: str = "inputs") -> None:
        self._values = values
        self._path = path
        self._read: set[str] = set()
        self._children: list[Inputs] = []

    @property
    def path(self) -> str:
        """Its place, for messages."""
        return self._path

    def has(self, name: str) -> bool:
        """Return True if the input is there and not null."""
        return self._values.get(name) is not None

    def raw(self, name: str, default: Any = _ABSENT) -> Any:
        """
        Return an input as it stands.

        Raises:
            InputError: It is absent and there is no default.
        """
        self._read.add(name)
        value = self._values.get(name)
        if value is None:
            if default is _ABSENT:
                raise InputError(f"{self._path}.{name} must be given, was missing")
            return default
        return value

    def number(self, name: str, default: Fraction | int | None = None) -> Fraction:
        """Return an exact number, `default` if it is absent and one is given."""
        if default is not None and not self.has(name):
            self._read.add(name)
            return Fraction(default)
        return need_number(f"{self._path}.{name}", self.raw(name))

    def whole(self, name: str, default: int | None = None) -> int:
        """Return a whole number, `default` if it is absent and one is given."""
        if default is not None and not self.has(name):
            self._read.add(name)
            return default
        return need_whole(f"{self._path}.{name}", self.raw(name))

    def items(self, name: str) -> list[tuple[Any, Any]]:
        """
        Return an object's items, or a list's as (index or name, value): `[["a", 1]]`, `[1]` and `{"a": 1}` all read.
        """
        value = self.raw(name)
        if isinstance(value, dict):
            return list(cast("dict[Any, Any]", value).items())
        if not isinstance(value, list):
            raise InputError(f"{self._path}.{name} must be a list or an object, was {value!r}")
        out: list[tuple[Any, Any]] = []
        for i, entry in enumerate(cast("list[Any]", value)):
            if not isinstance(entry, list):
                out.append((i, entry))
                continue
            pair = cast("list[Any]", entry)
            if len(pair) != 2:
                raise InputError(f"{self._path}.{name}[{i}] must be [name, number], was {pair!r}")
            out.append((pair[0], pair[1]))
        return out

    def objects(self, name: str) -> "list[Inputs]":
        """Return a list of objects, each read by name."""
        value = self.raw(name)
        if not isinstance(value, list):
            raise InputError(f"{self._path}.{name} must be a list of objects, was {value!r}")
        out: list[Inputs] = []
        for i, entry in enumerate(cast("list[Any]", value)):
            if not isinstance(entry, dict):
                raise InputError(f"{self._path}.{name}[{i}] must be an object, was {entry!r}")
            out.append(Inputs(cast("dict[str, Any]", entry), f"{self._path}.{name}[{i}]"))
        self._children += out
        return out

    def object(self, name: str) -> "Inputs":
        """Return one object, read by name."""
        value = self.raw(name)
        if not isinstance(value, dict):
            raise InputError(f"{self._path}.{name} must be an object, was {value!r}")
        child = Inputs(cast("dict[str, Any]", value), f"{self._path}.{name}")
        self._children.append(child)
        return child

    def names(self) -> list[str]:
        """Return the names of all inputs that are there and not null."""
        return [name for name in self._values if self.has(name)]

    def find(self, prefix: str) -> str | None:
        """Return the first name that begins with `prefix`, if any."""
        return next((k for k in self._values if k.startswith(prefix) and self.has(k)), None)

    def unread(self) -> list[str]:
        """
        Return the places of inputs that were not read, empty ones left out.
        """
        mine = [
            f"{self._path}.{k}" for k, v in self._values.items() if k not in self._read and v not in (None, "", [], {})
        ]
        return mine + [place for child in self._children for place in child.unread()]
