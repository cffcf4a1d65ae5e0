# SPDX-License-Identifier: GPL-2.0-only
"""What the checks have found, as a table for terminals or for Markdown."""

HEADINGS = ("function", "role", "where", "traced", "prototype", "call sites")


def _sites(row):
    if not row.sites:
        return "-"
    if row.home.startswith("kernel"):
        return "in the kernel"
    files = []
    for label, owners in row.sites.items():
        if owners:
            names = (name + (f" x{count}" if count > 1 else "")
                     for name, count in sorted(owners.items()))
            files.append(f"{label}: {', '.join(names)}")
    return "; ".join(files) or "none"


def _cells(row):
    return row.name, row.role, row.home, row.traced, row.prototype, _sites(row)


def table(rows):
    """Lines of the table, one a function, in columns."""
    lines = [HEADINGS] + [_cells(row) for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADINGS) - 1)]
    for line in lines:
        yield "  ".join([cell.ljust(width) for cell, width in zip(line, widths)] + [line[-1]])


def markdown(rows):
    """The same as a table of Markdown."""
    yield "| " + " | ".join(HEADINGS) + " |"
    yield "| " + " | ".join("---" for _ in HEADINGS) + " |"
    for row in rows:
        name, *rest = _cells(row)
        yield "| " + " | ".join([f"`{name}`", *rest]) + " |"


def summary(rows):
    """The last line."""
    return f"{len(rows)} functions, {sum(len(row.errors) for row in rows)} errors"
