// Compares two cells: side by side, one over the other with a divider, or as their difference.

const modeNames = { "two-up": "Two-up", swipe: "Swipe", difference: "Difference" };

class Comparison {
  constructor(run, view, sheet, picks) {
    this.picks = picks;
    this.run = run;
    this.view = view;
    this.sheet = sheet;
    this.dialog = find("comparison");
    this.stage = new Stage(find("comparison-stage"));
    this.wipe = 50;
    find("comparison-close").addEventListener("click", () => this.dialog.close());
    find("swap").addEventListener("click", () => view.set({ pair: [...view.pair].reverse() }));
    find("gain").addEventListener("change", event => view.set({ gain: event.target.value }));
    find("wipe").addEventListener("input", event => this.divide(Number(event.target.value)));
    this.dialog.addEventListener("close", () => { if (view.comparing) view.set({ comparing: false }); });
    this.dialog.addEventListener("keydown", event => this.key(event));
    this.stage.element.addEventListener("pointermove", event => this.point(event));
    for (const [mode, name] of Object.entries(modeNames)) {
      const input = make("input", { type: "radio", name: "mode", value: mode, change: () => view.set({ mode }) });
      find("modes").append(make("label", {}, input, make("span", {}, name)));
    }
  }

  update() {
    this.updateTray();
    const { view, run } = this;
    if (!view.comparing) {
      this.shown = null;
      if (this.dialog.open) this.dialog.close();
      return;
    }
    for (const input of find("modes").querySelectorAll("input")) input.checked = input.value === view.mode;
    find("gain").value = view.gain;
    find("gain-field").hidden = view.mode !== "difference";
    find("wipe-field").hidden = view.mode !== "swipe";
    openDialog(this.dialog);
    const state = [view.mode, view.gain, ...view.pair].join();
    if (this.shown === state) return this.showStars();
    this.showPanes(view.pair.map(number => run.cells[number]), Boolean(this.shown));
    this.shown = state;
  }

  // MARK: Images

  showPanes([a, b], keepsZoom) {
    const { mode, gain } = this.view;
    const element = this.stage.element;
    element.className = "stage " + mode;
    const panes = [a, b].map((cell, number) => {
      const shown = pane(cell);
      shown.element.alt = `${number ? "B" : "A"}: ${this.run.description(cell)}`;
      return shown;
    });
    const tag = text => make("span", { className: "tag " + text.toLowerCase(), "aria-hidden": "true" }, text);
    if (mode === "two-up") {
      element.replaceChildren(...panes.map((shown, number) => make("div", { className: "room" }, shown.element, tag("AB"[number]))));
    } else {
      // Both are in the box of the first; the second is fitted to it.
      panes[1].width = a.width;
      panes[1].height = a.height;
      panes[1].element.classList.add("over");
      const room = make("div", { className: "room" }, panes[0].element);
      if (mode === "swipe") {
        // The divider stays where it is while the images move, so it clips a layer over the whole room.
        room.append(make("div", { className: "layer" }, panes[1].element),
          make("div", { className: "divide", "aria-hidden": "true" }), tag("A"), tag("B"));
      } else {
        room.append(panes[1].element);
        place(room, { filter: `brightness(${gain})` });
      }
      element.replaceChildren(room);
      this.room = room;
    }
    this.stage.show(panes, keepsZoom);
    this.divide(this.wipe);
    find("comparison-captions").replaceChildren(this.captions(a, b));
  }

  // Puts the divider at a percentage of the width.
  divide(percent) {
    this.wipe = percent;
    find("wipe").value = percent;
    if (this.view.mode === "swipe" && this.room) place(this.stage.element, { "--divide": percent + "%" });
  }

  point(event) {
    if (this.view.mode !== "swipe" || (event.pointerType !== "mouse" && event.buttons === 0)) return;
    if (this.stage.zoom > 1 && event.buttons) return;
    const bounds = this.stage.element.getBoundingClientRect();
    this.divide(Math.round(Math.max(0, Math.min(100, ((event.clientX - bounds.left) / bounds.width) * 100))));
  }

  // MARK: Differences

  captions(a, b) {
    const [left, right] = [a, b].map(cell => new Map(this.run.settings(cell)));
    const keys = [...new Set([...left.keys(), ...right.keys()])].filter(key => left.get(key) !== right.get(key));
    const rows = keys.map(key => make("tr", {}, make("th", { scope: "row" }, key),
      make("td", { dir: "auto" }, left.get(key) ?? "—"), make("td", { dir: "auto" }, right.get(key) ?? "—")));
    if (a.seconds !== undefined && b.seconds !== undefined) {
      rows.push(make("tr", {}, make("th", { scope: "row" }, "time"), make("td", {}, duration(a.seconds)), make("td", {}, duration(b.seconds))));
    }
    rows.unshift(make("tr", {}, make("th", { scope: "row" }, "stars"), ...[a, b].map(cell => make("td", {}, this.stars(cell)))));
    const isScaled = this.view.mode !== "two-up" && (a.width !== b.width || a.height !== b.height);
    return make("div", {},
      make("table", { className: "settings differences" },
        make("caption", { className: "offscreen" }, "Differences"),
        make("thead", {}, make("tr", {}, make("td", {}),
          ...[a, b].map((cell, number) => make("th", { scope: "col", title: this.run.label(cell) },
            make("span", { dir: "auto" }, `${number ? "B" : "A"} · ${this.run.label(cell, this.run.differing(a, b))}`))))),
        make("tbody", {}, ...rows)),
      isScaled ? make("p", { className: "remark" }, `Sizes differ (${this.run.size(a)} and ${this.run.size(b)}): B is scaled to A.`) : null);
  }

  // Buttons for the stars of a cell.
  stars(cell) {
    const buttons = [1, 2, 3, 4, 5].map(number => make("button", { type: "button", className: "rate", "data-stars": number,
      "aria-label": starName(number), click: () => this.sheet.rate(cell, number, false) }, "★"));
    const row = make("div", { className: "compared-stars", role: "group", "aria-label": "Stars", "data-number": cell.number }, ...buttons);
    this.showStars([row]);
    return row;
  }

  showStars(rows = this.dialog.querySelectorAll(".compared-stars")) {
    for (const row of rows) {
      const { stars } = this.picks.of(this.run.cells[Number(row.dataset.number)]);
      for (const button of row.children) {
        const number = Number(button.dataset.stars);
        button.classList.toggle("on", number <= stars);
        button.setAttribute("aria-pressed", String(number === stars));
      }
    }
  }

  // MARK: Keyboard

  key(event) {
    if (isUndo(event)) {
      event.preventDefault();
      if (this.picks.undo()) say("Taken back");
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select")) return;
    if (event.key.startsWith("Arrow") && event.target.closest("input")) return;
    if (this.stage.key(event)) return;
    const modes = Object.keys(modeNames);
    if (event.key === "s") this.view.set({ pair: [...this.view.pair].reverse() });
    else if (event.key === "m") this.view.set({ mode: modes[(modes.indexOf(this.view.mode) + 1) % modes.length] });
    else if (this.view.mode === "swipe" && event.key === "ArrowLeft") this.divide(Math.max(0, this.wipe - 2));
    else if (this.view.mode === "swipe" && event.key === "ArrowRight") this.divide(Math.min(100, this.wipe + 2));
    else return;
    event.preventDefault();
  }

  // MARK: The tray

  // Shows the marked cells below the grid.
  updateTray() {
    const tray = find("tray");
    const { view, run } = this;
    if (tray.dataset.pair === view.pair.join()) return;
    tray.dataset.pair = view.pair.join();
    const hadFocus = tray.contains(document.activeElement);
    tray.hidden = view.pair.length === 0;
    const items = view.pair.map((number, index) => {
      const cell = run.cells[number];
      return make("div", { className: "marked" },
        make("img", { src: cell.thumb || cell.file || "", alt: "", width: 44, height: 44 }),
        make("span", { className: "tag" }, "AB"[index]), make("span", { className: "label", dir: "auto" }, run.label(cell)),
        make("button", { type: "button", className: "button quiet", "aria-label": `Remove from comparison: ${run.label(cell)}`,
          click: () => view.mark(cell) }, "✕"));
    });
    const button = make("button", { type: "button", className: "button strong", id: "compare",
      click: () => view.set({ comparing: true, cell: null }) }, "Compare");
    button.disabled = view.pair.length < 2;
    tray.replaceChildren(...items,
      make("span", { className: "hint" }, view.pair.length < 2 ? "Mark another image with + or c." : ""), button);
    if (hadFocus && !tray.hidden) button.focus();
  }
}
