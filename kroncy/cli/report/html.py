"""The pieces of the page: tables, pictures, sections."""

import base64
import html
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ...plot import new_figure

STYLE = """\
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; color: #222; background: #f6f6f4;
       margin: 0 auto; max-width: 70rem; padding: 1.5rem; }
h1 { margin: 0 0 .25rem; } h2 { margin: 2rem 0 .75rem; font-size: 1.25rem; }
.lead { color: #555; margin: 0 0 1rem; }
.cards { display: grid; gap: 1rem;
         grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); }
.card { background: #fff; border: 1px solid #ddd; border-radius: 6px; padding: 1rem; margin: 0; }
.card h3 { margin: 0 0 .5rem; font-size: 1rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
td { padding: .15rem .5rem .15rem 0; vertical-align: top; overflow-wrap: anywhere; }
td:first-child { color: #666; white-space: nowrap; width: 1%; padding-right: 1.5rem; }
img { width: 100%; height: auto; display: block; }
figcaption { font-size: .9rem; color: #444; margin-top: .5rem; }
pre { background: #fff; border: 1px solid #ddd; border-radius: 6px; padding: 1rem; margin: 0;
      font-size: .85rem; white-space: pre-wrap; }
"""
DPI = 140

Rows = Iterable[tuple[str, Any]]


@dataclass(frozen=True)
class Section:
    """A heading with cards."""

    title: str
    cards: list[str]

    def __str__(self) -> str:
        cards = "\n".join(self.cards)
        return f'<h2>{html.escape(self.title)}</h2>\n<div class="cards">\n{cards}\n</div>'


def table(title: str, rows: Rows) -> str:
    """A card with names and values."""
    cells = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(str(value))}</td></tr>"
        for name, value in rows
    )
    return f'<section class="card"><h3>{html.escape(title)}</h3><table>{cells}</table></section>'


def picture(draw: Callable[[Any], object], caption: str) -> str:
    """A card with what `draw` puts into an Axes; the page holds the picture itself."""
    figure, axes = new_figure(1)
    figure.set_size_inches(4.4, 3.3)
    draw(axes[0])
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=DPI)
    address = "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
    text = html.escape(caption)
    return (f'<figure class="card"><img alt="{text}" src="{address}">'
            f"<figcaption>{text}</figcaption></figure>")


def text(content: str) -> str:
    """Lines as they are."""
    return f"<pre>{html.escape(content)}</pre>"


def whole_page(title: str, lead: str, parts: Iterable[object]) -> str:
    """The page."""
    name, body = html.escape(title), "\n".join(map(str, parts))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>kroncy report: {name}</title>
<style>
{STYLE}</style>
</head>
<body>
<h1>{name}</h1>
<p class="lead">{html.escape(lead)}</p>
{body}
</body>
</html>
"""
