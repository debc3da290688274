"""
The points of the picture: an account evaluated at many prices of its largest coin.
"""

from decimal import Decimal, localcontext

from tocsin.core.errors import DataError
from tocsin.venues import VenueRefusal
from tocsin.venues.contract import NUMBERS, Portfolio, Product
from tocsin.venues.registry import Rulebook
from tocsin.venues.shocks import move_underlying
from tocsin.views.margin_picture import Curve
from tocsin.views.margin_text import Judged

_STEPS = 160


def build_curve(book: Rulebook, judged: Judged) -> Curve:
    """
    Return the curve of the coin with the largest notional, to beyond the liquidation price and as far the other way.

    Raises:
        DataError: There is no leg, its mark is missing, or the equity is not known.
    """
    portfolio, found = judged.portfolio, judged.assessment
    if portfolio is None or found is None or not portfolio.legs:
        raise DataError("the picture needs an account with a position")
    evaluation = found.evaluation
    if evaluation.equity is None:
        raise DataError("the picture needs the account's equity: give its balances")
    with localcontext(NUMBERS):
        sizes: dict[str, Decimal] = {}
        for leg, margin in zip(portfolio.legs, evaluation.legs, strict=True):
            price = leg.mark if leg.product is Product.INVERSE and leg.mark else Decimal(1)
            sizes[leg.underlying] = sizes.get(leg.underlying, Decimal(0)) + abs(margin.notional) * price
        coin = max(sizes, key=lambda c: sizes[c])
        n = next(i for i, leg in enumerate(portfolio.legs) if leg.underlying == coin)
        leg = portfolio.legs[n]
        mark = leg.mark if leg.option is None else leg.index or leg.option.forward
        if mark is None:
            raise DataError(f"the picture needs the mark of {leg.symbol}")
        prices = {
            m.liquidation.price
            for x, m in zip(portfolio.legs, evaluation.legs, strict=True)
            if x.underlying == coin and m.liquidation is not None and m.liquidation.price is not None
        }
        reach = max([abs(p / mark - 1) for p in prices if p < 3 * mark], default=Decimal("0.25"))
        reach = min(max(reach * Decimal("1.3"), Decimal("0.05")), Decimal("0.95"))
        points = _points(book, portfolio, coin, mark, reach)
    return Curve(
        title=f"{judged.title}: {coin}",
        unit=evaluation.unit,
        coin=coin,
        mark=mark,
        points=tuple(points),
        liquidations=tuple(sorted(prices)),
        caption=f"{judged.rules}, parameters of {evaluation.basis.params_date}; {evaluation.basis.formula}",
    )


def _points(
    book: Rulebook, portfolio: Portfolio, coin: str, mark: Decimal, reach: Decimal
) -> list[tuple[Decimal, Decimal, Decimal | None, Decimal | None]]:
    points: list[tuple[Decimal, Decimal, Decimal | None, Decimal | None]] = []
    for i in range(_STEPS + 1):
        factor = 1 - reach + 2 * reach * i / _STEPS
        try:
            found = book.run(move_underlying(portfolio, coin, factor))
        except VenueRefusal:
            continue
        if found.equity is not None:
            points.append((mark * factor, found.equity, found.initial, found.maintenance))
    if len(points) < 2:
        raise DataError(f"{book.name} cannot be evaluated away from the marks")
    return points
