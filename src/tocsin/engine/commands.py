"""
Commands: every input, as canonical msgpack arrays (rules CM-001 to CM-012).

Each carries `source` (who sends, 0 to 2^31 - 1) and `nonce` (rising by source), so that a repeat or a late one is
refused. Units: money in the asset's units, lots signed, + bought.
"""

import msgspec

from tocsin.core.codec import decode, encode
from tocsin.margin.state import AccountClass, Mode

HOUSE = 0
"""Account number by which fills and intents name the default account."""


class Command(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Base of every command."""

    source: int
    nonce: int


class OpenAccount(Command, frozen=True, array_like=True, tag=True, kw_only=True):
    """Open `account` under the immutable `root`; with `recourse` it stands for losses of other accounts of the root."""

    account: int
    root: int
    mode: Mode = Mode.CROSS
    kind: AccountClass = AccountClass.CLIENT
    recourse: bool = False


class ChangeMode(Command, frozen=True, array_like=True, tag=True, kw_only=True):
    """Margin `account` in another mode from here on, if it stands at `initial` in it."""

    account: int
    mode: Mode


class LinkOwner(Command, frozen=True, array_like=True, tag=True, kw_only=True):
    """Link `account` to an owner (0: to none): tiers, caps and concentration are judged on all accounts of one."""

    account: int
    owner: int


class Transfer(Command, frozen=True, array_like=True, tag=True, kw_only=True):
    """Move `amount` > 0 units of `asset` to account `to`: all of it, if as much could be withdrawn, or nothing."""

    account: int
    to: int
    asset: int
    amount: int


class Borrow(Command, frozen=True, array_like=True, tag=True, kw_only=True):
    """`account` asks for `amount` > 0 units of `asset` beyond its balance; what may leave goes in transit."""

    account: int
    asset: int
    amount: int


class Deposit(Command, frozen=True, array_like=True, tag=True, kw_only=True):
    """`amount` > 0 units of `asset` arrived in the vault for `account`."""

    account: int
    asset: int
    amount: int


class Withdraw(Command, frozen=True, array_like=True, tag=True, kw_only=True):
    """`account` asks for `amount` > 0 units of `asset`; what may leave goes in transit, the rest is refused."""

    account: int
    asset: int
    amount: int


class Fills(Command, frozen=True, array_like=True, tag=True, kw_only=True):
    """
    Novated fills as columns: a buyer and a seller, lots > 0, and one signed rounded value per fill.

    `value` has the sign the buyer books (linear > 0, inverse < 0). Buyer or seller 0 is the default account.
    `buyer_intent` and `seller_intent` name the intent a side fills (0: an own order). Empty columns mean all 0.
    The four hold columns are the side's resting lots after the fill (empty: unchanged). The two fee columns are units
    of the settlement asset that the side pays to the operator (negative: a rebate).
    """

    buyer: tuple[int, ...]
    seller: tuple[int, ...]
    contract: tuple[int, ...]
    lots: tuple[int, ...]
    value: tuple[int, ...]
    buyer_intent: tuple[int, ...] = ()
    seller_intent: tuple[int, ...] = ()
    buyer_bid: tuple[int, ...] = ()
    buyer_ask: tuple[int, ...] = ()
    seller_bid: tuple[int, ...] = ()
    seller_ask: tuple[int, ...] = ()
    buyer_fee: tuple[int, ...] = ()
    seller_fee: tuple[int, ...] = ()


class Holds(Command, frozen=True, array_like=True, tag=True, kw_only=True):
    """Worst resting lots per account and contract, as the matching engine reports them."""

    account: tuple[int, ...]
    contract: tuple[int, ...]
    bid: tuple[int, ...]
    ask: tuple[int, ...]


class OrderCheck(Command, frozen=True, array_like=True, tag=True, kw_only=True):
    """Ask whether `account` may place an order of signed `lots`; the answer is an event."""

    account: int
    contract: int
    lots: int


class IntentDone(Command, frozen=True, array_like=True, tag=True, kw_only=True):
    """The market confirms that nothing more will fill of an intent (account 0: the default account's)."""

    account: int
    intent: int


class SetMarks(Command, frozen=True, array_like=True, tag=True, kw_only=True):
    """
    Marks, funding indices, grades and slow marks (empty or 0: none) per contract, and prices per asset, used from the
    next cycle on.
    """

    contract: tuple[int, ...]
    mark: tuple[int, ...]
    funding: tuple[int, ...]
    grade: tuple[int, ...]
    asset: tuple[int, ...] = ()
    price: tuple[int, ...] = ()
    slow: tuple[int, ...] = ()


class SetSheet(Command, frozen=True, array_like=True, tag=True, kw_only=True):
    """A new risk sheet, as its canonical bytes, used from the next cycle on."""

    sheet: bytes


class SetMarket(Command, frozen=True, array_like=True, tag=True, kw_only=True):
    """Halt or resume a contract from the next cycle on."""

    contract: int
    halted: bool


class Delist(Command, frozen=True, array_like=True, tag=True, kw_only=True):
    """Only reduce positions of a contract from the next cycle on, until it is settled."""

    contract: int


class Settle(Command, frozen=True, array_like=True, tag=True, kw_only=True):
    """
    Settle a contract that expired or is delisted at delivery price `price`, in ticks: every position is paid out when
    the next cycle opens.
    """

    contract: int
    price: int


class Rescale(Command, frozen=True, array_like=True, tag=True, kw_only=True):
    """
    Make one lot of a contract `factor` lots when the next cycle opens, under `sheet`, whose terms per lot are for the
    new size.
    """

    contract: int
    factor: int
    sheet: bytes


class FundDeposit(Command, frozen=True, array_like=True, tag=True, kw_only=True):
    """Pay `amount` > 0 units of `asset` into a market's fund, the global fund (contract -1) or the operator's (-2)."""

    contract: int
    asset: int
    amount: int


AnyCommand = (
    OpenAccount
    | ChangeMode
    | LinkOwner
    | Transfer
    | Borrow
    | Deposit
    | Withdraw
    | Fills
    | Holds
    | OrderCheck
    | IntentDone
    | SetMarks
    | SetSheet
    | SetMarket
    | Delist
    | Settle
    | Rescale
    | FundDeposit
)


def encode_command(command: AnyCommand) -> bytes:
    """
    Return the canonical bytes of a command.

    Raises:
        CodecError: An integer does not fit 64 bits.
    """
    return encode(command)


def decode_command(data: bytes) -> AnyCommand:
    """
    Return the command of canonical bytes.

    Raises:
        CodecError: Malformed, oversized or not canonical.
    """
    return decode(data, AnyCommand)
