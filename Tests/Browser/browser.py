"""Drives a browser: headless Chromium, through chromedriver and the WebDriver protocol, or headless Firefox, through
Marionette, which is the same protocol without a driver.

Python's own library is all it needs. Sources: W3C WebDriver (https://www.w3.org/TR/webdriver2/); Firefox's
remote/doc/marionette/Protocol.md.
"""

import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"

# WebDriver's codes of keys without a character.
KEYS = {
    "Escape": "\ue00c", "Enter": "\ue007", "Tab": "\ue004", "Home": "\ue011", "End": "\ue010", "PageDown": "\ue00f",
    "ArrowLeft": "\ue012", "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015", "Control": "\ue009",
    "Shift": "\ue008",
}


class Browser:
    """One window. Use it in a `with` statement, so that it is always closed."""

    def __init__(self, width=1280, height=800, dark=False, scale=1, reduced_motion=False):
        for name in ["chromium", "chromedriver"]:
            if shutil.which(name) is None:
                raise SystemExit(f"{name} is not there: apt-get install chromium chromium-driver")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        self.driver = subprocess.Popen(
            ["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.session = None
        arguments = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", f"--window-size={width},{height}",
                     f"--force-device-scale-factor={scale}", "--hide-scrollbars=false"]
        if os.geteuid() == 0:
            # Chromium's sandbox does not work for root; all pages here are our own.
            arguments.append("--no-sandbox")
        if dark:
            arguments.append("--force-dark-mode")
        if reduced_motion:
            arguments.append("--force-prefers-reduced-motion")
        self._wait_for_driver()
        value = self._send("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": shutil.which("chromium"), "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}})
        self.session = value["sessionId"]
        self.resize(width, height)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            if self.session:
                self._call("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait()

    # The protocol

    def _wait_for_driver(self):
        deadline = time.monotonic() + 60
        while True:
            try:
                if self._send("GET", "/status")["ready"]:
                    return
            except OSError:
                pass
            if time.monotonic() > deadline or self.driver.poll() is not None:
                raise SystemExit("chromedriver did not start")
            time.sleep(0.05)

    def _send(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.address + path, data, {"Content-Type": "application/json"}, method=method)
        # No proxy, because it is this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise AssertionError(f"{method} {path}: {value['error']}: {value['message'].splitlines()[0]}") from None

    def _call(self, method, path, body=None):
        return self._send(method, f"/session/{self.session}{path}", body)

    # What a user does

    def open(self, path, fragment=""):
        """Opens a file and waits until the page is ready."""
        # Through another page, because a new fragment alone does not load the page.
        self._call("POST", "/url", {"url": "about:blank"})
        address = path if path.startswith("http://") else f"file://{os.path.abspath(path)}"
        self._call("POST", "/url", {"url": address + fragment})
        self.wait("document.documentElement.dataset.ready === 'true'")

    def reload(self):
        self._call("POST", "/refresh", {})
        self.wait("document.documentElement.dataset.ready === 'true'")

    def run(self, script, *arguments):
        """Runs a script in the page; returns what it returns."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def value(self, expression, *arguments):
        """The value of an expression in the page."""
        return self.run(f"return ({expression});", *arguments)

    def wait(self, expression, *arguments, seconds=30):
        """Waits until an expression is true in the page."""
        deadline = time.monotonic() + seconds
        while not self.value(expression, *arguments):
            if time.monotonic() > deadline:
                raise AssertionError(f"did not come true: {expression} {arguments or ''}")
            time.sleep(0.02)

    def element(self, selector):
        return self._call("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        """Clicks like a mouse, after waiting for the element. An element that is covered or out of view cannot be clicked."""
        self.wait("document.querySelector(arguments[0]) !== null", selector)
        self._call("POST", f"/element/{self.element(selector)}/click", {})

    def hover(self, selector):
        """Moves the mouse to the middle of an element."""
        self._call("POST", "/actions", {"actions": [{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"},
            "actions": [{"type": "pointerMove", "duration": 10, "origin": {ELEMENT: self.element(selector)}, "x": 0, "y": 0}]}]})

    def choose(self, selector, text):
        """Chooses the option with this text."""
        self.run("""
            const select = document.querySelector(arguments[0]);
            const option = [...select.options].find(option => option.textContent.trim() === arguments[1]);
            if (!option) throw new Error("no option " + arguments[1]);
            select.value = option.value;
            select.dispatchEvent(new Event("change", { bubbles: true }));
        """, selector, text)

    def press(self, *keys):
        """Presses keys one after the other; `Control+v` holds the first."""
        actions = []
        for key in keys:
            parts = key.split("+") if len(key) > 1 else [key]
            codes = [KEYS.get(part, part) for part in parts]
            actions += [{"type": "keyDown", "value": code} for code in codes]
            actions += [{"type": "keyUp", "value": code} for code in reversed(codes)]
        self._call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def resize(self, width, height):
        """Gives the page this size, without the window's borders."""
        self._call("POST", "/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": {
            "width": width, "height": height, "deviceScaleFactor": 0, "mobile": False}})

    def emulate(self, **features):
        """Sets media features, such as `prefers_color_scheme="dark"`."""
        self._call("POST", "/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {
            "features": [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]}})

    # Results

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self._call("GET", "/screenshot")))

    def pixels_of(self, selector):
        """A screenshot of an element as PNG."""
        return base64.b64decode(self._call("GET", f"/element/{self.element(selector)}/screenshot"))

    def violations(self):
        """What the rules of axe-core find, in the dialog that is open, since all else is inert then.

        Nothing without the Python package axe-core-python.
        """
        try:
            from importlib.resources import files
            script = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
        except ModuleNotFoundError:
            return []
        self.run(script + """; window.found = null;
            axe.run(document.querySelector("dialog[open]") ?? document, { resultTypes: ["violations"] }).then(result => {
              window.found = result.violations.map(rule => rule.id + ": " + rule.nodes.map(node => node.html.slice(0, 90)));
            });""")
        self.wait("window.found !== null", seconds=60)
        return self.value("window.found")

    def log(self):
        """The page's console messages since the last call."""
        return [f"{entry['level']}: {entry['message']}" for entry in self._call("POST", "/se/log", {"type": "browser"})]

    def requests(self):
        """The addresses that the page requested since the last call."""
        entries = self._call("POST", "/se/log", {"type": "performance"})
        messages = [json.loads(entry["message"])["message"] for entry in entries]
        return [message["params"]["request"]["url"] for message in messages
                if message["method"] == "Network.requestWillBeSent"]


class Firefox(Browser):
    """The same with Firefox. It does not report the page's requests, and its windows are at least 450 pixels wide."""

    def __init__(self, width=1280, height=800):
        program = shutil.which("firefox-esr") or shutil.which("firefox")
        if program is None:
            raise SystemExit("firefox is not there: apt-get install firefox-esr")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.profile = tempfile.mkdtemp(prefix="sdbatch-firefox-")
        with open(f"{self.profile}/user.js", "w", encoding="utf-8") as file:
            for name, value in {"marionette.port": port, "browser.shell.checkDefaultBrowser": False,
                                "datareporting.policy.dataSubmissionEnabled": False, "app.update.enabled": False,
                                "browser.startup.page": 0, "toolkit.telemetry.reportingpolicy.firstRun": False,
                                "remote.prefs.recommended": True}.items():
                file.write(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n")
        self.driver = subprocess.Popen(
            [program, "--marionette", "--remote-allow-system-access", "--headless", "--no-remote", "--profile", self.profile],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "MOZ_HEADLESS": "1", "HOME": self.profile})
        self.session = None
        self.number = 0
        self.stream = self._connect(port)
        self._message()
        self.session = self._command("WebDriver:NewSession", {})["sessionId"]
        self.resize(width, height)

    def __exit__(self, *_):
        try:
            self._command("Marionette:Quit", {"flags": ["eForceQuit"]})
        except (AssertionError, OSError):
            pass
        finally:
            self.driver.terminate()
            self.driver.wait()
            shutil.rmtree(self.profile, ignore_errors=True)

    def _connect(self, port):
        deadline = time.monotonic() + 60
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=120).makefile("rwb")
            except OSError:
                if time.monotonic() > deadline or self.driver.poll() is not None:
                    raise SystemExit("firefox did not start") from None
                time.sleep(0.1)

    def _message(self):
        """A message is its length, a colon and JSON."""
        length = b""
        while not length.endswith(b":"):
            byte = self.stream.read(1)
            if not byte:
                raise OSError("firefox has gone")
            length += byte
        return json.loads(self.stream.read(int(length[:-1])))

    def _command(self, name, parameters):
        self.number += 1
        text = json.dumps([0, self.number, name, parameters]).encode()
        self.stream.write(str(len(text)).encode() + b":" + text)
        self.stream.flush()
        _, _, error, result = self._message()
        if error:
            raise AssertionError(f"{name}: {error['error']}: {error['message'].splitlines()[0]}")
        return result["value"] if isinstance(result, dict) and set(result) == {"value"} else result

    def _call(self, method, path, body=None):
        parts = path.split("/")[1:]
        if parts[0] == "element" and len(parts) == 3:
            if parts[2] == "screenshot":
                return self._command("WebDriver:TakeScreenshot", {"id": parts[1], "full": False, "hash": False})
            return self._command("WebDriver:ElementClick", {"id": parts[1]})
        names = {"url": "WebDriver:Navigate", "refresh": "WebDriver:Refresh", "execute": "WebDriver:ExecuteScript",
                 "element": "WebDriver:FindElement", "actions": "WebDriver:PerformActions",
                 "screenshot": "WebDriver:TakeScreenshot"}
        return self._command(names[parts[0]], {"full": False, "hash": False} if parts[0] == "screenshot" else body or {})

    def _chrome(self, script, *arguments):
        """Runs a script of the browser itself."""
        self._command("Marionette:SetContext", {"value": "chrome"})
        try:
            return self._command("WebDriver:ExecuteScript", {"script": script, "args": list(arguments)})
        finally:
            self._command("Marionette:SetContext", {"value": "content"})

    def resize(self, width, height):
        for _ in range(2):
            frame = self.value("[outerWidth - innerWidth, outerHeight - innerHeight]")
            self._command("WebDriver:SetWindowRect", {"width": width + frame[0], "height": height + frame[1]})

    def emulate(self, prefers_color_scheme=None, **_):
        if prefers_color_scheme:
            self._chrome("Services.prefs.setIntPref('layout.css.prefers-color-scheme.content-override', arguments[0]);",
                         0 if prefers_color_scheme == "dark" else 1)
            self.wait("matchMedia('(prefers-color-scheme: dark)').matches === arguments[0]", prefers_color_scheme == "dark")

    def log(self):
        return self._chrome("""
            const found = Services.console.getMessageArray().filter(entry => entry instanceof Ci.nsIScriptError
              && /content|CSP|Security/i.test(entry.category) && !/chrome:|resource:/.test(entry.sourceName))
              .map(entry => entry.errorMessage);
            Services.console.reset();
            return found;
        """)

    def requests(self):
        return []
