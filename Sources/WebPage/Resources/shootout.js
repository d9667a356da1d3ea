// A shoot-out: two images at a time, and the better one wins. The answers rank all of them.

// Replays the answers over ids, by binary insertion, which asks about n log n times.
// An answer is "left", "right", "same", "drop-left" or "drop-right".
// Returns the next pair, the ranking so far, those that were dropped, and about how many questions are left.
function shootOut(ids, answers) {
  const ranked = [];
  const dropped = [];
  let used = 0;
  for (let number = 0; number < ids.length; number++) {
    const id = ids[number];
    let [low, high] = [0, ranked.length];
    let isDropped = false;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (used === answers.length) {
        let left = Math.ceil(Math.log2(high - low + 1));
        for (let later = number + 1; later < ids.length; later++) left += Math.ceil(Math.log2(later + 1));
        return { pair: [ranked[middle], id], ranked, dropped, left };
      }
      const answer = answers[used++];
      if (answer === "left") low = middle + 1;
      else if (answer === "right") high = middle;
      else if (answer === "same") low = high = middle + 1;
      else if (answer === "drop-left") {
        dropped.push(...ranked.splice(middle, 1));
        high -= 1;
      } else {
        isDropped = true;
        break;
      }
    }
    if (isDropped) dropped.push(id);
    else ranked.splice(low, 0, id);
  }
  return { pair: null, ranked, dropped, left: 0 };
}

class ShootOut {
  constructor(run, view, sheet, picks) {
    Object.assign(this, { run, view, sheet, picks });
    this.dialog = find("shootout");
    this.stage = new Stage(find("shootout-stage"), () => {}, null, room => this.answer(room ? "right" : "left"));
    find("shootout-button").addEventListener("click", () => this.begin());
    find("shootout-close").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", () => this.end());
    this.dialog.addEventListener("keydown", event => this.key(event));
  }

  // Those in view that have an image and are not rejected.
  candidates() {
    const cells = this.sheet.arrangement.rows.flatMap(row => row.cells ?? []);
    return cells.filter(cell => cell?.status === "done" && this.view.keeps(cell) && !this.picks.of(cell).rejected);
  }

  begin() {
    const cells = this.candidates();
    if (cells.length < 2) return say("A shoot-out needs two images in view.");
    if (cells.length > 200) return say(`${cells.length} images are too many: choose some with stars first, or hide values.`);
    this.byId = new Map(cells.map(cell => [cell.id, cell]));
    this.ids = [...this.byId.keys()];
    this.answers = [];
    this.isOver = false;
    openDialog(this.dialog);
    this.show();
  }

  show() {
    const state = shootOut(this.ids, this.answers);
    this.state = state;
    find("shootout-undo").disabled = this.answers.length === 0;
    if (!state.pair) return this.finish();
    find("shootout-title").textContent = `Which is better? About ${state.left} to go`;
    const panes = state.pair.map(id => {
      const shown = pane(this.byId.get(id));
      shown.element.alt = this.run.description(this.byId.get(id));
      return shown;
    });
    const element = this.stage.element;
    element.className = "stage two-up";
    fill(element, ...panes.map(({ element: image }) => make("div", { className: "room" }, image)));
    this.stage.show(panes, true);
    // On a narrow screen the images are one above the other.
    const [first, second] = matchMedia("(max-width: 820px) and (orientation: portrait)").matches ? ["upper", "lower"] : ["left", "right"];
    const button = (text, title, answer) => make("button", { type: "button", className: "button", title, "data-answer": answer,
      click: () => this.answer(answer) }, text);
    fill(find("shootout-answers"),
      button(`Reject ${first}`, `Reject the ${first} one (x)`, "drop-left"),
      button(first === "left" ? "◀ Left" : "▲ Upper", `The ${first} one is better (←)`, "left"),
      button("Same", "Both are as good (space)", "same"),
      button(first === "left" ? "Right ▶" : "Lower ▼", `The ${second} one is better (→)`, "right"),
      button(`Reject ${second}`, `Reject the ${second} one (Shift+x)`, "drop-right"));
    // Only what differs, since all of it would not fit.
    const pair = state.pair.map(id => this.byId.get(id));
    fill(find("shootout-captions"), ...pair.map(cell => make("p", { dir: "auto", title: this.run.label(cell) },
      this.run.label(cell, this.run.differing(...pair)))));
  }

  answer(answer) {
    if (!this.state?.pair) return;
    this.answers.push(answer);
    this.show();
  }

  finish() {
    this.isOver = true;
    this.save();
    this.dialog.close();
    this.view.set({ order: "rank" });
    say(`${this.state.ranked.length} images are ranked`);
  }

  // Saves what is known so far when it is left early.
  end() {
    if (!this.isOver && this.answers?.length) this.save();
    this.answers = null;
  }

  save() {
    const { ranked, dropped } = this.state;
    const ranks = new Map(ranked.map((id, index) => [id, index + 1]));
    const gone = new Set(dropped);
    const cells = [...ranked, ...dropped].map(id => this.byId.get(id));
    if (cells.length) {
      this.picks.change(cells, cell => (gone.has(cell.id) ? { rejected: true, rank: 0 } : { rank: ranks.get(cell.id) }));
    }
  }

  undo() {
    this.answers.pop();
    this.show();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || this.stage.key(event)) return;
    const answers = { ArrowLeft: "left", ArrowRight: "right", x: "drop-left", X: "drop-right" };
    if (answers[event.key]) this.answer(answers[event.key]);
    else if (event.key === " " && event.target.closest("button") === null) this.answer("same");
    else if (event.key === "u" && this.answers.length) this.undo();
    else return;
    event.preventDefault();
  }
}
