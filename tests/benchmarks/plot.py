"""A plot as SVG text: a panel for each kind, a row for each that was measured, a dot for each value and a bar at the median.

Its colours are neither light nor dark, and there is no background: it is read on a white page and on a black one.
"""

import math
import statistics
from xml.sax.saxutils import escape

WIDTH, RIGHT = 760, 64
# As wide as a letter of a common font is on average, and what is left beside a name.
LETTER, MARGIN = 6.6, 12
ROW, HEAD, FOOT = 20, 26, 30
TEXT, LINE, DOT, OURS = "#7a828c", "#7a828c", "#3d8bd4", "#d9722e"
OUR_NAMES = ("watch", "callback", "bootstrap", "repoint", "run")


def shown(value):
    """A figure in a table: to three digits."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.{max(0, min(2, 2 - math.floor(math.log10(abs(value)))))}f}"


def brief(value, unit):
    """The same in a plot, with its unit."""
    if unit == "ms" and abs(value) >= 1000:
        return f"{value / 1000:.3g} s"
    return f"{value:,.3g} {unit}" if abs(value) < 1000 else f"{value:,.0f} {unit}"


def is_ours(name):
    return name.startswith(OUR_NAMES) or "with repoint" in name


def plot(lines):
    """Panels of one unit have one scale."""
    lines = [line for line in lines if line["values"]]
    scales = {unit: scale([line for line in lines if line["unit"] == unit], unit) for unit in {it["unit"] for it in lines}}
    left = MARGIN + LETTER * max(len(line["what"]) for line in lines)
    panels, top = [], 0
    for kind in dict.fromkeys(line["kind"] for line in lines):
        own = [line for line in lines if line["kind"] == kind]
        panels.append(panel(kind, own, (left, top), scales[own[0]["unit"]]))
        top += HEAD + ROW * len(own) + FOOT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}" '
        f'font-family="sans-serif" font-size="12" fill="{TEXT}">\n' + "".join(panels) + "</svg>\n"
    )


def scale(lines, unit):
    """The powers of ten at both ends. What was there before it could be asked for is drawn at the left one."""
    values = [value for line in lines for value in line["values"]]
    first = math.floor(math.log10(max(min(values), 1 if unit == "ms" else 0.01)))
    return first, max(math.ceil(math.log10(max(*values, 0.01))), first + 1)


def panel(kind, lines, corner, ends):
    unit, (first, last), (left, top) = lines[0]["unit"], ends, corner

    def x(value):
        share = (math.log10(max(value, 10.0**first)) - first) / (last - first)
        return left + share * (WIDTH - left - RIGHT)

    bottom = top + HEAD + ROW * len(lines)
    drawn = [f'<text x="0" y="{top + 16}" font-weight="bold">{escape(kind)}</text>\n']
    for power in range(first, last + 1):
        at = x(10.0**power)
        drawn.append(f'<path d="M{at:.1f} {top + HEAD}V{bottom}" stroke="{LINE}" stroke-opacity=".35"/>')
        label = brief(10.0**power, unit)
        drawn.append(f'<text x="{at:.1f}" y="{bottom + 14}" text-anchor="middle" font-size="11">{label}</text>\n')
    for number, line in enumerate(lines):
        y = top + HEAD + ROW * number + ROW / 2
        colour = OURS if is_ours(line["what"]) else DOT
        middle = statistics.median(line["values"])
        drawn.append(f'<text x="{left - 8:.0f}" y="{y + 4:.0f}" text-anchor="end">{escape(line["what"])}</text>')
        drawn += [
            f'<circle cx="{x(value):.1f}" cy="{y:.0f}" r="3.5" fill="{colour}" fill-opacity=".5"/>'
            for value in sorted(line["values"])
        ]
        drawn.append(f'<path d="M{x(middle):.1f} {y - 7:.0f}v14" stroke="{colour}" stroke-width="2.5"/>')
        drawn.append(f'<text x="{WIDTH - RIGHT + 8}" y="{y + 4:.0f}" font-size="11">{brief(middle, unit)}</text>\n')
    return "".join(drawn)
