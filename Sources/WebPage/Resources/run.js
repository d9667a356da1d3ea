// The run, read from the page's data.

// Reads the data. Texts are in pieces: a string gets the next number, and a number refers to the string that has it.
function readRun(text) {
  const data = JSON.parse(text);
  const pieces = [];
  const numbered = list => list.map(piece => (typeof piece === "string" ? pieces.push(piece) - 1 : piece));
  const cells = data.cells.map((cell, number) => {
    const { infotext, recipe, settings, ...rest } = cell;
    return { ...rest, number, infotext: numbered(infotext), recipe: numbered(recipe), settings: numbered(settings) };
  });
  return new Run(data, cells, pieces);
}

class Run {
  constructor(data, cells, pieces) {
    Object.assign(this, data);
    this.cells = cells;
    this.pieces = pieces;
    this.counts = { done: 0, failed: 0, pending: 0 };
    // The cells by their values on all axes. Cells that lack an axis, or whose position is taken, are extra.
    this.byPosition = new Map();
    this.extras = [];
    for (const cell of cells) {
      this.counts[cell.status] += 1;
      const key = cell.at.join(",");
      if (cell.at.includes(null) || this.byPosition.has(key)) this.extras.push(cell);
      else this.byPosition.set(key, cell);
    }
    this.hasHoles = this.byPosition.size < this.axes.reduce((product, axis) => product * axis.values.length, 1);
    this.common = this.commonPieces();
  }

  cellAt(values) { return this.byPosition.get(values.join(",")) || null; }

  text(numbers, separator) { return numbers.map(number => this.pieces[number]).join(separator); }
  infotext(cell) { return this.text(cell.infotext, ", "); }
  recipe(cell) { return this.text(cell.recipe, "\n"); }

  // The keys and values of a cell's recipe.
  settings(cell) {
    return cell.settings.map(number => {
      const piece = this.pieces[number];
      const end = piece.indexOf(": ");
      return [piece.slice(0, end), piece.slice(end + 2)];
    });
  }

  // The settings that all cells share, by key.
  commonPieces() {
    if (!this.cells.length) return new Map();
    let common = new Set(this.cells[0].settings);
    for (const cell of this.cells) {
      const own = new Set(cell.settings);
      common = new Set([...common].filter(number => own.has(number)));
    }
    return new Map(this.settings({ settings: [...common] }));
  }

  // The label of a cell: its values on these axes, which are all by default.
  label(cell, axes = this.axes.map((_, axis) => axis)) {
    const parts = axes
      .filter(axis => cell.at[axis] !== null && cell.at[axis] !== undefined)
      .map(axis => isolated(this.axes[axis].values[cell.at[axis]].label.replaceAll("\n", ", ")));
    return parts.join(" · ") || this.differences(cell) || `job ${cell.index}`;
  }

  // The axes on which two cells differ; undefined if there is none.
  differing(a, b) {
    const axes = this.axes.map((_, axis) => axis).filter(axis => a.at[axis] !== b.at[axis]);
    return axes.length ? axes : undefined;
  }

  // What a cell without axes, such as one of a request, has that not all cells have: texts, and numbers with their keys.
  differences(cell) {
    const parts = this.settings(cell).filter(([key, value]) => this.common.get(key) !== value && value !== "")
      .map(([key, value]) => isolated(/^[-\d.]+$/.test(value) ? `${key}: ${value}` : value.length > 120 ? value.slice(0, 120) + "…" : value));
    return parts.slice(0, 4).join(" · ");
  }

  // The label and the state of a cell, for screen readers.
  description(cell) {
    const state = cell.status === "done" ? (cell.seconds === undefined ? "" : duration(cell.seconds))
      : cell.status === "failed" ? "failed: " + cell.error : "pending";
    return [this.label(cell), state].filter(Boolean).join(", ");
  }

  // The size of a cell's image as text.
  size(cell) { return `${cell.width}×${cell.height}`; }
}

// Isolates a text with right-to-left letters or marks of direction, so that it does not reorder the text around it.
function isolated(text) {
  return /[\u0590-\u08ff\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufeff]/.test(text) ? `\u2068${text}\u2069` : text;
}
