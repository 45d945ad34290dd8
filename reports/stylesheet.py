"""The page's stylesheet: by hand, one column, light and dark, nothing fetched."""

from __future__ import annotations

from reports.colours import ALL


def stylesheet() -> str:
    """The CSS of the page, with every colour of :mod:`reports.colours` as a variable."""
    light = " ".join(f"--{colour.name}: {colour.light};" for colour in ALL)
    dark = " ".join(f"--{colour.name}: {colour.dark};" for colour in ALL)
    return (
        f":root {{ color-scheme: light dark; {light} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n{_RULES}"
    )


_RULES = """\
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif;
  font-variant-numeric: tabular-nums;
}
main { max-width: 1220px; margin: 0 auto; padding: 64px 40px 48px; }
h1 { font-size: 30px; font-weight: 650; letter-spacing: -0.015em; line-height: 1.2; margin: 0 0 6px; }
h2 { font-size: 19px; font-weight: 650; letter-spacing: -0.005em; margin: 0 0 4px; }
p { margin: 0; max-width: 88ch; text-wrap: pretty; }
.lead, .note { color: var(--muted); }
section { margin-top: 72px; }
.banner {
  margin-top: 32px; padding: 18px 22px; max-width: none;
  border: 2px solid var(--bad); border-radius: 6px; background: var(--bad-panel);
  font-size: 17px;
}
.banner strong { color: var(--bad); }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(156px, 1fr)); gap: 28px 16px;
  margin: 44px 0 0; }
.numbers div { display: flex; flex-direction: column-reverse; justify-content: flex-end; }
.numbers dt { color: var(--muted); font-size: 13px; }
.numbers dd { margin: 0; font-size: 32px; font-weight: 600; letter-spacing: -0.02em; line-height: 1.25; }
.numbers dd small { font-size: 17px; font-weight: 500; letter-spacing: 0; color: var(--muted); margin-left: 3px; }
.numbers .bad dd, .numbers .bad dt { color: var(--bad); }
figure { margin: 20px 0 0; overflow-x: auto; }
svg { display: block; width: 100%; min-width: 800px; height: auto; }
svg * { stroke-linejoin: round; stroke-linecap: butt; }
.table { margin-top: 20px; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13px; line-height: 1.4; }
th, td { padding: 7px 8px; text-align: right; vertical-align: middle; white-space: nowrap; }
th { font-weight: 600; border-bottom: 1px solid var(--muted); vertical-align: top; }
td { border-bottom: 1px solid var(--grid); }
th:first-child, td:first-child { padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
.left { text-align: left; }
td small, th small { font-weight: 400; display: block; font-size: 12px; color: var(--muted); }
td img { display: block; width: 36px; height: 36px; border-radius: 3px; image-rendering: pixelated; }
.yes { color: var(--good); }
.no { color: var(--bad); font-weight: 600; }
td small.no { color: var(--bad); }
tr.different td { background: var(--bad-panel); border-bottom-color: var(--bad); }
tr.different td:first-child { box-shadow: inset 4px 0 var(--bad); padding-left: 10px; }
.loud { display: inline-block; padding: 1px 5px; border-radius: 3px; background: var(--bad); color: var(--paper);
  font-weight: 700; }
footer { margin-top: 72px; padding-top: 20px; border-top: 1px solid var(--grid); color: var(--muted); font-size: 13px; }
footer dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 24px; margin: 0; }
footer dd { margin: 0; color: var(--ink); overflow-wrap: anywhere; }
code { font: 12.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
@media (max-width: 640px) { main { padding: 32px 18px; } section { margin-top: 48px; } }
@media print { main { max-width: none; padding: 0; } section, tr { break-inside: avoid; } }
"""
