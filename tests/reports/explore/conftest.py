"""A small study, explored once a file: 16 points on `tiny`, half of them no machine."""

from __future__ import annotations

import pytest

from sim.explore import Study, explore, load_study

NETS = ("fashion-d111-w222", "fashion-d222-w444")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("study")
    explore(
        "fashion", NETS, "KP=2,4 CP=2,3 PB=0,48KiB SB=54KiB,5MB", out=folder, accelerator="tiny", backend="joblib:1"
    )
    return load_study(folder)
