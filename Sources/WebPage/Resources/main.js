// The page: reads the run and connects the parts.

const run = readRun(find("run").textContent);
const view = new View(run);
const sheet = new Sheet(run, view, cell => view.set({ cell: cell.number, comparing: false }));
const controls = new Controls(run, view, sheet);
const viewer = new Viewer(run, view, sheet);
const comparison = new Comparison(run, view, sheet);

// MARK: The head of the page

function showRun() {
  document.title = run.title;
  find("title").textContent = run.title;
  const { done, failed, pending } = run.counts;
  const total = done + failed + pending;
  const parts = [`${done} of ${total} done`];
  if (failed) parts.push(`${failed} failed`);
  if (pending) parts.push(`${pending} pending`);
  const written = new Date(run.written);
  const time = make("time", { dateTime: run.written }, Number.isNaN(written.getTime()) ? run.written : written.toLocaleString());
  find("standing").replaceChildren(
    ...(run.running ? [make("span", { className: "live" }, "running"), " "] : []), parts.join(", "), " · ", time);
  const meter = find("meter");
  meter.setAttribute("aria-label", parts.join(", "));
  for (const [state, count] of Object.entries(run.counts)) {
    if (count) meter.append(place(make("span", { className: state }), { "flex-grow": String(count) }));
  }

  const common = find("common");
  for (const [key, name] of [["prompt", "Prompt"], ["negative_prompt", "Negative prompt"]]) {
    const text = run.common.get(key);
    if (text) common.append(make("p", { className: "prompt-line", dir: "auto", title: text }, make("b", {}, name + " "), text));
  }
  const names = { model: "", sampler_name: "", scheduler: "", steps: "steps", cfg_scale: "cfg", seed: "seed" };
  const words = [];
  for (const [key, name] of Object.entries(names)) {
    const text = run.common.get(key);
    if (text && text !== "automatic") words.push(name ? `${name} ${text}` : text.split("/").pop());
  }
  if (run.common.has("width") && run.common.has("height")) words.push(`${run.common.get("width")}×${run.common.get("height")}`);
  if (words.length) common.append(make("p", { className: "common-settings", dir: "auto" }, words.join(" · ")));
  if (run.sheets.length) {
    find("sheet-link").hidden = false;
    find("sheet-link").href = run.sheets[0];
  }
}

function showTheme() {
  document.documentElement.dataset.theme = view.theme;
  find("theme").textContent = "Theme: " + view.theme;
}

// MARK: Following a run

// A page opened from a folder cannot read files, but it can be reloaded.
const memory = {
  get(key) {
    try { return sessionStorage.getItem("sdbatch." + key); } catch { return null; }
  },
  set(key, value) {
    try { sessionStorage.setItem("sdbatch." + key, value); } catch { /* Storage may be unavailable. */ }
  },
};

function follow() {
  find("follow-switch").hidden = !run.running;
  const box = find("follow");
  box.checked = run.running && memory.get("follow") === "1";
  box.addEventListener("change", () => memory.set("follow", box.checked ? "1" : "0"));
  const position = JSON.parse(memory.get("scroll") || "null");
  memory.set("scroll", "null");
  if (position) find("scroller").scrollTo(position.left, position.top);
  setInterval(() => {
    // Do not interrupt a reader who looks at an image or uses the controls.
    if (!box.checked || document.hidden || document.querySelector("dialog[open], .values[open]")) return;
    memory.set("scroll", JSON.stringify({ left: find("scroller").scrollLeft, top: find("scroller").scrollTop }));
    location.reload();
  }, 15000);
}

// MARK: Keys

const keys = [
  ["← ↑ → ↓", "go to the next image"], ["Home, End, Page Up, Page Down", "go further"], ["Enter", "open an image"],
  ["z", "preview an image"], ["c", "add to comparison, or remove"], ["h, Shift+h", "hide the column or the row"],
  ["+, -, 0, 1", "zoom in, zoom out, fit, actual size (opened image)"], ["m, x", "next mode, swap (comparison)"],
  ["Escape", "back"], ["?", "show these keys"],
];

function prepareHelp() {
  const help = find("help");
  find("keys").append(...keys.flatMap(([key, text]) => [make("dt", {}, key), make("dd", {}, text)]));
  find("help-button").addEventListener("click", () => openDialog(help));
  find("help-close").addEventListener("click", () => help.close());
  help.addEventListener("click", event => { if (event.target === help) help.close(); });
  document.addEventListener("keydown", event => {
    if (event.key === "?" && !event.target.closest("input, textarea") && !document.querySelector("dialog[open]")) openDialog(help);
  });
}

// MARK: Start

// Everything that the layout of the grid depends on. Other changes do not need a new layout.
const layoutState = () => JSON.stringify([
  view.x, view.y, view.sx, view.sy, view.sliders.map(axis => view.held(axis)), view.hidden.map(hidden => [...hidden]),
  view.order, view.size, view.times,
]);
let laidOut = layoutState();

view.onChange(() => {
  const state = layoutState();
  if (state !== laidOut) {
    laidOut = state;
    sheet.rebuild();
  } else {
    sheet.showMarks();
  }
  controls.update();
  viewer.update();
  comparison.update();
  showTheme();
});

find("skip").addEventListener("click", () => sheet.go(sheet.focus));
// On small screens the controls are collapsed.
find("layout-button").addEventListener("click", event => {
  const isFolded = find("controls").classList.toggle("folded");
  event.target.setAttribute("aria-expanded", String(!isFolded));
});
find("theme").addEventListener("click", () => {
  const themes = ["auto", "light", "dark"];
  view.set({ theme: themes[(themes.indexOf(view.theme) + 1) % themes.length] });
});
showRun();
showTheme();
prepareHelp();
controls.update();
viewer.update();
comparison.update();
follow();
document.documentElement.dataset.ready = "true";
