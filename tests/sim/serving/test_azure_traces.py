"""Both forms of the public traces, in files made here."""

import numpy as np
import pytest

from arch_model.errors import StreamError
from sim.serving.azure_traces import COUNTS, azure_stream
from sim.serving.streams import read_trace


def counts(path, *rows):
    lines = [",".join(("HashOwner", "HashApp", "HashFunction", "Trigger", *COUNTS))]
    lines += [",".join(("o", "a", f"f{n}", "http", *map(str, row))) for n, row in enumerate(rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_counts_a_minute(tmp_path):
    # Two functions: a third of the calls in the first half of the day, the rest in the second.
    path = counts(tmp_path / "d01.csv", [1] * 720 + [0] * 720, [0] * 720 + [2] * 720)
    stream = azure_stream(path, 3000, rate=100, slo_s=0.05, seed=2)
    assert len(stream) == 3000 and stream.arrival_s[-1] <= 30 and np.all(stream.latency_s == 0.05)
    assert np.mean(stream.arrival_s < 15) == pytest.approx(1 / 3, abs=0.03)
    again = azure_stream(path, 3000, rate=100, slo_s=0.05, seed=2)
    assert np.array_equal(stream.arrival_s, again.arrival_s)
    stream.write(tmp_path / "stream.csv")
    assert np.array_equal(read_trace(tmp_path / "stream.csv").arrival_s, stream.arrival_s)


def test_invocations(tmp_path):
    path = tmp_path / "2021.csv"
    path.write_text("app,func,end_timestamp,duration\na,f,12,2\na,g,11,9\nb,f,40,0\nb,f,22,0\n")
    stream = azure_stream(path, 10, rate=1, slo_s=1)  # they begin at 10, 2, 40 and 22: 38 s become 4
    assert stream.arrival_s == pytest.approx(np.array([0, 8, 20, 38]) * 4 / 38)
    assert len(azure_stream(path, 2, rate=1, slo_s=1)) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "has neither columns 1 to 1440 nor end_timestamp and duration"),
        ("end_timestamp,duration\n1,x\n", "line 2: duration is 'x'; give a number"),
        ("end_timestamp,duration\n", "no invocation in it"),
    ],
)
def test_files_that_are_neither(tmp_path, text, said):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(StreamError, match=said):
        azure_stream(tmp_path / "x.csv", 10, 1, 1)
