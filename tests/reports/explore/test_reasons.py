"""Why points are no machine."""

from reports.explore.reasons import reasons


def test_reasons_that_differ_in_figures_are_one_and_the_most_frequent_is_first():
    rows = [
        (4, "accelerator tiny: axi.data_bits is 96; give a power of two in 32..1024"),
        (6, "accelerator tiny: buffers.sb_bytes is 5000000; give 54 to 1_769_472 bytes"),
        (7, "accelerator tiny: buffers.sb_bytes is 6e6; give 36 to 1,179,648 bytes"),
        (9, "layer s1b1_conv1: no tiling fits"),
        (10, "layer s2b1_conv1: no tiling fits"),
        (11, ""),
    ]
    found = [(reason.text, reason.count, reason.point) for reason in reasons(rows)]
    assert found == [
        ("buffers.sb_bytes is 5000000; give 54 to 1_769_472 bytes", 2, 6),
        ("axi.data_bits is 96; give a power of two in 32..1024", 1, 4),
        ("layer s1b1_conv1: no tiling fits", 1, 9),
        ("layer s2b1_conv1: no tiling fits", 1, 10),
        ("no reason given", 1, 11),
    ]
