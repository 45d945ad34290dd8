"""The picture of a served stream is a PNG of the size it should have, whatever was served."""

import struct

import numpy as np
import pytest

from mapper.serving.policies import Separate, StaticCache, StaticSubNet
from reports.serving import SIZE_PX, save_timeline
from sim.serving.schedulers import Schedulers
from sim.serving.simulator import serve
from sim.serving.streams import Stream, Targets, draw_stream
from tests.mapper.serving_tables import SMALL


def size_of(path):
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", data[16:24])


@pytest.mark.parametrize("count", [1, 2, 2500])
def test_a_timeline_of_any_length(tmp_path, count):
    stream = draw_stream("poisson:0.004", Targets((0.8, 0.9), (100, 800)), count, 1)
    save_timeline(Schedulers(SMALL).run("strict-accuracy", "forecast", stream), tmp_path / "served.png")
    assert size_of(tmp_path / "served.png") == SIZE_PX


def test_queries_that_are_all_late(tmp_path):
    stream = Stream(np.zeros(3), np.full(3, 0.8), np.ones(3))
    save_timeline(serve(SMALL, stream, Separate(StaticSubNet(0), StaticCache(1))), tmp_path / "late.png")
    assert size_of(tmp_path / "late.png") == SIZE_PX
