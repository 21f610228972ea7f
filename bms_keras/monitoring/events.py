"""Event files, which TensorBoard reads, written by the thread that calls.

tensorboardX's own writers hand what they are given to a thread, through a queue. Where the disk is
full that thread dies, the queue fills, and training would wait for ever.
"""

import contextlib
import pathlib
import time

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog

from bms_keras.errors import reason, warn

_OPEN = {}  # by folder: the file that the callbacks of a training share
_WARNED = set()  # folders that could not be written when last it was tried


class EventFile:
    """An event file. One that cannot be written says so, once a folder, and takes no more.

    Args:
        folder: Path of the folder, made where it is missing.
        suffix: How the file's name ends.
        purge_step: TensorBoard hides what files before this one hold from this step on.
    """

    def __init__(self, folder, suffix="", purge_step=None):
        self._folder = pathlib.Path(folder)
        self._writer = None
        with self._giving_up():
            self._folder.mkdir(parents=True, exist_ok=True)
            self._writer = EventsWriter(str(self._folder / "events"), suffix)
        if purge_step is not None:
            self.add(Event(session_log=SessionLog(status=SessionLog.START)), purge_step)

    def add(self, event, step):
        """Adds an `Event` or, in one, a `Summary` of tensorboardX's."""
        if not isinstance(event, Event):
            event = Event(summary=event)
        event.step, event.wall_time = step, time.time()
        with self._giving_up():
            if self._writer:
                self._writer.write_event(event)

    def flush(self):
        """Waits until the disk has all that was added."""
        with self._giving_up():
            if self._writer:
                self._writer.flush()
                _WARNED.discard(self._folder)

    def close(self):
        """Flushes and closes the file, which takes no more."""
        with self._giving_up():
            if self._writer:
                self._writer.close()
        self._writer = None

    @contextlib.contextmanager
    def _giving_up(self):
        try:
            yield
        except OSError as error:
            self._writer = None
            if self._folder not in _WARNED:
                _WARNED.add(self._folder)
                warn(f"TensorBoard misses what follows: {self._folder}: {reason(error)}")


def shared(folder, step):
    """The file that the callbacks of a folder share; a new one purges from this step on."""
    folder = str(folder)
    if folder not in _OPEN:
        _OPEN[folder] = EventFile(folder, timestamp_suffix(), step)
    return _OPEN[folder]


def close(folder):
    """Closes the shared file of a folder, if one is open."""
    if str(folder) in _OPEN:
        _OPEN.pop(str(folder)).close()


def timestamp_suffix():
    """A suffix for event files, which sorts as they are begun, whichever process begins them.

    tensorboardX names files by the second, and TensorBoard reads them in the order of their names:
    an evaluation that came before the training it follows would be taken for what was lost.
    """
    return f".{time.time_ns()}"
