"""A bar chart as SVG, legible on light and dark ground. Pure."""

from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, TOP, ROW, BAR = 900, 420, 140, 64, 30, 18
STYLE = """
  .ground { fill: #ffffff } text { fill: #1f2328; font: 13px system-ui, sans-serif } .title { font-weight: 600; font-size: 15px }
  .faint { fill: #59636e } .bar { fill: #2f6f9f } .other { fill: #8c959f }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117 } text { fill: #e6edf3 } .faint { fill: #9198a1 } .bar { fill: #58a6d6 } .other { fill: #6e7681 }
  }
"""


def text(x, y, words, *, kind="", anchor="start"):
    return f'<text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def chart(title, note, rows):
    """rows: [(name, value or None, label, whether it is ours)]; a row without a value has its label alone."""
    most = max((value for _, value, _, _ in rows if value), default=1)
    height = TOP + ROW * len(rows) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{height}" rx="6"/>',
        text(16, 26, title, kind="title"), text(16, 46, note, kind="faint"),
    ]
    for number, (name, value, label, ours) in enumerate(rows):
        y = TOP + ROW * number
        width = (value or 0) / most * (WIDTH - LEFT - RIGHT)
        parts.append(text(LEFT - 12, y + 14, name, anchor="end"))
        if value:
            parts.append(f'<rect class="{"bar" if ours else "other"}" x="{LEFT}" y="{y}" width="{width:.1f}" '
                         f'height="{BAR}" rx="2"/>')
        parts.append(text(f"{LEFT + width + 8:.1f}", y + 14, label, kind="faint"))
    return "\n".join([*parts, "</svg>"]) + "\n"
