"""axe-core on a page that Playwright drives: what would stop people who see or hear less, one line each."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

ROOT = Path(__file__).parents[1]
PLACES = (
    ROOT / "firmware_app/department/node_modules/axe-core/axe.min.js",
    ROOT / "build/test/axe.min.js",
)
AXE_JS = next((path for path in PLACES if path.exists()), None)
"""The script, of the npm package axe-core; None: not installed."""
RUN = """async () => {
    const found = await axe.run({ rules: { 'target-size': { enabled: true } } });
    return found.violations.flatMap((violation) => violation.nodes.map((node) =>
        `${violation.id} (${violation.impact}): ${violation.help}: ${node.target.join(' ')}: `
        + (node.failureSummary ?? '').replace(/\\s+/g, ' ')));
}"""


def violations(page: Page) -> list[str]:
    """Every violation of axe-core's rules (WCAG 2.2 A and AA, and its best practices) on the page as it is.

    Skipped rules and what axe cannot decide ("incomplete") do not count. Works under any content security
    policy: the script comes through the debugger, not through the page.

    Raises:
        RuntimeError: axe-core is not installed.
    """
    if AXE_JS is None:
        raise RuntimeError("axe-core is not installed: make setup-test")
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_JS.read_text(encoding="utf-8"))
    return [str(line) for line in page.evaluate(RUN)]
