"""Signals that ask training to stop: the step under way is finished before it does."""

import contextlib
import signal
import threading


class Interrupted(Exception):
    """A run was asked to stop, between two steps."""


@contextlib.contextmanager
def deferred(signals=(signal.SIGTERM, signal.SIGINT)):
    """Holds back signals for the length of a `with` block.

    The first one only sets a flag; a second acts as it would have without this. In any thread but
    the main one, where Python handles no signals, nothing is held back.

    Returns:
        A `threading.Event`: whether a signal has come.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def handle(number, frame):
        asked.set()
        restore()

    def restore():
        for number, handler in before.items():
            signal.signal(number, handler)

    before = {number: signal.signal(number, handle) for number in signals}
    try:
        yield asked
    finally:
        restore()
