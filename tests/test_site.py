"""The documentation site builds without a warning, fetches nothing, and finds things; what the page shows of examples
can be typed; workflow, hooks and CONTRIBUTING call targets that exist."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

import fastswitch

ROOT = Path(__file__).parents[1]
PAGES = sorted(path.relative_to(ROOT) for path in (ROOT / "docs").rglob("*.md"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as ``make docs`` does, but elsewhere."""
    pytest.importorskip("material", reason="the extra docs is not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    env = {"PATH": "/usr/bin:/bin", "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    levels = {line.split()[0] for line in done.stderr.splitlines()}
    assert levels == {"INFO"}  # with --quiet, strict would see no warning either
    return folder


class _Addresses(HTMLParser):
    """What a page would fetch by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in ("script", "img", "iframe", "source", "video"):
            self.found.append(values.get("src") or "")
        if tag == "link" and values.get("rel") != "canonical":
            self.found.append(values.get("href") or "")


def test_every_page_is_there_and_fetches_nothing_from_elsewhere(site: Path) -> None:
    built = {path.relative_to(site).with_suffix(".md").as_posix() for path in site.rglob("*.html")}
    assert {page.relative_to("docs").as_posix() for page in PAGES} | {"CONTRIBUTING.md"} <= built
    for page in site.rglob("*.html"):
        parser = _Addresses()
        parser.feed(page.read_text())
        assert not [address for address in parser.found if "//" in address], page
    for style in site.rglob("*.css"):
        assert not re.search(r"(?:@import|url\()[\"']?(?:https?:)?//", style.read_text()), style


def test_pages_hold_what_is_generated(site: Path) -> None:
    commands, names = ((site / "reference" / page).read_text() for page in ("commands.html", "api.html"))
    for name in fastswitch.COMMANDS:
        assert f"Usage: fastswitch {name} " in commands
    for name in ("Accelerator", "SubGraph", "optimise_layer", "pin_best"):
        assert f"<code>{name}" in names
    assert "def main(" in re.sub("<[^>]*>", "", (site / "how-to" / "examples.html").read_text())


@pytest.fixture
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    selenium = pytest.importorskip("selenium.webdriver")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("Chromium and its driver (Debian: chromium, chromium-driver) are not installed")
    options = selenium.ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,900"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = selenium.Chrome(options=options, service=selenium.ChromeService(driver))
    with contextlib.closing(opened):
        yield opened
    opened.quit()


def test_search_works_on_a_copy_on_disk(site: Path, browser: Any) -> None:
    from selenium.webdriver.support.wait import WebDriverWait

    browser.get((site / "index.html").as_uri())
    box = browser.find_element("css selector", "input.md-search__input")
    browser.execute_script("document.querySelector('#__search').click()")
    WebDriverWait(browser, 20).until(lambda _: box.is_displayed())
    box.send_keys("zero-point and scale buffer")
    found = WebDriverWait(browser, 20).until(
        lambda b: b.find_elements("css selector", ".md-search-result__item a.md-search-result__link")
    )
    assert any("index.html" in link.get_attribute("href") for link in found)
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_tables_stay_on_the_page(site: Path, browser: Any) -> None:
    """A page never scrolls sideways: what is too wide scrolls in its own box."""
    for page in sorted(site.rglob("*.html")):
        browser.get(page.as_uri())
        wide, seen = browser.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
        assert wide <= seen, page.name


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "bench/README.md", *map(str, PAGES)])
def test_links_lead_somewhere_in_the_repository_too(page: str) -> None:
    """As a host shows it: relative links are files or folders of the tree."""
    text = re.sub(r"^```.*?^```", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", text):
        assert ":" in target or ((ROOT / page).parent / target).exists(), target


# ---- drawings ----


def test_drawings_are_what_their_program_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawings = _program("draw_concepts")
    monkeypatch.setattr(drawings, "FOLDER", tmp_path)
    for name, draw in drawings.DRAWINGS.items():
        draw(name)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_bytes() for path in (ROOT / "docs" / "concepts").glob("*.svg")}


# ---- examples ----


def _program(name: str) -> Any:
    """A program of docs/site, which is in no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "site" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shown() -> list[re.Match[str]]:
    """The commands of docs/how-to/examples.md with what they printed, as the program that writes them finds them."""
    module = _program("run_examples")
    return list(module.SHOWN.finditer(module.PAGE.read_text()))


def test_the_page_shows_every_example() -> None:
    page = (ROOT / "docs" / "how-to" / "examples.md").read_text()
    scripts = {f"examples/{path.name}" for path in (ROOT / "examples").glob("*.py")}
    assert {script for script in scripts if f"({'../../' + script})" in page} == scripts
    training = {"examples/train_fashion.py", "examples/train_cifar.py"}
    assert {shlex.split(found["command"])[1] for found in shown()} == scripts - training


@pytest.mark.parametrize("found", shown(), ids=lambda found: shlex.split(found["command"])[1])
def test_what_the_page_shows_can_be_typed(found: re.Match[str]) -> None:
    """Its options exist, there is output below it, and its picture is there."""
    _, script, *words = shlex.split(found["command"])
    text = (ROOT / script).read_text()
    for word in words:
        if word.startswith("--"):
            assert f'"{word}"' in text
        if word.endswith(".png"):
            assert (ROOT / word).stat().st_size > 10_000
    assert found["output"].count("\n") > 5


# ---- what calls make ----


def targets_of(text: str) -> set[str]:
    """The targets that a text calls, ``make`` at the start of a command or in code quotes."""
    return set(re.findall(r"(?:^|[`\s:-])make ([a-z]+)", text, re.MULTILINE))


def commands_of(workflow: Path) -> list[str]:
    """Every command line of a workflow's steps."""
    jobs = yaml.safe_load(workflow.read_text())["jobs"]
    return [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]


def test_ci_and_workflow_check_the_same() -> None:
    script = targets_of((ROOT / ".ci" / "run").read_text())
    assert {"test", "lint", "types", "docs"} <= script <= TARGETS
    (workflow,) = WORKFLOWS
    called = set().union(*(targets_of(command) for command in commands_of(workflow)))
    assert called - {"setup"} == script and called <= TARGETS
    assert any(command.startswith(".ci/bounds ") for command in commands_of(workflow))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_to_a_major_version(workflow: Path) -> None:
    for job in yaml.safe_load(workflow.read_text())["jobs"].values():
        for step in job["steps"]:
            assert "run" in step or re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"])


def test_hooks_are_local_and_call_targets() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    (repo,) = config["repos"]
    assert repo["repo"] == "local"
    entries = [hook["entry"] for hook in repo["hooks"]]
    assert all(entry.startswith("make ") for entry in entries)
    assert {entry.removeprefix("make ") for entry in entries} <= TARGETS


def test_pre_commit_takes_the_hooks() -> None:
    pre_commit = shutil.which("pre-commit", path=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin")
    if pre_commit is None:
        pytest.skip("pre-commit is not installed")
    subprocess.run([pre_commit, "validate-config", ".pre-commit-config.yaml"], cwd=ROOT, check=True)


def test_contributing_names_what_exists() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert targets_of(text) <= TARGETS
    for path in re.findall(r"`((?:[\w.]+/)+[\w.]*|[\w]+\.(?:py|md|toml))`", text):
        assert (ROOT / path).exists() or path.startswith("build/"), path  # made by `make docs`


def ci_run(tree: Path, apt: str) -> tuple[list[str], str]:
    """What ``.ci/run`` calls, in order, and what it says, where apt-get does ``apt`` and nothing else is installed."""
    log = f'echo "${{0##*/}} $*" >>{tree}/log'
    programs = {"apt-get": f"{log}; {apt}", "make": log, "id": "echo 0"}
    for name, body in programs.items():
        (tree / "bin" / name).write_text(f"#!/bin/bash\n{body}\n")
        (tree / "bin" / name).chmod(0o755)
    env = {"PATH": str(tree / "bin")}
    done = subprocess.run([tree / ".ci" / "run"], env=env, capture_output=True, text=True, check=True)
    calls = (tree / "log").read_text().splitlines()
    (tree / "log").unlink()
    return calls, done.stderr


def test_ci_installs_what_it_can_and_goes_on_without(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    (tmp_path / "bin").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    for tool in ("env", "bash", "dirname", "timeout"):
        found = shutil.which(tool)
        assert found
        (tmp_path / "bin" / tool).symlink_to(found)
    (tmp_path / ".ci" / "bounds").write_text(f'#!/bin/bash\necho "bounds $*" >>{tmp_path}/log\n')
    (tmp_path / ".ci" / "bounds").chmod(0o755)
    checks = ["make test", "make lint", "make types", "make docs", "bounds lowest"]
    update, install, *rest = ci_run(tmp_path, "exit 0")[0]
    assert update.startswith("apt-get update") and rest == checks
    assert install.endswith(" chromium chromium-driver iverilog")
    calls, said = ci_run(tmp_path, "echo no network >&2; exit 100")
    assert [call for call in calls if not call.startswith("apt-get")] == checks
    assert said == "not installed: chromium chromium-driver iverilog; tests that want them are skipped\n"
    (tmp_path / "bin" / "iverilog").symlink_to("/bin/true")
    (tmp_path / "bin" / "chromium").symlink_to("/bin/true")
    assert ci_run(tmp_path, "exit 0")[0][1].endswith("--no-install-recommends chromium-driver")
