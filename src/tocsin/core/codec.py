"""
Canonical bytes: msgpack arrays without maps or floats (rules CD-001 to CD-003).

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


def decode(data: bytes, kind: type[T] | Any) -> T:
    """
    Return the value of canonical bytes.

    Raises:
        CodecError: Oversized, malformed, of another type, or not the canonical spelling of its value.
    """
    if len(data) > COMMAND_BYTES_MAX:
        raise CodecError(f"size must be at most {COMMAND_BYTES_MAX} bytes, was {len(data)}")
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
