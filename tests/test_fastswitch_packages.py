"""Another package with the name of one of FastSwitch's is named in one line, whatever it is and wherever it lies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastswitch

ROOT = Path(__file__).parents[1]
COMMAND = ("-m", "fastswitch", "--version")
IMPORT = ("-c", "import fastswitch; print(fastswitch.hidden_package())")


def distribution(site: Path, name: str, body: str = "") -> Path:
    """A distribution ``other-NAME`` with the top-level package ``name``, installed in the folder ``site``."""
    (site / name).mkdir(parents=True)
    (site / name / "__init__.py").write_text(body)
    info = site / f"other_{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: other-{name}\nVersion: 1.0\n")
    (info / "RECORD").write_text(f"{name}/__init__.py,,\n")
    (info / "top_level.txt").write_text(f"{name}\n")
    return site


def python(cwd: Path, *words: str, path: tuple[Path, ...]) -> tuple[int, list[str], list[str]]:
    """Exit status and lines of the two outputs of Python with ``path`` before all else."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    done = subprocess.run(
        [sys.executable, *words], cwd=cwd, env=env, text=True, capture_output=True, check=False, timeout=60
    )
    return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()


@pytest.mark.parametrize("name", fastswitch.PACKAGES)
def test_a_distribution_before_ours_is_named(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    site = distribution(tmp_path / "site", name)
    monkeypatch.delitem(sys.modules, name, raising=False)
    assert fastswitch.hidden_package() is None
    monkeypatch.syspath_prepend(site)
    said = f"{site / name} (of other-{name}) hides FastSwitch's own package {name}, {ROOT / name}: "
    assert fastswitch.hidden_package() == f"{said}install FastSwitch in an environment of its own (python3 -m venv)"
    monkeypatch.setenv("PYTHONPATH", f"/elsewhere:{site}")
    assert fastswitch.hidden_package() == f"{said}take {site} out of PYTHONPATH"
    monkeypatch.chdir(site)
    assert fastswitch.hidden_package() == f"{said}rename it, or work in a folder without a {name}"


def test_as_a_command_and_as_an_import(tmp_path: Path) -> None:
    site = distribution(tmp_path / "site", "sim")
    said = f"{site / 'sim'} (of other-sim) hides FastSwitch's own package sim, {ROOT / 'sim'}: take {site} out of"
    assert python(tmp_path, *COMMAND, path=(site, ROOT)) == (2, [], [f"fastswitch: {said} PYTHONPATH"])
    status, out, err = python(tmp_path, *IMPORT, path=(site, ROOT))
    assert (status, out, err[-1]) == (1, [], f"ImportError: {said} PYTHONPATH")


def test_distributions_behind_ours_do_no_harm(tmp_path: Path) -> None:
    for name in fastswitch.PACKAGES:
        distribution(tmp_path / "site", name, "raise SystemExit('imported')")
    path = (ROOT, tmp_path / "site")
    assert python(tmp_path, *IMPORT, path=path) == (0, ["None"], [])
    status, out, err = python(tmp_path, "-m", "fastswitch", "subnets", "--space", "fashion", path=path)
    assert (status, len(out), err) == (0, 1 + 216, [])


def test_the_installed_command_says_one_line(tmp_path: Path) -> None:
    """What pip writes for an entry point imports the module before it calls anything."""
    site, script = distribution(tmp_path / "site", "sim"), tmp_path / "fastswitch"
    script.write_text("import sys\nfrom fastswitch import main\nsys.exit(main())\n")
    status, out, err = python(tmp_path, str(script), "--version", path=(site, ROOT))
    assert (status, out, len(err)) == (2, [], 1) and err[0].startswith(f"fastswitch: {site / 'sim'} (of other-sim)")


def test_what_lies_in_the_folder_where_one_works(tmp_path: Path) -> None:
    """A hardware project has folders such as rtl and sim; only what Python would import is in the way."""
    for name in ("rtl", "sim"):
        (tmp_path / name).mkdir()
    assert python(tmp_path, *COMMAND, path=(ROOT,))[0] == 0
    (tmp_path / "rtl" / "__init__.py").touch()
    status, _, err = python(tmp_path, *COMMAND, path=(ROOT,))
    said = f"{tmp_path / 'rtl'} hides FastSwitch's own package rtl, {ROOT / 'rtl'}: rename it, or work in a folder"
    assert (status, err) == (2, [f"fastswitch: {said} without a rtl"])


def test_a_module_instead_of_a_package(tmp_path: Path) -> None:
    (tmp_path / "mapper.py").write_text("x = 1\n")
    status, _, err = python(tmp_path, *COMMAND, path=(ROOT,))
    assert status == 2 and f"fastswitch: {tmp_path / 'mapper.py'} hides FastSwitch's own package mapper" in err[0]


EDITABLE = """
import sys
from importlib.util import spec_from_file_location as spec
class Finder:
    def find_spec(name, path=None, target=None):
        if path is None and name in ("fastswitch", "arch_model", "mapper", "rtl", "sim", "reports"):
            file = f"{ROOT}/{name}.py" if name == "fastswitch" else f"{ROOT}/{name}/__init__.py"
            return spec(name, file, submodule_search_locations=None if name == "fastswitch" else [f"{ROOT}/{name}"])
sys.meta_path = [f for f in sys.meta_path if "Editable" not in str(f)] + [Finder]
import fastswitch
"""


def test_a_folder_without_init_hides_an_editable_install(tmp_path: Path) -> None:
    """The finder of an editable install comes after the path, so that any folder of the name is found before."""
    code = EDITABLE.replace("{ROOT}", str(ROOT))
    assert python(tmp_path, "-c", code, path=())[0] == 0
    (tmp_path / "sim").mkdir()
    status, _, err = python(tmp_path, "-c", code, path=())
    assert status == 1 and f"hides FastSwitch's own package sim, {ROOT / 'sim'}: rename it" in err[-1]


def test_imported_before_ours(tmp_path: Path) -> None:
    site = distribution(tmp_path / "site", "reports")
    first = f"import sys; sys.path.insert(0, {str(site)!r}); import reports; sys.path.pop(0); import fastswitch"
    status, _, err = python(tmp_path, "-c", first, path=(ROOT,))
    assert status == 1 and f"{site / 'reports'} (of other-reports) hides FastSwitch's own package reports" in err[-1]


def test_two_distributions_in_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who was installed last has overwritten the other's files: an import fails somewhere inside."""
    site = distribution(tmp_path / "site", "sim")
    monkeypatch.syspath_prepend(site)
    monkeypatch.setattr(fastswitch, "__file__", str(site / "fastswitch.py"))

    def fail(*_: object, **__: object) -> None:
        raise ImportError("cannot import name 'Bench' from 'sim.rtl_bench.bench'")

    monkeypatch.setattr(fastswitch.cli, "main", fail)
    with pytest.raises(SystemExit) as stop:
        fastswitch.main(["run"])
    said = f"other-sim wrote a package sim over FastSwitch's own, {site / 'sim'}: install FastSwitch in an environment"
    assert stop.value.code == 2
    assert capsys.readouterr().err == f"fastswitch: {said} of its own (python3 -m venv)\n"
    monkeypatch.undo()
    monkeypatch.setattr(fastswitch.cli, "main", fail)
    with pytest.raises(SystemExit) as stop:  # nobody else's: a fault of ours
        fastswitch.main(["run"])
    assert stop.value.code == 70
    assert "internal error, ImportError: cannot import name 'Bench'" in capsys.readouterr().err
