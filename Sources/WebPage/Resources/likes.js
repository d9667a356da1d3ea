// More like this: a recipe for images that resemble one.

// A seed and the numbers around it, which may be larger than JavaScript's exact numbers; seeds are not negative.
function neighbours(seed, reach) {
  if (!/^\d{1,20}$/.test(seed)) return [];
  const middle = BigInt(seed);
  const found = [];
  for (let by = BigInt(-reach); by <= BigInt(reach); by += 1n) if (middle + by >= 0n) found.push(String(middle + by));
  return found;
}

// Values around a guidance scale.
function scalesAround(text) {
  const scale = Number(text);
  if (!(scale > 0)) return [];
  return [...new Set([scale - 2, scale - 1, scale, scale + 1, scale + 2].filter(value => value >= 1).concat(scale)
    .map(value => String(Math.round(value * 100) / 100)))].sort((a, b) => a - b);
}

// A text as a string of YAML.
function quoted(text) { return JSON.stringify(text); }

// The recipe: the one of the image, and a grid. choices: { seeds, subseeds, scales, prompts }, the last a list of texts.
function likeRecipe(recipe, settings, choices) {
  const values = new Map(settings);
  const axes = [];
  const seed = values.get("seed") ?? "";
  if (choices.prompts.length) axes.push(`  prompt: [${[values.get("prompt") ?? "", ...choices.prompts].map(quoted).join(", ")}]`);
  if (choices.seeds) axes.push(`  seed: [${(neighbours(seed, 4).length ? neighbours(seed, 4) : [seed]).join(", ")}]`);
  const lines = recipe.replace(/\n+$/, "").split("\n");
  if (choices.subseeds) {
    const own = values.get("subseed");
    if (own === undefined || own === "-1") {
      const kept = lines.filter(line => !/^subseed(_strength)?:/.test(line));
      // A number that is not the seed, and the same each time.
      kept.push(`subseed: ${neighbours(seed, 1).pop() ?? "1"}`);
      lines.splice(0, lines.length, ...kept);
    }
    axes.push("  subseed_strength: [0, 0.05, 0.1, 0.2, 0.3]");
  }
  if (choices.scales) axes.push(`  cfg_scale: [${scalesAround(values.get("cfg_scale") ?? "7").join(", ")}]`);
  return [...lines, ...(axes.length ? ["grid:", ...axes] : [])].join("\n") + "\n";
}

// The number of images of such a recipe.
function likeCount(settings, choices) {
  const values = new Map(settings);
  return (choices.prompts.length + 1) * (choices.seeds ? Math.max(1, neighbours(values.get("seed") ?? "", 4).length) : 1)
    * (choices.subseeds ? 5 : 1) * (choices.scales ? scalesAround(values.get("cfg_scale") ?? "7").length : 1);
}

class Likes {
  // server: runs recipes; null for a page from a file.
  constructor(run, server) {
    this.run = run;
    this.server = server;
    this.dialog = find("likes");
    find("likes-close").addEventListener("click", () => this.dialog.close());
    find("likes-copy").addEventListener("click", () => copy(this.recipe(), "Recipe"));
    find("likes-save").addEventListener("click", () => download(`${run.title}-like-${this.cell.id.slice(0, 8)}.yaml`, this.recipe()));
    find("likes-run").hidden = !server;
    find("likes-run").addEventListener("click", () => this.start());
    for (const box of this.dialog.querySelectorAll("input, textarea")) box.addEventListener("input", () => this.show());
  }

  open(cell) {
    this.cell = cell;
    find("likes-prompts").value = "";
    openDialog(this.dialog);
    this.show();
  }

  get choices() {
    return {
      seeds: find("likes-seeds").checked, subseeds: find("likes-subseeds").checked, scales: find("likes-scales").checked,
      prompts: find("likes-prompts").value.split("\n").map(line => line.trim()).filter(Boolean),
    };
  }

  recipe() { return likeRecipe(this.run.recipe(this.cell), this.run.settings(this.cell), this.choices); }

  show() {
    const count = likeCount(this.run.settings(this.cell), this.choices);
    find("likes-text").textContent = this.recipe();
    find("likes-count").textContent = count === 1 ? "1 image" : `${count} images`;
    if (this.server) find("likes-run").textContent = count === 1 ? "Make 1 image" : `Make ${count} images`;
  }

  async start() {
    const answer = await this.server.post("like", { id: this.cell.id, recipe: this.recipe() });
    if (answer) {
      say(`Started: ${answer.name}`);
      this.dialog.close();
    }
  }
}
