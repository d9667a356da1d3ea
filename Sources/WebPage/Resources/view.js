// The reader's choices of what is shown and how. They are kept in the address, so that a link shows the same and a reload
// changes nothing.

const pickFilters = ["all", "kept", "1", "2", "3", "4", "5", "unrated", "noted", "rejected"];
const directions = ["x", "y", "sx", "sy"];

class View {
  constructor(run, picks) {
    this.run = run;
    this.picks = picks;
    this.listeners = [];
    this.read(location.hash);
    addEventListener("hashchange", () => {
      if (location.hash.slice(1) === this.text()) return;
      this.read(location.hash);
      this.changed();
    });
  }

  // The axes without a direction. Each is held at one value.
  get sliders() {
    return this.run.axes.map((_, axis) => axis).filter(axis => !directions.some(name => this[name] === axis));
  }

  // The numbers of the values of an axis that are not hidden.
  shown(axis) {
    return this.run.axes[axis].values.map((_, value) => value).filter(value => !this.hidden[axis].has(value));
  }

  // The value at which an axis without a direction is held: the chosen one, or the first that is not hidden.
  held(axis) {
    const shown = this.shown(axis);
    return shown.includes(this.at[axis]) ? this.at[axis] : shown[0] ?? -1;
  }

  // Whether a cell passes the filter of picks.
  keeps(cell) { return this.pick === "all" || this.picks.passes(cell, this.pick); }

  // The default directions: those of the recipe. Otherwise the last axis is horizontal, the one before it vertical, and
  // short axes before those make blocks, as long as everything fits on a few screens.
  defaults() {
    const { layout, axes } = this.run;
    const chosen = { x: layout.x ?? -1, y: layout.y ?? -1, sx: layout.super_x ?? -1, sy: layout.super_y ?? -1 };
    const free = axes.map((_, axis) => axis)
      .filter(axis => !Object.values(chosen).includes(axis) && !layout.sliders.includes(axis));
    const isPlain = Object.values(chosen).every(axis => axis < 0) && layout.sliders.length === 0;
    if (chosen.x < 0) chosen.x = free.pop() ?? -1;
    if (chosen.y < 0) chosen.y = free.pop() ?? -1;
    if (isPlain) {
      let count = [chosen.x, chosen.y].filter(axis => axis >= 0).reduce((n, axis) => n * axes[axis].values.length, 1);
      for (const name of ["sy", "sx"]) {
        const axis = free[free.length - 1];
        if (axis === undefined || axes[axis].values.length > 8) break;
        count *= axes[axis].values.length;
        if (count > 600) break;
        chosen[name] = free.pop();
      }
    }
    return chosen;
  }

  // MARK: Choices

  // Assigns an axis to a direction. If the axis had another direction, the two axes are exchanged.
  direct(name, axis) {
    const other = axis < 0 ? undefined : directions.find(other => this[other] === axis);
    if (other) this[other] = this[name];
    this[name] = axis;
    this.changed();
  }

  hold(axis, value) {
    this.at[axis] = value;
    this.changed();
  }

  hide(axis, values) {
    this.hidden[axis] = new Set(values);
    this.changed();
  }

  set(choices) {
    Object.assign(this, choices);
    this.changed();
  }

  // Marks a cell for comparison, or removes it. A third cell replaces the second.
  mark(cell) {
    const number = cell.number;
    if (this.pair.includes(number)) this.pair = this.pair.filter(other => other !== number);
    else this.pair = [...this.pair.slice(0, 1), number];
    this.changed();
  }

  onChange(listener) { this.listeners.push(listener); }

  changed() {
    this.write();
    for (const listener of this.listeners) listener();
  }

  // MARK: The address

  read(hash) {
    const { axes, cells } = this.run;
    const words = new URLSearchParams(hash.slice(1));
    const defaults = this.defaults();
    const named = name => axes.findIndex(axis => axis.name === name);
    for (const name of directions) this[name] = words.has(name) ? named(words.get(name)) : defaults[name];
    // If an edited link has an axis in two directions, it stays in the first.
    directions.forEach((name, index) => {
      if (directions.slice(0, index).some(other => this[other] === this[name])) this[name] = -1;
    });
    this.at = axes.map(axis => integer(words.get("at." + axis.name), 0, axis.values.length - 1, 0));
    this.hidden = axes.map(axis => {
      const text = words.get("hide." + axis.name);
      return new Set(text ? text.split(".").map(Number).filter(value => value in axis.values) : []);
    });
    this.order = choice(words.get("order"), ["grid", "written", "fastest", "slowest", "best", "rank"]);
    this.pick = choice(words.get("pick"), pickFilters);
    // Null means that a row fits if its images can then be recognised, and "fit" that everything is in view.
    this.size = words.get("size") === "fit" ? "fit" : words.has("size") ? integer(words.get("size"), 16, 768, 128) : null;
    this.times = words.get("times") === "1";
    this.advance = words.get("next") === "1";
    this.hover = words.get("hover") !== "0";
    this.theme = choice(words.get("theme"), ["auto", "light", "dark"]);
    const known = text => (text !== null && text !== "" && Number(text) in cells ? Number(text) : null);
    this.cell = known(words.get("cell"));
    this.pair = (words.get("pair") || "").split(".").map(known).filter(number => number !== null).slice(0, 2);
    this.comparing = words.get("compare") === "1" && this.pair.length === 2;
    this.mode = choice(words.get("mode"), ["two-up", "swipe", "difference"]);
    this.gain = choice(words.get("gain"), ["1", "4", "16"]);
  }

  // The choices that differ from the defaults, as text for the address.
  text() {
    const { axes } = this.run;
    const words = new URLSearchParams();
    const defaults = this.defaults();
    if (directions.some(name => this[name] !== defaults[name])) {
      for (const name of directions) words.set(name, axes[this[name]]?.name ?? "");
    }
    axes.forEach((axis, number) => {
      if (this.at[number]) words.set("at." + axis.name, this.at[number]);
      if (this.hidden[number].size) words.set("hide." + axis.name, [...this.hidden[number]].join("."));
    });
    if (this.order !== "grid") words.set("order", this.order);
    if (this.size !== null) words.set("size", this.size);
    if (this.pick !== "all") words.set("pick", this.pick);
    if (this.times) words.set("times", "1");
    if (this.advance) words.set("next", "1");
    if (!this.hover) words.set("hover", "0");
    if (this.theme !== "auto") words.set("theme", this.theme);
    if (this.cell !== null) words.set("cell", this.cell);
    if (this.pair.length) words.set("pair", this.pair.join("."));
    if (this.comparing) words.set("compare", "1");
    if (this.mode !== "two-up") words.set("mode", this.mode);
    if (this.gain !== "1") words.set("gain", this.gain);
    return words.toString();
  }

  write() {
    const text = this.text();
    if (location.hash.slice(1) !== text) history.replaceState(null, "", text ? "#" + text : location.pathname + location.search);
  }
}

function integer(text, least, most, fallback) {
  const value = text === null || text === "" ? NaN : Number(text);
  return Number.isInteger(value) && value >= least && value <= most ? value : fallback;
}

function choice(text, choices) { return choices.includes(text) ? text : choices[0]; }
