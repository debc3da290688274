"""
An intent: lots that may be traded for an account by force, reserved until it is done (rules LQ-001 to LQ-007).

Life: granted -> working -> (cancel pending ->) done. Its lots are reserved in every state but done.
"""

from enum import IntEnum

import msgspec

from tocsin.core.integers import trunc_div


class IntentState(IntEnum):
    """Where an intent is in its life."""

    GRANTED = 0
    WORKING = 1
    CANCEL_PENDING = 2
    DONE = 3


class Intent(msgspec.Struct, frozen=True, array_like=True):
    """
    `lots` is signed (< 0 sells), `filled` has its sign; `limit` is the worst mark per lot at which it may trade;
    `give_up_cycle` is when an unanswered cancel counts as done (0: no cancel is pending).
    """

    id: int
    contract: int
    lots: int
    limit: int
    expires_ns: int
    filled: int = 0
    state: IntentState = IntentState.GRANTED
    give_up_cycle: int = 0

    @property
    def left(self) -> int:
        """Signed lots still reserved."""
        return 0 if self.state == IntentState.DONE else self.lots - self.filled


def fill_intent(intent: Intent, lots: int) -> Intent:
    """
    Return the intent after `lots` (its sign, at most what is left) were filled.
    """
    filled = intent.filled + lots
    assert abs(filled) <= abs(intent.lots) and filled * intent.lots >= 0
    state = IntentState.DONE if filled == intent.lots else intent.state
    return msgspec.structs.replace(intent, filled=filled, state=state)


def start_cancel(intent: Intent, cycle: int, grace_cycles: int) -> Intent:
    """
    Return the intent waiting for its cancel to be confirmed, at most `grace_cycles` cycles (rule LQ-006).
    """
    if intent.state in (IntentState.CANCEL_PENDING, IntentState.DONE):
        return intent
    return msgspec.structs.replace(intent, state=IntentState.CANCEL_PENDING, give_up_cycle=cycle + grace_cycles)


def finish(intent: Intent) -> Intent:
    """
    Return the intent done: nothing is reserved any more.
    """
    return msgspec.structs.replace(intent, state=IntentState.DONE)


def step_intent(intent: Intent, *, needed: bool, cycle: int, now_ns: int, grace_cycles: int) -> Intent:
    """
    Return the intent one cycle on: granted ones work; expired or no longer needed ones are cancelled; a cancel
    nobody answers ends after its grace.
    """
    if intent.state == IntentState.GRANTED:
        intent = msgspec.structs.replace(intent, state=IntentState.WORKING)
    if intent.state == IntentState.CANCEL_PENDING and cycle >= intent.give_up_cycle:
        return finish(intent)
    if intent.state == IntentState.WORKING and (not needed or intent.expires_ns <= now_ns):
        return start_cancel(intent, cycle, grace_cycles)
    return intent


def reserved_lots(intents: tuple[Intent, ...] | list[Intent], contract: int) -> int:
    """
    Return the signed lots that intents of `contract` keep reserved.
    """
    return sum(i.left for i in intents if i.contract == contract)


def split_fill(lots: int, value: int, fits: int) -> tuple[int, int]:
    """
    Return the (lots, value) of a fill that fit, `fits` lots in absolute terms; the rest is lots and value less these.

    The value is split in proportion, truncated toward zero (rule LQ-005).
    """
    if fits >= abs(lots):
        return lots, value
    part = fits if lots > 0 else -fits
    return part, trunc_div(value * fits, abs(lots))
