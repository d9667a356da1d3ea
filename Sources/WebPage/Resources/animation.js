// The choices for an animation of what is in view, which the server makes.

// The axes along which cells can be animated: those of which they have several values, with the number of frames.
function animatedAxes(run, cells) {
  return run.axes.map((axis, number) => ({ axis, count: new Set(cells.map(cell => cell.at[number]).filter(value => value !== null)).size }))
    .filter(({ count }) => count > 1);
}

class AnimationChoice {
  // inView: returns the cells in view. take: called with what the server is to make.
  constructor(run, inView, take) {
    Object.assign(this, { run, inView, take });
    this.dialog = find("animation");
    find("animation-close").addEventListener("click", () => this.dialog.close());
    find("animation-axis").addEventListener("change", () => this.show());
    find("animation-save").addEventListener("click", () => this.save());
  }

  open() {
    this.cells = this.inView().filter(cell => cell.status === "done");
    if (this.cells.length < 2) return say("An animation needs two images in view.");
    const options = animatedAxes(this.run, this.cells).map(({ axis }) => make("option", { value: axis.name }, `${axis.title}`));
    // The last axis is mostly the one that runs across.
    fill(find("animation-axis"), ...options.reverse(), make("option", { value: "" }, "each image by itself"));
    openDialog(this.dialog);
    this.show();
  }

  // The axis, and how many frames it has; null for each image by itself.
  get along() { return animatedAxes(this.run, this.cells).find(({ axis }) => axis.name === find("animation-axis").value) ?? null; }

  show() {
    const frames = this.along?.count ?? this.cells.length;
    const each = Math.round(this.cells.length / frames);
    find("animation-count").textContent = `${frames} frames` + (each > 1 ? `, each with ${each} images` : "");
  }

  save() {
    this.dialog.close();
    this.take("animation", {
      form: find("animation-form").value, milliseconds: Math.round(Number(find("animation-time").value) * 1000),
      ...(this.along ? { frames: this.along.axis.name } : {}),
    });
  }
}
