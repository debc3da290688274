"""
`bench margin`: accounts per second, recomputed with attribution, beside the parsing that a connector does of the same.

One account is one captured position payload of a venue. Ours reads it, evaluates the venue's rulebook and explains each
reported figure; the peer (ccxt, where installed) turns the same payload into its own fields and computes no margin
from tiers. Rounds are interleaved, the median over rounds is reported.
"""

import time
from collections.abc import Callable
from importlib import import_module, resources
from statistics import median
from typing import Any

import msgspec

from tocsin.desk.check import check_reading
from tocsin.venues.params import decode_numbers
from tocsin.venues.readers.files import read_payloads
from tocsin.venues.registry import find_rulebook

FLOOR = 0.2
"""Least ratio to the connector's parsing that is aimed at: recomputed and explained in 5 times the parsing alone."""

Step = Callable[[], object]


class Sample(msgspec.Struct, frozen=True):
    """
    One captured payload: `wrap` are the fields of the endpoint's answer around it, `market` what ccxt must know.
    """

    venue: str
    source: str
    ccxt: str
    method: str
    wrap: list[str]
    market: dict[str, Any]
    payload: dict[str, Any]


def load_samples() -> list[Sample]:
    """
    Return the shipped payloads, one a venue.
    """
    raw = (resources.files("tocsin.desk") / "data" / "bench_payloads.json").read_bytes()
    return msgspec.json.decode(raw, type=list[Sample])


def run_bench_margin(*, rounds: int = 5, seconds_max: float = 0.1) -> list[dict[str, object]]:
    """
    Measure accounts per second of every shipped payload.

    Args:
        rounds: Rounds, each with every step once per venue.
        seconds_max: Wall seconds each step gets per round.

    Returns:
        Rows of `metric`, `value` (ours, accounts/s), `unit`, `peer`, `ratio` (ours / peer, same run), `floor`. Without
        ccxt the peer is None and so is the ratio.
    """
    results: list[dict[str, object]] = []
    for sample in load_samples():
        steps = {"recompute": _recompute(sample), "check": _check(sample)}
        peer = _peer(sample)
        if peer is not None:
            steps["peer"] = peer
        speeds: dict[str, list[float]] = {name: [] for name in steps}
        order = list(steps)
        for turn in range(rounds):
            for name in order[turn % len(order) :] + order[: turn % len(order)]:
                speeds[name].append(_measure(steps[name], seconds_max))
        for name, what, floor in (
            ("recompute", "read and recomputed", None),
            ("check", "read, recomputed, explained", FLOOR),
        ):
            own = median(speeds[name])
            ratio = None if peer is None else round(own / median(speeds["peer"]), 3)
            results.append(
                {
                    "metric": f"{sample.venue}, {what}",
                    "value": round(own),
                    "unit": "accounts/s",
                    "peer": None if peer is None else "ccxt parse_position",
                    "ratio": ratio,
                    "floor": None if peer is None else floor,
                }
            )
    return results


def _answer(sample: Sample) -> Any:
    """Return the endpoint's answer around a payload, decoded as a file of it would be."""
    body: Any = sample.payload
    for place, name in enumerate(reversed(sample.wrap)):
        body = {name: [body] if place == 0 else body}
    return decode_numbers(msgspec.json.encode(body))


def _recompute(sample: Sample) -> Step:
    answer = _answer(sample)

    def step() -> object:
        reading = read_payloads([answer], sample.venue, sample.venue)
        return find_rulebook(reading.rules).run(reading.portfolio)

    return step


def _check(sample: Sample) -> Step:
    answer = _answer(sample)

    def step() -> object:
        return check_reading(read_payloads([answer], sample.venue, sample.venue))

    return step


def _peer(sample: Sample) -> Step | None:
    """
    Return the connector's parsing of the same payload, None where ccxt is not installed or does not take it.
    """
    try:
        ccxt: Any = import_module("ccxt")
    except ImportError:
        return None
    exchange = getattr(ccxt, sample.ccxt)()
    exchange.markets = {sample.market["symbol"]: sample.market}
    exchange.markets_by_id = {sample.market["id"]: [sample.market]}
    parse = getattr(exchange, sample.method)
    try:
        parse(sample.payload, sample.market)
    except Exception:  # noqa: BLE001 - a version of ccxt that wants more than the payload is no peer
        return None
    return lambda: parse(sample.payload, sample.market)


def _measure(step: Step, seconds_max: float) -> float:
    """
    Return steps per wall second of as many as fit in `seconds_max`, at least 3.
    """
    count, start = 0, time.perf_counter()
    while True:
        step()
        count += 1
        spent = time.perf_counter() - start
        if spent >= seconds_max and count >= 3:
            return count / spent
