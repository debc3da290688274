"""
Draw `docs/architecture.svg`: how data flows, and which package may import which.

Run `python tools/draw_architecture.py` after a change here; a test compares the picture with the checked
layers and with this script.
"""

from pathlib import Path

from tocsin.views.svg import AMBER, BLUE, INK, MUTED, Canvas, compute_text_width

ROWS = (
    # From the core outward: a package imports only from rows before its own.
    ("core", "integers and rounding, identifiers, canonical bytes, hashes, errors, limits"),
    ("sheet", "contract terms, marks and their rule, risk sheets, collateral schedules, validation"),
    ("margin", "equity, requirement, levels, liquidation price, deadline: pure functions"),
    ("accounts", "the account store: cash, positions with entry sums, holds, levels"),
    ("procedures", "margin calls, liquidation, waterfall: (view, sheet, policy) to intents and records"),
    ("engine", "commands, the margin cycle, shards and clearing house, state root, invariants"),
    ("journal", "the one log on disk: segments, chain, snapshots; embedded host, replay, verify, why"),
)
OUTER = (
    ("risk", "option prices and greeks in floating point"),
    ("venues", "other people's rules as pure functions, one file a venue"),
    ("conform", "vector files against Tocsin, or against any program that speaks JSON lines"),
    ("desk", "what a venue says of an account: recomputed, every difference traced to a cause"),
    ("lab", "10 October 2025: data, price paths, synthetic accounts, comparison of rules"),
    ("views", "pure functions from plain values to text, pictures and pages"),
    ("cli", "the command line, one file a verb"),
)
FLOW = (
    ("sources", ("prices, models,", "settings")),
    ("marks, sheet", ("rounded once,", "published, hashed")),
    ("command", ("canonical bytes,", "stamped once")),
    ("journal", ("one order,", "synced to disk")),
    ("engine", ("shards and", "clearing house")),
    ("state root", ("one hash a cycle,", "events")),
    ("views", ("tables, pictures,", "pages")),
)
WIDTH, MARGIN, ROW, NAME = 900, 28, 34, 108


def draw_architecture() -> str:
    """
    Return the picture as SVG.
    """
    height = 208 + ROW * (len(ROWS) + len(OUTER)) + 72
    words = "; ".join(f"{name}: {text}" for name, text in (*ROWS, *OUTER))
    canvas = Canvas(WIDTH, height, "Tocsin on one page", f"Rows from the core outward. {words}.")
    canvas.text(MARGIN, 36, "Data flows one way", size=16, bold=True)
    _draw_flow(canvas, 54)

    top = 188
    canvas.text(MARGIN, top, "A file imports only from rows nearer the core", size=16, bold=True)
    y = height - 38 - ROW
    for name, text in ROWS:
        _draw_row(canvas, y, name, text, exact=True)
        y -= ROW
    y -= 6
    canvas.line(MARGIN, y + ROW - 2, WIDTH - MARGIN, y + ROW - 2, stroke=AMBER, width=2)
    line = "Below this line: exact integers only, and no clock or disk, except in journal/."
    canvas.text(MARGIN, y + ROW - 10, line, size=12.5, fill=AMBER, bold=True)
    y -= 26
    for name, text in OUTER:
        _draw_row(canvas, y, name, text, exact=False)
        y -= ROW
    note = "Floats exist only above the line; they reach the engine as published integers, in commands."
    canvas.text(MARGIN, height - 16, note, size=12, fill=MUTED)
    return canvas.render()


def _draw_flow(canvas: Canvas, top: float) -> None:
    gap = 14
    width = (WIDTH - 2 * MARGIN - gap * (len(FLOW) - 1)) / len(FLOW)
    for i, (name, lines) in enumerate(FLOW):
        x = MARGIN + i * (width + gap)
        exact = 1 <= i <= 5
        canvas.rect(x, top, width, 78, fill="#eff6ff" if exact else "#fffbeb", radius=6)
        canvas.rect(x, top, width, 3, fill=BLUE if exact else AMBER)
        canvas.text(x + width / 2, top + 27, name, size=13.5, bold=True, anchor="middle")
        for k, line in enumerate(lines):
            canvas.text(x + width / 2, top + 47 + 16 * k, line, size=11, fill=MUTED, anchor="middle")
        if i:
            middle = top + 39
            canvas.line(x - gap + 2, middle, x - 3, middle, stroke=INK, width=1.5)
            tip = [(x - 7, middle - 4), (x - 2.5, middle), (x - 7, middle + 4)]
            canvas.polyline(tip, stroke=INK, width=1.5)
    canvas.text(MARGIN, top + 96, "floats allowed", size=11, fill=AMBER)
    canvas.text(MARGIN + width + gap, top + 96, "exact integers", size=11, fill=BLUE)
    note = "whatever wants to change state sends a command"
    canvas.text(WIDTH - MARGIN, top + 96, note, size=11, fill=MUTED, anchor="end")


def _draw_row(canvas: Canvas, y: float, name: str, text: str, *, exact: bool) -> None:
    canvas.rect(MARGIN, y, WIDTH - 2 * MARGIN, ROW - 6, fill="#f8fafc" if exact else "#fffbeb", radius=4)
    canvas.rect(MARGIN, y, 4, ROW - 6, fill=BLUE if exact else AMBER)
    canvas.text(MARGIN + 16, y + 19, f"{name}/", size=13.5, bold=True)
    canvas.text(MARGIN + 16 + NAME, y + 19, text, size=12.5, fill=INK if exact else MUTED)
    assert compute_text_width(text, 12.5) < WIDTH - 2 * MARGIN - NAME - 20, text


if __name__ == "__main__":
    page = Path(__file__).parents[1] / "docs" / "architecture.svg"
    page.write_text(draw_architecture(), encoding="utf-8")
    print(f"wrote {page}")
