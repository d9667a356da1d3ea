// The run, as the page's data tells it.

// Reads the data. Texts come in pieces: a string stands for itself and gets the next number, a number stands for the
// string that has it.
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
    // Cells by their place on every axis; those without a place, or whose place is taken, are extra.
    this.places = new Map();
    this.extras = [];
    for (const cell of cells) {
      this.counts[cell.status] += 1;
      const key = cell.at.join(",");
      if (cell.at.includes(null) || this.places.has(key)) this.extras.push(cell);
      else this.places.set(key, cell);
    }
    this.common = this.commonPieces();
  }

  cellAt(places) { return this.places.get(places.join(",")) || null; }

  text(numbers, separator) { return numbers.map(number => this.pieces[number]).join(separator); }
  infotext(cell) { return this.text(cell.infotext, ", "); }
  recipe(cell) { return this.text(cell.recipe, "\n"); }

  // What the recipe of a cell says: pairs of key and text.
  settings(cell) {
    return cell.settings.map(number => {
      const piece = this.pieces[number];
      const end = piece.indexOf(": ");
      return [piece.slice(0, end), piece.slice(end + 2)];
    });
  }

  // The settings that all cells have in common, by key.
  commonPieces() {
    if (!this.cells.length) return new Map();
    let common = new Set(this.cells[0].settings);
    for (const cell of this.cells) {
      const own = new Set(cell.settings);
      common = new Set([...common].filter(number => own.has(number)));
    }
    return new Map(this.settings({ settings: [...common] }));
  }

  // Where a cell stands, in words: only axes that have more than one value, unless all are asked for.
  label(cell, axes = this.axes.map((_, axis) => axis)) {
    const parts = axes
      .filter(axis => cell.at[axis] !== null && cell.at[axis] !== undefined)
      .map(axis => apart(this.axes[axis].values[cell.at[axis]].label.replaceAll("\n", ", ")));
    return parts.join(" · ") || `job ${cell.index}`;
  }

  // The same for those who listen.
  description(cell) {
    const state = cell.status === "done" ? (cell.seconds === undefined ? "" : duration(cell.seconds))
      : cell.status === "failed" ? "failed: " + cell.error : "pending";
    return [this.label(cell), state].filter(Boolean).join(", ");
  }

  // A size in words.
  size(cell) { return `${cell.width}×${cell.height}`; }
}

// A text among others: one that runs from right to left, or has marks of direction, leaves its neighbours where they are.
function apart(text) {
  return /[\u0590-\u08ff\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufeff]/.test(text) ? `\u2068${text}\u2069` : text;
}
