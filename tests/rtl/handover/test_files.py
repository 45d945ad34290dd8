"""What a delivery is made of, as far as no machine is elaborated (tests/reports/commands/test_rtl.py has the whole)."""

from pathlib import Path

from rtl.handover.files import licence


def test_the_licence_is_the_projects():
    assert licence() == (Path(__file__).parents[3] / "LICENSE").read_text()
