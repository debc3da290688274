"""
One static page of HTML: headings, paragraphs, pictures, tables and lines to paste; no script, no network.
"""

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from html import escape

from tocsin.views.tables import Table

_CSS = """
:root { color-scheme: light dark; --ink: #111827; --muted: #4b5563; --line: #d1d5db; --paper: #ffffff;
  --soft: #f3f4f6; --accent: #b45309; }
@media (prefers-color-scheme: dark) { :root { --ink: #e5e7eb; --muted: #9ca3af; --line: #374151;
  --paper: #111418; --soft: #1b2027; --accent: #f59e0b; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.5;
  font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', Arial,
  sans-serif; }
main { max-width: 948px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 8px; }
h2 { font-size: 1.2rem; margin: 44px 0 8px; padding-top: 12px; border-top: 1px solid var(--line); }
p { margin: 8px 0; max-width: 72ch; }
.lede { color: var(--muted); font-size: 1.05rem; }
figure { margin: 20px 0; overflow-x: auto; }
figure svg { display: block; width: 100%; min-width: 640px; height: auto; border-radius: 6px; }
.scroll { overflow-x: auto; margin: 16px 0; }
table { border-collapse: collapse; width: 100%; font-size: 0.92rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 4px 0 8px; }
th, td { text-align: right; padding: 5px 12px 5px 0; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--muted); font-weight: 600; }
th:first-child, td:first-child { text-align: left; white-space: pre-wrap; min-width: 16em; font-weight: 400; }
thead th:first-child { font-weight: 600; }
tr.part th { padding-top: 16px; font-weight: 600; color: var(--accent); }
.note { color: var(--muted); font-size: 0.88rem; }
dl { margin: 12px 0; }
dt { margin-top: 12px; color: var(--muted); }
dd { margin: 4px 0 0; }
code { display: block; overflow-x: auto; background: var(--soft); border-radius: 6px; padding: 10px 12px;
  font: 0.88rem/1.4 ui-monospace, 'SFMono-Regular', Menlo, Consolas, 'DejaVu Sans Mono', monospace;
  user-select: all; white-space: pre; }
@media (max-width: 600px) { main { padding: 20px 16px 48px; } table { font-size: 0.84rem; }
  th:first-child, td:first-child { min-width: 9em; } }
footer { margin-top: 48px; color: var(--muted); font-size: 0.85rem; }
@media print { main { max-width: none; padding: 0; } h2 { break-after: avoid; }
  figure, table { break-inside: avoid; } }
""".strip()


@dataclass(frozen=True, slots=True)
class CommandLine:
    """
    A line to paste into a shell, and what it shows.
    """

    what: str
    line: str


@dataclass(frozen=True, slots=True)
class Section:
    """
    A part of the page; its pieces stand in the order of the fields, and any may be empty.

    Attributes:
        pictures: SVG made by `tocsin.views`; stands in the page as it is, so never from elsewhere.
        tables: Shown as HTML tables; a row of one cell is a heading within.
        commands: A click on one selects the whole of it.
    """

    heading: str
    paragraphs: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    commands: tuple[CommandLine, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportData:
    """
    Everything the page says, as plain text.
    """

    title: str
    lede: str
    sections: tuple[Section, ...]
    footer: str = ""


def render_report(data: ReportData) -> str:
    """
    Return the page as HTML that needs nothing else and may load nothing else.

    All text is escaped; a content security policy forbids scripts, links to other hosts and every style
    but the page's own, which it names by hash. Light and dark follow the reader's setting.
    """
    digest = b64encode(sha256(_CSS.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        '<link rel="icon" href="data:,">',
        f"<title>{escape(data.title)}</title>",
        f"<style>{_CSS}</style>",
        "</head>",
        "<body>",
        "<main>",
        f"<h1>{escape(data.title)}</h1>",
        f'<p class="lede">{escape(data.lede)}</p>',
    ]
    for section in data.sections:
        parts += _render_section(section)
    if data.footer:
        parts.append(f"<footer>{escape(data.footer)}</footer>")
    parts += ["</main>", "</body>", "</html>"]
    return "\n".join(parts) + "\n"


def _render_section(section: Section) -> list[str]:
    parts = ["<section>", f"<h2>{escape(section.heading)}</h2>"]
    parts += [f"<p>{escape(text)}</p>" for text in section.paragraphs]
    parts += [f"<figure>\n{picture}</figure>" for picture in section.pictures]
    for table in section.tables:
        parts += _render_table(table)
    if section.commands:
        parts.append("<dl>")
        for command in section.commands:
            parts.append(f"<dt>{escape(command.what)}</dt><dd><code>{escape(command.line)}</code></dd>")
        parts.append("</dl>")
    parts += [f'<p class="note">{escape(text)}</p>' for text in section.notes]
    parts.append("</section>")
    return parts


def _render_table(table: Table) -> list[str]:
    parts = ['<div class="scroll">', "<table>"]
    if table.title:
        parts.append(f"<caption>{escape(table.title)}</caption>")
    heads = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in table.columns)
    parts.append(f"<thead><tr>{heads}</tr></thead>")
    parts.append("<tbody>")
    for row in table.rows:
        if len(row) != len(table.columns):
            span = f'<th scope="rowgroup" colspan="{len(table.columns)}">{escape(row[0])}</th>'
            parts.append(f'<tr class="part">{span}</tr>')
        else:
            cells = "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
            parts.append(f'<tr><th scope="row">{escape(row[0])}</th>{cells}</tr>')
    parts += ["</tbody>", "</table>", "</div>"]
    if table.note:
        parts.append(f'<p class="note">{escape(table.note)}</p>')
    return parts
