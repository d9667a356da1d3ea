// What the reader chose: stars, rejects, notes and ranks, by the ids of images.

const noPick = Object.freeze({ stars: 0, rejected: false, note: "", rank: 0 });

// Combines two sets of picks; of each image the later pick counts.
function mergedPicks(old, more) {
  const merged = { ...old };
  for (const [id, pick] of Object.entries(more)) {
    if (!/^[0-9a-f]{8,64}$/.test(id) || typeof pick !== "object" || pick === null) continue;
    const sound = {
      stars: Number.isInteger(pick.stars) ? Math.max(0, Math.min(5, pick.stars)) : 0, rejected: pick.rejected === true,
      note: typeof pick.note === "string" ? pick.note.slice(0, 4000) : "",
      rank: Number.isInteger(pick.rank) && pick.rank > 0 ? pick.rank : 0,
      changed: typeof pick.changed === "string" ? pick.changed : "",
    };
    if (!merged[id] || merged[id].changed <= sound.changed) merged[id] = sound;
  }
  return merged;
}

// The text of picks.json.
function picksText(picks) {
  const sorted = Object.fromEntries(Object.entries(picks).sort(([a], [b]) => (a < b ? -1 : 1)));
  return JSON.stringify({ schema: 1, picks: sorted }, null, 1) + "\n";
}

// Reads the text of picks.json; null if it is something else.
function readPicks(text) {
  try {
    const data = JSON.parse(text);
    return data.schema === 1 && typeof data.picks === "object" && data.picks !== null ? mergedPicks({}, data.picks) : null;
  } catch {
    return null;
  }
}

class Picks {
  // run: has the picks of the time when the page was written. store: keeps picks, { load(), save(picks, changes) }.
  constructor(run, store) {
    this.run = run;
    this.store = store;
    this.listeners = [];
    this.version = 0;
    // What changed picks were before, the last change at the end.
    this.history = [];
    this.all = mergedPicks(mergedPicks({}, run.picks ?? {}), store.load());
  }

  of(cell) { return this.all[cell.id] ?? noPick; }

  // Changes the picks of cells, such as { stars: 3 }. A rejected image that gets stars is no longer rejected.
  change(cells, change) {
    const changed = new Date().toISOString();
    const changes = {};
    this.history.push(Object.fromEntries(cells.map(cell => [cell.id, this.of(cell)])));
    if (this.history.length > 500) this.history.shift();
    for (const cell of cells) {
      const pick = { ...this.of(cell), ...(typeof change === "function" ? change(cell) : change), changed };
      if (change.stars > 0) pick.rejected = false;
      changes[cell.id] = pick;
    }
    this.take(changes);
    this.store.save(this.all, changes);
  }

  // Takes back the last change that was made here; returns the ids of the images, or null if there is none.
  undo() {
    const old = this.history.pop();
    if (!old) return null;
    const changed = new Date().toISOString();
    const changes = Object.fromEntries(Object.entries(old).map(([id, pick]) => [id, { ...pick, changed }]));
    this.take(changes);
    this.store.save(this.all, changes);
    return Object.keys(changes);
  }

  // Takes picks from elsewhere: another tab, a file.
  take(changes) {
    this.all = mergedPicks(this.all, changes);
    this.version += 1;
    for (const listener of this.listeners) listener();
  }

  onChange(listener) { this.listeners.push(listener); }

  // Whether a cell passes a filter.
  passes(cell, filter) {
    const pick = this.of(cell);
    if (filter === "all") return true;
    if (filter === "kept") return !pick.rejected;
    if (filter === "rejected") return pick.rejected;
    if (filter === "unrated") return cell.status === "done" && pick.stars === 0 && !pick.rejected;
    if (filter === "noted") return pick.note !== "";
    return pick.stars >= Number(filter) && !pick.rejected;
  }

  // The order of cells from the best to the worst: stars, then ranks, then the plan.
  compare(a, b) {
    const [p, q] = [this.of(a), this.of(b)];
    return Number(p.rejected) - Number(q.rejected) || q.stars - p.stars || (p.rank || Infinity) - (q.rank || Infinity) || a.index - b.index;
  }

  // The same, by ranks first.
  compareRanks(a, b) {
    const [p, q] = [this.of(a).rank || Infinity, this.of(b).rank || Infinity];
    return (p === q ? 0 : p - q) || this.compare(a, b);
  }

  counts() {
    const picks = this.run.cells.map(cell => this.of(cell));
    return { rated: picks.filter(pick => pick.stars > 0).length, rejected: picks.filter(pick => pick.rejected).length };
  }
}

// Keeps picks in the browser, for a page that was opened from a file.
class BrowserStore {
  constructor(key) { this.key = "sdbatch.picks:" + key; }

  load() {
    try { return readPicks(localStorage.getItem(this.key) ?? "") ?? {}; } catch { return {}; }
  }

  save(picks) {
    try {
      // Another tab may have saved others meanwhile.
      localStorage.setItem(this.key, picksText(mergedPicks(this.load(), picks)));
    } catch {
      say("The browser does not keep picks for this page. Download picks.json.");
    }
  }

  // Calls when another tab saves.
  watch(take) {
    addEventListener("storage", event => { if (event.key === this.key) take(this.load()); });
  }
}

// Stars as text: three of five.
function starText(stars) { return "★".repeat(stars); }

// Offers a text as a download.
function download(name, text, type = "text/plain") {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = make("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

// The settings of cells as CSV (RFC 4180), with their picks. A text that a spreadsheet would take for a formula gets an apostrophe.
function settingsTable(run, picks, cells) {
  const rows = cells.map(cell => new Map([
    ["index", String(cell.index)], ["file", cell.file ?? ""], ["status", cell.status], ["stars", String(picks.of(cell).stars)],
    ["rejected", String(picks.of(cell).rejected)], ["rank", String(picks.of(cell).rank || "")], ["note", picks.of(cell).note],
    ["seconds", String(cell.seconds ?? "")], ...run.settings(cell),
  ]));
  const heads = [...new Set(rows.flatMap(row => [...row.keys()]))];
  const field = text => {
    const safe = /^[=+@\t\r]/.test(text) || /^-(?![\d.])/.test(text) ? "'" + text : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return [heads, ...rows.map(row => heads.map(head => row.get(head) ?? ""))].map(row => row.map(field).join(",") + "\r\n").join("");
}
