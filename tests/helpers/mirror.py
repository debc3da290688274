"""
The mirror image of a world: every long is a short and every mark is negative, and all money is the same to the unit.

With mark -m, funding -F, lots -q and value v unchanged per account, `w = v - q x F`, entry sums, P&L `q x (m - F) - e`
and notional `|q x m|` do not change. So a linear contract mirrors into one of kind `INVERSE` (negative marks) with its
charges swapped, and the other way round; the engine must decide the same in both.
"""

import msgspec

from tests.helpers.checks import picture
from tocsin.engine import commands as cm
from tocsin.engine.engine import Engine
from tocsin.engine.messages import CloseLots, Grant
from tocsin.engine.sequencer import Accepted
from tocsin.sheet.terms import Kind, decode_sheet, encode_sheet

replace = msgspec.structs.replace


def mirror_sheet(sheet):
    """Return the sheet whose contracts have negated marks and swapped charges."""
    contracts = tuple(
        replace(
            c,
            kind=Kind.INVERSE if c.kind == Kind.LINEAR else Kind.LINEAR,
            charge_long=c.charge_short,
            charge_short=c.charge_long,
        )
        for c in sheet.contracts
    )
    return replace(sheet, contracts=contracts)


def mirror_command(command):
    """Return the command that does to the mirrored world what `command` does to the world."""
    match command:
        case cm.Fills():
            return replace(
                command,
                buyer=command.seller,
                seller=command.buyer,
                value=tuple(-v for v in command.value),
                buyer_intent=command.seller_intent,
                seller_intent=command.buyer_intent,
                buyer_bid=command.seller_ask,
                buyer_ask=command.seller_bid,
                seller_bid=command.buyer_ask,
                seller_ask=command.buyer_bid,
            )
        case cm.Holds():
            return replace(command, bid=command.ask, ask=command.bid)
        case cm.OrderCheck():
            return replace(command, lots=-command.lots)
        case cm.SetMarks():
            return replace(command, mark=tuple(-m for m in command.mark), funding=tuple(-f for f in command.funding))
        case cm.SetSheet():
            return replace(command, sheet=encode_sheet(mirror_sheet(decode_sheet(command.sheet))))
        case _:
            return command


def _rotation(house):
    # Rotations start from the state root, and the two worlds have different roots.
    return lambda topic: house.state.cycle * 7 + topic


class Twin:
    """The mirrored engine of a `Chaos` world, made before anything was logged after its first cut."""

    def __init__(self, world, *, shards=1):
        self.world = world
        self.engine = Engine(mirror_sheet(world.first_sheet), world.start_ns, shards=shards)
        self.at = 0
        for engine in (world.engine, self.engine):
            engine.house.first_extra = _rotation(engine.house)

    def follow(self):
        """Do everything logged since the last call, mirrored; return the last cut's result."""
        result = None
        for kind, entry in self.world.log[self.at :]:
            if kind == "cut":
                result = self.engine.cut(entry)
            else:
                answer = self.engine.submit(mirror_command(entry))
                assert isinstance(answer, Accepted), answer
        self.at = len(self.world.log)
        return result

    def compare(self, result):
        """The two worlds are mirror images, to the unit."""
        twin_result = self.follow()
        ours, theirs = picture(self.world.engine, result), picture(self.engine, twin_result)
        assert sorted(ours.accounts) == sorted(theirs.accounts)
        for ident, account in ours.accounts.items():
            assert mirror_account(account) == theirs.accounts[ident]
        for ident, account in ours.own.items():
            assert mirror_account(account) == theirs.own[ident]
        assert ours.state.vault == theirs.state.vault
        assert ours.state.claims == theirs.state.claims
        assert ours.state.queue == theirs.state.queue
        assert [mirror_intent(i) for i in ours.state.intents] == theirs.state.intents
        assert sorted(map(mirror_decision, ours.decisions), key=repr) == sorted(theirs.decisions, key=repr)
        assert sorted(ours.cases) == sorted(theirs.cases)
        for ident, case in ours.cases.items():
            other = theirs.cases[ident]
            assert [mirror_intent(i) for i in case.intents] == other.intents
            assert case.call == other.call
            assert (case.reducing, case.acted) == (other.reducing, other.acted)
            assert [replace(m, left=-m.left) for m in case.moved] == other.moved


def mirror_account(account):
    """Return the account with its lots negated and its holds swapped."""
    out = account.copy()
    out.positions = {c: (-lots, entry) for c, (lots, entry) in account.positions.items()}
    out.holds = {c: (ask, bid) for c, (bid, ask) in account.holds.items()}
    return out


def mirror_intent(intent):
    """Return the intent on the other side."""
    return replace(intent, lots=-intent.lots, limit=-intent.limit, filled=-intent.filled)


def mirror_decision(decision):
    """Return the decision on the other side; the value a decision books is the same."""
    if isinstance(decision, CloseLots):
        return replace(decision, lots=-decision.lots)
    if isinstance(decision, Grant):
        return replace(decision, lots=-decision.lots, limit=-decision.limit)
    return decision
