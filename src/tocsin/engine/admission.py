"""
Admission: what a command must be to be accepted in the open cycle (rules CM-001 to CM-012).

A check answers with a refusal, which names field, value and what is accepted, or with None.
"""

from tocsin.core import limits
from tocsin.core.errors import Reason, Refused
from tocsin.engine import commands as cm
from tocsin.margin.state import Mode
from tocsin.sheet.terms import RiskSheet


class Admission:
    """
    What is known when a cycle opens: accounts by root (`directory`, shared with the sequencer), contracts in the sheet
    and with a mark, assets, and what each vault holds with what was paid in since.
    """

    def __init__(self, directory: dict[int, int]) -> None:
        self.directory = directory
        self._contracts: frozenset[int] = frozenset()
        self._all_contracts: frozenset[int] = frozenset()
        self._assets: frozenset[int] = frozenset()
        self._borrowable: frozenset[int] = frozenset()
        self._has_portfolio = False
        self._vault: dict[int, int] = {}

    def set_terms(self, sheet: RiskSheet, marked: frozenset[int], vault: dict[int, int] | None = None) -> None:
        """
        Set which contracts are known and which have a mark, from the sheet and marks of the open cycle, and what the
        vault held when it opened (None where only accepted commands are stamped again).
        """
        self._vault = dict(vault or {})
        self._all_contracts = frozenset(c.id for c in sheet.contracts)
        self._contracts = self._all_contracts & marked
        self._assets = frozenset(a.id for a in sheet.assets)
        self._borrowable = frozenset(a.id for a in sheet.assets if a.borrow is not None)
        self._has_portfolio = sheet.portfolio is not None

    def paid_in(self, asset: int, amount: int) -> None:
        """Count an accepted payment into a vault."""
        self._vault[asset] = self._vault.get(asset, 0) + amount

    def check(self, command: cm.AnyCommand) -> Refused | None:
        """Return why a command is refused, or None."""
        match command:
            case cm.OpenAccount():
                return self._check_open(command)
            case cm.Deposit() | cm.Withdraw() | cm.Transfer() | cm.Borrow():
                return self._check_money(command)
            case cm.ChangeMode():
                return self._check_account(command.account) or self._check_mode(command.mode)
            case cm.LinkOwner():
                return self._check_account(command.account) or _check_range("owner", command.owner, 0)
            case cm.Fills():
                return self._check_fills(command)
            case cm.Holds():
                return self._check_holds(command)
            case cm.OrderCheck():
                if command.lots == 0 or abs(command.lots) > limits.LOTS_MAX:
                    return Refused(
                        Reason.OUT_OF_RANGE, detail=f"lots must be +-1 to {limits.LOTS_MAX}, was {command.lots}"
                    )
                return self._check_account(command.account) or self._check_contract(command.contract)
            case cm.IntentDone():
                return None if command.account == cm.HOUSE else self._check_account(command.account)
            case cm.SetMarks():
                return self._check_marks(command)
            case cm.SetSheet():
                return None
            case _:
                return self._check_market(command)

    def _check_money(self, command: cm.Deposit | cm.Withdraw | cm.Transfer | cm.Borrow) -> Refused | None:
        refused = (
            self._check_account(command.account)
            or self._check_asset(command.asset)
            or _check_positive("amount", command.amount, limits.CASH_MAX)
        )
        if refused is not None:
            return refused
        match command:
            case cm.Deposit():
                return self._check_vault(command.asset, command.amount)
            case cm.Transfer():
                if command.account == command.to:
                    return Refused(Reason.OUT_OF_RANGE, detail=f"to must be another account, was {command.to}")
                return self._check_account(command.to, "to")
            case cm.Borrow():
                return self._check_borrowable(command.asset)
            case cm.Withdraw():
                return None

    def _check_market(
        self, command: cm.SetMarket | cm.Delist | cm.Settle | cm.Rescale | cm.FundDeposit
    ) -> Refused | None:
        match command:
            case cm.SetMarket() | cm.Delist():
                return self._check_listed(command.contract)
            case cm.Settle():
                return self._check_contract(command.contract) or _check_positive("price", command.price, 2**60)
            case cm.Rescale():
                return self._check_contract(command.contract) or _check_range("factor", command.factor, 2, 10**6)
            case cm.FundDeposit():
                if command.contract not in (-1, -2) and command.contract not in self._all_contracts:
                    return Refused(
                        Reason.UNKNOWN_CONTRACT,
                        detail=f"contract must be -1, -2 or in the sheet, was {command.contract}",
                    )
                return (
                    self._check_asset(command.asset)
                    or _check_positive("amount", command.amount, limits.CASH_MAX)
                    or self._check_vault(command.asset, command.amount)
                )

    def _check_account(self, account: int, name: str = "account") -> Refused | None:
        if account in self.directory:
            return None
        return Refused(Reason.UNKNOWN_ACCOUNT, detail=f"{name} must be open, was {account}")

    def _check_listed(self, contract: int) -> Refused | None:
        if contract in self._all_contracts:
            return None
        return Refused(Reason.UNKNOWN_CONTRACT, detail=f"contract must be in the sheet, was {contract}")

    def _check_borrowable(self, asset: int) -> Refused | None:
        if asset in self._borrowable:
            return None
        return Refused(Reason.UNKNOWN_ASSET, detail=f"asset must be one that the sheet lends, was {asset}")

    def _check_asset(self, asset: int) -> Refused | None:
        if asset in self._assets:
            return None
        return Refused(Reason.UNKNOWN_ASSET, detail=f"asset must be in the sheet, was {asset}")

    def _check_vault(self, asset: int, amount: int) -> Refused | None:
        """Refuse what would lift the vault above its bound, counting all that was paid in since the cycle opened."""
        after = self._vault.get(asset, 0) + amount
        if after <= limits.VAULT_MAX:
            return None
        return Refused(
            Reason.ADMISSION_BOUND,
            after,
            limits.VAULT_MAX,
            f"amount must leave the vault of asset {asset} at most {limits.VAULT_MAX}, would be {after}",
        )

    def _check_contract(self, contract: int) -> Refused | None:
        if contract in self._contracts:
            return None
        return Refused(Reason.UNKNOWN_CONTRACT, detail=f"contract must be in the sheet and marked, was {contract}")

    def _check_open(self, command: cm.OpenAccount) -> Refused | None:
        for name, value in (("account", command.account), ("root", command.root)):
            if not _in_range(value, 1, limits.ACCOUNT_ID_MAX):
                return Refused(Reason.OUT_OF_RANGE, detail=f"{name} must be 1 to {limits.ACCOUNT_ID_MAX}, was {value}")
        if command.account in self.directory:
            return Refused(Reason.ACCOUNT_EXISTS, detail=f"account must be new, was {command.account}")
        return self._check_mode(command.mode)

    def _check_mode(self, mode: Mode) -> Refused | None:
        if mode != Mode.PORTFOLIO or self._has_portfolio:
            return None
        detail = "mode must be cross, isolated or external: the sheet has no components for portfolio accounts"
        return Refused(Reason.MODE_NOT_ALLOWED, detail=detail)

    def _check_fills(self, command: cm.Fills) -> Refused | None:
        columns = (command.buyer, command.seller, command.contract, command.lots, command.value)
        optional = (
            command.buyer_intent,
            command.seller_intent,
            command.buyer_bid,
            command.buyer_ask,
            command.seller_bid,
            command.seller_ask,
            command.buyer_fee,
            command.seller_fee,
        )
        refused = _check_columns(columns, optional)
        if refused is not None:
            return refused
        for i, (buyer, seller, contract, lots, value) in enumerate(zip(*columns, strict=True)):
            at = f"row {i}: "
            if contract not in self._contracts:
                return Refused(
                    Reason.UNKNOWN_CONTRACT, detail=f"{at}contract must be in the sheet and marked, was {contract}"
                )
            if not _in_range(lots, 1, limits.LOTS_MAX):
                return Refused(Reason.OUT_OF_RANGE, detail=f"{at}lots must be 1 to {limits.LOTS_MAX}, was {lots}")
            if not _in_range(value, -(2**61), 2**61):
                return Refused(Reason.OUT_OF_RANGE, detail=f"{at}value must be within +-2^61, was {value}")
            for name, side in (("buyer", buyer), ("seller", seller)):
                if not _in_range(side, 0, limits.ACCOUNT_ID_MAX):
                    return Refused(
                        Reason.OUT_OF_RANGE, detail=f"{at}{name} must be 0 to {limits.ACCOUNT_ID_MAX}, was {side}"
                    )
        bounds = [("intent", 0, 2**62)] * 2 + [("hold", -1, limits.LOTS_MAX)] * 4
        bounds += [("fee", -limits.CASH_MAX, limits.CASH_MAX)] * 2
        for column, (name, low, high) in zip(optional, bounds, strict=True):
            for i, value in enumerate(column):
                if not _in_range(value, low, high):
                    return Refused(Reason.OUT_OF_RANGE, detail=f"row {i}: {name} must be {low} to {high}, was {value}")
        return None

    def _check_holds(self, command: cm.Holds) -> Refused | None:
        columns = (command.account, command.contract, command.bid, command.ask)
        refused = _check_columns(columns, ())
        if refused is not None:
            return refused
        for i, (account, contract, bid, ask) in enumerate(zip(*columns, strict=True)):
            bad = self._check_account(account) or self._check_contract(contract)
            if bad is not None:
                return Refused(bad.reason, detail=f"row {i}: {bad.detail}")
            if not (_in_range(bid, 0, limits.LOTS_MAX) and _in_range(ask, 0, limits.LOTS_MAX)):
                return Refused(
                    Reason.OUT_OF_RANGE,
                    detail=f"row {i}: bid and ask must be 0 to {limits.LOTS_MAX}, were {bid}, {ask}",
                )
        return None

    def _check_marks(self, command: cm.SetMarks) -> Refused | None:
        columns = (command.contract, command.mark, command.funding, command.grade)
        refused = _check_columns(columns, ()) if any(columns) or not command.asset else None
        if refused is not None:
            return refused
        if len(command.slow) not in (0, len(command.contract)):
            return Refused(Reason.MALFORMED, detail="slow must be empty or as long as contract")
        for i, slow in enumerate(command.slow):
            if not _in_range(slow, -limits.MARK_MAX, limits.MARK_MAX):
                return Refused(Reason.OUT_OF_RANGE, detail=f"row {i}: slow must be within +-2^44, was {slow}")
        if len(command.asset) != len(command.price):
            return Refused(Reason.MALFORMED, detail="asset and price must be equally long")
        for i, contract in enumerate(command.contract):
            if contract not in self._all_contracts:
                return Refused(
                    Reason.UNKNOWN_CONTRACT, detail=f"row {i}: contract must be in the sheet, was {contract}"
                )
            if not _in_range(command.grade[i], 0, 2):
                return Refused(Reason.OUT_OF_RANGE, detail=f"row {i}: grade must be 0, 1 or 2, was {command.grade[i]}")
        for asset in command.asset:
            bad = self._check_asset(asset)
            if bad is not None:
                return bad
        return None


def _in_range(value: int, low: int, high: int) -> bool:
    return low <= value <= high


def _check_positive(name: str, value: int, most: int) -> Refused | None:
    if _in_range(value, 1, most):
        return None
    return Refused(Reason.OUT_OF_RANGE, detail=f"{name} must be 1 to {most}, was {value}")


def _check_range(name: str, value: int, low: int, high: int = limits.ACCOUNT_ID_MAX) -> Refused | None:
    if _in_range(value, low, high):
        return None
    return Refused(Reason.OUT_OF_RANGE, detail=f"{name} must be {low} to {high}, was {value}")


def _check_columns(columns: tuple[tuple[int, ...], ...], optional: tuple[tuple[int, ...], ...]) -> Refused | None:
    n = len(columns[0])
    if not 1 <= n <= limits.BATCH_ROWS_MAX:
        return Refused(Reason.OUT_OF_RANGE, detail=f"rows must be 1 to {limits.BATCH_ROWS_MAX}, were {n}")
    if any(len(c) != n for c in columns) or any(len(c) not in (0, n) for c in optional):
        return Refused(Reason.MALFORMED, detail=f"columns must be equally long ({n} rows)")
    return None
