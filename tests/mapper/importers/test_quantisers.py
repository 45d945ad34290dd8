"""200 networks as quantisers write them: no claim of equality that onnxruntime breaks, and faults that are found.

The makers, the judge and the faults are those of `bench/quantiser_fuzz.py`, which takes thousands.
"""

import platform
import sys
from collections import Counter
from pathlib import Path

import pytest

from mapper.importers import GRAPHS

BENCH = Path(__file__).resolve().parents[3] / "bench"
pytestmark = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the rule is for x86-64")


@pytest.fixture(scope="module")
def fuzzer():
    sys.path.insert(0, str(BENCH))
    try:
        import quantiser_fuzz
    finally:
        sys.path.remove(str(BENCH))
    return quantiser_fuzz


@pytest.mark.parametrize("part", range(4))
def test_no_claim_is_broken(tmp_path, fuzzer, part):
    """50 networks of every maker by turns; enough of them are claimed of each graph for that to mean something."""
    names = [name for name in fuzzer.MAKERS if not name.startswith("onnxruntime")]
    names = [*names[:5], "onnxruntime", *names[5:]] if part % 2 else names
    counts, bad = Counter(), []
    for name, verdict in fuzzer.fuzz(names, 50, 100 + part, tmp_path, images=3):
        counts.update(verdict.columns)
        bad += [(name, verdict)] if verdict.is_bad else []
    assert not bad
    assert min(counts[graph] for graph in GRAPHS) >= 8 and counts["refused"] <= 5


@pytest.mark.parametrize(
    ("fault", "maker", "count"),
    [
        ("the scale of a bias is the product's", "own bias scales", 12),
        ("output_dtype is not read", "no zero points", 6),
        ("zero points of weights are 0", "weights about 1", 12),
        ("float32 is exact", "uint8 decimal", 12),
        ("ReLU and Clip do nothing", "few bits", 12),
    ],
)
def test_a_fault_is_found(tmp_path, fuzzer, monkeypatch, fault, maker, count):
    """With this fault in the importer a claim breaks, or a file is misread."""
    monkeypatch.setattr(*fuzzer.mutants()[fault])
    assert any(verdict.is_bad for _, verdict in fuzzer.fuzz([maker], count, 1, tmp_path, images=4))


def test_networks_of_functions_run(tmp_path, fuzzer):
    """Activations, squeeze-excite and pools as onnxruntime quantises them: all have integers."""
    refused, counts = [], Counter()
    for name, verdict in fuzzer.fuzz(["onnxruntime functions"], 8, 5, tmp_path, images=3):
        counts.update(verdict.columns)
        refused += (
            []
            if "zero points" in verdict.text
            else [
                (name, verdict)
                for column in verdict.columns
                if column in ("refused", "no integers", "misread", "broken")
            ]
        )
    assert not refused and counts["no claim"] + sum(counts[graph] for graph in GRAPHS) >= 5
