"""Chromium, if it is here, without a window: pages are opened, asked and used as people would."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_SECONDS = 120.0


def chromium() -> str:
    """Give the path of Chromium, or skip the test."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip(f"no browser here: none of {', '.join(_NAMES)}")
    return found


class Browser:
    """A page in Chromium, spoken to through pipes (its DevTools protocol).

    Parameters
    ----------
    folder : pathlib.Path
        Where Chromium may keep what it keeps.
    width, height : int
        Of the window.
    flags : str
        More flags.
    """

    def __init__(self, folder: Path, width: int = 1280, height: int = 900, *flags: str) -> None:
        heard, told = os.pipe(), os.pipe()
        self._process = subprocess.Popen(
            [
                "bash",  # other shells know files up to 9 only
                "-c",
                # Chromium reads what it is told from 3 and answers on 4.
                f'exec "$@" 3<&{heard[0]} 4>&{told[1]}',
                "bash",
                chromium(),
                "--headless=new",
                "--no-sandbox",
                "--remote-debugging-pipe",
                "--disable-dev-shm-usage",
                "--use-angle=swiftshader",
                "--enable-unsafe-swiftshader",
                "--autoplay-policy=no-user-gesture-required",
                f"--user-data-dir={folder}",
                f"--window-size={width},{height}",
                *flags,
                "about:blank",
            ],
            pass_fds=(heard[0], told[1]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(heard[0])
        os.close(told[1])
        self._to, self._from = os.fdopen(heard[1], "wb"), os.fdopen(told[0], "rb")
        self._number, self._left = 0, b""
        self._session: dict[str, str] = {}
        self.problems: list[str] = []
        self.requests: list[str] = []
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(one["targetId"] for one in targets if one["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=page, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._to.close()
        self._from.close()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask Chromium, and give its answer; what it tells meanwhile is noted."""
        self._number += 1
        asked = {"id": self._number, "method": method, "params": parameters, **self._session}
        self._to.write(json.dumps(asked).encode() + b"\0")
        self._to.flush()
        while True:
            told = self._read()
            if told.get("id") == self._number:
                if "error" in told:
                    raise RuntimeError(f"{method}: {told['error']}")
                result: dict[str, Any] = told["result"]
                return result
            self._note(told)

    def open(self, url: str) -> None:
        """Open a page, in the place of the one before."""
        self.call("Page.navigate", url="about:blank")
        self.wait("location.href === 'about:blank'")
        self.problems.clear()
        self.requests.clear()
        self.call("Page.navigate", url=url)

    def run(self, expression: str) -> Any:
        """Give the value of an expression of JavaScript; promises are waited for."""
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in found:
            raise RuntimeError(f"{expression}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def wait(self, expression: str, seconds: float = _SECONDS) -> Any:
        """Wait until an expression is true, and give it."""
        end = time.monotonic() + seconds
        while not (value := self.run(expression)):
            if time.monotonic() > end:
                raise TimeoutError(f"{expression} was not so within {seconds} s: {self.problems}")
            time.sleep(0.05)
        return value

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """Move the mouse (``moved``), press (``pressed``), let go (``released``) or turn it."""
        name = kind if kind == "mouseWheel" else f"mouse{kind.capitalize()}"
        self.call("Input.dispatchMouseEvent", type=name, x=x, y=y, **more)

    def click(self, x: float, y: float) -> None:
        """Click at a place."""
        self.mouse("moved", x, y)
        self.mouse("pressed", x, y, button="left", buttons=1, clickCount=1)
        self.mouse("released", x, y, button="left", clickCount=1)

    def key(self, key: str, code: int = 0, text: str = "") -> None:
        """Press a key and let go of it."""
        more = {"text": text} if text else {}
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **more
            )

    def picture(self, path: Path) -> None:
        """Write a picture of the window."""
        shot = self.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(shot))

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            piece = self._from.read1(1 << 20)  # type: ignore[attr-defined]
            if not piece:
                raise RuntimeError("Chromium ended")
            self._left += piece
        message, self._left = self._left.split(b"\0", 1)
        told: dict[str, Any] = json.loads(message)
        return told

    def _note(self, told: dict[str, Any]) -> None:
        parameters = told.get("params", {})
        if told["method"] == "Runtime.exceptionThrown":
            self.problems.append(str(parameters["exceptionDetails"]))
        elif told["method"] == "Runtime.consoleAPICalled":
            if parameters["type"] in ("error", "warning", "assert"):
                self.problems.append(str(parameters["args"]))
        elif told["method"] == "Log.entryAdded":
            if parameters["entry"]["level"] in ("error", "warning"):
                self.problems.append(str(parameters["entry"]))
        elif told["method"] == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
