"""
`tocsin margin`: one account under a venue's margin rules, offline.
"""

import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from cyclopts import Parameter

from tocsin.cli.output import Exit, UsageError, print_error, print_json

if TYPE_CHECKING:
    from tocsin.venues.contract import Portfolio
    from tocsin.venues.registry import Rulebook
    from tocsin.views.margin_text import Judged

_FILE_MAX = 64 * 1024 * 1024


class _Account(NamedTuple):
    """One account of a file: where it stands, its inputs, the rulebook that it names ("" if none), what is odd."""

    label: str
    portfolio: "Portfolio"
    rules: str
    notes: tuple[str, ...] = ()


def margin(
    file: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    rules: Annotated[tuple[str, ...], Parameter(name="--rules", consume_multiple=True)] = (),
    what_if: Annotated[tuple[str, ...], Parameter(name="--what-if")] = (),
    vol: tuple[str, ...] = (),
    venue: str = "",
    svg: Path | None = None,
    explain: bool = False,
    json: bool = False,
) -> int:
    """
    Recompute an account's margin by a venue's rules: equity, requirements, liquidation price or why there is none.

    Prints also the distance in percent and in daily moves, T* (how long until maintenance is reached with 0.1 %
    probability), and the cheapest cure. Reads no network. Exit code 1 if one rulebook was
    asked and the account is at or below its maintenance.

    Parameters
    ----------
    file
        The account: our own JSON (docs/reference/portfolio-json.md), a venue's payload as it came, or a ccxt dump; `-`
        reads standard input.
    rules
        Rulebooks to use, or `all`; `tocsin` for Tocsin's own (also `tocsin-broker`, `tocsin-clearing`); default: the
        one that the file names or shows.
    what_if
        Move a market first: `BTC=-10%` or `BTC=90000`; may be given several times.
    vol
        Daily volatility: `4%` for all coins, `BTC=2.5%` for one; default: shipped figures, dated in the output.
    venue
        Whose payload it is, where its fields do not tell.
    svg
        Write a picture of equity and requirements over the price of the largest coin.
    explain
        Print formulas, brackets, parameter dates and sources.
    json
        Print one object.
    """
    from tocsin.core.errors import ConfigError, TocsinError
    from tocsin.venues.shocks import apply_shocks, read_shock

    try:
        shocks = [read_shock(text) for text in what_if]
        asked = _find_rules(rules)
    except ConfigError as error:
        raise UsageError(str(error)) from None
    volatilities = _read_vols(vol)
    accounts = _read(file, venue)
    if svg is not None and (len(accounts) > 1 or len(asked) > 1):
        raise UsageError("--svg draws one account under one rulebook; name one --rules")
    judged: list[tuple[str, list[Judged]]] = []
    for label, portfolio, named, notes in accounts:
        try:
            moved = apply_shocks(portfolio, shocks) if shocks else portfolio
            books = asked or _choose(named, moved)
        except (TocsinError, UsageError) as error:
            if len(accounts) == 1:
                raise
            judged.append((label, [_refuse(named, error)]))
            continue
        judged.append((label, [_judge(book, moved, volatilities, notes) for book in books]))
    if svg is not None:
        _draw(svg, judged[0][1][0])
    if json:
        _print_json(judged, what_if)
    else:
        _print_text(judged, explain, what_if)
    return _exit_code(judged)


def _read(file: str, venue: str) -> list[_Account]:
    """
    Return the accounts in the file.
    """
    from tocsin.core.errors import DataError
    from tocsin.desk.account import Account
    from tocsin.desk.question import FAR_APART_S
    from tocsin.venues.portfolio_json import looks_like_portfolio
    from tocsin.venues.readers.files import decode, read_value

    if file.startswith("-") and file != "-":
        raise UsageError(f"FILE must be a path, or - for standard input, was {file!r}")
    if file == "-":
        label, raw = "standard input", sys.stdin.buffer.read(_FILE_MAX + 1)
    else:
        label = file
        with Path(file).open("rb") as stream:
            raw = stream.read(_FILE_MAX + 1)
    value: Any = decode(raw, label)
    own: list[Any] = value if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]
    if own and all(looks_like_portfolio(item) and "payloads" not in item for item in own):
        names = [label] if own is not value else [f"{label}, account {n}" for n in range(len(own))]
        return [_read_own(name, item) for name, item in zip(names, own, strict=True)]
    found = read_value(value, label=label, venue=venue)
    for part in (*found.skipped, *found.broken):
        print_error(f"{part.label}: {part.reason}")
    if not found.readings:
        raise DataError(f"{label}: holds no account that can be read")
    accounts: list[_Account] = []
    for reading in found.readings:
        spread_s = Account(reading).spread_s
        apart = (f"time stamps of the payload lie {spread_s} s apart: its parts are of different moments",)
        notes = (*reading.notes, *(apart if spread_s > FAR_APART_S else ()))
        accounts.append(_Account(reading.label or label, reading.portfolio, reading.rules, notes))
    return accounts


def _read_own(label: str, value: Any) -> _Account:
    from tocsin.core.errors import DataError
    from tocsin.venues.portfolio_json import read_portfolio

    try:
        return _Account(label, *read_portfolio(value))
    except DataError as error:
        raise DataError(f"{label}: {error}") from None


def _find_rules(rules: tuple[str, ...]) -> "list[Rulebook]":
    from tocsin.desk.own_rules import OWN_RULES
    from tocsin.venues.registry import all_rulebooks, find_rulebook

    if "all" in rules:
        return [*all_rulebooks(), *OWN_RULES]
    own = {"tocsin": OWN_RULES[0], **{book.name: book for book in OWN_RULES}}
    names = [name for text in rules for name in text.split(",") if name]
    return [own[name] if name in own else find_rulebook(name) for name in names]


def _choose(named: str, portfolio: "Portfolio") -> "list[Rulebook]":
    from tocsin.venues.registry import find_rulebook, rulebooks_of

    if named:
        return [find_rulebook(named)]
    own = rulebooks_of(portfolio.venue)
    products = {leg.product for leg in portfolio.legs}
    fitting = [b for b in own if products <= set(b.products) and {leg.mode for leg in portfolio.legs} <= set(b.modes)]
    if len(fitting) == 1:
        return fitting
    known = ", ".join(b.name for b in own) or "any name of `--rules all`"
    raise UsageError(f"--rules must be given: the file does not tell which rules govern the account; try {known}")


def _judge(
    book: "Rulebook", portfolio: "Portfolio", volatilities: dict[str, Decimal], notes: tuple[str, ...]
) -> "Judged":
    """
    Return a rulebook's answer; what it cannot judge becomes the reason.
    """
    import msgspec

    from tocsin.core.errors import TocsinError
    from tocsin.venues.assess import assess
    from tocsin.venues.checks import check_marks
    from tocsin.venues.translate import translate
    from tocsin.views.margin_text import Judged

    try:
        check_marks(portfolio)
        own = portfolio if book.venue == "tocsin" else translate(portfolio, book)
        found = assess(book, own, volatilities)
        return Judged(book.name, book.title, own, msgspec.structs.replace(found, notes=(*notes, *found.notes)))
    except TocsinError as error:
        return Judged(book.name, book.title, None, None, str(error))


def _refuse(named: str, error: Exception) -> "Judged":
    from tocsin.views.margin_text import Judged

    return Judged(named or "no rulebook", named or "no rulebook", None, None, str(error))


def _read_vols(texts: tuple[str, ...]) -> dict[str, Decimal]:
    from tocsin.venues.reading import PayloadError, to_number

    vols: dict[str, Decimal] = {}
    for text in texts:
        coin, sign, number = text.rpartition("=")
        try:
            value = to_number(number.strip().removesuffix("%").strip(), "--vol")
        except PayloadError:
            value = Decimal(0)
        if number.strip().endswith("%"):
            value /= 100
        if not 0 < value <= 10 or (sign and not coin.strip()):
            raise UsageError(f"--vol must be like 4% or BTC=2.5%, above 0 and at most 1000 %, was {text!r}")
        vols[coin.strip().upper() if sign else "*"] = value
    return vols


def _draw(path: Path, judged: "Judged") -> None:
    from tocsin.views.margin_curve import build_curve
    from tocsin.views.margin_picture import draw_curve

    if judged.portfolio is None:
        raise UsageError(f"--svg has nothing to draw: {judged.reason}")
    curve = build_curve(_find_rules((judged.rules,))[0], judged)
    path.write_text(draw_curve(curve), encoding="utf-8")
    print_error(f"picture written to {path}")


def _print_text(judged: "list[tuple[str, list[Judged]]]", explain: bool, what_if: tuple[str, ...]) -> None:
    from tocsin.core.errors import DataError
    from tocsin.views.margin_text import write_account, write_rules

    if what_if:
        print(f"what if {', '.join(what_if)}")
    for n, (label, answers) in enumerate(judged):
        if len(judged) > 1:
            print(f"\n{label}" if n else label)
        if len(answers) == 1:
            if answers[0].assessment is None and len(judged) == 1:
                raise DataError(f"{answers[0].rules}: {answers[0].reason}")
            print(write_account(answers[0], explain=explain), end="")
        else:
            print(write_rules(answers), end="")
            if explain:
                print("".join("\n" + write_account(a, explain=True) for a in answers if a.assessment), end="")


def _print_json(judged: "list[tuple[str, list[Judged]]]", what_if: tuple[str, ...]) -> None:
    from tocsin.views.margin_json import judged_value

    accounts = [{"file": label, "rules": [judged_value(a) for a in answers]} for label, answers in judged]
    print_json({"what_if": list(what_if), "accounts": accounts})


def _exit_code(judged: "list[tuple[str, list[Judged]]]") -> int:
    """
    Return 1 if an account is at or below maintenance; asked of several rulebooks, an answer is no finding.
    """
    from tocsin.venues.contract import NoPrice

    answers = [a for _, group in judged for a in group if a.assessment is not None]
    if not answers:
        return Exit.DATA
    for _, group in judged:
        found = group[0].assessment
        if len(group) > 1 or found is None:
            continue
        below = any(m.liquidation and m.liquidation.reason is NoPrice.ALREADY_BELOW for m in found.evaluation.legs)
        if below or any(cure.level == "maintenance" for cure in found.cures):
            return Exit.FINDING
    return Exit.OK
