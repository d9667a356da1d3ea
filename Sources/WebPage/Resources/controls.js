// The controls: the directions of axes, the values that are shown, and the options.

const directionNames = { x: "X", y: "Y", sx: "Super X", sy: "Super Y" };

class Controls {
  constructor(run, view, sheet) {
    this.run = run;
    this.view = view;
    this.sheet = sheet;
    this.selects = new Map();
    this.makeDirections();
    find("order").addEventListener("change", event => view.set({ order: event.target.value }));
    find("pick").addEventListener("change", event => view.set({ pick: event.target.value }));
    find("size").addEventListener("input", event => view.set({ size: Number(event.target.value) }));
    find("fit").addEventListener("click", () => view.set({ size: view.size === "fit" ? null : "fit" }));
    find("times").addEventListener("change", event => view.set({ times: event.target.checked }));
    find("hover").addEventListener("change", event => view.set({ hover: event.target.checked }));
    // A click outside an open list of values closes it, and so does Escape.
    document.addEventListener("pointerdown", event => {
      for (const list of document.querySelectorAll(".values[open]")) if (!list.contains(event.target)) list.open = false;
    });
    document.addEventListener("keydown", event => {
      const list = event.key === "Escape" ? event.target.closest?.(".values[open]") : null;
      if (!list) return;
      list.open = false;
      list.querySelector("summary").focus();
    });
  }

  // MARK: Axes

  makeDirections() {
    const { run, view } = this;
    const holder = find("axes");
    holder.hidden = run.axes.length === 0;
    for (const name of directions) {
      const select = make("select", { id: name, change: event => view.direct(name, Number(event.target.value)) },
        make("option", { value: "-1" }, "—"),
        ...run.axes.map((axis, number) => make("option", { value: String(number) }, axis.title)));
      const values = make("div", { className: "values-holder" });
      holder.append(make("div", { className: "field direction" },
        make("label", { htmlFor: name }, directionNames[name]), make("div", { className: "pair" }, select, values)));
      this.selects.set(name, { select, values });
    }
    this.sliders = make("div", { className: "sliders" });
    holder.append(this.sliders);
  }

  update() {
    const { view, run } = this;
    for (const [name, { select, values }] of this.selects) {
      select.value = String(view[name]);
      select.disabled = view.order !== "grid";
      this.showValues(values, view[name]);
    }
    this.updateSliders();
    find("order").value = view.order;
    find("pick").value = view.pick;
    find("size").value = this.sheet.arrangement.size;
    find("fit").setAttribute("aria-pressed", String(view.size === "fit"));
    find("times").checked = view.times;
    find("hover").checked = view.hover;
    // Without times there is nothing to sort by.
    for (const option of find("order").options) {
      if (["fastest", "slowest"].includes(option.value)) option.disabled = !run.cells.some(cell => cell.seconds !== undefined);
    }
  }

  // A slider for each axis without a direction. The elements are kept while they are used.
  updateSliders() {
    const { view, run } = this;
    const axes = view.sliders;
    if (this.sliders.dataset.axes !== axes.join()) {
      this.sliders.dataset.axes = axes.join();
      this.stop();
      this.sliders.replaceChildren(...axes.map(axis => this.slider(axis)));
    }
    for (const element of this.sliders.children) {
      const axis = Number(element.dataset.axis);
      const shown = view.shown(axis);
      const input = element.querySelector("input[type=range]");
      const held = view.held(axis);
      input.max = String(Math.max(0, shown.length - 1));
      input.value = String(Math.max(0, shown.indexOf(held)));
      input.disabled = view.order !== "grid" || shown.length < 2;
      const title = held < 0 ? "—" : run.axes[axis].values[held].title.replaceAll("\n", " + ");
      input.setAttribute("aria-valuetext", title);
      element.querySelector("output").textContent = title;
      element.querySelector(".play").disabled = input.disabled;
      this.showValues(element.querySelector(".values-holder"), axis);
    }
  }

  slider(axis) {
    const { view, run } = this;
    const id = "slider-" + axis;
    const input = make("input", { type: "range", id, min: "0", step: "1", input: event => {
      this.stop();
      view.hold(axis, view.shown(axis)[Number(event.target.value)]);
    } });
    const play = make("button", { type: "button", className: "button play", "aria-pressed": "false",
      "aria-label": `Play ${run.axes[axis].title}`, title: "Play the values", click: () => this.play(axis, play) }, "▶");
    const element = make("div", { className: "field slider", "data-axis": axis },
      make("label", { htmlFor: id, dir: "auto", title: run.axes[axis].title }, run.axes[axis].title),
      make("div", { className: "pair" }, play, input, make("output", { htmlFor: id, dir: "auto" }),
        make("div", { className: "values-holder" })));
    return element;
  }

  // Plays the values of an axis until it is stopped.
  play(axis, button) {
    const wasPlaying = this.playing === axis;
    this.stop();
    if (wasPlaying) return;
    this.playing = axis;
    button.textContent = "❚❚";
    button.setAttribute("aria-pressed", "true");
    this.timer = setInterval(() => {
      const shown = this.view.shown(axis);
      this.view.hold(axis, shown[(shown.indexOf(this.view.held(axis)) + 1) % shown.length]);
    }, 900);
  }

  stop() {
    clearInterval(this.timer);
    this.playing = null;
    for (const button of document.querySelectorAll(".play")) {
      button.textContent = "▶";
      button.setAttribute("aria-pressed", "false");
    }
  }

  // MARK: Values

  // Updates the list of an axis's values, each of which can be hidden.
  showValues(holder, axis) {
    const old = holder.firstElementChild;
    if (axis < 0) return holder.replaceChildren();
    const { run, view } = this;
    const all = run.axes[axis].values.length;
    let list = old && Number(old.dataset.axis) === axis ? old : null;
    if (!list) {
      const summary = make("summary", { className: "button" });
      list = make("details", { className: "values", "data-axis": axis }, summary, make("div", { className: "list" }));
      list.addEventListener("toggle", () => { if (list.open) this.fillValues(list, axis); });
      holder.replaceChildren(list);
    }
    const shown = view.shown(axis).length;
    const summary = list.querySelector("summary");
    summary.textContent = shown === all ? `${all}` : `${shown} of ${all}`;
    summary.setAttribute("aria-label", `Values of ${run.axes[axis].title}: ${shown} of ${all} shown`);
    summary.title = "Shown values";
    summary.classList.toggle("partial", shown < all);
    for (const box of list.querySelectorAll("input[type=checkbox]")) box.checked = !view.hidden[axis].has(Number(box.value));
  }

  fillValues(list, axis) {
    const { run, view } = this;
    const { values } = run.axes[axis];
    const most = 500;
    const items = make("div", { className: "items" });
    const showFound = word => {
      const found = values.map((value, number) => ({ value, number }))
        .filter(({ value }) => value.title.toLowerCase().includes(word.toLowerCase()));
      fill(items, ...found.slice(0, most).map(({ value, number }) => {
        const box = make("input", { type: "checkbox", value: String(number), checked: !view.hidden[axis].has(number),
          change: event => {
            const hidden = new Set(view.hidden[axis]);
            if (event.target.checked) hidden.delete(number);
            else hidden.add(number);
            view.hide(axis, hidden);
          } });
        const only = make("button", { type: "button", className: "button quiet only", click: () => {
          view.hide(axis, values.map((_, other) => other).filter(other => other !== number));
        } }, "only");
        return make("div", { className: "item" },
          make("label", {}, box, make("span", { dir: "auto" }, value.title.replaceAll("\n", " + ") || "(empty)")), only);
      }), found.length > most ? make("p", { className: "remark" }, `and ${found.length - most} more; use the search`) : null);
    };
    const search = values.length > 12 ? make("input", { type: "search", placeholder: "Search", "aria-label": "Search values",
      input: event => showFound(event.target.value) }) : null;
    const row = make("div", { className: "all" },
      make("button", { type: "button", className: "button", click: () => view.hide(axis, []) }, "All"),
      make("button", { type: "button", className: "button", click: () => view.hide(axis, values.map((_, number) => number)) }, "None"),
      search);
    fill(list.querySelector(".list"), row, items);
    showFound("");
  }
}
