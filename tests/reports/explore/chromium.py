"""Chromium without a window, and a way to click what Plotly drew."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

WIDTH, HEIGHT = 1360, 1000


@contextmanager
def chromium(downloads: Path) -> Iterator[Any]:
    """A browser that puts what it downloads into a folder; skips the test where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("Chromium and chromedriver are not installed (Debian: apt install chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "enable-unsafe-swiftshader"):
        options.add_argument(f"--{flag}")  # WebGL in software, for parallel coordinates
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    made = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        made.execute_cdp_cmd(
            "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(downloads.resolve())}
        )
        resize(made, WIDTH)
        yield made
    finally:
        made.quit()


def resize(browser: Any, width: int) -> None:
    """Make the page as wide as a screen of so many pixels."""
    size = {"width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def wait(browser: Any, script: str, seconds: float = 20) -> Any:
    """What ``script`` returns as soon as it is true."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, seconds, poll_frequency=0.05).until(lambda b: b.execute_script(script))


def open_page(browser: Any, page: Path) -> None:
    """Open a report and wait until it has drawn itself."""
    browser.get(page.resolve().as_uri())
    wait(browser, "return document.documentElement.dataset.ready")


def errors(browser: Any) -> list[str]:
    """What the console has complained of since it was asked last."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def click_at(browser: Any, plot: str, x: float, y: float) -> None:
    """Click the place of a plot that has these values."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By

    element = browser.find_element(By.ID, plot)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    across, down = browser.execute_script(
        """const plot = arguments[0], { xaxis, yaxis } = plot._fullLayout, box = plot.getBoundingClientRect();
        return [xaxis._offset + xaxis.d2p(arguments[1]) - box.width / 2,
                yaxis._offset + yaxis.d2p(arguments[2]) - box.height / 2];""",
        element, x, y,
    )  # fmt: skip
    ActionChains(browser, duration=20).move_to_element_with_offset(element, round(across), round(down)).pause(
        0.1
    ).click().perform()
