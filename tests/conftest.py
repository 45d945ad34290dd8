"""What every test can count on."""

import gc
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

# A shell without job control starts background jobs with SIGINT ignored, which their children inherit: tests that
# interrupt a child would wait for ever. A handler of our own is not inherited, so children have the default one.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests run side by side. Several threads for the small products of each mostly wait for one another, busily: three
# quarters of a noise study's time. NumPy reads this when it is first imported, here and in processes that tests start.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# The first example that calls a compiled function waits for it: how long one takes is no failure.
settings.register_profile("fastswitch", deadline=None)
settings.load_profile("fastswitch")

# Of the many tests, parameters and signals of designs few are garbage: look for it less often.
gc.set_threshold(50_000, 10, 10)


def pytest_collection_finish() -> None:
    """What was collected stays: the garbage collector need not look at it again."""
    gc.freeze()


WISHES = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def signals_are_left_as_they_were() -> Iterator[None]:
    """A handler that a test leaves behind would act in another one, which then ends its worker or cannot be stopped."""
    before = [signal.getsignal(signum) for signum in WISHES]
    yield
    after = [signal.getsignal(signum) for signum in WISHES]
    for signum, handler in zip(WISHES, before, strict=True):
        if signal.getsignal(signum) is not handler and handler is not None:
            signal.signal(signum, handler)
    assert after == before, "the test, or what it called, has set another handler of a signal"
