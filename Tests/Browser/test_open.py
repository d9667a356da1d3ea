"""The pages of `sdbatch open` in a real browser: python3 test_open.py SDBATCH [chromium|firefox]

Starts servers over runs of the program, uses them as a reader would, and attacks them as another site or user would. Exits
with 0 if everything is right, and reports every difference. Needs what test_page.py needs.
"""

import http.client
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import zipfile

from browser import Browser, Firefox

SDBATCH = os.path.abspath(sys.argv[1])
BROWSER = sys.argv[2] if len(sys.argv) > 2 else "chromium"
WORK = tempfile.mkdtemp(prefix="sdbatch-open-")
OUTPUT = f"{WORK}/Output"
# No image may come from another run folder, least of all from one of the user's.
os.environ["XDG_CACHE_HOME"] = WORK + "/cache"
os.makedirs(WORK + "/cache/sdbatch/images.tsv")

RECIPE = """
steps: 2
seed: 7
grid:
  prompt: [a red circle on a white background, an orange fish in front of a blue background]
  cfg_scale: [1, 3, 6]
"""

# About ten seconds of work on two cores.
LONG_RECIPE = """
prompt: a red circle on a white background
steps: 40
width: 256
height: 256
grid:
  seed: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
"""


def write(name, text):
    path = f"{WORK}/{name}"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def sdbatch(*arguments):
    subprocess.run([SDBATCH, *arguments], check=True, stdout=subprocess.DEVNULL, cwd=WORK)


class Server:
    """A server over a folder; ends it when the block ends."""

    def __init__(self, folder):
        self.process = subprocess.Popen([SDBATCH, "open", folder, "--no-browser"], stdout=subprocess.PIPE, text=True, cwd=WORK)
        self.address = self.process.stdout.readline().strip()
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/([0-9a-f]{32})/.*", self.address)
        assert found, self.address
        self.port, self.token = int(found[1]), found[2]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the server did not end") from None

    def ask(self, method, path, body=None, host=None, **headers):
        """Sends a request as it is written, unlike a browser; returns status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.putrequest(method, path, skip_host=True)
            connection.putheader("Host", host or f"127.0.0.1:{self.port}")
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()


def manifest(folder):
    with open(f"{folder}/manifest.json", encoding="utf-8") as file:
        return json.load(file)


def picks(folder):
    with open(f"{folder}/picks.json", encoding="utf-8") as file:
        return json.load(file)["picks"]


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not come true"
        time.sleep(0.05)


def cell(number):
    return f".cell[data-number='{number}']"


# What others may not do

def refuses_everybody_else(_):
    with Server(f"{OUTPUT}/one") as server:
        good = f"/{server.token}/run/one/"
        json_type = {"Content_Type": "application/json"}
        status, headers, _ = server.ask("GET", good)
        assert status == 200 and "frame-ancestors 'none'" in headers["Content-Security-Policy"], headers
        for name, value in [("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"), ("Cache-Control", "no-store"),
                            ("X-Frame-Options", "DENY"), ("Cross-Origin-Resource-Policy", "same-origin")]:
            assert headers[name] == value, (name, headers)
        assert not any(name.startswith("Access-Control") for name in headers)
        image = manifest(f"{OUTPUT}/one")["jobs"][0]["file"]
        assert server.ask("GET", good + image)[0] == 200
        wrong = server.token[:-1] + ("0" if server.token[-1] != "0" else "1")
        refused = [
            ("GET", "/", {}), ("GET", f"/{wrong}/run/one/", {}), ("GET", f"/{server.token[:8]}/run/one/", {}),
            ("GET", good, {"host": "evil.example"}), ("GET", good, {"host": f"evil.example:{server.port}"}),
            ("GET", good, {"host": "127.0.0.1"}),
            ("DELETE", good, {}), ("PUT", good + "picks", {}), ("OPTIONS", good + "picks", {}),
            ("POST", good + "picks", {"body": b"{}"}),
            ("POST", good + "picks", {"body": b"{}", "Content_Type": "text/plain"}),
            ("POST", good + "picks", {"body": b"{}", "Origin": "http://evil.example", **json_type}),
            ("POST", good + "picks", {"body": b"{}", "Origin": "null", **json_type}),
            ("POST", good + "picks", {"body": b"{}", "Sec_Fetch_Site": "cross-site", **json_type}),
            ("POST", good + "stop", {"body": b"{}", "Sec_Fetch_Site": "same-site", **json_type}),
        ]
        for method, path, options in refused:
            status, _, body = server.ask(method, path, **options)
            assert status == 403, (method, path, options, status, body)
        secret = write("secret.png", "secret")
        os.symlink(secret, f"{OUTPUT}/one/preview.png")
        os.unlink(f"{OUTPUT}/one/preview.png")
        for path in ["run/one/../../secret.png", "run/one/images/../../../secret.png", "run/one/images/..%2f..%2f..%2fsecret.png",
                     "run/one/%2e%2e/%2e%2e/secret.png", "run/..%2f/", "run/one/journal.jsonl", "run/one/recipe.yaml",
                     "run/one/manifest.json", "run/one/images/", "run/one/images/.hidden.png", "run/one/images/a%00.png",
                     "run/other/", "run/%2e%2e/", "compare/one+two/", "run/one/checkpoints/x.png", "run/one/taken/x"]:
            status, _, body = server.ask("GET", f"/{server.token}/{path}")
            assert status in (403, 404) and b"secret" not in body and b"fish" not in body, (path, status, body[:100])
        # A body that never ends is not kept.
        status, _, _ = server.ask("POST", good + "picks", body=b"x" * (9 << 20), **json_type)
        assert status == 413, status
        for body in [b"", b"{", b"[]", b'{"schema":1,"picks":{"x":{}}}', b'{"schema":3,"picks":{}}', b"\xff\xfe"]:
            assert server.ask("POST", good + "picks", body=body, **json_type)[0] == 400, body
        assert server.ask("POST", good + "take", body=b'{"kind":"zip","cells":[99,-1]}', **json_type)[0] == 409
        assert server.ask("GET", good)[0] == 200, "it still answers"


# Picks

def keeps_picks_through_the_server(browser):
    folder = f"{OUTPUT}/one"
    jobs = manifest(folder)["jobs"]
    with Server(folder) as server:
        browser.open(server.address)
        browser.run("document.querySelector(arguments[0]).focus()", cell(0))
        browser.press("4")
        until(lambda: os.path.exists(f"{folder}/picks.json") and picks(folder)[jobs[0]["id"]]["stars"] == 4)
        # A pick of another tab, or another program, appears.
        body = json.dumps({"schema": 1, "picks": {jobs[2]["id"]: {"stars": 2, "changed": "2030-01-01T00:00:00Z"}}}).encode()
        status, _, _ = server.ask("POST", f"/{server.token}/run/one/picks", body=body, Content_Type="application/json")
        assert status == 200
        browser.wait("document.querySelector(arguments[0] + ' .badge')?.textContent === '★★'", cell(2))

        # Many tabs at once, and the server is killed in between: what was confirmed is there.
        confirmed = {}

        def tab(number):
            for turn in range(25):
                key = f"{number:032x}{turn:032x}"
                text = json.dumps({"schema": 1, "picks": {key: {"stars": turn % 5 + 1, "changed": "2026"}}}).encode()
                try:
                    if server.ask("POST", f"/{server.token}/run/one/picks", body=text, Content_Type="application/json")[0] == 200:
                        confirmed[key] = turn % 5 + 1
                except OSError:
                    return

        tabs = [threading.Thread(target=tab, args=(number,)) for number in range(8)]
        for thread in tabs:
            thread.start()
        until(lambda: len(confirmed) > 40)
        server.process.kill()
        for thread in tabs:
            thread.join()
        found = picks(folder)
        assert len(confirmed) > 40 and all(found[key]["stars"] == stars for key, stars in confirmed.items()), len(confirmed)
        # Without a server the page keeps what it could not send.
        browser.run("document.querySelector(arguments[0]).focus()", cell(1))
        browser.press("3")
        browser.wait("Object.keys(localStorage).some(key => key.endsWith(':unsent'))")
    os.remove(f"{folder}/picks.json")
    browser.log()


# Saving images

def takes_images_away(browser):
    folder = f"{OUTPUT}/one"
    jobs = manifest(folder)["jobs"]
    with Server(folder) as server:
        browser.open(server.address, "#pick=1")

        def post(name, value):
            return server.ask("POST", f"/{server.token}/run/one/{name}", body=json.dumps(value).encode(), Content_Type="application/json")

        def take(kind, cells, **more):
            status, _, body = post("take", {"kind": kind, "cells": cells, **more})
            assert status == 200, body
            file = json.loads(body)["file"]
            status, headers, data = server.ask("GET", f"/{server.token}/run/one/{file}")
            assert status == 200 and headers["Content-Disposition"].startswith("attachment"), headers
            assert server.ask("GET", f"/{server.token}/run/one/{file}")[0] == 404, "once"
            return data

        note = "<b>good & \u2028 bad</b>"
        assert post("picks", {"schema": 1, "picks": {jobs[1]["id"]: {"stars": 5, "note": note, "changed": "2026"}}})[0] == 200
        archive = zipfile.ZipFile(io.BytesIO(take("zip", [0, 1])))
        assert archive.testzip() is None
        names = [jobs[number]["file"].split("/")[1] for number in [0, 1]]
        assert archive.namelist() == [*names, "picks.json"], archive.namelist()
        for name in names:
            with open(f"{folder}/images/{name}", "rb") as file:
                assert archive.read(name) == file.read()
        assert json.loads(archive.read("picks.json"))["picks"][jobs[1]["id"]]["note"] == note
        # With stars in the copies: the pixels and the text of the webui stay, and the XMP is XML.
        data = zipfile.ZipFile(io.BytesIO(take("zip", [1], picks=True))).read(names[1])
        xmp = re.search(rb"XML:com.adobe.xmp\0\0\0\0\0(.*?</x:xmpmeta>)", data, re.DOTALL)[1].decode()
        from xml.etree import ElementTree
        tree = ElementTree.fromstring(xmp[xmp.index("<x:xmpmeta"):])
        assert "xmp:Rating=\"5\"" in xmp and note in "".join(tree.itertext()), xmp
        assert data.count(b"parameters\0") == 1
        # One page, which needs no other file.
        page = f"{WORK}/one.html"
        with open(page, "wb") as file:
            file.write(take("page", [0, 1, 2]))
        browser.open(page)
        browser.wait("[...document.querySelectorAll('.cell img')].every(image => image.complete && image.naturalWidth > 0)")
        assert browser.value("document.querySelectorAll('.cell.done').length") == 3
        assert browser.value("document.querySelectorAll('.badge').length") == 1
        assert take("sheet", [0, 1, 2, 3]).startswith(b"\x89PNG")
    os.remove(f"{folder}/picks.json")


def frames_of(film):
    """The frames of an animation as (pixels, milliseconds), read by Pillow; None without it."""
    try:
        from PIL import Image, ImageSequence
    except ModuleNotFoundError:
        return None
    image = Image.open(io.BytesIO(film))
    assert image.is_animated and image.info["loop"] == 0
    return [(frame.convert("RGB").tobytes(), frame.info["duration"]) for frame in ImageSequence.Iterator(image)]


def check_frames(film, files, milliseconds, distance):
    """Checks that the frames are these files, up to a mean distance of values."""
    found = frames_of(film)
    if found is None:
        return
    from PIL import Image, ImageChops, ImageStat
    assert len(found) == len(files), (len(found), len(files))
    for (pixels, time_shown), name in zip(found, files):
        expected = Image.open(name).convert("RGB")
        difference = ImageChops.difference(Image.frombytes("RGB", expected.size, pixels), expected)
        assert time_shown == milliseconds and max(ImageStat.Stat(difference).mean) <= distance, (name, time_shown)


def makes_animations(browser):
    folder = f"{OUTPUT}/one"
    jobs = manifest(folder)["jobs"]
    files = [f"{folder}/{job['file']}" for job in jobs]
    with Server(folder) as server:
        def take(**choices):
            status, _, body = server.ask("POST", f"/{server.token}/run/one/take", body=json.dumps({"kind": "animation", **choices}).encode(),
                                         Content_Type="application/json")
            if status != 200:
                return status
            status, headers, data = server.ask("GET", f"/{server.token}/run/one/{json.loads(body)['file']}")
            assert status == 200
            ending = "png" if choices.get("form") == "png" else "webp"
            assert f'filename="one.{ending}"' in headers["Content-Disposition"], headers
            return data

        # WebP unless something else is asked for; each image by itself, twice the same too.
        film = take(cells=[0, 1, 1, 2])
        assert film[:4] == b"RIFF" and film[8:12] == b"WEBP" and film.count(b"ANMF") == 4 and b"VP8 " in film
        check_frames(film, [files[number] for number in [0, 1, 1, 2]], 500, 3)
        film = take(cells=[0, 1, 2], form="lossless", milliseconds=120)
        check_frames(film, files[:3], 120, 0)
        film = take(cells=[0, 1, 2], form="png", milliseconds=120)
        assert film.count(b"fcTL") == 3 and b"acTL\0\0\0\3" in film
        check_frames(film, files[:3], 120, 0)
        # Along an axis: single images of one value each, in the axis's order, or all of a value in one frame.
        film = take(cells=[5, 3, 4], frames="cfg_scale", form="lossless", y="prompt")
        check_frames(film, files[3:6], 500, 0)
        both = take(cells=[0, 1, 2, 3, 4, 5], frames="cfg_scale", form="lossless", y="prompt")
        assert both.count(b"ANMF") == 3
        found = frames_of(both)
        if found:
            from PIL import Image
            sheet = Image.open(io.BytesIO(both))
            for number, (pixels, _) in enumerate(found):
                frame = Image.frombytes("RGB", sheet.size, pixels)
                for job in [number, number + 3]:
                    part = Image.open(files[job]).convert("RGB")
                    assert contains(frame, part), f"frame {number} has image {job}"
        assert take(cells=[0, 1], frames="nothing") == 409

        # The page asks for the same, and browsers show it.
        browser.open(server.address)
        browser.run("""window.asked = [];
            const send = window.fetch;
            window.fetch = (name, options) => { window.asked.push([name, options.body]); return send(name, options); };""")
        browser.click("#take summary")
        browser.run("[...document.querySelectorAll('#take .entry')].find(entry => entry.textContent.startsWith('Animation')).click()")
        browser.wait("document.querySelector('#animation').open")
        assert browser.violations() == [], browser.value("window.found")
        options = browser.value("[...document.querySelectorAll('#animation-axis option')].map(option => option.textContent)")
        assert options == ["cfg_scale", "prompt", "each image by itself"], options
        assert browser.value("document.querySelector('#animation-count').textContent") == "3 frames, each with 2 images"
        browser.choose("#animation-axis", "prompt")
        browser.choose("#animation-time", "1 second")
        browser.click("#animation-save")
        browser.wait("document.querySelector('#toast').textContent.startsWith('Saved')")
        name, body = browser.value("window.asked[0]")
        assert name == "take" and json.loads(body) == {
            "kind": "animation", "cells": [0, 1, 2, 3, 4, 5], "x": "cfg_scale", "form": "webp", "milliseconds": 1000, "frames": "prompt",
        }, body
    # The command.
    path = f"{WORK}/film.webp"
    sdbatch("sheet", folder, "--animation", path, "--filter", f"prompt={jobs[0]['parameters']['prompt']}", "--lossless", "--seconds", "0.3")
    with open(path, "rb") as file:
        check_frames(file.read(), files[:3], 300, 0)
    browser.log()


def contains(image, part):
    """Whether an image has another one in it with every pixel."""
    width, height = part.size
    first = part.crop((0, 0, width, 1)).tobytes()
    rows = image.tobytes()
    place = rows.find(first)
    while place >= 0:
        pixel = place // 3
        x, y = pixel % image.width, pixel // image.width
        if place % 3 == 0 and image.crop((x, y, x + width, y + height)).tobytes() == part.tobytes():
            return True
        place = rows.find(first, place + 1)
    return False


# A run that goes on

def shows_a_run_as_it_goes_on(browser):
    folder = f"{OUTPUT}/long"
    recipe = write("long.yaml", LONG_RECIPE)
    run = subprocess.Popen([SDBATCH, recipe, "--output", folder, "--quiet"], cwd=WORK)
    until(lambda: os.path.exists(f"{folder}/plan.jsonl"))
    with Server(folder) as server:
        # All cells are in view: images that are not are loaded when they come near.
        browser.open(server.address, "#size=96")
        browser.run("window.isSame = true")
        browser.wait("document.querySelector('#now-text').textContent.includes('step')")
        done = "document.querySelectorAll('.cell.done').length"
        before = browser.value(done)
        browser.wait(f"{done} > arguments[0]", before, seconds=60)
        # An image appears at most two seconds after it was made.
        count = len(os.listdir(f"{folder}/images"))
        browser.wait(f"{done} >= arguments[0]", count, seconds=2)
        assert browser.value("document.querySelectorAll('.cell.working').length") <= 1
        # The cell says how far it is.
        browser.wait("/^step \\d+ of 40$/.test(document.querySelector('.cell.working .work')?.textContent)")
        browser.click("#now-text")
        browser.wait("document.activeElement.classList.contains('cell')")
        assert browser.violations() == [], browser.value("window.found")
        browser.click("#pause")
        assert run.wait(timeout=60) == 75, "it stopped with work left"
        browser.wait("document.querySelector('#pause').textContent === 'Continue'")
        stopped = len([name for name in os.listdir(f"{folder}/images") if name.endswith(".png")])
        assert stopped < 12
        browser.click("#pause")
        browser.wait("document.querySelector('#pause').textContent === 'Pause'", seconds=60)
        # It is killed, which loses nothing, and continues.
        with open(f"{folder}/run.lock", encoding="utf-8") as lock:
            os.kill(int(re.search(r"pid (\d+)", lock.read())[1]), signal.SIGKILL)
        browser.wait("document.querySelector('#pause').textContent === 'Continue'", seconds=60)
        browser.click("#pause")
        browser.wait(f"{done} === 12", seconds=120)
        browser.wait("document.querySelector('#now').hidden")
        browser.wait("document.querySelector('#standing').textContent.startsWith('12 of 12 done')")
        assert browser.value("window.isSame"), "without loading the page again"
        browser.wait("[...document.querySelectorAll('.cell img')].every(image => image.complete && image.naturalWidth > 0)")
        until(lambda: os.path.exists(f"{folder}/manifest.json") and manifest(folder)["run"]["counts"]["done"] == 12)


def makes_more_like_an_image(browser):
    folder = f"{OUTPUT}/one"
    with Server(folder) as server:
        browser.open(server.address, "#cell=1")
        browser.click("[data-role=like]")
        browser.click("#likes-seeds")
        browser.click("#likes-scales")
        browser.click("#likes-run")
        browser.wait("document.querySelector('#toast').textContent.startsWith('Started: ')")
        name = browser.value("document.querySelector('#toast').textContent")[len("Started: "):]
        until(lambda: os.path.exists(f"{OUTPUT}/{name}/manifest.json"), seconds=60)
        assert name.startswith("one-like-") and len(manifest(f"{OUTPUT}/{name}")["jobs"]) == 5
        assert server.ask("GET", f"/{server.token}/run/{name}/")[0] == 200
    shutil.rmtree(f"{OUTPUT}/{name}")
    os.remove(f"{OUTPUT}/{name}.yaml")


# Several runs

def shows_several_runs(browser):
    with Server(OUTPUT) as server:
        browser.open(server.address)
        names = browser.value("[...document.querySelectorAll('.card')].map(card => card.dataset.name)")
        assert names == ["hostile <b>run", "long", "one", "two"], names
        assert "6 of 6 done" in browser.value("document.querySelector(\".card[data-name='one']\").textContent")
        assert "1 night" in browser.value("document.querySelector(\".card[data-name='one']\").textContent")
        browser.wait("[...document.querySelectorAll('.strip img')].every(image => image.complete && image.naturalWidth > 0)")
        for theme in ["light", "dark"]:
            browser.emulate(prefers_color_scheme=theme)
            assert browser.violations() == [], browser.value("window.found")
        browser.emulate(prefers_color_scheme="light")
        # A new run appears.
        sdbatch(write("recipe.yaml", RECIPE), "--output", f"{OUTPUT}/zz", "--quiet")
        browser.wait("document.querySelector(\".card[data-name='zz']\") !== null")
        shutil.rmtree(f"{OUTPUT}/zz")
        browser.wait("document.querySelector(\".card[data-name='zz']\") === null")
        # Its pages open, with any name.
        browser.run("document.querySelector('.card a').click()")
        browser.wait("document.documentElement.dataset.ready === 'true' && document.title === 'hostile <b>run'")
        assert browser.value("document.querySelectorAll('h1 b').length") == 0
        browser.open(server.address)
        for name in ["one", "two"]:
            browser.click(f".card[data-name='{name}'] input")
        browser.run("document.querySelector('#compare-runs').click()")
        browser.wait("document.querySelectorAll('.cell.done').length === 12")
        assert "run" in browser.value("[...document.querySelectorAll('#x option')].map(option => option.textContent)")
        browser.wait("[...document.querySelectorAll('.cell img')].every(image => image.complete && image.naturalWidth > 0)")
        # Picks go to the run of the image.
        browser.run("document.querySelector(arguments[0]).focus()", cell(7))
        browser.press("5")
        until(lambda: os.path.exists(f"{OUTPUT}/two/picks.json"))
        assert not os.path.exists(f"{OUTPUT}/one/picks.json")
        assert list(picks(f"{OUTPUT}/two")) == [manifest(f"{OUTPUT}/two")["jobs"][1]["id"]]
    browser.log()


CHECKS = [
    refuses_everybody_else, keeps_picks_through_the_server, takes_images_away, makes_animations, makes_more_like_an_image,
    shows_a_run_as_it_goes_on, shows_several_runs,
]


def main():
    failed = 0
    sdbatch(write("recipe.yaml", RECIPE), "--output", f"{OUTPUT}/one", "--quiet")
    sdbatch(write("recipe.yaml", RECIPE.replace("seed: 7", "seed: 8")), "--output", f"{OUTPUT}/two", "--quiet")
    sdbatch(write("recipe.yaml", RECIPE.replace("seed: 7", "seed: 9")), "--output", f"{OUTPUT}/hostile <b>run", "--quiet")
    with Firefox() if BROWSER == "firefox" else Browser() as browser:
        for check in CHECKS:
            name = check.__name__.replace("_", " ")
            try:
                check(browser)
                said = [line for line in browser.log() if "ERR_CONNECTION_REFUSED" not in line and "ERR_INCOMPLETE" not in line]
                assert said == [], f"the console: {said}"
                asked = [address for address in browser.requests()
                         if not address.startswith(("file:", "data:", "about:", "blob:", "http://127.0.0.1:"))]
                assert asked == [], f"the network: {asked}"
                print(f"ok      {name}")
            except (AssertionError, OSError, LookupError, ValueError, subprocess.SubprocessError):
                failed += 1
                print(f"FAILED  {name}")
                traceback.print_exc()
    return 1 if failed else 0


try:
    status = main()
finally:
    shutil.rmtree(WORK)
sys.exit(status)
