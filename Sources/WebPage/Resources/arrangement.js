// The positions of everything in pixels. Only cells in view are drawn, so of ten thousand cells most exist only here.

const gap = 6;
const blockGap = 24;
const margin = 16;
const labelFont = "13px system-ui, sans-serif";
const labelLine = 18;
// The line above the labels of columns, with the names of the axes.
const namesLine = 22;

class Arrangement {
  // run, view: what to show. width, height: those of the scroller. size: the longest side of a cell, if it is not the view's.
  // other: an arrangement of the same at another size, which knows the cells already.
  constructor(run, view, width, height, size = view.size, other = null) {
    this.other = other;
    this.run = run;
    this.view = view;
    this.room = width;
    // The shape of a box that holds every image when all are scaled to the same longest side.
    this.shape = { width: 0, height: 0 };
    this.native = 0;
    for (const cell of run.cells) {
      const longest = Math.max(cell.width, cell.height);
      this.native = Math.max(this.native, longest);
      this.shape.width = Math.max(this.shape.width, cell.width / longest);
      this.shape.height = Math.max(this.shape.height, cell.height / longest);
    }
    this.wanted = size === "fit" ? this.fittingSize(width, height) : size;
    this.columns = [];
    this.rows = [];
    this.gutter = 0;
    this.head = 0;
    this.tiers = [];
    if (view.order !== "grid") this.list();
    else if (view.y < 0 && view.sx < 0 && view.sy < 0) this.wrap();
    else this.table();
    this.width = Math.max(this.right, 1);
    this.height = this.bottom + margin;
  }

  get bottom() {
    const last = this.rows[this.rows.length - 1];
    return last ? last.y + last.height : this.head;
  }

  // The number of cells, including holes.
  get count() { return this.rows.reduce((sum, row) => sum + (row.cells ? row.cells.length : 0), 0); }

  // MARK: A table

  table() {
    const { run, view } = this;
    const tracks = (outer, inner) => {
      const outers = outer < 0 ? [null] : view.shown(outer);
      const inners = inner < 0 ? [null] : view.shown(inner);
      return outers.flatMap(outer => inners.map(inner => ({ outer, inner })));
    };
    // The values of a cell: those that are held, then those of its column and row.
    const base = run.axes.map((_, axis) => view.held(axis));
    const cellOf = (column, row) => {
      const at = base.slice();
      for (const [axis, value] of [[view.sx, column.outer], [view.x, column.inner], [view.sy, row.outer], [view.y, row.inner]]) {
        if (axis >= 0) at[axis] = value;
      }
      return run.cellAt(at);
    };
    let columns = tracks(view.sx, view.x);
    let rows = tracks(view.sy, view.y);
    // Rows and columns in which no cell passes the filter are left out, and those that the recipe excludes altogether.
    if (view.pick !== "all" || run.hasHoles) {
      const keeps = (column, row) => {
        const cell = cellOf(column, row);
        return cell !== null && view.keeps(cell);
      };
      rows = rows.filter(row => columns.some(column => keeps(column, row)));
      columns = columns.filter(column => rows.some(row => keeps(column, row)));
    }
    const label = (axis, value) => run.axes[axis].values[value].title;
    this.gutter = view.y < 0 ? margin : this.gutterWidth(view.shown(view.y).map(value => label(view.y, value)));
    this.measure(columns.length, columns.filter((column, n) => n && column.outer !== columns[n - 1].outer).length);

    let x = this.gutter;
    columns.forEach((column, number) => {
      if (number) x += column.outer === columns[number - 1].outer ? gap : blockGap;
      this.columns.push({ ...column, x });
      x += this.box.width;
    });
    this.right = x + margin;
    this.layHead();

    const other = this.other?.rows.filter(row => row.kind === "cells").map(row => row.cells);
    let y = this.head + gap;
    rows.forEach((row, number) => {
      if (view.sy >= 0 && (number === 0 || rows[number - 1].outer !== row.outer)) {
        if (number) y += blockGap - gap;
        const text = label(view.sy, row.outer);
        this.rows.push({ kind: "band", y, height: 30, text, axis: view.sy, value: row.outer });
        y += 30 + gap;
      }
      this.rows.push({
        kind: "cells", y, height: this.box.height, axis: view.y, value: row.inner,
        label: view.y < 0 ? null : label(view.y, row.inner),
        cells: other ? other[number] : this.columns.map(column => cellOf(column, row)),
      });
      y += this.box.height + gap;
    });
    if (!columns.length) this.rows = [];
    const extras = run.extras.filter(cell => this.passes(cell));
    if (extras.length && this.rows.length) {
      this.rows.push({ kind: "band", y: y + blockGap, height: 30, text: "Extra cells" });
      this.flow(extras, y + blockGap + 30 + gap, extras.map(cell => run.label(cell)));
    }
  }

  gutterWidth(labels) {
    const most = Math.max(72, Math.min(240, this.room * 0.22));
    let widest = 0;
    for (const label of labels.slice(0, 2000)) {
      for (const line of label.split("\n")) widest = Math.max(widest, textWidth(line, labelFont));
    }
    return Math.ceil(Math.min(most, widest)) + margin + 16;
  }

  // The labels above the columns: first those of blocks, then those of the columns.
  layHead() {
    const { run, view } = this;
    if (view.x >= 0 || view.sx >= 0 || view.y >= 0) this.head += namesLine;
    if (view.sx >= 0) {
      const tier = { axis: view.sx, y: this.head, height: 0, labels: [] };
      this.columns.forEach((column, number) => {
        if (number && this.columns[number - 1].outer === column.outer) {
          tier.labels[tier.labels.length - 1].width = column.x + this.box.width - tier.labels[tier.labels.length - 1].x;
        } else {
          const text = run.axes[view.sx].values[column.outer].title;
          tier.labels.push({ x: column.x, width: this.box.width, text, value: column.outer });
        }
      });
      this.addTier(tier, 2);
    }
    if (view.x >= 0) {
      this.addTier({
        axis: view.x, y: this.head, height: 0,
        labels: this.columns.map(column => ({
          x: column.x, width: this.box.width, text: run.axes[view.x].values[column.inner].title, value: column.inner,
        })),
      }, 4);
    }
  }

  addTier(tier, most) {
    let lines = 1;
    for (const label of tier.labels.slice(0, 500)) {
      lines = Math.max(lines, Math.min(most, lineCount(label.text, label.width - 4, labelFont)));
    }
    tier.height = lines * labelLine + 10;
    this.head += tier.height;
    this.tiers.push(tier);
  }

  // MARK: Wrapped cells

  passes(cell) {
    return this.view.keeps(cell) && cell.at.every((value, axis) => value === null || !this.view.hidden[axis].has(value));
  }

  // One axis, or none, wrapped like text.
  wrap() {
    const { run, view } = this;
    this.measure(0, 0);
    this.gutter = margin;
    const values = view.x < 0 ? [null] : view.shown(view.x);
    const base = run.axes.map((_, axis) => view.held(axis));
    const cells = values.map(value => run.cellAt(base.map((held, axis) => (axis === view.x ? value : held))));
    const labels = values.map(value => (value === null ? "" : run.axes[view.x].values[value].label.replaceAll("\n", ", ")));
    // Without axes, every job but the first is an extra cell.
    const present = cells.map((cell, number) => [cell, labels[number]])
      .filter(([cell]) => (cell ? view.keeps(cell) : run.axes.length > 0 && view.pick === "all"));
    this.flow(present.map(([cell]) => cell), margin, present.map(([, label]) => label));
    const extras = run.extras.filter(cell => this.passes(cell));
    if (extras.length) {
      const y = this.bottom + blockGap;
      this.rows.push({ kind: "band", y, height: 30, text: "Extra cells" });
      this.flow(extras, y + 30 + gap, extras.map(cell => run.label(cell)));
    }
  }

  // All cells, in the order of the plan or sorted by time; cells without a time come last.
  list() {
    const { run, view } = this;
    this.measure(0, 0);
    this.gutter = margin;
    const cells = run.cells.filter(cell => this.passes(cell));
    if (view.order === "best") cells.sort((a, b) => view.picks.compare(a, b));
    else if (view.order === "rank") cells.sort((a, b) => view.picks.compareRanks(a, b));
    else if (view.order !== "written") {
      const sign = view.order === "fastest" ? 1 : -1;
      const rank = cell => (cell.status === "done" && cell.seconds !== undefined ? 0 : 1);
      cells.sort((a, b) => rank(a) - rank(b) || sign * ((a.seconds ?? 0) - (b.seconds ?? 0)) || a.index - b.index);
    }
    const varying = run.axes.map((_, axis) => axis).filter(axis => view.shown(axis).length > 1);
    this.flow(cells, margin, cells.map(cell => run.label(cell, varying.length ? varying : undefined)));
  }

  // Rows of cells, each with a caption below.
  flow(cells, top, captions) {
    const step = this.box.width + gap * 2;
    const across = Math.max(1, Math.floor((this.room - 2 * margin + gap * 2) / step));
    const lines = Math.max(0, ...captions.slice(0, 2000).map(text => Math.min(3, lineCount(text, this.box.width, labelFont))));
    const caption = (captions.some(Boolean) ? lines * labelLine : 0) + 8;
    let y = top;
    for (let start = 0; start < cells.length; start += across) {
      const row = cells.slice(start, start + across);
      this.rows.push({
        kind: "cells", y, height: this.box.height + caption, cells: row, captions: captions.slice(start, start + across),
        xs: row.map((_, number) => margin + number * step), label: null,
      });
      y += this.box.height + caption + gap;
    }
    this.right = Math.max(this.right || 0, margin * 2 + Math.min(across, cells.length) * step - gap * 2);
  }

  // MARK: Sizes

  // The size of a cell's box: the chosen one, or as large as fits, with a minimum so that images can be recognised.
  measure(columns, blocks) {
    let size = this.wanted;
    if (size === null) {
      const most = Math.min(384, Math.max(this.native, 256));
      if (columns) {
        const room = this.room - this.gutter - margin - blocks * blockGap - (columns - 1 - blocks) * gap;
        size = Math.floor(room / columns / this.shape.width);
        size = Math.max(88, Math.min(most, size));
      } else {
        const least = Math.ceil(Math.sqrt(this.run.cells.length));
        const room = this.room - 2 * margin;
        size = Math.max(144, Math.min(most, Math.floor(room / Math.min(least, 8) / this.shape.width - gap * 2)));
      }
      size = Math.min(size, Math.max(64, this.room - this.gutter - 2 * margin));
    }
    this.size = size;
    this.box = {
      width: Math.max(8, Math.round(size * this.shape.width)), height: Math.max(8, Math.round(size * this.shape.height)),
    };
  }

  // The largest size at which everything is in view at once; the smallest size if nothing is small enough.
  fittingSize(width, height) {
    let [low, high] = [16, 768];
    let trial = null;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      trial = new Arrangement(this.run, this.view, width, height, middle, trial);
      if (trial.width <= width && trial.height <= height) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  // The left edge of a cell.
  x(row, column) { return row.xs ? row.xs[column] : this.columns[column].x; }

  // The size at which an image is drawn in its box.
  drawn(cell) {
    const scale = this.size / Math.max(cell.width, cell.height);
    return { width: Math.max(1, Math.round(cell.width * scale)), height: Math.max(1, Math.round(cell.height * scale)) };
  }

  // The first row that ends below y.
  rowAt(y) {
    let [low, high] = [0, this.rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle].y + this.rows[middle].height < y) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
