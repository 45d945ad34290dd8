"""A picture is what its name says."""

from __future__ import annotations

from pathlib import Path

import pytest

from arch_model.errors import FastSwitchError
from reports.canvas import check_picture, drawing, new_figure, place, save_picture


@pytest.mark.parametrize(
    ("name", "begins"), [("a.png", b"\x89PNG"), ("a.PNG", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")]
)
def test_the_name_says_the_format_and_bytes_repeat(tmp_path: Path, name: str, begins: bytes) -> None:
    made = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        with drawing("test"):
            figure = new_figure(200, 100)
            place(figure, 20, 10, 150, 60).plot([1, 2, 3])
            save_picture(figure, tmp_path / folder / name)
        made.append((tmp_path / folder / name).read_bytes())
    assert made[0] == made[1] and made[0].startswith(begins) and len(made[0]) > 500


@pytest.mark.parametrize("name", ["a", "a.jpg", "a.png.bak", ".png", "a.", "a.tiff"])
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(FastSwitchError, match=r"give a name that ends in \.png, \.svg, \.pdf") as error:
        check_picture(Path(name))
    assert name in str(error.value)
