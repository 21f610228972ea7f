"""Trains and measures runs, each in a process of its own; what is done is not done again.

    python -m bms_keras.tables.runs JOB

plays one run, of a `Job` as JSON: this is how `play` starts them.
"""

import concurrent.futures
import dataclasses
import json
import os
import pathlib
import queue
import signal
import subprocess
import sys
import threading

from bms_keras.errors import BadInput, warn
from bms_keras.tables.jobs import Job

ONE_THREAD = {  # threads that wait for each other cost more than they bring
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


def play(jobs, count):
    """Plays runs, `count` at a time with a core each.

    A run's output goes to `log.txt` in its workdir. When this process is asked to stop (SIGTERM or
    Ctrl-C), the runs under way write a checkpoint first; when it is killed, so are they.

    Args:
        jobs: List of `Job`.
        count: Runs at a time; one alone has all cores.

    Yields:
        Pairs of a job and its records by sampler, as they are done.

    Raises:
        BadInput: If a run fails; those under way stop with a checkpoint.
    """
    cores = queue.SimpleQueue()
    for i in range(count):
        available = sorted(os.sched_getaffinity(0))
        cores.put(available[i % len(available)] if count > 1 else None)
    underway, before = [], signal.signal(signal.SIGTERM, signal.default_int_handler)
    pool = concurrent.futures.ThreadPoolExecutor(count)
    try:
        futures = {pool.submit(_in_a_process, job, cores, underway): job for job in jobs}
        for future in concurrent.futures.as_completed(futures):
            yield futures[future], future.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in underway:
            process.terminate()
        raise
    finally:
        pool.shutdown()
        signal.signal(signal.SIGTERM, before)


def _in_a_process(job, cores, underway):
    """Plays a run in a process of its own, unless it is done; returns its records."""
    if all((records := job.records()).values()):
        return records
    core, folder = cores.get(), pathlib.Path(job.folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", __name__, json.dumps(dataclasses.asdict(job))]
        alone = {} if core is None else {**ONE_THREAD, "BMS_KERAS_CORE": str(core)}
        with (folder / "log.txt").open("a+b") as log:
            before = log.seek(0, os.SEEK_END)
            # In a session of its own, so that Ctrl-C reaches it once, through `play`; with a pipe
            # from here, whose end tells it that this process is gone.
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | alone,
                start_new_session=True,
            )
            underway.append(process)
            status = process.wait()
            underway.remove(process)
            log.seek(before)
            said = log.read().decode(errors="replace").split("\n")
    finally:
        cores.put(core)
    records = job.records()
    if not all(records.values()):
        lines = [line.strip() for line in said if line.strip()] or ["it said nothing"]
        line = lines[-1].removeprefix("tables: ")
        raise BadInput(f"{folder} ended with status {status} and no record: {line}")
    return records


def _end_with_the_parent():
    """Ends this process when the one that began it is gone, however that ended."""

    def wait():
        while os.read(sys.stdin.fileno(), 1):  # nothing is ever written there
            pass
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    if core := os.environ.get("BMS_KERAS_CORE"):
        os.sched_setaffinity(0, {int(core)})
    _end_with_the_parent()
    try:
        Job(**json.loads(sys.argv[1])).play()
    except (BadInput, OSError) as error:
        warn(f"tables: {error}")
        sys.exit(1)
