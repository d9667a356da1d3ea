// The page of a folder of runs: a card for each, which follows it.

let runs = JSON.parse(find("run").textContent).runs;
const chosen = new Set();

// The names of the runs that are chosen, as the server wants them.
function comparisonAddress() {
  const names = chosen.size > 1 ? [...chosen] : runs.map(run => run.name);
  return "compare/" + names.map(encodeURIComponent).join("%1F") + "/";
}

// The nights in which images were made, from noon to noon.
function nightText(run) {
  if (!run.nights) return "";
  const days = run.first === run.last ? run.last : `${run.first} – ${run.last}`;
  return `${run.nights === 1 ? "1 night" : `${run.nights} nights`}: ${days}`;
}

function standing(run) {
  const parts = [`${run.done} of ${run.total} done`];
  if (run.failed) parts.push(`${run.failed} failed`);
  if (run.rated) parts.push(`${run.rated} rated`);
  return parts.join(", ");
}

function now(run) {
  if (!run.running) return run.done + run.failed === run.total ? "" : "stopped";
  const parts = [];
  if (run.step !== undefined && run.steps) parts.push(`step ${run.step} of ${run.steps}`);
  if (run.seconds_left !== undefined) parts.push(run.seconds_left < 5400 ? `${Math.ceil(run.seconds_left / 60)} min left`
    : `${Math.round(run.seconds_left / 3600)} h left`);
  return parts.join(" · ");
}

function card(run) {
  const address = `run/${encodeURIComponent(run.name)}/`;
  const box = make("input", { type: "checkbox", checked: chosen.has(run.name), "aria-label": `Choose ${run.name} for comparison`,
    change: event => {
      if (event.target.checked) chosen.add(run.name);
      else chosen.delete(run.name);
      showHead();
    } });
  const meter = make("div", { className: "meter", role: "img", "aria-label": standing(run) });
  for (const state of ["done", "failed"]) if (run[state]) meter.append(place(make("span", { className: state }), { "flex-grow": String(run[state]) }));
  const left = run.total - run.done - run.failed;
  if (left) meter.append(place(make("span", { className: "pending" }), { "flex-grow": String(left) }));
  return make("article", { className: "card", "data-name": run.name },
    make("div", { className: "card-head" },
      make("h2", { dir: "auto" }, make("a", { href: address, title: run.name }, run.name)),
      make("label", { className: "switch" }, box, "compare")),
    meter,
    make("p", { className: "standing" }, run.running ? make("span", { className: "live" }, "running") : null, run.running ? " " : null,
      [standing(run), now(run)].filter(Boolean).join(" · ")),
    make("p", { className: "standing" }, nightText(run)),
    !run.images.length ? make("p", { className: "strip empty" }, "No images yet") : make("a", { className: "strip", href: address, tabIndex: -1, "aria-hidden": "true" },
      ...run.images.map(image => make("img", { src: `${address}${image}`, alt: "", loading: "lazy", width: 96, height: 96 }))));
}

function showHead() {
  find("standing").textContent = `${runs.length} runs, ${runs.reduce((sum, run) => sum + run.done, 0)} images`;
  const link = find("compare-runs");
  link.hidden = runs.length < 2;
  link.href = comparisonAddress();
  link.textContent = chosen.size > 1 ? `Compare ${chosen.size} runs` : "Compare all runs";
}

// Makes only the cards again that changed, so that images do not flicker and the focus stays.
function show() {
  showHead();
  const old = new Map([...find("runs").children].filter(element => element.dataset.name !== undefined).map(element => [element.dataset.name, element]));
  const cards = runs.map(run => {
    const state = JSON.stringify(run);
    const known = old.get(run.name);
    if (known?.dataset.state === state) return known;
    const made = card(run);
    made.dataset.state = state;
    return made;
  });
  const focused = document.activeElement?.closest?.(".card")?.dataset.name;
  const role = document.activeElement?.tagName;
  cards.forEach((element, index) => {
    if (find("runs").children[index] !== element) find("runs").insertBefore(element, find("runs").children[index] ?? null);
  });
  while (find("runs").children.length > cards.length) find("runs").lastElementChild.remove();
  if (focused !== undefined && document.activeElement === document.body) {
    cards.find(element => element.dataset.name === focused)?.querySelector(role === "INPUT" ? "input" : "a")?.focus();
  }
}

document.title = find("title").textContent;
show();
new EventSource("events").addEventListener("runs", event => {
  runs = JSON.parse(event.data).runs;
  show();
});
document.documentElement.dataset.ready = "true";
