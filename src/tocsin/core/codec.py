"""
Canonical bytes: msgpack arrays without floats (rules CD-001 to CD-003).

Maps occur only with integer keys; whoever encodes one sorts it first (`sort_map`).

`decode` accepts only bytes that `encode` would have produced, so that one value has one hash.
"""

from typing import Any, TypeVar

import msgspec

from tocsin.core.errors import CodecError
from tocsin.core.limits import COMMAND_BYTES_MAX

T = TypeVar("T")
_encoder = msgspec.msgpack.Encoder()
_decoders: dict[Any, msgspec.msgpack.Decoder[Any]] = {}


def encode(value: Any) -> bytes:
    """
    Return the canonical bytes of a Struct declared with `array_like=True`.

    Raises:
        CodecError: An integer does not fit 64 bits.
    """
    try:
        return _encoder.encode(value)
    except (OverflowError, TypeError, ValueError) as error:
        raise CodecError(f"value cannot be encoded: {error}") from None


def decode(data: bytes, kind: type[T] | Any, *, limit: int | None = COMMAND_BYTES_MAX) -> T:
    """
    Return the value of canonical bytes of at most `limit` bytes (None: any size, for snapshots).

    Raises:
        CodecError: Oversized, malformed, of another type, or not the canonical spelling of its value.
    """
    if limit is not None and len(data) > limit:
        raise CodecError(f"size must be at most {limit} bytes, was {len(data)}")
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.msgpack.Decoder(kind)
    try:
        value = decoder.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise CodecError(f"bytes are not a {getattr(kind, '__name__', 'value')}: {error}") from None
    if _encoder.encode(value) != data:
        raise CodecError("bytes are not canonical: encode the value again with msgpack's shortest forms")
    return value


def sort_map(value: dict[int, T]) -> dict[int, T]:
    """
    Return a map with its keys ascending, so that equal maps have equal bytes.
    """
    return {key: value[key] for key in sorted(value)}
