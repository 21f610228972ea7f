"""Drives a headless Chromium by its DevTools protocol, over a pair of pipes: nothing to install."""

import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # which root needs
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # there is no network
    "--remote-debugging-pipe",
)
LAUNCH = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """One page of a running Chromium.

    `errors` collects what the page throws, logs as an error, or fails to load.
    """

    def __init__(self, write, read):
        self.out, self.read = write, read
        self.buffer, self.count, self.session = b"", 0, None
        self.errors = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self.send(f"{domain}.enable")

    def open(self, url, width=1000, height=1000):
        """Opens a page and waits until it has drawn its first sample."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        self.send("Page.navigate", url=url)
        self.until("Page.loadEventFired")
        return self.run("bms.ready")

    def run(self, script):
        """The value of a script's last expression, awaited."""
        options = {"awaitPromise": True, "returnByValue": True, "userGesture": True}
        answer = self.send("Runtime.evaluate", expression=script, **options)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def choose(self, selector, *files):
        """Gives files to a file input."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=list(map(str, files)))

    def press(self, key, code):
        """Presses a key, by its name and its code on Windows."""
        for kind in ("rawKeyDown", "keyUp"):
            self.send(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code
            )

    def send(self, method, **params):
        """Sends a command and returns its result."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self.count:
            pass
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def until(self, event):
        while self._next().get("method") != event:
            pass

    def _next(self, patience=120):
        end = time.monotonic() + patience
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.read], [], [], max(0, end - time.monotonic()))
            part = os.read(self.read, 1 << 20) if ready else b""
            assert part, "the browser does not answer"
            self.buffer += part
        text, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(text)
        self._collect(message.get("method"), message.get("params", {}))
        return message

    def _collect(self, method, params):
        if (
            method in ("Runtime.exceptionThrown", "Network.loadingFailed")
            or (method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"))
            or (method == "Log.entryAdded" and params["entry"]["level"] == "error")
        ):
            self.errors.append(params)


@contextlib.contextmanager
def chromium(profile):
    """A `Browser` that keeps its files in the folder `profile`, and ends with the block."""
    theirs, ours = os.pipe(), os.pipe()
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (theirs[0], ours[1])]  # not 3 or 4
    launch = [sys.executable, "-c", LAUNCH, *map(str, ends), CHROMIUM]
    process = subprocess.Popen(
        [*launch, *FLAGS, f"--user-data-dir={profile}"],
        pass_fds=ends,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for end in (*ends, theirs[0], ours[1]):
        os.close(end)
    try:
        browser = Browser(theirs[1], ours[0])
        yield browser
        browser.session = None
        browser.send("Browser.close")
        process.wait(30)
    finally:
        process.kill()
        process.wait()
        for end in (theirs[1], ours[0]):
            os.close(end)
