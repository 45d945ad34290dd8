"""What every test can count on."""

import gc
import signal

# A shell without job control starts background jobs with SIGINT ignored, which their children inherit: tests that
# interrupt a child would wait for ever. A handler of our own is not inherited, so children have the default one.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Of the many tests, parameters and signals of designs few are garbage: look for it less often.
gc.set_threshold(50_000, 10, 10)


def pytest_collection_finish() -> None:
    """What was collected stays: the garbage collector need not look at it again."""
    gc.freeze()
