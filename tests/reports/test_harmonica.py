"""The hybrid study's pictures and page, from tables written by hand."""

import csv

import numpy as np
import pytest

from reports import harmonica_plots as plots
from reports.canvas import drawing, new_figure
from reports.harmonica import figures, page, read_facts, read_tables, report_files, write_report
from sim.noise.study.hybrid_cost import PUBLISHED

ACCURACY = {"accuracy_clean": 0.9, "accuracy_noiseless": 0.89, "accuracy_p5": 0.2}


def measured(mean, **more):
    return {**more, **ACCURACY, "accuracy_mean": mean, "accuracy_low": mean - 0.02, "accuracy_high": mean + 0.02}


COLLAPSE = [measured(0.9 - s, encoding=e, law="raw", sigma=s) for e in plots.ENCODINGS for s in (0.1, 0.5)]
RECOVERY = [
    measured(a, ranking=r, asked=f, digital_fraction=f)
    for r, a in (("fisher", 0.85), ("random", 0.4))
    for f in (0.1, 0.2)
]
HEAT = [measured(0.5 + f, adc_bits=b, asked=f) for b in (4, 6) for f in (0.0, 0.2)]
ENERGY = [{"adc_bits": b, "asked": f, "energy_j": 1e-6 * (b + 100 * f)} for b in (4, 6) for f in (0.0, 0.2)]
SHARED = [{"accelerator": "tiny", "common_bytes": 40_000, "needed_bytes": 90_000, "pinned_bytes": 48_000}]
SUBNETS = [
    measured(
        0.88, member=f"fashion-{n}", bare_accuracy_mean=0.3, weight_bytes=100_000, digital_bytes=60_000,
        hit_bytes=30_000, streamed_cycles=2000 * n, pinned_cycles=1500 * n,
        **{f"{way}_{key}": n * 1e-6 for way in ("analog", "hybrid", "digital") for key in ("energy_j", "area_mm2")},
    )
    for n in (1, 2)
]  # fmt: skip
SENSITIVITY = [{"layer": "stem", "share": 0.7, "channels": "0.7"}, {"layer": "fc", "share": 0.3, "channels": "0.1 0.2"}]
HISTOGRAM = [
    {"layer": "stem", "slice": s, "low": -4.5, "high": 4.5, "clip_low": -3, "clip_high": 3, "clipped": 0.01,
     "counts": "1 2 30 400 1000 500 20 3 0"}
    for s in (0, 1)
]  # fmt: skip
COST = [{"way": "all analog: ISAAC, 16 bits", "time_s": 1e-3, **{f"{key}_change": 0.0 for key in PUBLISHED}}]
TABLES = {
    "collapse": COLLAPSE, "recovery": RECOVERY, "heat": HEAT, "energy": ENERGY, "shared": SHARED, "subnets": SUBNETS,
    "sensitivity": SENSITIVITY, "histogram": HISTOGRAM, "cost": COST,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    for name, rows in TABLES.items():
        with (tmp_path / f"{name}.csv").open("w") as file:
            file.write("# sigma: 0.5\n# seed: 1\n# subnet: a <net>\n")
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return tmp_path


def draw(draw_one, *arguments):
    with drawing("test"):
        figure = new_figure(900, 600)
        draw_one(figure, *arguments)
    return figure


def test_collapse_starts_at_the_noiseless_accuracy_and_bands_are_the_intervals():
    (axes,) = draw(plots.draw_collapse, COLLAPSE).axes
    line = next(line for line in axes.lines if line.get_label() == "offset")
    assert line.get_xdata().tolist() == [0.0, 0.1, 0.5]
    assert np.allclose(line.get_ydata(), [89, 80, 40])
    band = axes.collections[0].get_paths()[0].vertices
    assert np.allclose(sorted(band[np.isclose(band[:, 0], 0.5), 1])[0], 38)


def test_recovery_has_a_line_a_ranking():
    (axes,) = draw(plots.draw_recovery, RECOVERY, "0.5").axes
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == ["Fisher", "random channels"]


def test_the_heat_map_says_accuracy_and_energy_of_every_cell():
    (axes,) = draw(plots.draw_heat, HEAT, ENERGY).axes
    texts = {(t.get_position()[0], round(t.get_position()[1])): [] for t in axes.texts}
    for text in axes.texts:
        texts[text.get_position()[0], round(text.get_position()[1])].append(text.get_text())
    assert sorted(texts[1, 0]) == ["24.0 µJ", "70.0 %"]  # four bits, 20 %
    assert sorted(texts[0, 1]) == ["50.0 %", "6.0 µJ"]


def test_the_subgraph_s_bars_are_the_bytes_of_the_table():
    left, right = draw(plots.draw_subgraph, SUBNETS, SHARED[0]).axes
    assert sorted({round(bar.get_width()) for bar in left.patches}) == [30, 60, 100]
    assert [text.get_text() for text in right.texts] == ["-25.0 %", "-25.0 %"]


def test_the_histogram_has_clip_lines_where_the_range_ends():
    first = draw(plots.draw_histogram, HISTOGRAM).axes[0]
    assert [line.get_xdata()[0] for line in first.lines] == [-3, 3]
    assert "1 % clipped" in first.get_title(loc="left")


def test_the_report_is_whole_and_the_same_again(folder):
    def write(name, data):
        assert name in report_files()
        (folder / name).write_bytes(data)

    path = write_report(folder, write)
    text = path.read_text()
    assert {"subgraph", "collapse", "recovery", "heat", "pareto", "sensitivity", "histogram"} == {
        png.stem for png in folder.glob("*.png")
    }
    assert text.count("<svg") == 7
    assert "a &lt;net&gt;" in text
    assert "published: HybridAC against ISAAC" in text
    assert write_report(folder, write).read_text() == text
    tables = (folder / "tables.md").read_text()
    assert "sigma 0.5, seed 1" in tables
    assert "| random | 0.2 | 0.2 | 0.9 |" in tables


def test_what_is_not_there_yet_is_left_out(folder):
    (folder / "energy.csv").unlink()
    tables = read_tables(folder)
    assert "heat" not in figures(tables, "0.5")
    assert "Collapse" in page(tables, read_facts(folder), {"collapse": "<svg></svg>"})
