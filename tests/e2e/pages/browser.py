"""A real browser, driven over a pipe by the Chrome DevTools Protocol."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any

from tests.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)
#: The browser reads commands from descriptor 3 and answers on descriptor 4.
_LAUNCH = """
import fcntl, os, sys
reading, writing = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3])
os.dup2(reading, 3)
os.dup2(writing, 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""
_WITHIN_S = 120


@dataclass(slots=True)
class Browser:
    """A running browser with one page; ``complaints`` are the errors and policy violations that it logged."""

    _commands: int
    _answers: Queue[dict[str, Any]]
    _session: str = ""
    _number: int = 0
    complaints: list[str] = field(default_factory=list)

    def open(self, url: str, *, width: int = 1440, height: int = 1200, scheme: str = "light") -> None:
        """Open a page and wait until it has loaded."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.command("Emulation.setDeviceMetricsOverride", size)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.command("Emulation.setEmulatedMedia", {"features": [feature]})
        self.command("Page.navigate", {"url": url})
        eventually(lambda: self.evaluate("document.readyState === 'complete' && location.href !== 'about:blank'"))

    def frame(self, url: str) -> str | None:
        """Return the argument of :meth:`evaluate` for a frame of another origin whose URL begins with this."""
        for target in self.command("Target.getTargets", session="")["targetInfos"]:
            if target["type"] == "iframe" and target["url"].startswith(url):
                return self._listen(target["targetId"])
        return None

    def evaluate(self, expression: str, frame: str | None = None) -> Any:
        """Return the value of a JavaScript expression in the page or in one of its frames."""
        answer = self.command("Runtime.evaluate", {"expression": expression, "returnByValue": True}, session=frame)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def text(self, selector: str) -> str:
        """Return the visible text of the first element that a selector finds."""
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))

    def command(
        self, method: str, parameters: Mapping[str, Any] | None = None, session: str | None = None
    ) -> dict[str, Any]:
        """Send a command, to the page unless another session is named, and return its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": dict(parameters or {})}
        if session or (session is None and self._session):
            message["sessionId"] = session or self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            try:
                answer = self._answers.get(timeout=_WITHIN_S)
            except Empty:
                raise AssertionError(f"the browser does not answer {method}") from None
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def attach(self) -> None:
        """Open a page and collect its complaints."""
        target = self.command("Target.createTarget", {"url": "about:blank"})["targetId"]
        self._session = self._listen(target)
        self.command("Page.enable")

    def _listen(self, target: str) -> str:
        session: str = self.command("Target.attachToTarget", {"targetId": target, "flatten": True}, session="")[
            "sessionId"
        ]
        for domain in ("Runtime", "Log"):
            self.command(f"{domain}.enable", session=session)
        return session

    def _note(self, event: dict[str, Any]) -> None:
        match event.get("method"):
            case "Log.entryAdded" if event["params"]["entry"]["level"] == "error":
                self.complaints.append(event["params"]["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(event["params"]["exceptionDetails"]))
            case "Page.javascriptDialogOpening":
                self.complaints.append(f"dialog: {event['params']['message']}")


@contextmanager
def browsing(profile: Path) -> Iterator[Browser]:
    """Run a browser with a fresh profile until the block ends."""
    program = next((found for name in _NAMES if (found := shutil.which(name))), None)
    assert program is not None, f"the tests of the pages need a browser: one of {', '.join(_NAMES)}"
    reading, commands = os.pipe()
    answers, writing = os.pipe()
    arguments = [sys.executable, "-c", _LAUNCH, str(reading), str(writing), program, *_OPTIONS]
    process = subprocess.Popen(
        [*arguments, f"--user-data-dir={profile}"],
        pass_fds=(reading, writing),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(reading)
    os.close(writing)
    queue: Queue[dict[str, Any]] = Queue()
    reader = threading.Thread(target=_read, args=(answers, queue))
    reader.start()
    try:
        browser = Browser(commands, queue)
        browser.attach()
        yield browser
    finally:
        # The browser ends all its processes when its pipe is closed.
        os.close(commands)
        try:
            process.wait(_WITHIN_S)
        finally:
            process.kill()
            reader.join(_WITHIN_S)


def _read(answers: int, queue: Queue[dict[str, Any]]) -> None:
    with os.fdopen(answers, "rb") as stream:
        pending = b""
        while part := stream.read1():
            *messages, pending = (pending + part).split(b"\0")
            for message in messages:
                queue.put(json.loads(message))
