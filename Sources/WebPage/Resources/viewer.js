// One cell, large, with all its information.

class Viewer {
  // sheet: has the positions of cells, for the arrow keys.
  constructor(run, view, sheet, picks, likes) {
    this.picks = picks;
    this.likes = likes;
    this.run = run;
    this.view = view;
    this.sheet = sheet;
    this.dialog = find("viewer");
    this.scaleText = make("output", { className: "scale" });
    this.stage = new Stage(find("viewer-stage"), text => { this.scaleText.textContent = text; },
      by => this.move(by, 0));
    this.makeStage();
    find("viewer-close").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", () => this.closed());
    this.dialog.addEventListener("keydown", event => this.key(event));
    this.dialog.addEventListener("click", event => { if (event.target === this.dialog) this.dialog.close(); });
  }

  // Shows the view's cell, if there is one.
  update() {
    const cell = this.view.cell === null ? null : this.run.cells[this.view.cell];
    if (!cell) {
      if (this.dialog.open) this.dialog.close();
      return;
    }
    if (this.cell !== cell) this.show(cell);
    else {
      this.showMark();
      this.showPick();
    }
    openDialog(this.dialog);
  }

  // Lets the browser read the images that the arrow keys lead to.
  preload() {
    this.ahead = [this.neighbour(1, 0), this.neighbour(-1, 0), this.neighbour(0, 1), this.neighbour(0, -1)]
      .filter(cell => cell?.file).map(cell => Object.assign(new Image(), { src: cell.file }));
  }

  closed() {
    if (this.view.cell === null) return;
    const position = this.sheet.position(this.run.cells[this.view.cell]);
    this.cell = null;
    this.view.set({ cell: null });
    if (position) this.sheet.go(position);
  }

  show(cell) {
    const old = this.cell;
    this.cell = cell;
    const { run } = this;
    find("viewer-title").textContent = find("viewer-title").title = run.label(cell);
    this.preload();
    this.showStage(cell, old?.width === cell.width && old?.height === cell.height);
    const focused = this.dialog.open ? document.activeElement?.dataset?.role : undefined;
    find("viewer-panel").replaceChildren(...this.panel(cell));
    // Keep the focus on the button that led to the new cell.
    if (focused) this.dialog.querySelector(`[data-role="${focused}"]`)?.focus();
  }

  // The buttons are kept when the cell changes, so that they can keep the focus.
  makeStage() {
    this.room = make("div", { className: "room" });
    this.zooms = make("div", { className: "zooms" },
      this.button("−", "Smaller (-)", () => this.stage.zoomBy(0.8)), this.scaleText,
      this.button("+", "Larger (+)", () => this.stage.zoomBy(1.25)),
      this.button("1:1", "Actual size (a)", () => this.stage.actualSize()),
      this.button("Fit", "Fit to window (f)", () => this.stage.reset()));
    this.arrows = [["left", "‹", "Previous (←)", -1], ["right", "›", "Next (→)", 1]].map(([side, text, title, by]) => {
      const button = this.button(text, title, () => this.move(by, 0));
      button.className = "arrow " + side;
      return { button, by };
    });
    this.stage.element.replaceChildren(this.room, this.zooms, ...this.arrows.map(({ button }) => button));
  }

  showStage(cell, keepsZoom) {
    this.zooms.hidden = cell.status !== "done";
    if (cell.status === "done") {
      const shown = pane(cell);
      shown.element.alt = this.run.description(cell);
      this.room.replaceChildren(shown.element);
      this.stage.show([shown], keepsZoom);
    } else {
      const text = cell.status === "failed" ? [make("b", {}, "Failed"), make("span", { dir: "auto" }, cell.error)]
        : [make("b", {}, "Pending"), this.run.running ? "Waiting its turn." : "The next run makes it."];
      this.room.replaceChildren(make("div", { className: "reason large " + cell.status, ...(cell.status === "failed" ? { tabIndex: 0, role: "group", "aria-label": "Why it failed" } : {}) },
        ...text));
      this.stage.show([], false);
    }
    // Not `disabled`, which would lose the focus.
    for (const { button, by } of this.arrows) button.setAttribute("aria-disabled", String(!this.neighbour(by, 0)));
  }

  button(text, title, click) {
    return make("button", { type: "button", className: "button", title, "aria-label": title, click }, text);
  }

  // MARK: The panel

  panel(cell) {
    const { run } = this;
    const settings = run.settings(cell);
    const prompts = settings.filter(([key, value]) => ["prompt", "negative_prompt"].includes(key) && value !== "");
    const compareButton = make("button", { type: "button", className: "button", "data-role": "compare",
      "aria-keyshortcuts": "c", click: () => this.sheet.mark(cell) }, "Compare");
    compareButton.disabled = cell.status !== "done";
    this.compareButton = compareButton;
    const recipe = run.recipe(cell);
    const infotext = run.infotext(cell);
    const isDone = cell.status === "done";
    const parts = [
      isDone ? this.rating(cell) : null,
      make("div", { className: "actions" },
        this.copyButton("Copy infotext", infotext, "Infotext", "infotext"),
        this.copyButton("Copy recipe", recipe, "Recipe", "recipe"), compareButton,
        isDone ? make("button", { type: "button", className: "button", "data-role": "like", click: () => this.likes.open(cell) },
          "More like this") : null,
        cell.file ? make("a", { className: "button", href: cell.file, target: "_blank", rel: "noopener" }, "Open file") : null),
      this.steppers(cell),
      ...prompts.map(([key, value]) => make("div", { className: "prompt" },
        make("h3", {}, key === "prompt" ? "Prompt" : "Negative prompt"), make("p", { dir: "auto" }, value))),
      this.table(cell, settings.filter(([key]) => !["prompt", "negative_prompt"].includes(key))),
      this.source("Infotext", infotext, "infotext-text"),
      this.source("Recipe for this image", recipe, "recipe-text"),
    ];
    this.showMark();
    this.showPick();
    return parts.filter(Boolean);
  }

  showMark() {
    if (!this.compareButton || !this.cell) return;
    const isMarked = this.view.pair.includes(this.cell.number);
    this.compareButton.textContent = isMarked ? "Remove from comparison" : "Compare";
    this.compareButton.setAttribute("aria-pressed", String(isMarked));
  }

  // Stars, reject and a note.
  rating(cell) {
    const stars = [1, 2, 3, 4, 5].map(number => make("button", { type: "button", className: "button star", "data-role": "star" + number,
      "data-stars": number, "aria-label": starName(number), title: `${starName(number)} (${number})`,
      click: () => this.sheet.rate(cell, number) }, "★"));
    const reject = make("button", { type: "button", className: "button", "data-role": "reject", title: "Reject (x)",
      click: () => this.sheet.reject(cell) }, "Reject");
    const note = make("textarea", { rows: 1, placeholder: "Note", "aria-label": "Note", dir: "auto", maxLength: 4000,
      change: event => this.picks.change([cell], { note: event.target.value }) });
    note.value = this.picks.of(cell).note;
    this.rater = { cell, stars, reject, note };
    const advance = make("input", { type: "checkbox", checked: this.view.advance, "data-role": "advance",
      change: event => this.view.set({ advance: event.target.checked }) });
    return make("div", { className: "rating" },
      make("div", { className: "stars", role: "group", "aria-label": "Stars" }, ...stars), reject,
      make("label", { className: "switch", title: "Go to the next image after stars or a reject" }, advance, "then next"), note);
  }

  showPick() {
    if (!this.rater || this.rater.cell !== this.cell) return;
    const { stars, reject, note } = this.rater;
    const pick = this.picks.of(this.cell);
    stars.forEach((button, index) => {
      button.setAttribute("aria-pressed", String(index + 1 === pick.stars));
      button.classList.toggle("on", index < pick.stars);
    });
    reject.setAttribute("aria-pressed", String(pick.rejected));
    if (document.activeElement !== note) note.value = pick.note;
  }

  copyButton(text, content, what, role) {
    return make("button", { type: "button", className: "button", "data-role": role, click: () => copy(content, what) }, text);
  }

  // The axes, each with buttons for the previous and the next value.
  steppers(cell) {
    const rows = this.run.axes.map((axis, number) => {
      const value = cell.at[number];
      if (value === null) return null;
      const step = (by, role, text, name) => {
        const next = this.along(cell, number, by);
        const button = make("button", { type: "button", className: "button step", "data-role": role + number,
          "aria-label": `${axis.title}: ${name}`, click: () => next && this.view.set({ cell: next.number }) }, text);
        button.setAttribute("aria-disabled", String(!next));
        return button;
      };
      return make("div", { className: "stepper" },
        make("span", { className: "axis-name", dir: "auto", title: axis.title }, axis.title),
        step(-1, "before", "‹", "previous value"),
        make("span", { className: "value", dir: "auto", title: axis.values[value].title },
          axis.values[value].title.replaceAll("\n", " + ") || "(empty)"),
        step(1, "after", "›", "next value"));
    }).filter(Boolean);
    return rows.length ? make("div", { className: "steppers" }, ...rows) : null;
  }

  // The next cell along an axis, skipping holes.
  along(cell, axis, by) {
    const values = this.run.axes[axis].values.length;
    for (let value = cell.at[axis] + by; value >= 0 && value < values; value += by) {
      const at = cell.at.slice();
      at[axis] = value;
      const found = this.run.cellAt(at);
      if (found) return found;
    }
    return null;
  }

  table(cell, settings) {
    const rows = [
      ["job", String(cell.index)],
      ...settings,
      ...(cell.seconds === undefined ? [] : [["time", duration(cell.seconds)]]),
      ...(cell.file ? [["file", cell.file]] : []),
    ];
    return make("table", { className: "settings" }, make("caption", { className: "offscreen" }, "Settings"), make("tbody", {},
      ...rows.map(([key, value]) => make("tr", {}, make("th", { scope: "row" }, key), make("td", { dir: "auto" }, value || "—")))));
  }

  source(title, text, id) {
    return make("details", { className: "source" }, make("summary", {}, title), make("pre", { id, dir: "auto", tabIndex: 0 }, text));
  }

  // MARK: Keyboard

  // The nearest cell in a direction of the grid, skipping holes.
  neighbour(dx, dy) {
    const position = this.sheet.position(this.cell);
    if (!position) return null;
    const rows = this.sheet.arrangement.rows;
    let { row, column } = position;
    while (true) {
      if (dx) {
        column += dx;
        if (column < 0 || column >= rows[row].cells.length) {
          // Wrapped rows continue like text.
          const next = this.sheet.rowFrom(row, dx);
          if (!rows[row].xs || next === row) return null;
          row = next;
          column = dx > 0 ? 0 : rows[row].cells.length - 1;
        }
      } else {
        const next = this.sheet.rowFrom(row, dy);
        if (next === row) return null;
        row = next;
      }
      const cell = rows[row].cells[column];
      if (cell) return cell;
    }
  }

  move(dx, dy) {
    const cell = this.neighbour(dx, dy);
    if (cell) this.view.set({ cell: cell.number });
  }

  key(event) {
    if (event.target.closest("pre, input, select") && event.key.startsWith("Arrow")) return;
    if (event.target.closest("textarea")) return;
    if (isUndo(event)) {
      event.preventDefault();
      return this.sheet.undo();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || this.stage.key(event)) return;
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (moves[event.key]) this.move(...moves[event.key]);
    else if (event.key === "c" && this.cell.status === "done") this.sheet.mark(this.cell);
    else if (/^[0-5]$/.test(event.key)) this.sheet.rate(this.cell, Number(event.key));
    else if (event.key === "x") this.sheet.reject(this.cell);
    else return;
    event.preventDefault();
  }
}
