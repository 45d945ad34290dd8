"""Streams: what each process is by definition, the same again from the same seed or file, one line for a bad trace."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arch_model.errors import StreamError
from sim.serving.streams import Stream, Targets, draw_stream, parse_arrivals, read_trace

TARGETS = Targets((0.7, 0.9), (0.01, 0.05))
ALL = ["deterministic:50", "poisson:50", "gamma:50,4", "bursty:20,30,8", "diurnal:10,90,20"]


def gaps(arrivals, count=40_000, seed=3):
    return np.diff(draw_stream(arrivals, TARGETS, count, seed).arrival_s)


@pytest.mark.parametrize("arrivals", ALL)
def test_a_seed_gives_the_same_stream_and_another_seed_another(arrivals):
    one, same, other = (draw_stream(arrivals, TARGETS, 500, seed).to_frame() for seed in (1, 1, 2))
    assert one.equals(same) and not one.equals(other)
    assert one["accuracy"].between(0.7, 0.9).all() and one["latency_s"].between(0.01, 0.05).all()
    assert one["arrival_s"].is_monotonic_increasing and len(one) == 500


def test_deterministic_arrivals_are_equally_far_apart():
    assert np.allclose(gaps("deterministic:50", 100), 0.02)


@pytest.mark.parametrize(("arrivals", "cv2"), [("poisson:50", 1.0), ("gamma:50,4", 4.0), ("gamma:50,0.25", 0.25)])
def test_gaps_have_the_mean_and_the_variation_asked_for(arrivals, cv2):
    found = gaps(arrivals)
    assert found.mean() == pytest.approx(1 / 50, rel=0.05)  # 40,000 gaps: 2 / sqrt(40,000) = 1 % twice over
    assert found.var() / found.mean() ** 2 == pytest.approx(cv2, rel=0.15)


def test_gamma_without_variation_is_deterministic():
    assert np.allclose(gaps("gamma:50,0", 100), 0.02)


def test_bursts_add_to_the_base():
    found = draw_stream("bursty:20,30,8", TARGETS, 40_000, 5).arrival_s
    assert len(found) / found[-1] == pytest.approx(50, rel=0.05)
    base = np.arange(1, 1000) / 20
    assert np.isclose(found[np.searchsorted(found, base - 1e-9)], base).all()  # the base's are all there


def test_a_day_is_quiet_at_its_ends_and_busy_in_its_middle():
    found = draw_stream("diurnal:10,90,20", TARGETS, 40_000, 5).arrival_s
    phase = np.mod(found, 20) / 20
    counts = np.histogram(phase, bins=10, range=(0, 1))[0] / (found[-1] / 20) / 2
    # Integral of the rate over a tenth: 50 - 40 sin(2 pi / 10) * 10 / (2 pi) = 12.6 a second at the ends.
    assert counts[0] == pytest.approx(12.6, rel=0.1) and counts[4] == pytest.approx(87.4, rel=0.1)


@pytest.mark.parametrize(("stay", "low", "high"), [(0.0, -0.05, 0.05), (0.8, 0.5, 0.9), (1.0, 0.9, 1.0)])
def test_locality_makes_neighbours_alike(stay, low, high):
    targets = Targets((0.0, 1.0), (0.01, 0.05), stay=stay)
    asked = draw_stream("poisson:1", targets, 20_000, 7).accuracy
    assert low <= np.corrcoef(asked[:-1], asked[1:])[0, 1] <= high
    assert asked.mean() == pytest.approx(0.5, abs=0.08)  # reflected at both ends alike


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 1e9), st.floats(0, 1), st.floats(1e-9, 1e9)),
        min_size=1,
        max_size=30,
    )
)
def test_a_written_stream_is_read_back_the_same(tmp_path_factory, rows):
    arrival, accuracy, latency = (np.array(column, np.float64) for column in zip(*rows, strict=True))
    stream = Stream(np.sort(arrival), accuracy, latency, {"seed": 1})
    path = tmp_path_factory.mktemp("trace") / "trace.csv"
    stream.write(path)
    back = read_trace(path)
    for name in ("arrival_s", "accuracy", "latency_s"):
        assert np.array_equal(getattr(back, name), getattr(stream, name))


HEAD = "arrival_s,accuracy,latency_s\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "column arrival_s is missing"),
        (HEAD, "no query in it"),
        (HEAD + "0,0.9,1\n2,0.9,1\n1,0.9,1\n", "query 2: arrival_s is 1, before that of query 1, 2; sort"),
        (HEAD + "-1,0.9,1\n", "query 0: arrival_s is -1"),
        (HEAD + "0,nan,1\n", "query 0: accuracy is nan; give a finite number"),
        (HEAD + "0,,1\n", "query 0: accuracy is empty; give a number"),
        (HEAD + "0,0.9,inf\n", "query 0: latency_s is inf"),
        (HEAD + "0,75,1\n", "accuracy is 75; give a fraction"),
        (HEAD + "0,0.9,0\n", "latency_s is 0; give seconds from 1e-12"),
        (HEAD + "0,0.9,1_0\n", "query 0: latency_s is '1_0'; give a number"),
        (HEAD + "٣,0.9,1\n", "query 0: arrival_s is '٣'; give a number"),
        (HEAD + "0,0.9,1\n1,high,1\n", "query 1: accuracy is 'high'; give a number"),
        ("arrival_s,accuracy\n0,0.9\n", "column latency_s is missing; give arrival_s,accuracy,latency_s"),
        (HEAD + "0,0.9,1\n0,0.9,1,5,6\n", "line 3: it has 5 fields; give 3"),
    ],
)
def test_an_ill_formed_trace_gives_one_clear_line(tmp_path, text, said):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(StreamError) as error:
        read_trace(path)
    assert said in str(error.value) and str(path) in str(error.value)


def test_a_trace_that_is_not_there():
    with pytest.raises(StreamError, match=r"trace nowhere\.csv does not exist"):
        read_trace("nowhere.csv")


@pytest.mark.parametrize(
    ("arrivals", "said"),
    [
        ("weekly:1", "weekly is no process"),
        ("poisson", "not numbers; give poisson:RATE"),
        ("poisson:-2", "RATE is -2"),
        ("poisson:1_0", "not numbers; give poisson:RATE"),
        ("poisson:nan", "RATE is nan"),
        ("gamma:1", "1 numbers; give gamma:RATE,CV2"),
        ("diurnal:9,3,10", "HIGH is below LOW"),
    ],
)
def test_arrivals_that_make_no_stream(arrivals, said):
    with pytest.raises(StreamError, match=said):
        draw_stream(arrivals, TARGETS, 5, 0)


def test_a_rate_that_rises_and_then_stays():
    stream = draw_stream("accelerating:100,500,40", Targets((0, 0), (1, 1)), 8000, 3)
    # 10 s of 300 a second in the mean, then 500.
    assert np.searchsorted(stream.arrival_s, 10) == pytest.approx(3000, abs=200)
    assert np.searchsorted(stream.arrival_s, 5) == pytest.approx(1000, abs=130)
    assert stream.arrival_s[-1] == pytest.approx(20, abs=0.7)
    with pytest.raises(StreamError, match="TO is below FROM; give accelerating:1,2,3"):
        parse_arrivals("accelerating:2,1,3")
