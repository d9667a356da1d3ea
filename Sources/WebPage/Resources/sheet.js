// The grid of images. Only rows and cells in or near the view have elements; others get theirs when they come near.

const reasonLine = 16;

// Stars in words.
function starName(stars) { return stars === 1 ? "1 star" : `${stars} stars`; }

// A pick in words, for screen readers; empty for none.
function pickName(pick) {
  return [pick.stars ? starName(pick.stars) : "", pick.rejected ? "rejected" : "", pick.rank ? `rank ${pick.rank}` : ""].filter(Boolean).join(", ");
}

// Whether a key is that of undoing.
function isUndo(event) { return (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key === "z"; }

class Sheet {
  // open: called with a cell to show it large.
  constructor(run, view, picks, open) {
    this.run = run;
    this.picks = picks;
    this.view = view;
    this.open = open;
    this.scroller = find("scroller");
    this.element = find("sheet");
    // The focused cell: a row of the arrangement and a column in it.
    this.focus = { row: -1, column: 0 };
    this.drawnRows = new Map();
    this.scroller.addEventListener("scroll", () => this.later(), { passive: true });
    new ResizeObserver(() => this.resize()).observe(this.scroller);
    this.element.addEventListener("click", event => this.click(event));
    this.element.addEventListener("keydown", event => this.key(event));
    this.element.addEventListener("focusin", event => this.focused(event));
    this.element.addEventListener("pointerover", event => this.hover(event));
    this.element.addEventListener("pointerleave", () => this.hidePreview());
    this.scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.rebuild();
  }

  // MARK: Layout

  resize() {
    const { clientWidth, clientHeight } = this.scroller;
    if (clientWidth !== this.arrangement.room || (this.view.size === "fit" && clientHeight !== this.height)) this.rebuild();
    else this.later();
  }

  // Lays everything out again, and keeps the focus on its cell.
  rebuild() {
    const old = this.cellAt(this.focus);
    const hadFocus = this.element.contains(document.activeElement);
    this.hidePreview();
    const arrangement = new Arrangement(this.run, this.view, this.scroller.clientWidth, this.scroller.clientHeight);
    this.arrangement = arrangement;
    this.height = this.scroller.clientHeight;
    this.element.replaceChildren();
    this.drawnRows.clear();
    place(this.element, { width: arrangement.width, height: arrangement.height });
    const rows = arrangement.rows;
    const columns = Math.max(0, ...rows.map(row => (row.cells ? row.cells.length : 1)));
    this.element.setAttribute("aria-rowcount", rows.length + arrangement.tiers.length);
    this.element.setAttribute("aria-colcount", columns + 1);
    // A small grid is drawn completely, so that searching the page and screen readers find all of it.
    this.isSmall = arrangement.count <= 400;
    find("nothing").hidden = rows.length > 0;
    this.scroller.hidden = rows.length === 0;
    this.focus = this.position(old) || this.firstCell();
    this.drawHead();
    this.draw();
    if (hadFocus) this.elementAt(this.focus)?.focus({ preventScroll: true });
  }

  later() {
    if (this.isWaiting) return;
    this.isWaiting = true;
    requestAnimationFrame(() => {
      this.isWaiting = false;
      this.draw();
    });
  }

  cellAt({ row, column }) { return this.arrangement?.rows[row]?.cells?.[column] || null; }

  // The position of a cell; null if it is not shown.
  position(cell) {
    if (!cell) return null;
    const rows = this.arrangement.rows;
    for (let row = 0; row < rows.length; row++) {
      const column = rows[row].cells ? rows[row].cells.indexOf(cell) : -1;
      if (column >= 0) return { row, column };
    }
    return null;
  }

  firstCell() {
    const row = this.arrangement.rows.findIndex(row => row.cells);
    return { row, column: 0 };
  }

  // MARK: Drawing

  drawHead() {
    const { arrangement } = this;
    const { tiers, gutter, head } = arrangement;
    if (!head) return;
    const element = place(make("div", { className: "head" }), { height: head });
    // Names are above the labels and not beside them, so that a narrow column of labels does not cut them.
    const names = [["sx", "⇉", "blocks across"], ["x", "→", "across"], ["y", "↓", "down"]].filter(([name]) => this.view[name] >= 0)
      .map(([name, arrow, way]) => make("span", { className: "axis-name", title: `${this.run.axes[this.view[name]].title} (${way})` },
        make("bdi", {}, this.run.axes[this.view[name]].title), ` ${arrow}`));
    // A long name leaves room for the others.
    for (const name of names) place(name, { "max-width": arrangement.room * (names.length > 2 ? 0.3 : 0.45) });
    element.append(place(make("div", { className: "names", "aria-hidden": "true" }, ...names), { "max-width": arrangement.room }));
    if (tiers.length) {
      const corner = place(make("div", { className: "corner", "aria-hidden": "true" }), { width: gutter - gap, height: head - namesLine });
      element.append(corner);
    }
    tiers.forEach((tier, number) => {
      const row = make("div", { role: "row", className: "tier", "aria-rowindex": number + 1 });
      place(row, { top: tier.y, height: tier.height });
      row.labels = new Map();
      element.append(row);
    });
    this.element.append(element);
    this.headRows = [...element.querySelectorAll(".tier")];
  }

  // Draws the labels of the columns in view.
  drawLabels() {
    const { scroller, arrangement } = this;
    const ahead = this.isSmall ? Infinity : 500;
    const [left, right] = [scroller.scrollLeft - ahead, scroller.scrollLeft + scroller.clientWidth + ahead];
    arrangement.tiers.forEach((tier, number) => {
      const row = this.headRows[number];
      tier.labels.forEach((label, index) => {
        const isNear = label.x + label.width >= left && label.x <= right;
        const element = row.labels.get(index);
        if (isNear && !element) {
          const made = this.labelElement(tier, label);
          row.labels.set(index, made);
          row.append(made);
        } else if (!isNear && element) {
          element.remove();
          row.labels.delete(index);
        }
      });
    });
  }

  labelElement(tier, label) {
    const isOuter = tier.axis === this.view.sx;
    const text = make("span", { dir: "auto" }, label.text);
    const title = this.run.axes[tier.axis].values[label.value].label;
    const element = make("div", { role: "columnheader", className: isOuter ? "label outer" : "label", title }, text);
    // The name of a wide block stays in view.
    if (isOuter) place(text, { left: this.arrangement.gutter });
    return place(element, { left: label.x, width: label.width, height: tier.height });
  }

  draw() {
    const { scroller, arrangement } = this;
    const { rows } = arrangement;
    if (arrangement.tiers.length) this.drawLabels();
    const ahead = this.isSmall ? Infinity : 500;
    const [top, bottom] = [scroller.scrollTop - ahead, scroller.scrollTop + scroller.clientHeight + ahead];
    const wanted = new Set();
    const first = this.isSmall ? 0 : arrangement.rowAt(top);
    for (let number = first; number < rows.length && rows[number].y <= bottom; number++) wanted.add(number);
    // The focused cell always has an element.
    if (this.focus.row >= 0) wanted.add(this.focus.row);
    for (const [number, drawn] of this.drawnRows) {
      if (wanted.has(number)) continue;
      drawn.element.remove();
      this.drawnRows.delete(number);
    }
    for (const number of [...wanted].sort((a, b) => a - b)) {
      if (!this.drawnRows.has(number)) this.addRow(number);
      this.drawCells(number);
    }
  }

  addRow(number) {
    const row = this.arrangement.rows[number];
    const { tiers, gutter } = this.arrangement;
    const element = make("div", {
      role: "row", className: row.kind === "band" ? "row band" : "row", "aria-rowindex": number + tiers.length + 1,
    });
    place(element, { top: row.y, height: row.height });
    if (row.kind === "band") {
      const name = row.axis === undefined ? "" : this.run.axes[row.axis].title;
      element.append(make("div", { role: "rowheader", className: "band-label" },
        name ? make("span", { className: "axis-name", dir: "auto" }, name) : null,
        make("span", { dir: "auto" }, row.text)));
    } else if (row.label !== null) {
      const title = this.run.axes[row.axis].values[row.value].label;
      const text = make("span", { dir: "auto" }, row.label);
      place(text, { "-webkit-line-clamp": String(Math.max(1, Math.floor((row.height - 4) / labelLine))) });
      const header = make("div", { role: "rowheader", className: "row-label", title }, text);
      place(header, { width: gutter - gap });
      element.append(header);
    }
    // Elements are in the order of the rows, for screen readers.
    let next = null;
    for (const [other, drawn] of this.drawnRows) {
      if (other > number && (next === null || other < next.number)) next = { number: other, element: drawn.element };
    }
    this.element.insertBefore(element, next ? next.element : null);
    this.drawnRows.set(number, { element, cells: new Map() });
  }

  drawCells(number) {
    const { scroller, arrangement } = this;
    const row = arrangement.rows[number];
    if (!row.cells) return;
    const drawn = this.drawnRows.get(number);
    const ahead = this.isSmall ? Infinity : 500;
    const [left, right] = [scroller.scrollLeft - ahead, scroller.scrollLeft + scroller.clientWidth + ahead];
    for (let column = 0; column < row.cells.length; column++) {
      const x = arrangement.x(row, column);
      const isNear = x + arrangement.box.width >= left && x <= right;
      const isWanted = isNear || (number === this.focus.row && column === this.focus.column);
      const element = drawn.cells.get(column);
      if (isWanted && !element) {
        const made = this.cellElement(row, number, column);
        place(made, { left: x, width: arrangement.box.width, height: row.height });
        drawn.cells.set(column, made);
        drawn.element.append(made);
        if (this.work && row.cells[column]?.index === this.work.index) this.showWork();
      } else if (!isWanted && element) {
        element.remove();
        drawn.cells.delete(column);
      }
    }
  }

  cellElement(row, number, column) {
    const { arrangement, run, view } = this;
    const cell = row.cells[column];
    const isFocus = number === this.focus.row && column === this.focus.column;
    const element = make("div", {
      role: "gridcell", tabIndex: isFocus ? 0 : -1, "aria-colindex": column + 2, className: "cell",
    });
    element.dataset.row = number;
    element.dataset.column = column;
    if (!cell) {
      element.classList.add("hole");
      element.setAttribute("aria-label", "not in this run");
      place(element, { "--height": arrangement.box.height });
      return element;
    }
    element.dataset.number = cell.number;
    if (!view.keeps(cell)) {
      // Its row and column have others that pass the filter.
      element.classList.add("out");
      element.setAttribute("aria-label", `${run.label(cell)}, not shown by the filter`);
      return element;
    }
    const isMarked = view.pair.includes(cell.number);
    element.classList.add(cell.status);
    element.setAttribute("aria-label", run.description(cell));
    element.setAttribute("aria-selected", String(isMarked));
    element.append(this.tile(cell));
    if (row.captions) element.append(make("span", { className: "caption", dir: "auto" }, row.captions[column]));
    if (cell.status === "done" && (arrangement.drawn(cell).width >= 56 || isMarked)) {
      element.querySelector(".frame").append(make("button", {
        type: "button", className: "mark", tabIndex: -1, title: "Compare (c)",
        "aria-label": isMarked ? "Remove from comparison" : "Compare", "aria-pressed": String(isMarked),
      }, isMarked ? "✓" : "+"));
      element.querySelector(".mark").dataset.sign = isMarked ? "✓" : "+";
    }
    if (cell.status === "done") {
      if (arrangement.drawn(cell).width >= 110) element.querySelector(".frame").append(this.rater());
      this.showPick(element, cell);
    }
    return element;
  }

  // Buttons for one to five stars, for the mouse; the keys 0 to 5 do the same.
  rater() {
    return make("div", { className: "rater", role: "group", "aria-label": "Stars" }, ...[1, 2, 3, 4, 5].map(stars =>
      make("button", { type: "button", tabIndex: -1, className: "rate", "data-stars": stars, "aria-label": starName(stars),
        title: `${starName(stars)} (${stars})` }, "★")));
  }

  // Shows the stars of a cell, or that it is rejected.
  showPick(element, cell) {
    const pick = this.picks.of(cell);
    element.classList.toggle("rejected", pick.rejected);
    const frame = element.querySelector(".frame");
    let badge = frame.querySelector(".badge");
    const text = pick.rejected ? "✕" : starText(pick.stars) + (pick.note ? " ✎" : "");
    if (!text) badge?.remove();
    else {
      if (!badge) frame.append(badge = make("span", { className: "badge", "aria-hidden": "true" }));
      badge.textContent = text;
      badge.title = pick.note;
    }
    for (const star of element.querySelectorAll(".rate")) star.classList.toggle("on", Number(star.dataset.stars) <= pick.stars);
    element.setAttribute("aria-label", [this.run.description(cell), pickName(pick)].filter(Boolean).join(", "));
  }

  // Makes the elements of cells again whose content changed.
  redraw(numbers) {
    const changed = new Set(numbers);
    for (const [row, drawn] of this.drawnRows) {
      for (const [column, element] of drawn.cells) {
        if (!changed.has(Number(element.dataset.number))) continue;
        const hadFocus = element === document.activeElement;
        const made = this.cellElement(this.arrangement.rows[row], row, column);
        place(made, { left: this.arrangement.x(this.arrangement.rows[row], column), width: this.arrangement.box.width,
          height: this.arrangement.rows[row].height });
        element.replaceWith(made);
        drawn.cells.set(column, made);
        if (hadFocus) made.focus({ preventScroll: true });
      }
    }
    this.showWork();
  }

  // Marks the cell that is being made. work: the index of its job, with { text, preview } to show in it; null for none.
  showWork(work = this.work ?? null) {
    this.work = work;
    for (const { cells } of this.drawnRows.values()) {
      for (const element of cells.values()) {
        const cell = this.run.cells[Number(element.dataset.number)];
        const isWorking = work !== null && cell?.index === work.index && cell.status !== "done";
        if (isWorking || element.classList.contains("working")) this.showWorking(element, cell, isWorking ? work : null);
      }
    }
  }

  showWorking(element, cell, work) {
    element.classList.toggle("working", work !== null);
    const reason = element.querySelector(".reason");
    if (!reason || cell.status !== "pending") return;
    const isNarrow = reason.parentElement.clientWidth < 72;
    if (!work) fill(reason, isNarrow ? "…" : "pending");
    else {
      const image = work.preview ? reason.querySelector("img") ?? make("img", { alt: "" }) : null;
      if (image && image.getAttribute("src") !== work.preview) image.src = work.preview;
      fill(reason, image, isNarrow ? null : make("span", { className: "work" }, work.text || "working"));
    }
  }

  // Rates a cell; the same number again takes the stars away.
  rate(cell, stars, advances = this.view.advance) {
    if (cell.status !== "done") return;
    const old = this.picks.of(cell);
    this.pick(cell, { stars: old.stars === stars ? 0 : stars }, advances);
    say(pickName(this.picks.of(cell)) || "no stars");
  }

  reject(cell) {
    if (cell.status !== "done") return;
    const rejected = !this.picks.of(cell).rejected;
    this.pick(cell, { rejected }, this.view.advance);
    say(rejected ? "rejected" : "no longer rejected");
  }

  // Changes a pick, and goes to the next image if that is wanted. A filter may hide the cell then, so look for the next one before.
  pick(cell, change, advances) {
    const next = advances ? this.after(cell) : null;
    this.picks.change([cell], change);
    if (next) this.showCell(next);
  }

  // The next image in the order of reading.
  after(cell) {
    const cells = this.arrangement.rows.flatMap(row => row.cells ?? []);
    return cells.slice(cells.indexOf(cell) + 1).find(next => next?.status === "done" && this.view.keeps(next)) ?? null;
  }

  // Shows a cell in the viewer if that is open, otherwise in the grid.
  showCell(cell) {
    if (this.view.cell !== null) return this.view.set({ cell: cell.number });
    const position = this.position(cell);
    if (position) this.go(position);
  }

  // Takes the last pick back and shows its image.
  undo() {
    const ids = this.picks.undo();
    if (!ids) return say("There is no pick to take back.");
    const cell = ids.length === 1 ? this.run.cells.find(cell => cell.id === ids[0]) : null;
    if (cell) this.showCell(cell);
    say("Taken back");
  }

  // The image of a cell, or the text shown instead.
  tile(cell) {
    const { arrangement, view } = this;
    const size = arrangement.drawn(cell);
    const tile = make("div", { className: "tile" });
    place(tile, { height: arrangement.box.height });
    const frame = place(make("div", { className: "frame" }), size);
    tile.append(frame);
    if (cell.status === "done") {
      frame.append(this.image(cell, size));
      if ((view.times || ["fastest", "slowest"].includes(view.order)) && cell.seconds !== undefined) {
        frame.append(make("span", { className: "time" }, duration(cell.seconds)));
      }
    } else {
      frame.append(this.reason(cell, size));
    }
    return tile;
  }

  // Why there is no image. A long reason ends in an ellipsis at the last line that fits; all of it is in the tooltip.
  reason(cell, size) {
    if (cell.status !== "failed") return make("div", { className: "reason" }, size.width < 52 ? "…" : "pending");
    const text = make("span", { dir: "auto" }, cell.error);
    const lines = Math.floor((size.height - 12) / reasonLine) - 1;
    place(text, { "-webkit-line-clamp": String(Math.max(1, lines)) });
    const isSmall = size.width < 72 || lines < 1;
    return make("div", { className: "reason", title: cell.error }, make("b", {}, size.width < 52 ? "!" : "failed"), isSmall ? null : text);
  }

  // The thumbnail if it is large enough, else the image itself.
  image(cell, size) {
    const needed = Math.max(size.width, size.height) * Math.min(devicePixelRatio, 2);
    const source = cell.thumb && needed <= this.run.thumbnail_side * 1.3 ? cell.thumb : cell.file;
    const image = make("img", { alt: "", loading: "lazy", decoding: "async", draggable: false, width: size.width, height: size.height });
    if (size.width >= cell.width * 3) image.classList.add("coarse");
    image.addEventListener("error", () => {
      if (image.getAttribute("src") !== cell.file) image.src = cell.file;
      else image.replaceWith(make("div", { className: "reason" }, make("b", {}, "missing"), cell.file));
    });
    image.src = source;
    return image;
  }

  // MARK: Keyboard

  elementAt({ row, column }) { return this.drawnRows.get(row)?.cells.get(column) || null; }

  // Focuses a cell and scrolls it into view.
  go(position) {
    const row = this.arrangement.rows[position.row];
    if (!row?.cells) return;
    const column = Math.max(0, Math.min(position.column, row.cells.length - 1));
    const old = this.elementAt(this.focus);
    if (old) old.tabIndex = -1;
    this.focus = { row: position.row, column };
    this.reveal(row, column);
    this.draw();
    const element = this.elementAt(this.focus);
    element.tabIndex = 0;
    element.focus({ preventScroll: true });
  }

  reveal(row, column) {
    const { scroller, arrangement } = this;
    const x = arrangement.x(row, column);
    const [left, top] = [x - arrangement.gutter, row.y - arrangement.head - gap];
    const right = x + arrangement.box.width + margin - scroller.clientWidth;
    const bottom = row.y + row.height + margin - scroller.clientHeight;
    if (scroller.scrollLeft > left) scroller.scrollLeft = left;
    else if (scroller.scrollLeft < right) scroller.scrollLeft = right;
    if (scroller.scrollTop > top) scroller.scrollTop = top;
    else if (scroller.scrollTop < bottom) scroller.scrollTop = bottom;
  }

  // The row of cells that is `step` rows away.
  rowFrom(row, step) {
    const rows = this.arrangement.rows;
    let found = row;
    for (let next = row + Math.sign(step), left = Math.abs(step); next >= 0 && next < rows.length && left > 0; next += Math.sign(step)) {
      if (!rows[next].cells) continue;
      found = next;
      left -= 1;
    }
    return found;
  }

  key(event) {
    if (isUndo(event)) {
      event.preventDefault();
      return this.undo();
    }
    if (event.altKey || event.metaKey || (event.ctrlKey && !["Home", "End"].includes(event.key))) return;
    // A key acts on the cell that has the focus, even if the event about that is still to come: Firefox delays it in a window in
    // the background.
    this.focused(event);
    const { row, column } = this.focus;
    const rows = this.arrangement.rows;
    const cell = this.cellAt(this.focus);
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / (this.arrangement.box.height + gap)));
    const last = rows[row]?.cells ? rows[row].cells.length - 1 : 0;
    const isWrapped = Boolean(rows[row]?.xs);
    const moves = {
      ArrowLeft: () => (column > 0 || !isWrapped ? { row, column: column - 1 } : { row: this.rowFrom(row, -1), column: Infinity }),
      ArrowRight: () => (column < last || !isWrapped ? { row, column: column + 1 } : { row: this.rowFrom(row, 1), column: 0 }),
      ArrowUp: () => ({ row: this.rowFrom(row, -1), column }),
      ArrowDown: () => ({ row: this.rowFrom(row, 1), column }),
      PageUp: () => ({ row: this.rowFrom(row, -page), column }),
      PageDown: () => ({ row: this.rowFrom(row, page), column }),
      Home: () => (event.ctrlKey ? this.firstCell() : { row, column: 0 }),
      End: () => (event.ctrlKey ? { row: this.rowFrom(row, rows.length), column: Infinity } : { row, column: last }),
    };
    if (moves[event.key]) {
      const preview = !find("preview").hidden;
      this.go(moves[event.key]());
      if (preview) this.showPreview(this.elementAt(this.focus));
    } else if ((event.key === "Enter" || event.key === " ") && event.target.closest(".mark") === null) {
      if (cell) this.open(cell);
    } else if (event.key === "c" && cell?.status === "done") {
      this.mark(cell);
    } else if (/^[0-5]$/.test(event.key) && cell) {
      this.rate(cell, Number(event.key));
    } else if (event.key === "x" && cell) {
      this.reject(cell);
    } else if (event.key === "z") {
      if (find("preview").hidden) this.showPreview(this.elementAt(this.focus));
      else this.hidePreview();
    } else if (event.key === "Escape" && !find("preview").hidden) {
      this.hidePreview();
    } else if ((event.key === "h" || event.key === "H") && !rows[row].xs) {
      this.hide(event.key === "h" ? [this.view.x, this.arrangement.columns[column].inner] : [this.view.y, rows[row].value]);
    } else {
      return;
    }
    event.preventDefault();
  }

  // Hides a value, unless it is the only one that is shown.
  hide([axis, value]) {
    if (axis < 0 || this.view.shown(axis).length < 2) return;
    this.view.hide(axis, [...this.view.hidden[axis], value]);
    say(`Hidden: ${this.run.axes[axis].values[value].label}`);
  }

  focused(event) {
    const element = event.target.closest(".cell");
    if (!element) return;
    const position = { row: Number(element.dataset.row), column: Number(element.dataset.column) };
    if (position.row === this.focus.row && position.column === this.focus.column) return;
    const old = this.elementAt(this.focus);
    if (old) old.tabIndex = -1;
    this.focus = position;
    element.tabIndex = 0;
  }

  click(event) {
    const element = event.target.closest(".cell[data-number]");
    if (!element) return;
    const cell = this.run.cells[Number(element.dataset.number)];
    const star = event.target.closest(".rate");
    if (event.target.closest(".mark")) this.mark(cell);
    else if (star) this.rate(cell, Number(star.dataset.stars), false);
    else this.open(cell);
  }

  // MARK: Comparison

  mark(cell) {
    this.view.mark(cell);
    const isMarked = this.view.pair.includes(cell.number);
    say(isMarked ? `Added to comparison: ${this.run.label(cell)}` : `Removed from comparison: ${this.run.label(cell)}`);
  }

  // Updates the marks of cells without a new layout.
  showMarks() {
    for (const { cells } of this.drawnRows.values()) {
      for (const element of cells.values()) {
        const cell = this.run.cells[Number(element.dataset.number)];
        if (cell?.status === "done" && element.querySelector(".frame")) this.showPick(element, cell);
        const button = element.querySelector(".mark");
        if (!button) continue;
        const isMarked = this.view.pair.includes(Number(element.dataset.number));
        element.setAttribute("aria-selected", String(isMarked));
        button.setAttribute("aria-pressed", String(isMarked));
        button.setAttribute("aria-label", isMarked ? "Remove from comparison" : "Compare");
        button.textContent = button.dataset.sign = isMarked ? "✓" : "+";
      }
    }
  }

  // MARK: Preview

  hover(event) {
    clearTimeout(this.hoverTimer);
    if (!this.view.hover || event.pointerType !== "mouse") return;
    const element = event.target.closest(".cell.done");
    if (!element) return this.hidePreview();
    if (this.previewed === element) return;
    const wait = find("preview").hidden ? 350 : 60;
    this.hoverTimer = setTimeout(() => this.showPreview(element), wait);
  }

  // Scrolling hides the preview. The event of a scroll before the preview may arrive after it, so compare the position.
  scrolled() {
    const { scrollLeft, scrollTop } = this.scroller;
    if (this.previewed && scrollLeft === this.previewScroll.left && scrollTop === this.previewScroll.top) return;
    this.hidePreview();
  }

  // Shows an image larger, next to its cell.
  showPreview(element) {
    const cell = element?.dataset.number === undefined ? null : this.run.cells[Number(element.dataset.number)];
    if (cell?.status !== "done" || !element.isConnected) return this.hidePreview();
    const frame = element.querySelector(".frame").getBoundingClientRect();
    const room = { width: innerWidth - 24, height: innerHeight - 24 };
    const scale = Math.min(
      Math.max(1, (frame.width * 1.8) / cell.width, 384 / Math.max(cell.width, cell.height)),
      (room.width * 0.62) / cell.width, (room.height - 44) / cell.height);
    const size = { width: Math.round(cell.width * scale), height: Math.round(cell.height * scale) };
    // A preview that is hardly larger than the cell would be useless.
    if (size.width < frame.width * 1.15) return this.hidePreview();
    const preview = find("preview");
    const image = place(make("img", { src: cell.file, alt: "" }), size);
    if (size.width >= cell.width * 3) image.className = "coarse";
    preview.replaceChildren(image, make("p", { dir: "auto" }, this.run.label(cell)));
    preview.hidden = false;
    const [width, height] = [size.width + 2, size.height + 44];
    const isRight = frame.right + 10 + width <= innerWidth - 8 || frame.left < width + 18;
    place(preview, {
      left: Math.max(8, Math.min(isRight ? frame.right + 10 : frame.left - 10 - width, innerWidth - width - 8)),
      top: Math.max(8, Math.min(frame.top + frame.height / 2 - height / 2, innerHeight - height - 8)),
      width: size.width,
    });
    this.previewed = element;
    this.previewScroll = { left: this.scroller.scrollLeft, top: this.scroller.scrollTop };
  }

  hidePreview() {
    clearTimeout(this.hoverTimer);
    find("preview").hidden = true;
    this.previewed = null;
  }
}
