"""What every test can count on."""

import signal

# A shell without job control starts background jobs with SIGINT ignored, which their children inherit: tests that
# interrupt a child would wait for ever. A handler of our own is not inherited, so children have the default one.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
