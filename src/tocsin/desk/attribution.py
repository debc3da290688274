"""
From a difference to its causes: one input swapped at a time in a fixed order, then two, else said to be unexplained.

A swap explains a difference if under it the rules give the reported figure: to the printed digits or a millionth
(tight), else to three times what the leg's other figures are off, at most a twentieth of a percent (loose; the closest
wins; not for a rate or share that was sought to give the figure). Nothing is explained by halves: a cause that leaves
more is none. Parts are signed and sum exactly to the difference.
"""

from collections.abc import Sequence
from decimal import Decimal

from tocsin.desk.account import Account
from tocsin.desk.codes import Code, Part
from tocsin.desk.question import Question, quantum
from tocsin.desk.swap import Swap
from tocsin.desk.swaps import swap_prices, swaps_for
from tocsin.desk.swaps_account import swap_modes
from tocsin.desk.worlds import EXACT, World
from tocsin.venues.contract import Evaluation
from tocsin.venues.reading import ACCOUNT, Figure

TIGHT = Decimal("1e-6")
LOOSE, UNSURE, NOISE_TIMES = Decimal("5e-4"), Decimal("5e-5"), 3
LEFT_MAX = Decimal("0.1")
SMALL_LEFT_MAX = Decimal("0.01")
_ORDER = {code: place for place, code in enumerate(Code)}
_PRINTED = ("mark", "entry", "index", "isolated_collateral")
PAIR_FIRSTS_MAX = 40
WORTH = Decimal("0.98")


def attribute(question: Question) -> tuple[Part, ...]:
    """
    Return the parts of reported - own, () if they are equal.

    At most a few hundred evaluations of the account; none where the printed digits explain the difference.
    """
    difference = question.difference
    if not difference:
        return ()
    digit = quantum(question.reported)
    if abs(difference) <= digit and abs(difference) <= abs(question.reported) * LOOSE:
        return (Part(Code.ROUNDING, difference, f"the last printed digit is worth {digit}"),)
    if abs(difference) <= abs(question.reported) * TIGHT:
        return (Part(Code.ROUNDING, difference, "less than a millionth of the figure"),)
    tried = _try_all(question)
    found = _explain(question, tried)
    if found is not None:
        return _parts(question, found)
    pair = None if question.is_small else _explain_by_two(question, tried)
    if pair is not None:
        return pair
    if abs(difference) <= digit:
        return (Part(Code.ROUNDING, difference, f"the last printed digit is worth {digit}"),)
    if question.is_slight and abs(difference) <= _input_digits(question) + digit:
        return (Part(Code.ROUNDING, difference, "the printed digits of the inputs"),)
    if question.figure.leg == ACCOUNT and question.is_mixed(ACCOUNT):
        why = f"time stamps of the payload lie {question.account.spread_s} s apart: its parts are of different moments"
        return (Part(Code.STALE_SNAPSHOT, difference, why),)
    why = "no single swap, and no two, give the reported figure"
    if question.account.is_spent:
        why = "the search was cut off: too many positions to try every swap"
    return (Part(Code.UNEXPLAINED, difference, why),)


def find_hint(
    account: Account, figure: Figure, world: World, evaluation: Evaluation, *, is_unknown: bool
) -> Part | None:
    """
    Return the swap under which the rules give a figure that they do not give as it stands, None if none.

    Args:
        is_unknown: The rules lack an input: then another mode is tried where the payload shows a position's own money,
            and the prices that it implies where it shows no mark. Else the rules say "no price": then every swap is.
    """
    if figure.value is None or figure.leg == ACCOUNT:
        return None
    question = Question(account, figure, world, evaluation, Decimal(0))
    swaps: list[Swap] = []
    if is_unknown and figure.leg in account.reading.set_aside:
        swaps += swap_modes(question)
    if is_unknown and world.portfolio.legs[figure.leg].mark is None:
        swaps += swap_prices(question)
    for swap in swaps if is_unknown else swaps_for(question):
        value = question.try_value(_name(swap), swap.apply(world))
        if value is not None and abs(EXACT.subtract(figure.value, value)) <= abs(figure.value) * TIGHT:
            return Part(swap.code, Decimal(0), f"{swap.why} gives {value:.10g}")
    return None


def _input_digits(question: Question) -> Decimal:
    """
    Return by how much the figure can move while each input stays within half of its last printed digit.
    """
    room = Decimal(0)
    for place in question.places:
        leg = question.leg(place)
        for name in _PRINTED:
            value: Decimal | None = getattr(leg, name)
            if value:
                world = question.world.with_leg(place, **{name: value + quantum(value) / 2})
                moved = question.try_value(f"{place} {name} + half a digit", world)
                room += abs(moved - question.own) if moved is not None else 0
    return room


def _try_all(question: Question) -> list[tuple[Swap, Decimal]]:
    tried: list[tuple[Swap, Decimal]] = []
    for swap in swaps_for(question):
        value = question.try_value(_name(swap), swap.apply(question.world))
        if value is not None and value != question.own:
            tried.append((swap, value))
            if _is_tight(question, value):
                break
    return tried


def _name(swap: Swap) -> str:
    return f"{swap.code} {swap.why}"


def _is_tight(question: Question, value: Decimal) -> bool:
    gap = abs(EXACT.subtract(question.reported, value))
    digit = quantum(question.reported)
    bound = abs(question.reported) * TIGHT
    if digit <= abs(question.difference) * LEFT_MAX:
        bound = max(bound, digit)
    return gap <= bound and gap < abs(question.difference)


def _explain(question: Question, tried: Sequence[tuple[Swap, Decimal]]) -> tuple[Swap, Decimal] | None:
    """
    Return the swap that gives the reported figure: the first tight one, else the closest loose one.
    """
    near: list[tuple[Decimal, int]] = []
    left_max = SMALL_LEFT_MAX if question.is_small else LEFT_MAX
    # A payload whose other figures agree to the digit leaves no room for a cause that nearly fits.
    loose = UNSURE if question.noise is None else min(LOOSE, NOISE_TIMES * question.noise)
    for place, (swap, value) in enumerate(tried):
        if _is_tight(question, value):
            return tried[place]
        if swap.is_fitted:
            continue
        gap = abs(EXACT.subtract(question.reported, value))
        if gap <= abs(question.reported) * loose and gap <= abs(question.difference) * left_max:
            near.append((gap, place))
    return tried[min(near)[1]] if near else None


def _explain_by_two(question: Question, tried: Sequence[tuple[Swap, Decimal]]) -> tuple[Part, ...] | None:
    """
    Return the parts of the first two swaps of different causes, in order, that give the reported figure tightly.
    """
    for swap, value in list(tried)[:PAIR_FIRSTS_MAX]:
        gap = abs(EXACT.subtract(question.reported, value))
        if gap > abs(question.difference) * WORTH or swap.code is Code.COLLATERAL_HAIRCUT:
            continue
        world = swap.apply(question.world)
        for second, _ in list(tried)[:PAIR_FIRSTS_MAX]:
            if second.code is swap.code:
                continue
            both = question.try_value(f"{_name(swap)} & {_name(second)}", second.apply(world))
            if both is not None and _is_tight(question, both):
                return _two_parts(question, sorted((swap, second), key=lambda s: _ORDER[s.code]), both)
    return None


def _two_parts(question: Question, swaps: Sequence[Swap], both: Decimal) -> tuple[Part, ...]:
    """
    Return the parts of two swaps in the order of causes; the first is what it gives alone, the second the rest.
    """
    first, second = swaps
    alone = question.try_value(_name(first), first.apply(question.world))
    between = question.own if alone is None else alone
    parts = [
        Part(first.code, EXACT.subtract(between, question.own), first.why),
        Part(second.code, EXACT.subtract(both, between), second.why),
    ]
    return _with_rest(question, parts)


def _parts(question: Question, found: tuple[Swap, Decimal]) -> tuple[Part, ...]:
    swap, value = found
    return _with_rest(question, [Part(swap.code, EXACT.subtract(value, question.own), swap.why)])


def _with_rest(question: Question, parts: list[Part]) -> tuple[Part, ...]:
    rest = question.difference
    for part in parts:
        rest = EXACT.subtract(rest, part.amount)
    if rest:
        small = abs(rest) <= max(quantum(question.reported), abs(question.reported) * TIGHT)
        code = Code.ROUNDING if small else Code.UNEXPLAINED
        parts.append(Part(code, rest, "what is left" if not small else "printed digits"))
    return tuple(parts)
