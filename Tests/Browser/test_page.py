"""The page of a run in a real browser: python3 test_page.py SDBATCH [chromium|firefox]

Makes runs with the program, uses their pages as a reader would, and compares them with manifests and images. Exits with 0
if everything is right, and reports every difference. Needs chromium and chromedriver, or Firefox. With the Python package
axe-core-python, the rules of axe-core are checked too.
"""

import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import traceback
import zlib

from browser import Browser, Firefox

BROWSER = sys.argv[2] if len(sys.argv) > 2 else "chromium"
SDBATCH = os.path.abspath(sys.argv[1])
WORK = tempfile.mkdtemp(prefix="sdbatch-page-")
# A complete run, one with texts that look like markup, and one with failed and pending jobs.
RUN, HOSTILE, HALF, WORDS = (f"{WORK}/{name}" for name in ["run", "hostile", "half", "words"])

RECIPE = """
steps: 2
seed: 7
grid:
  prompt:
    - a red circle on a white background
    - a big yellow star on a purple background
    - an orange fish in front of a blue background
  cfg_scale: [1, 3, 6, 9]
"""

HOSTILE_RECIPE = """
steps: 1
negative_prompt: '</script><!--<script>window.hacked = 1</script> "quotes" ''single'' &amp; `tick` ${x} {{data}}'
grid:
  prompt:
    - '<script>window.hacked = 1</script> a "red" star'
    - "</script><img src=x onerror=window.hacked=1> <!-- comment -->"
    - "مرحبا بالعالم, a red fish"
    - "नमस्ते दुनिया 🎣🏮 \\u2028 between lines \\u2029 \\u202e reversed \\u202c"
    - "שלום <b>bold</b> 'star'"
  seed: [1, 9007199254740993]
"""

# Names that the user gave to axes, on several sheets.
WORDS_RECIPE = """
prompt: a red circle on a white background
steps: 1
grid:
  seed: [1, 2]
  Prompt S/R shape: [circle, star]
  Prompt S/R a long name for colours of all kinds: [red, yellow, blue]
sheet: {pages: [seed]}
"""

FAILURE = "<img src=x onerror=window.hacked=1> no memory: " + "this reason is much longer than a cell is high; " * 30


# No image may come from another run folder, least of all from one of the user's.
os.environ["XDG_CACHE_HOME"] = WORK + "/cache"
os.makedirs(WORK + "/cache/sdbatch/images.tsv")


def sdbatch(*arguments):
    subprocess.run([SDBATCH, *arguments], check=True, stdout=subprocess.DEVNULL)


def write(name, text):
    path = f"{WORK}/{name}"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def make_runs():
    sdbatch(write("recipe.yaml", RECIPE), "--output", RUN, "--quiet")
    sdbatch(write("hostile.yaml", HOSTILE_RECIPE), "--output", HOSTILE, "--quiet")
    sdbatch(write("words.yaml", WORDS_RECIPE), "--output", WORDS, "--quiet")
    shutil.copytree(RUN, HALF)
    jobs = manifest(HALF)["jobs"]
    for job in jobs[4:9]:
        os.remove(f"{HALF}/{job['file']}")
    with open(f"{HALF}/journal.jsonl", "a", encoding="utf-8") as journal:
        json.dump({"event": "failed", "id": jobs[4]["id"], "index": 4, "started": "2026-01-01T00:00:00.000Z",
                   "seconds": 1.5, "error": FAILURE}, journal, separators=(",", ":"))
        journal.write("\n")
    sdbatch("sheet", HALF, "--only", "html")


def manifest(folder):
    with open(f"{folder}/manifest.json", encoding="utf-8") as file:
        return json.load(file)


def page(folder):
    return f"{folder}/index.html"


def job_at(folder, **axes):
    """The job with these values, from the manifest, which the page is not made from."""
    for job in manifest(folder)["jobs"]:
        found = {axis["name"]: axis["value"] for axis in job["axes"]}
        if all(found.get(name) == value for name, value in axes.items()):
            return job
    raise AssertionError(f"no job at {axes}")


def cell(job):
    """The selector of a job's cell; cells have the numbers of the plan."""
    return f".cell[data-number='{job['index']}']"


def bounds(browser, selector):
    """The position and size of an element."""
    return browser.value("(({ x, y, width, height }) => ({ x, y, width, height }))"
                         "(document.querySelector(arguments[0]).getBoundingClientRect())", selector)


def pixels(png):
    """Width, height and rows of RGB bytes of a PNG as browsers write it: 8 bits, three or four channels, not interlaced."""
    data = io.BytesIO(png)
    assert data.read(8) == b"\x89PNG\r\n\x1a\n"
    packed = b""
    while True:
        length, kind = struct.unpack(">I4s", data.read(8))
        body = data.read(length)
        data.read(4)
        if kind == b"IHDR":
            width, height, depth, color = struct.unpack(">IIBB", body[:10])
        elif kind == b"IDAT":
            packed += body
        elif kind == b"IEND":
            break
    assert depth == 8 and color in (2, 6)
    channels = 3 if color == 2 else 4
    raw = zlib.decompress(packed)
    rows, above = [], bytes(width * channels)
    for y in range(height):
        start = y * (width * channels + 1)
        kind, line = raw[start], bytearray(raw[start + 1:start + 1 + width * channels])
        for i in range(len(line)):
            left = line[i - channels] if i >= channels else 0
            corner = above[i - channels] if i >= channels else 0
            up = above[i]
            estimate = left + up - corner
            paeth = min((abs(estimate - left), 0, left), (abs(estimate - up), 1, up), (abs(estimate - corner), 2, corner))[2]
            line[i] = line[i] + [0, left, up, (left + up) // 2, paeth][kind] & 255
        above = bytes(line)
        rows.append(b"".join(above[x * channels:x * channels + 3] for x in range(width)))
    return width, height, rows


# What a user does, one function for each task.

def shows_every_image_at_its_position(browser):
    browser.open(page(RUN))
    jobs = manifest(RUN)["jobs"]
    assert browser.value("document.querySelectorAll('.cell.done').length") == len(jobs)
    browser.wait("[...document.querySelectorAll('.cell img')].every(image => image.complete && image.naturalWidth > 0)")
    for job in jobs:
        source = browser.value("document.querySelector(arguments[0] + ' img').src", cell(job))
        assert source == f"file://{RUN}/{job['file']}", source
    # The last axis is horizontal, the one before it vertical, in the recipe's order.
    prompts = list(dict.fromkeys(job["axes"][0]["value"] for job in jobs))
    scales = list(dict.fromkeys(job["axes"][1]["value"] for job in jobs))
    spots = {(p, s): bounds(browser, cell(job_at(RUN, prompt=p, cfg_scale=s))) for p in prompts for s in scales}
    for p, prompt in enumerate(prompts):
        for s, scale in enumerate(scales):
            if s:
                left = spots[prompt, scales[s - 1]]
                assert left["y"] == spots[prompt, scale]["y"] and left["x"] < spots[prompt, scale]["x"]
            if p:
                above = spots[prompts[p - 1], scale]
                assert above["x"] == spots[prompt, scale]["x"] and above["y"] < spots[prompt, scale]["y"]
    assert browser.value("document.querySelector('#standing').textContent").startswith(f"{len(jobs)} of {len(jobs)} done")


def turns_the_grid_by_its_axes(browser):
    browser.open(page(RUN))
    browser.choose("#x", "prompt")
    jobs = manifest(RUN)["jobs"]
    first, next_scale = jobs[0], jobs[1]
    a, b = bounds(browser, cell(first)), bounds(browser, cell(next_scale))
    assert a["x"] == b["x"] and a["y"] < b["y"], "the vertical axis is horizontal now"
    assert browser.value("document.querySelector('#y').selectedOptions[0].textContent") == "cfg_scale"
    # The address keeps it, so that a reload and a link show the same.
    assert "x=prompt" in browser.value("location.hash")
    browser.reload()
    assert bounds(browser, cell(first))["x"] == bounds(browser, cell(next_scale))["x"]
    # An axis without a direction has a slider, which shows one value at a time.
    browser.choose("#y", "—")
    assert browser.value("document.querySelectorAll('.sliders input[type=range]').length") == 1
    shown = browser.value("[...document.querySelectorAll('.cell')].map(cell => Number(cell.dataset.number))")
    assert len(shown) == len({job["axes"][0]["value"] for job in jobs})
    assert {jobs[number]["axes"][1]["value"] for number in shown} == {jobs[0]["axes"][1]["value"]}
    browser.run("""
        const slider = document.querySelector(".sliders input[type=range]");
        slider.value = "1";
        slider.dispatchEvent(new Event("input", { bubbles: true }));
    """)
    shown = browser.value("[...document.querySelectorAll('.cell')].map(cell => Number(cell.dataset.number))")
    assert {jobs[number]["axes"][1]["value"] for number in shown} == {jobs[1]["axes"][1]["value"]}
    browser.open(page(RUN))
    browser.choose("#sx", "prompt")
    heads = browser.value("[...document.querySelectorAll('.label.outer')].map(label => label.textContent)")
    assert heads == list(dict.fromkeys(job["axes"][0]["title"] for job in jobs)), heads


def hides_values(browser):
    browser.open(page(RUN))
    jobs = manifest(RUN)["jobs"]
    browser.click(".direction:has(#x) summary")
    browser.click(".direction:has(#x) .item:nth-child(2) input")
    left = browser.value("[...document.querySelectorAll('.cell')].map(cell => Number(cell.dataset.number))")
    hidden = jobs[1]["axes"][1]["value"]
    assert left and all(jobs[number]["axes"][1]["value"] != hidden for number in left)
    browser.reload()
    assert browser.value("document.querySelectorAll('.cell').length") == len(left)
    # If all values are hidden, the page says so. The button All shows them again.
    browser.click(".direction:has(#x) summary")
    browser.click(".direction:has(#x) .all button:nth-child(2)")
    assert not browser.value("document.querySelector('#nothing').hidden")
    browser.click(".direction:has(#x) .all button:nth-child(1)")
    assert browser.value("document.querySelectorAll('.cell').length") == len(jobs)


def sorts_by_time(browser):
    jobs = manifest(RUN)["jobs"]
    for order, sign in [("Fastest first", 1), ("Slowest first", -1)]:
        browser.open(page(RUN))
        browser.choose("#order", order)
        shown = browser.value("[...document.querySelectorAll('.cell')].map(cell => Number(cell.dataset.number))")
        seconds = [round(jobs[number]["seconds"], 3) * sign for number in shown]
        assert len(seconds) == len(jobs) and seconds == sorted(seconds), (order, seconds)
        assert browser.value("document.querySelectorAll('.cell .time').length") == len(jobs)


def opens_a_cell_and_copies_its_texts(browser):
    browser.open(page(RUN))
    job = manifest(RUN)["jobs"][5]
    browser.click(cell(job) + " img")
    browser.wait("document.querySelector('#viewer').open")
    assert browser.value("document.querySelector('#viewer-stage .pane').src") == f"file://{RUN}/{job['file']}"
    assert browser.value("document.querySelector('#infotext-text').textContent") == job["infotext"]
    rows = dict(browser.value("[...document.querySelectorAll('#viewer-panel .settings tr')]"
                              ".map(row => [row.cells[0].textContent, row.cells[1].textContent])"))
    for key in ["seed", "steps", "cfg_scale", "sampler_name", "width", "height"]:
        assert float(rows[key]) == job["parameters"][key] if key not in ["seed", "sampler_name"] else (
            rows[key] == str(job["parameters"][key])), (key, rows[key])
    assert job["parameters"]["prompt"] in browser.value("document.querySelector('#viewer-panel').textContent")
    browser.click("[data-role=infotext]")
    browser.wait("document.querySelector('#toast').textContent === 'Infotext copied'")
    assert paste(browser) == job["infotext"]
    # The recipe makes exactly this image.
    browser.click("[data-role=recipe]")
    browser.wait("document.querySelector('#toast').textContent === 'Recipe copied'")
    sdbatch(write("cell.yaml", paste(browser)), "--output", f"{WORK}/cell", "--quiet", "--no-sheet")
    again = manifest(f"{WORK}/cell")["jobs"]
    assert [other["pixels_sha256"] for other in again] == [job["pixels_sha256"]]
    browser.press("Escape")
    browser.wait("!document.querySelector('#viewer').open")
    assert browser.value("document.activeElement.dataset.number") == str(job["index"]), "the focus is back at the cell"


def paste(browser):
    """The text on the clipboard, pasted into a field by its key."""
    browser.run("""
        const field = document.createElement("textarea");
        field.id = "paste";
        (document.querySelector("dialog[open]") || document.body).append(field);
        field.focus();
    """)
    browser.press("Control+v")
    browser.wait("document.querySelector('#paste').value !== ''")
    text = browser.value("document.querySelector('#paste').value")
    browser.run("document.querySelector('#paste').remove()")
    return text


def copies_without_a_clipboard(browser):
    browser.open(page(RUN), "#cell=3")
    browser.run("navigator.clipboard.writeText = () => Promise.reject(new Error('not allowed'));")
    browser.click("[data-role=infotext]")
    browser.wait("document.querySelector('#toast').textContent === 'Infotext copied'")
    assert paste(browser) == manifest(RUN)["jobs"][3]["infotext"]


def goes_by_keyboard_alone(browser):
    browser.open(page(RUN))
    jobs = manifest(RUN)["jobs"]
    across = len({job["axes"][1]["value"] for job in jobs})
    # Tab reaches the grid through the controls, all of which show the focus.
    for _ in range(60):
        browser.press("Tab")
        if browser.value("document.activeElement.getAttribute('role') === 'gridcell'"):
            break
        style = browser.value("(style => [style.outlineStyle, style.outlineWidth])(getComputedStyle(document.activeElement))")
        assert style[0] != "none" and style[1] != "0px", browser.value("document.activeElement.outerHTML")
    focused = "Number(document.activeElement.dataset.number)"
    assert browser.value(focused) == 0, "Tab reaches the first cell"
    for keys, number in [(["ArrowRight"], 1), (["ArrowDown"], 1 + across), (["ArrowLeft"], across),
                         (["End"], 2 * across - 1), (["Control+End"], len(jobs) - 1), (["Control+Home"], 0)]:
        browser.press(*keys)
        assert browser.value(focused) == number, (keys, browser.value(focused))
    # The whole grid is one tab stop.
    assert browser.value("document.querySelectorAll('.cell[tabindex=\"0\"]').length") == 1
    browser.press("z")
    browser.wait("!document.querySelector('#preview').hidden")
    assert bounds(browser, "#preview img")["width"] > bounds(browser, cell(jobs[0]) + " img")["width"]
    browser.press("z")
    browser.press("c", "ArrowRight", "c")
    assert browser.value("[...document.querySelectorAll('.cell[aria-selected=true]')].map(cell => cell.dataset.number)") == ["0", "1"]
    browser.press("Enter")
    browser.wait("document.querySelector('#viewer').open")
    browser.press("ArrowDown")
    assert browser.value("document.querySelector('#viewer-stage .pane').src").endswith(jobs[1 + across]["file"])
    before = bounds(browser, "#viewer-stage .pane")["width"]
    browser.press("+")
    assert bounds(browser, "#viewer-stage .pane")["width"] > before
    browser.press("a")
    assert abs(bounds(browser, "#viewer-stage .pane")["width"] - jobs[1 + across]["parameters"]["width"]) < 0.01
    browser.press("Escape")
    browser.press("?")
    browser.wait("document.querySelector('#help').open")


def zooms_on_hover(browser):
    browser.open(page(RUN), "#size=64")
    job = manifest(RUN)["jobs"][2]
    browser.wait("document.querySelector(arguments[0] + ' img').complete", cell(job))
    browser.hover(cell(job) + " img")
    browser.wait("!document.querySelector('#preview').hidden")
    assert browser.value("document.querySelector('#preview img').src").endswith(job["file"])
    assert bounds(browser, "#preview img")["width"] >= job["parameters"]["width"]


def compares(browser):
    jobs = manifest(RUN)["jobs"]
    a, b = jobs[0], jobs[1]
    browser.open(page(RUN))
    for job in [a, b]:
        browser.hover(cell(job))
        browser.click(cell(job) + " .mark")
    browser.click("#compare")
    browser.wait("document.querySelector('#comparison').open")
    sources = "[...document.querySelectorAll('#comparison-stage .pane')].map(pane => pane.src.split('/').pop())"
    names = [job["file"].split("/")[1] for job in [a, b]]
    assert browser.value(sources) == names
    rooms = browser.value("[...document.querySelectorAll('#comparison-stage .room')].map(room => room.getBoundingClientRect().x)")
    assert len(rooms) == 2 and rooms[0] < rooms[1]
    different = browser.value("[...document.querySelectorAll('.differences tbody th')].map(head => head.textContent)")
    assert different == ["stars", "cfg_scale", "time"], different
    # Two-up zooms both.
    widths = "[...document.querySelectorAll('#comparison-stage .pane')].map(pane => pane.getBoundingClientRect().width)"
    before = browser.value(widths)
    browser.run("document.querySelector('#comparison').focus()")
    browser.press("+")
    after = browser.value(widths)
    assert all(new > old for new, old in zip(after, before)), (before, after)
    browser.press("f")
    # Swap.
    browser.click("#swap")
    assert browser.value(sources) == names[::-1]
    # Swipe: the divider decides which of the two is visible.
    browser.open(page(RUN), f"#pair={a['index']}.{b['index']}&compare=1&mode=swipe")
    ready(browser)
    seen = {}
    for percent in [0, 100]:
        browser.run("const wipe = document.querySelector('#wipe'); wipe.value = arguments[0];"
                    "wipe.dispatchEvent(new Event('input', { bubbles: true }));", percent)
        seen[percent] = pixels(browser.pixels_of("#comparison-stage"))[2]
    assert seen[0] != seen[100]
    # The difference is that of the files' bytes.
    browser.open(page(RUN), f"#pair={a['index']}.{b['index']}&compare=1&mode=difference")
    ready(browser)
    browser.press("a")
    compare_difference(browser, a, b)


def ready(browser):
    browser.wait("[...document.querySelectorAll('#comparison-stage img')].every(image => image.complete && image.naturalWidth)")


def compare_difference(browser, a, b):
    """At actual size, the stage must show the absolute difference of the two files' bytes."""
    files = []
    for job in [a, b]:
        with open(f"{RUN}/{job['file']}", "rb") as file:
            files.append(pixels(file.read()))
    width, height, first = files[0]
    second = files[1][2]
    room, spot = bounds(browser, "#comparison-stage"), bounds(browser, "#comparison-stage .pane")
    assert (round(spot["width"]), round(spot["height"])) == (width, height)
    shot = pixels(browser.pixels_of("#comparison-stage"))[2]
    left, top = spot["x"] - room["x"], spot["y"] - room["y"]

    def distance(dx, dy):
        """The largest distance of a value, if the stage's screenshot begins this many pixels later."""
        return max(abs(abs(first[y][x * 3 + c] - second[y][x * 3 + c]) - shot[int(top) + y + dy][(int(left) + x + dx) * 3 + c])
                   for y in range(8, height - 8, 5) for x in range(8, width - 8, 5) for c in range(3))

    # Browsers round the edges of the screenshot in their own ways.
    worst = min(distance(dx, dy) for dx in range(-1, 3) for dy in range(-1, 3))
    assert worst <= 3, f"the difference is off by {worst}"


def shows_hostile_texts_as_text(browser):
    browser.open(page(HOSTILE))
    jobs = manifest(HOSTILE)["jobs"]
    rows = browser.value("[...document.querySelectorAll('.row-label span')].map(label => label.textContent)")
    prompts = list(dict.fromkeys(job["axes"][0]["value"] for job in jobs))
    assert rows == prompts, (rows, prompts)
    # No text has become an element: the only images and scripts are the page's own.
    assert browser.value("document.querySelectorAll('script').length") == 2
    assert browser.value("[...document.images].every(image => image.src.startsWith(arguments[0]))", f"file://{HOSTILE}/")
    assert not browser.value("Boolean(window.hacked)")
    for job in jobs:
        browser.open(page(HOSTILE), f"#cell={job['index']}")
        assert browser.value("document.querySelector('#infotext-text').textContent") == job["infotext"]
        texts = browser.value("[...document.querySelectorAll('#viewer-panel .prompt p')].map(text => text.textContent)")
        assert texts == [job["parameters"]["prompt"], job["parameters"]["negative_prompt"]], texts
        rows = dict(browser.value("[...document.querySelectorAll('#viewer-panel .settings tr')]"
                                  ".map(row => [row.cells[0].textContent, row.cells[1].textContent])"))
        # Every digit of a seed above 2^53.
        assert rows["seed"] == str(job["parameters"]["seed"]), rows["seed"]
        assert not browser.value("Boolean(window.hacked)")
    assert browser.value("document.title") == os.path.basename(HOSTILE)


def shows_failed_and_pending_jobs(browser):
    browser.open(page(HALF))
    states = "Object.fromEntries([...document.querySelectorAll('.cell')].map(cell => [cell.dataset.number, cell.classList[1]]))"
    found = browser.value(states)
    assert [found[str(number)] for number in range(12)] == ["done"] * 4 + ["failed"] + ["pending"] * 4 + ["done"] * 3, found
    assert browser.value("document.querySelector('#standing').textContent").startswith("7 of 12 done, 1 failed, 4 pending")
    assert FAILURE.strip() in browser.value("document.querySelector('.cell.failed').textContent")
    assert FAILURE.strip() in browser.value("document.querySelector('.cell.failed').getAttribute('aria-label')")
    browser.click(".cell.pending")
    browser.wait("document.querySelector('#viewer').open")
    assert browser.value("document.querySelector('#viewer-stage').textContent").startswith("Pending")
    assert browser.value("document.querySelector('[data-role=compare]').disabled")
    # New images are shown after a reload.
    sdbatch(f"{WORK}/recipe.yaml", "--output", HALF, "--quiet")
    browser.reload()
    browser.press("Escape")
    assert set(browser.value(states).values()) == {"done"}


def is_accessible(browser):
    """What screen readers need: roles, names, one heading, a language; and contrast, in both themes."""
    for theme in ["light", "dark"]:
        browser.emulate(prefers_color_scheme=theme)
        browser.open(page(RUN))
        problems = browser.run("""
            const problems = [];
            const named = element => (element.getAttribute("aria-label") || element.title || element.textContent
              || [...(element.labels || [])].map(label => label.textContent).join("")).trim();
            for (const element of document.querySelectorAll("button, select, input, a, dialog, [role=gridcell], [role=grid]")) {
              const name = element.getAttribute("aria-labelledby")
                ? document.getElementById(element.getAttribute("aria-labelledby"))?.textContent ?? "" : named(element);
              const isDynamic = element.matches("dialog");
              if (!name.trim() && !isDynamic) problems.push("no name: " + element.outerHTML.slice(0, 90));
            }
            for (const cell of document.querySelectorAll("[role=gridcell]")) {
              if (cell.parentElement.getAttribute("role") !== "row") problems.push("a cell outside of rows");
            }
            if (document.querySelectorAll("h1").length !== 1) problems.push("headings");
            if (!document.documentElement.lang) problems.push("no language");
            const rgb = text => text.match(/[\\d.]+/g).map(Number);
            const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
              .map(v => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
              .reduce((sum, v, channel) => sum + v * [0.2126, 0.7152, 0.0722][channel], 0);
            for (const element of document.querySelectorAll(".standing, .label span, .row-label span, .button:not(:disabled), .field > label, .field > span")) {
              if (!element.textContent.trim() || !element.getClientRects().length) continue;
              let ground = element;
              while (ground.parentElement && getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
              const [a, b] = [light(rgb(getComputedStyle(element).color)), light(rgb(getComputedStyle(ground).backgroundColor))];
              const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
              if (contrast < 4.5) problems.push(`contrast ${contrast.toFixed(2)}: ${element.outerHTML.slice(0, 80)}`);
            }
            return problems;
        """)
        assert problems == [], problems
    grounds = set()
    for theme in ["light", "dark"]:
        browser.emulate(prefers_color_scheme=theme)
        grounds.add(browser.value("getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2, "light and dark look different"
    browser.emulate(prefers_color_scheme="light")


# Errors that users found.

def writes_no_null(browser):
    for run in [RUN, HALF, WORDS]:
        browser.open(page(run))
        for menu in range(browser.value("document.querySelectorAll('details').length")):
            browser.run("document.querySelectorAll('details')[arguments[0]].open = true", menu)
        browser.open(page(run), "#cell=4")
        text = browser.value("document.body.innerText")
        assert "null" not in text and "undefined" not in text and "NaN" not in text, text
        browser.open(page(run))
        for summary in browser.value("[...document.querySelectorAll('details summary')].map((_, index) => index)"):
            browser.run("document.querySelectorAll('details')[arguments[0]].open = true", summary)
            browser.wait("document.querySelectorAll('details')[arguments[0]].innerText.length > 3", summary)
            text = browser.value("document.querySelectorAll('details')[arguments[0]].innerText", summary)
            assert "null" not in text and "undefined" not in text, text
            browser.run("document.querySelectorAll('details')[arguments[0]].open = false", summary)


def cuts_reasons_with_an_ellipsis(browser):
    for size in [60, 96, 160, 240]:
        browser.open(page(HALF), f"#size={size}")
        spill = browser.value("""(frame => [...frame.querySelectorAll(".reason > *")].map(part => {
            const [a, b] = [part.getBoundingClientRect(), frame.getBoundingClientRect()];
            return Math.max(a.bottom - b.bottom, b.top - a.top, a.right - b.right, b.left - a.left);
        }))(document.querySelector(".cell.failed .frame"))""")
        assert all(amount <= 0 for amount in spill), (size, spill)
        text = "document.querySelector('.cell.failed .reason span')"
        if browser.value(f"{text} !== null"):
            style = browser.value(f"(style => [style.webkitLineClamp, style.overflow])(getComputedStyle({text}))")
            assert int(style[0]) >= 1 and style[1] == "hidden", style
            assert browser.value(f"{text}.scrollHeight > {text}.clientHeight"), "the text is longer than the cell"
        assert browser.value("document.querySelector('.cell.failed .reason').title") == FAILURE


def shows_whole_names_of_axes(browser):
    widths = [(1400, 900), (390, 844)] if BROWSER == "chromium" else [(1400, 900), (500, 844)]
    for width, height in widths:
        browser.resize(width, height)
        browser.open(page(RUN))
        names = browser.value("[...document.querySelectorAll('.names .axis-name')].map(name => "
                              "[name.textContent, name.scrollWidth <= name.clientWidth])")
        assert [name for name, _ in names] == ["cfg_scale →", "prompt ↓"] and all(whole for _, whole in names), names
    browser.resize(1280, 800)
    # A name that the user wrote, and not the key behind it.
    browser.open(page(WORDS))
    options = browser.value("[...document.querySelectorAll('#x option')].map(option => option.textContent)")
    assert options == ["—", "seed", "shape", "a long name for colours of all kinds"], options
    assert "prompt_sr" not in browser.value("document.body.innerText")


def fits_into_the_window(browser):
    for run in [RUN, WORDS]:
        browser.open(page(run))
        browser.click("#fit")
        overflow = browser.value("(scroller => [scroller.scrollWidth - scroller.clientWidth, scroller.scrollHeight - "
                                 "scroller.clientHeight])(document.querySelector('#scroller'))")
        assert overflow == [0, 0], overflow
        assert browser.value("document.querySelector('#fit').getAttribute('aria-pressed')") == "true"
        before = bounds(browser, ".cell img")["width"]
        browser.resize(1280, 500)
        browser.wait("document.querySelector('.cell img').getBoundingClientRect().width < arguments[0]", before)
        browser.resize(1280, 800)
        browser.click("#fit")
        assert "size" not in browser.value("location.hash")


def links_every_sheet(browser):
    browser.open(page(WORDS))
    links = browser.value("[...document.querySelectorAll('#sheet-links a')].map(link => link.getAttribute('href'))")
    there = sorted(name for name in os.listdir(WORDS) if name.startswith("contact-sheet"))
    assert sorted(links) == there and len(there) == 2, (links, there)


def works_on_a_phone(browser):
    browser.resize(390, 844)
    browser.open(page(RUN))
    assert bounds(browser, ".masthead")["height"] < 200, bounds(browser, ".masthead")
    browser.click("#layout-button")
    small = """[...document.querySelectorAll("button, select, summary, a, .switch")].filter(element => element.getClientRects().length
        && !element.closest(".skip") && !element.matches(".rate, .skip")).filter(element => {
          const { width, height } = element.getBoundingClientRect();
          return height < 44 || width < 44;
        }).map(element => element.outerHTML.slice(0, 80))"""
    assert browser.value(small) == [], browser.value(small)
    browser.open(page(RUN), "#cell=1")
    assert browser.value(small.replace("document.", "document.querySelector('#viewer').")) == []
    # The button to close stays in reach.
    browser.run("document.querySelector('.panel').scrollTop = 400")
    assert browser.value("(({ x, y, width, height }) => document.elementFromPoint(x + width / 2, y + height / 2)?.id)"
                         "(document.querySelector('#viewer-close').getBoundingClientRect())") == "viewer-close"
    # A finger to the left shows the next image.
    swipe = """const stage = document.querySelector("#viewer-stage");
        stage.setPointerCapture = () => {};
        for (const [kind, x] of [["pointerdown", 300], ["pointermove", 200], ["pointerup", 120]]) {
          stage.dispatchEvent(new PointerEvent(kind, { pointerId: 5, pointerType: "touch", clientX: arguments[0] > 0 ? x : 420 - x,
            clientY: 300, button: 0, bubbles: true }));
        }"""
    browser.run(swipe, 1)
    browser.wait("location.hash.includes('cell=2')")
    browser.run(swipe, -1)
    browser.wait("location.hash.includes('cell=1')")
    browser.open(page(RUN), "#pair=0.1&compare=1")
    rooms = browser.value("[...document.querySelectorAll('#comparison-stage .room')].map(room => room.getBoundingClientRect().y)")
    assert rooms[0] < rooms[1], "two images are one above the other"
    assert browser.value(small.replace("document.", "document.querySelector('#comparison').")) == []
    browser.resize(1280, 800)


def says_what_a_run_does(browser):
    browser.open(page(HALF), "#cell=6")
    assert "next run" in browser.value("document.querySelector('#viewer-stage').textContent")
    with open(page(HALF), encoding="utf-8") as file:
        text = file.read()
    live = f"{HALF}/live.html"
    with open(live, "w", encoding="utf-8") as file:
        file.write(re.sub(r'"running": ?false', '"running":true', text, count=1))
    browser.open(live, "#cell=6")
    assert "Waiting its turn" in browser.value("document.querySelector('#viewer-stage').textContent")
    # The page of a run reloads by itself within a few seconds.
    browser.press("Escape")
    browser.run("window.isOld = true")
    browser.wait("window.isOld === undefined", seconds=10)
    browser.wait("document.documentElement.dataset.ready === 'true'")
    os.remove(live)


# Picks

def keeps_picks(browser):
    browser.open(page(RUN))
    browser.run("localStorage.clear()")
    browser.open(page(RUN))
    jobs = manifest(RUN)["jobs"]
    browser.run("document.querySelector(arguments[0]).focus()", cell(jobs[0]))
    browser.press("3", "ArrowRight", "5", "ArrowRight", "x")
    badges = "[...document.querySelectorAll('.cell .badge')].map(badge => badge.textContent)"
    assert browser.value(badges) == ["★★★", "★★★★★", "✕"], browser.value(badges)
    browser.press("ArrowRight", "Enter")
    browser.wait("document.querySelector('#viewer').open")
    browser.press("4")
    browser.run("const note = document.querySelector('#viewer textarea'); note.value = arguments[0]; "
                "note.dispatchEvent(new Event('change', { bubbles: true }));", "<b>a note</b>")
    assert browser.value("document.querySelectorAll('#viewer .star.on').length") == 4
    browser.press("Escape")
    browser.wait("!document.querySelector('#viewer').open")
    # They are there after a reload, and by the ids of the images.
    browser.reload()
    assert browser.value(badges) == ["★★★", "★★★★★", "✕", "★★★★ ✎"], browser.value(badges)
    stored = json.loads(browser.value("Object.entries(localStorage).find(([key]) => key.startsWith('sdbatch.picks:'))[1]"))
    assert stored["picks"][jobs[1]["id"]]["stars"] == 5 and stored["picks"][jobs[2]["id"]]["rejected"]
    assert stored["picks"][jobs[3]["id"]]["note"] == "<b>a note</b>"
    shown = "[...document.querySelectorAll('.cell.done:not(.out)')].map(cell => Number(cell.dataset.number))"
    for text, numbers in [("★★★★ or more", [1, 3]), ("Rejected", [2]), ("With a note", [3]), ("All", list(range(12)))]:
        browser.choose("#pick", text)
        assert browser.value(shown) == numbers, (text, browser.value(shown))
    browser.choose("#order", "Best first")
    assert browser.value(shown)[:3] == [1, 3, 0] and browser.value(shown)[-1] == 2
    # The program reads the same file.
    folder = f"{WORK}/picked"
    shutil.copytree(RUN, folder)
    with open(f"{folder}/picks.json", "w", encoding="utf-8") as file:
        json.dump(stored, file)
    sdbatch("upscale", folder, "--picks", "--by", "1.5")
    assert sorted(os.listdir(f"{folder}/upscaled")) == sorted(jobs[n]["file"].split("/")[1] for n in [0, 1, 3])
    sdbatch("sheet", folder, "--picks")
    assert os.path.exists(f"{folder}/picks-sheet.png")
    # A page that is made later has them.
    sdbatch("sheet", folder, "--only", "html")
    browser.open(page(folder))
    assert browser.value(badges) == ["★★★", "★★★★★", "✕", "★★★★ ✎"]
    browser.run("localStorage.clear()")


def shares_picks_between_tabs(browser):
    browser.open(page(RUN))
    browser.run("localStorage.clear()")
    browser.open(page(RUN))
    jobs = manifest(RUN)["jobs"]
    # What another tab stores arrives here, and what is stored here keeps it.
    other = json.dumps({"schema": 1, "picks": {jobs[5]["id"]: {"stars": 2, "changed": "2026-01-01T00:00:00Z"}}})
    browser.run("localStorage.setItem('sdbatch.picks:' + location.pathname, arguments[0]);"
                "window.dispatchEvent(new StorageEvent('storage', { key: 'sdbatch.picks:' + location.pathname }));", other)
    assert browser.value("document.querySelector(arguments[0] + ' .badge').textContent", cell(jobs[5])) == "★★"
    browser.run("document.querySelector(arguments[0]).focus()", cell(jobs[0]))
    browser.press("1")
    stored = json.loads(browser.value("localStorage.getItem('sdbatch.picks:' + location.pathname)"))["picks"]
    assert {pick["stars"] for pick in stored.values()} == {1, 2}
    browser.run("localStorage.clear()")


def ranks_by_a_shoot_out(browser):
    browser.open(page(RUN))
    browser.run("localStorage.clear()")
    browser.open(page(RUN))
    browser.click("#shootout-button")
    browser.wait("document.querySelector('#shootout').open")
    # The image with the larger number always wins.
    for _ in range(100):
        if not browser.value("document.querySelector('#shootout').open"):
            break
        left, right = browser.value("[...document.querySelectorAll('#shootout-stage .pane')].map(pane => "
                                    "Number(pane.src.split('/').pop().split('-')[0]))")
        browser.press("ArrowLeft" if left > right else "ArrowRight")
    browser.wait("!document.querySelector('#shootout').open")
    shown = browser.value("[...document.querySelectorAll('.cell')].map(cell => Number(cell.dataset.number))")
    assert shown == list(range(11, -1, -1)), shown
    browser.run("localStorage.clear()")


def culls_with_few_keys(browser):
    browser.open(page(RUN))
    browser.run("localStorage.clear()")
    browser.open(page(RUN), "#cell=0")
    browser.run("document.querySelector('[data-role=advance]').click()")
    # Each pick goes on to the next image, from one row to the next.
    for key in ["3", "x", "5", "1"]:
        browser.press(key)
    assert "cell=4" in browser.value("location.hash")
    badges = "[...document.querySelectorAll('.cell .badge')].map(badge => badge.textContent)"
    assert browser.value(badges) == ["★★★", "✕", "★★★★★", "★"], browser.value(badges)
    assert browser.value("document.querySelector('#toast').closest('#viewer') !== null"), "the message is not behind the dialog"
    # Undo takes picks back, and shows their images.
    browser.press("Control+z", "Control+z")
    assert browser.value(badges) == ["★★★", "✕"] and "cell=2" in browser.value("location.hash"), browser.value("location.hash")
    browser.press("Escape")
    browser.wait("!document.querySelector('#viewer').open")
    browser.press("Control+z")
    assert browser.value(badges) == ["★★★"]
    # Also with a filter that the pick leaves.
    browser.open(page(RUN), "#cell=1&pick=unrated&next=1")
    browser.press("2")
    assert "cell=2" in browser.value("location.hash")
    assert browser.value("document.querySelector('#standing').textContent").endswith("10 shown")
    # Stars in a comparison.
    browser.open(page(RUN), "#pair=0.5&compare=1")
    browser.click(".compared-stars[data-number='5'] .rate[data-stars='4']")
    assert browser.value("document.querySelectorAll(\".compared-stars[data-number='5'] .on\").length") == 4
    assert browser.value("document.querySelectorAll(\".compared-stars[data-number='0'] .on\").length") == 3
    browser.press("Escape")
    assert "★★★★" in browser.value(badges)
    browser.run("localStorage.clear()")


def keeps_long_texts_in_their_places(browser):
    """The page of a run whose name, axis and values are hundreds of letters long."""
    folder = f"{WORK}/long {'name ' * 40}".strip()
    recipe = write("long.yaml", "steps: 1\nprompt: a red circle\ngrid:\n  seed: [1, 2]\n  Prompt S/R " + "shape " * 50
                   + ":\n    - circle\n    - " + "<img src=x onerror=window.hacked=1> " * 9 + "\n")
    sdbatch(recipe, "--output", folder, "--quiet")
    widths = [(1400, 900), (390, 844)] if BROWSER == "chromium" else [(1400, 900), (500, 844)]
    for width, height in widths:
        browser.resize(width, height)
        browser.open(page(folder))
        assert bounds(browser, ".masthead")["height"] < 260, bounds(browser, ".masthead")
        assert browser.value("document.documentElement.scrollWidth <= innerWidth")
        names = browser.value("[...document.querySelectorAll('.names .axis-name')].map(name => name.textContent)")
        whole = browser.value("[...document.querySelectorAll('.names .axis-name')].map(name => name.scrollWidth <= name.clientWidth + 1)")
        assert whole[names.index("seed ↓" if "seed ↓" in names else "seed →")], (names, whole)
        browser.open(page(folder), "#cell=1")
        assert bounds(browser, "#viewer-title")["height"] < 100
        browser.open(page(folder), "#pair=0.1&compare=1")
        assert bounds(browser, "#comparison-stage")["height"] > 200
    browser.resize(1280, 800)
    assert browser.value("window.hacked === undefined")


def chooses_by_a_click_in_a_shoot_out(browser):
    browser.open(page(RUN))
    browser.run("localStorage.clear()")
    browser.open(page(RUN), "#order=written")
    browser.click("#shootout-button")
    browser.wait("document.querySelector('#shootout').open")
    pair = "[...document.querySelectorAll('#shootout-stage .pane')].map(pane => pane.src.split('/').pop())"
    before = browser.value(pair)
    browser.click("#shootout-stage .room:nth-child(2) img")
    after = browser.value(pair)
    # The winner is compared with another one, or is done.
    assert after != before and before[0] != after[1], (before, after)
    captions = browser.value("[...document.querySelectorAll('#shootout-captions p')].map(text => text.textContent)")
    assert len(set(captions)) == 2 and not any(" · " in text for text in captions), captions
    browser.press("u")
    assert browser.value(pair) == before
    browser.press("Escape")
    browser.run("localStorage.clear()")


def makes_recipes_for_more(browser):
    browser.open(page(HOSTILE), "#cell=1")
    browser.click("[data-role=like]")
    browser.wait("document.querySelector('#likes').open")
    browser.click("#likes-subseeds")
    browser.click("#likes-scales")
    recipe = browser.value("document.querySelector('#likes-text').textContent")
    count = browser.value("document.querySelector('#likes-count').textContent")
    found = subprocess.run([SDBATCH, "plan", write("like.yaml", recipe)], check=True, capture_output=True, text=True).stdout
    assert count == "225 images" and "225" in found, (count, found[:400])
    # Seeds beyond 2^53 are exact.
    assert "9007199254740989, 9007199254740990" in recipe, recipe


def obeys_the_rules_of_axe(browser):
    """The rules of axe-core, in all that opens, in both themes, at two sizes."""
    states = [("", ""), ("#cell=3", ""), ("#cell=4", ""), ("#pair=1.3&compare=1", ""), ("#order=fastest", ""),
              ("", "document.querySelector('#shootout-button').click()"),
              ("#cell=3", "document.querySelector('[data-role=like]').click()"),
              ("", "for (const menu of document.querySelectorAll('details')) menu.open = true;"
                   "document.querySelector('#controls').classList.remove('folded');"),
              ("", "document.querySelector('#help').showModal()")]
    for width, height in [(1400, 900), (390, 844)]:
        browser.resize(width, height)
        for theme in ["light", "dark"]:
            browser.emulate(prefers_color_scheme=theme)
            for fragment, script in states:
                browser.open(page(HALF), fragment)
                browser.run(script)
                found = browser.violations()
                assert found == [], (width, theme, fragment, script, found)
    browser.emulate(prefers_color_scheme="light")
    browser.resize(1280, 800)


CHECKS = [
    shows_every_image_at_its_position, turns_the_grid_by_its_axes, hides_values, sorts_by_time,
    opens_a_cell_and_copies_its_texts, copies_without_a_clipboard, goes_by_keyboard_alone, zooms_on_hover, compares,
    shows_hostile_texts_as_text, writes_no_null, cuts_reasons_with_an_ellipsis, shows_whole_names_of_axes,
    fits_into_the_window, links_every_sheet, works_on_a_phone, says_what_a_run_does, keeps_picks, shares_picks_between_tabs,
    ranks_by_a_shoot_out, chooses_by_a_click_in_a_shoot_out, culls_with_few_keys, keeps_long_texts_in_their_places,
    makes_recipes_for_more, obeys_the_rules_of_axe, shows_failed_and_pending_jobs, is_accessible,
]

# Firefox's windows are wider than a phone, and it has no clipboard without a screen.
CHROMIUM_ONLY = [works_on_a_phone, obeys_the_rules_of_axe, opens_a_cell_and_copies_its_texts, copies_without_a_clipboard]


def main():
    failed = 0
    make_runs()
    with Firefox() if BROWSER == "firefox" else Browser() as browser:
        for check in CHECKS:
            if BROWSER == "firefox" and check in CHROMIUM_ONLY:
                continue
            name = check.__name__.replace("_", " ")
            try:
                check(browser)
                said = browser.log()
                assert said == [], f"the console: {said}"
                asked = [address for address in browser.requests() if not address.startswith(("file:", "data:", "about:"))]
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
