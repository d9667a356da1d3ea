// The server of `sdbatch open`: what the page sends to it, and what it hears from it.

class Server {
  constructor() { this.isLost = false; }

  // Sends JSON; returns the answer's JSON, or null after saying what went wrong.
  async post(name, value) {
    try {
      const answer = await fetch(name, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });
      if (answer.ok) return await answer.json();
      say((await answer.text()).trim() || `The server answered ${answer.status}.`);
    } catch {
      say("The server does not answer. Is `sdbatch open` still running?");
    }
    return null;
  }
}

// Keeps picks through the server. What could not be sent is kept in the browser and sent again.
class ServerStore {
  constructor(server, key) {
    this.server = server;
    this.waiting = new BrowserStore(key + ":unsent");
  }

  load() { return this.waiting.load(); }

  async save(picks, changes) {
    const sent = { ...this.waiting.load(), ...changes };
    if (await this.server.post("picks", { schema: 1, picks: sent })) {
      try { localStorage.removeItem(this.waiting.key); } catch { /* Storage may be unavailable. */ }
    } else {
      this.waiting.save(sent);
    }
  }
}

// Shows the progress of a run.
class Live {
  constructor(run, picks, sheet, changed) {
    Object.assign(this, { run, picks, sheet, changed });
    this.events = new EventSource(`events?version=${run.served.version}`);
    this.events.addEventListener("cells", event => this.takeCells(JSON.parse(event.data)));
    this.events.addEventListener("progress", event => this.showProgress(JSON.parse(event.data)));
    this.events.addEventListener("picks", event => picks.take(JSON.parse(event.data)));
    this.events.addEventListener("message", event => say(JSON.parse(event.data)));
    // Another plan has other cells.
    this.events.addEventListener("plan", () => location.reload());
    this.events.addEventListener("open", () => document.documentElement.classList.remove("lost"));
    this.events.addEventListener("error", () => document.documentElement.classList.add("lost"));
    find("pause").addEventListener("click", () => this.press());
    find("now-text").addEventListener("click", () => {
      const cell = run.cells.find(cell => cell.index === this.progress?.index);
      const position = cell && sheet.position(cell);
      if (position) sheet.go(position);
    });
  }

  takeCells(changes) {
    for (const change of changes) {
      const cell = this.run.cells[change.number];
      if (!cell) continue;
      this.run.counts[cell.status] -= 1;
      for (const key of ["file", "thumb", "error", "seconds"]) delete cell[key];
      Object.assign(cell, change);
      this.run.counts[cell.status] += 1;
    }
    this.sheet.redraw(changes.map(change => change.number));
    this.changed();
  }

  // progress: { running, stage, step, steps, index, seconds_left, preview, can_continue }
  showProgress(progress) {
    const wasRunning = this.run.running;
    this.run.running = progress.running;
    this.progress = progress;
    const parts = [];
    if (progress.running) {
      if (progress.index !== undefined) parts.push(`image ${progress.index}`);
      if (progress.step !== undefined && progress.steps) parts.push(`step ${progress.step} of ${progress.steps}`);
      else if (progress.stage) parts.push(progress.stage);
      if (progress.seconds_left !== undefined) parts.push(`about ${roughly(progress.seconds_left)} left`);
    }
    find("now").hidden = !progress.running && !progress.can_continue;
    find("now-text").textContent = progress.stopping ? "stopping after this step" : progress.running ? parts.join(" · ") : "stopped";
    const bar = find("now-bar");
    bar.hidden = !(progress.running && progress.steps);
    if (progress.steps) {
      bar.max = progress.steps;
      bar.value = progress.step ?? 0;
    }
    const preview = find("now-preview");
    preview.hidden = !progress.preview;
    if (progress.preview) {
      const image = preview.firstElementChild ?? make("img", { alt: "The unfinished image" });
      if (image.getAttribute("src") !== progress.preview) image.src = progress.preview;
      if (!image.isConnected) preview.append(image);
    }
    const button = find("pause");
    button.textContent = progress.running ? "Pause" : "Continue";
    button.disabled = Boolean(progress.stopping);
    const text = progress.step !== undefined && progress.steps ? `step ${progress.step} of ${progress.steps}` : progress.stage ?? "";
    this.sheet.showWork(progress.running && progress.index !== undefined ? { index: progress.index, text, preview: progress.preview } : null);
    if (wasRunning !== progress.running) this.changed();
  }

  async press() {
    find("pause").disabled = true;
    const answer = await server.post(this.run.running ? "stop" : "continue", {});
    if (!answer) find("pause").disabled = false;
  }
}

// A time to come, in words.
function roughly(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
