// The page: reads the run and connects the parts.

const run = readRun(find("run").textContent);
// Picks belong to the page's address. A page that is served has a secret in its address, which is new each time.
const server = run.served ? new Server() : null;
// Where it is only a place to look and to take from, it cannot run anything.
const store = server ? new ServerStore(server, run.title) : new BrowserStore(location.pathname);
const picks = new Picks(run, store);
const view = new View(run, picks);
const sheet = new Sheet(run, view, picks, cell => view.set({ cell: cell.number, comparing: false }));
const controls = new Controls(run, view, sheet);
const likes = new Likes(run, run.served?.can_run ? server : null);
const viewer = new Viewer(run, view, sheet, picks, likes);
const shootout = new ShootOut(run, view, sheet, picks);
const comparison = new Comparison(run, view, sheet, picks);
const animation = new AnimationChoice(run, cellsInView, takeAway);

// MARK: The head of the page

// The progress of the run.
function showStanding() {
  const { done, failed, pending } = run.counts;
  const total = done + failed + pending;
  const parts = [`${done} of ${total} done`];
  if (failed) parts.push(`${failed} failed`);
  if (pending) parts.push(`${pending} pending`);
  const written = new Date(run.written);
  const time = make("time", { dateTime: run.written }, Number.isNaN(written.getTime()) ? run.written : written.toLocaleString());
  find("standing").replaceChildren(
    ...(run.running ? [make("span", { className: "live" }, "running"), " "] : []), parts.join(", "), " · ", time);
  const { rated, rejected } = picks.counts();
  if (rated || rejected) find("standing").append(` · ${rated} rated` + (rejected ? `, ${rejected} rejected` : ""));
  if (view.pick !== "all") find("standing").append(` · ${run.cells.filter(cell => view.keeps(cell)).length} shown`);
  const meter = find("meter");
  meter.replaceChildren();
  meter.setAttribute("aria-label", parts.join(", "));
  for (const [state, count] of Object.entries(run.counts)) {
    if (count) meter.append(place(make("span", { className: state }), { "flex-grow": String(count) }));
  }
}

function showRun() {
  document.title = run.title;
  find("title").textContent = run.title;
  find("title").title = run.title;
  showStanding();
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
  showSheets();
}

// A link to the contact sheet, or a list of its pages.
function showSheets() {
  const link = (file, text, className) => make("a", { className, href: file, target: "_blank", rel: "noopener" }, text);
  if (run.sheets.length === 1) fill(find("sheet-links"), Object.assign(link(run.sheets[0], "Sheet", "button"), { title: "Open the contact sheet" }));
  if (run.sheets.length < 2) return;
  fill(find("sheet-links"), make("details", { className: "values menu" },
    make("summary", { className: "button" }, `${run.sheets.length} sheets`),
    make("div", { className: "list" }, make("div", { className: "items" },
      ...run.sheets.map((file, number) => link(file, `Page ${number + 1}`, "entry"))))));
}

function showTheme() {
  document.documentElement.dataset.theme = view.theme;
  find("theme").textContent = { auto: "◐ Auto", light: "☀ Light", dark: "☾ Dark" }[view.theme];
  find("theme").setAttribute("aria-label", "Theme: " + view.theme);
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
  if (server) {
    if (typeof run.served.version === "number") new Live(run, picks, sheet, showStanding);
    return;
  }
  store.watch(changes => picks.take(changes));
  find("follow-switch").hidden = !run.running;
  const box = find("follow");
  box.checked = run.running && memory.get("follow") !== "0";
  box.addEventListener("change", () => memory.set("follow", box.checked ? "1" : "0"));
  const position = JSON.parse(memory.get("scroll") || "null");
  memory.set("scroll", "null");
  if (position) find("scroller").scrollTo(position.left, position.top);
  setInterval(() => {
    // Do not interrupt a reader who looks at an image or uses the controls.
    if (!box.checked || document.hidden || document.querySelector("dialog[open], .values[open]")) return;
    memory.set("scroll", JSON.stringify({ left: find("scroller").scrollLeft, top: find("scroller").scrollTop }));
    location.reload();
    // Large pages take long to load, so they are loaded less often.
  }, Math.max(3000, 20 * performance.now()));
}

// MARK: Keys

const keys = [
  ["← ↑ → ↓", "go to the next image"], ["Home, End, Page Up, Page Down", "go further"], ["Enter", "open an image"],
  ["0 to 5, x", "stars, reject"], ["Ctrl+z", "take the last pick back"], ["z", "preview an image"], ["c", "add to comparison, or remove"], ["h, Shift+h", "hide the column or the row"],
  ["+, -, f, a", "zoom in, zoom out, fit, actual size (opened image)"], ["m, s", "next mode, swap (comparison)"],
  ["← → space", "the better one, same (shoot-out)"], ["x, Shift+x, u", "reject the left or the right one, undo (shoot-out)"], ["Escape", "back"], ["?", "show these keys"],
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
  view.order, view.size, view.times, view.pick,
  // Picks change the layout only where they choose or order what is shown.
  view.pick !== "all" || ["best", "rank"].includes(view.order) ? picks.version : 0,
]);
let laidOut = layoutState();

function update() {
  const state = layoutState();
  if (state !== laidOut) {
    laidOut = state;
    sheet.rebuild();
    showStanding();
  } else {
    sheet.showMarks();
  }
  controls.update();
  viewer.update();
  comparison.update();
  showTheme();
}
view.onChange(update);
picks.onChange(() => {
  update();
  showStanding();
});

// MARK: Picks as a file

function preparePicks() {
  const menu = find("take");
  const entry = (text, click) => make("button", { type: "button", className: "entry", click: () => {
    menu.open = false;
    click();
  } }, text);
  const field = make("input", { type: "file", accept: ".json,application/json", hidden: true, "aria-label": "A picks.json", change: async event => {
    const found = readPicks(await event.target.files[0].text());
    event.target.value = "";
    if (!found) return say("That file is not a picks.json.");
    picks.take(found);
    store.save(picks.all, found);
    say(`${Object.keys(found).length} picks read`);
  } });
  fill(find("take-items"),
    entry("Picks (picks.json)", () => download("picks.json", picksText(picks.all), "application/json")),
    entry("Load a picks.json …", () => field.click()),
    entry("Settings in view as CSV", () => download(`${run.title}.csv`, settingsTable(run, picks, cellsInView()), "text/csv")),
    entry("Texts in view, as in the webui", () => download(`${run.title}.txt`, cellsInView().map(cell => run.infotext(cell)).join("\n\n") + "\n")),
    ...(server ? [
      make("hr"),
      entry("Images in view as zip", () => takeAway("zip")),
      entry("The same, with stars and notes in the copies", () => takeAway("zip", { picks: true })),
      entry("One page with the images in view", () => takeAway("page")),
      entry("Contact sheet of what is in view", () => takeAway("sheet")),
      entry("Animation of what is in view …", () => animation.open()),
    ] : [make("p", { className: "remark" }, "sdbatch open also saves images, as zip, one page, sheet or animation.")]),
    field);
}

// Lets the server put together what is in view, in its order, and saves it.
async function takeAway(kind, more = {}) {
  const cells = cellsInView().filter(cell => cell.status === "done");
  if (!cells.length) return say("No image is in view.");
  say(`Putting ${cells.length === 1 ? "1 image" : `${cells.length} images`} together …`, 60000);
  const answer = await server.post("take", { kind, cells: cells.map(cell => cell.number), ...shownDirections(more.frames), ...more });
  if (!answer) return;
  say("Saved. It is with your downloads.");
  const link = make("a", { href: answer.file, download: "" });
  document.body.append(link);
  link.click();
  link.remove();
}

// The directions of the page by the names of axes, without the axis of an animation.
function shownDirections(frames) {
  if (view.order !== "grid") return {};
  const names = { x: view.x, y: view.y, super_x: view.sx, super_y: view.sy };
  return Object.fromEntries(Object.entries(names).map(([name, axis]) => [name, run.axes[axis]?.name])
    .filter(([, axis]) => axis !== undefined && axis !== frames));
}

function cellsInView() {
  const cells = sheet.arrangement.rows.flatMap(row => row.cells ?? []);
  return cells.filter(cell => cell && view.keeps(cell));
}

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
preparePicks();
controls.update();
viewer.update();
comparison.update();
follow();
document.documentElement.dataset.ready = "true";
