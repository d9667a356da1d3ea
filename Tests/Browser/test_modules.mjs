// The parts of the page's script that need no browser: node --test test_modules.mjs

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const folder = new URL("../../Sources/WebPage/Resources/", import.meta.url);

// The script has no modules of its own, since a page from a file cannot load any, so the parts are joined as on the page.
function load(names, wanted, stubs = "") {
  const text = names.map(name => readFileSync(new URL(name, folder), "utf8")).join("\n");
  return new Function(`"use strict"; ${stubs}\n${text}\nreturn { ${wanted.join(", ")} };`)();
}

const page = load(["picks.js", "likes.js", "shootout.js", "animation.js"], [
  "mergedPicks", "readPicks", "picksText", "Picks", "settingsTable", "neighbours", "scalesAround", "likeRecipe", "likeCount",
  "shootOut", "animatedAxes",
]);

// Numbers that are the same in every run.
function* numbers(seed) {
  for (let state = seed; ;) {
    state = (state * 1103515245 + 12345) % 2147483648;
    yield state;
  }
}

test("a shoot-out ranks as sorting does, with about n log n questions", () => {
  const random = numbers(7);
  for (const count of [2, 3, 10, 60]) {
    const worth = new Map(Array.from({ length: count }, (_, index) => [`id${index}`, random.next().value]));
    const answers = [];
    let state = page.shootOut([...worth.keys()], answers);
    while (state.pair) {
      const [left, right] = state.pair;
      answers.push(worth.get(left) > worth.get(right) ? "left" : "right");
      state = page.shootOut([...worth.keys()], answers);
    }
    assert.deepEqual(state.ranked, [...worth.keys()].sort((a, b) => worth.get(b) - worth.get(a)));
    assert.ok(answers.length <= count * Math.ceil(Math.log2(count)), `${answers.length} questions for ${count}`);
  }
});

test("a shoot-out keeps equals in order, drops rejects, and asks the same question after an answer is taken back", () => {
  const ids = ["a", "b", "c", "d"];
  assert.deepEqual(page.shootOut(ids, []).pair, ["a", "b"]);
  const same = page.shootOut(ids, ["same", "same", "same", "same", "same"].slice(0, 5));
  assert.equal(same.ranked[0], "a");
  const dropped = page.shootOut(ids, ["drop-left"]);
  assert.deepEqual([dropped.dropped, dropped.ranked.includes("a")], [["a"], false]);
  assert.deepEqual(page.shootOut(ids, ["drop-right"]).dropped, ["b"]);
  const answers = ["left", "right"];
  const before = page.shootOut(ids, answers);
  page.shootOut(ids, [...answers, "left"]);
  assert.deepEqual(page.shootOut(ids, answers), before);
});

test("of two picks of an image the later counts, and what is not a pick is left out", () => {
  const old = { aaaaaaaa: { stars: 3, changed: "2026-01-02" }, bbbbbbbb: { stars: 1, changed: "2026-01-02" } };
  const merged = page.mergedPicks(page.mergedPicks({}, old), {
    aaaaaaaa: { stars: 5, changed: "2026-01-01" }, bbbbbbbb: { stars: 9, rejected: 1, note: 4, rank: -1, changed: "2026-01-03" },
    "__proto__x": { stars: 5 }, "<script>": { stars: 5 }, cccccccc: null,
  });
  assert.equal(merged.aaaaaaaa.stars, 3);
  assert.deepEqual(merged.bbbbbbbb, { stars: 5, rejected: false, note: "", rank: 0, changed: "2026-01-03" });
  assert.deepEqual(Object.keys(merged).sort(), ["aaaaaaaa", "bbbbbbbb"]);
  assert.equal({}.stars, undefined);
});

test("picks.json is read as it was written, and other files are not picks", () => {
  const picks = page.mergedPicks({}, { "0123456789abcdef": { stars: 4, rejected: false, note: "a \"b\"\n\u2028", rank: 2, changed: "x" } });
  assert.deepEqual(page.readPicks(page.picksText(picks)), picks);
  for (const text of ["", "{", "[]", "{\"schema\":2,\"picks\":{}}", "{\"schema\":1}", "null"]) assert.equal(page.readPicks(text), null);
});

function somePicks(all) {
  const run = { picks: all, cells: [] };
  return new page.Picks(run, { load: () => ({}), save() {} });
}

test("filters and orders follow stars, rejects, ranks and the plan", () => {
  const [a, b, c, d] = ["a", "b", "c", "d"].map((letter, index) => ({ id: letter.repeat(8), index, status: "done" }));
  const picks = somePicks({ [a.id]: { stars: 2 }, [b.id]: { stars: 5, rank: 2 }, [c.id]: { rejected: true, note: "x" }, [d.id]: { stars: 5, rank: 1 } });
  const passing = filter => [a, b, c, d].filter(cell => picks.passes(cell, filter)).map(cell => cell.id[0]).join("");
  assert.deepEqual(["all", "kept", "2", "3", "rejected", "unrated", "noted"].map(passing), ["abcd", "abd", "abd", "bd", "c", "", "c"]);
  assert.deepEqual([a, b, c, d].sort((x, y) => picks.compare(x, y)), [d, b, a, c]);
  picks.change([c], { stars: 1 });
  assert.equal(picks.of(c).rejected, false);
});

test("the table of settings is CSV that no spreadsheet takes for formulas", () => {
  const cell = { id: "aaaaaaaa", index: 0, status: "done", file: "images/a.png", seconds: 1.5 };
  const run = { cells: [cell], settings: () => [["prompt", "=cmd|' /C calc'!A0, \"x\""], ["seed", "7"], ["cfg_scale", "-1.5"]] };
  const text = page.settingsTable(run, somePicks({}), [cell]);
  const [heads, row] = text.split("\r\n");
  assert.equal(heads, "index,file,status,stars,rejected,rank,note,seconds,prompt,seed,cfg_scale");
  assert.equal(row, "0,images/a.png,done,0,false,,,1.5,\"'=cmd|' /C calc'!A0, \"\"x\"\"\",7,-1.5");
});

test("neighbouring seeds are exact beyond 2^53 and not negative", () => {
  assert.deepEqual(page.neighbours("9007199254740993", 1), ["9007199254740992", "9007199254740993", "9007199254740994"]);
  assert.deepEqual(page.neighbours("1", 2), ["0", "1", "2", "3"]);
  assert.deepEqual(page.neighbours("seven", 2), []);
  assert.deepEqual(page.scalesAround("1.5"), ["1.5", "2.5", "3.5"]);
});

test("a recipe for more like an image has its settings, a grid, and as many images as it says", () => {
  const settings = [["prompt", "a \"red\" fish"], ["seed", "7"], ["cfg_scale", "7"]];
  const choices = { seeds: true, subseeds: true, scales: true, prompts: ["a: b #c"] };
  const text = page.likeRecipe("prompt: \"a \\\"red\\\" fish\"\nseed: 7\ncfg_scale: 7\n", settings, choices);
  assert.ok(text.startsWith("prompt: \"a \\\"red\\\" fish\"\nseed: 7\ncfg_scale: 7\nsubseed: 8\ngrid:\n"));
  assert.ok(text.includes("  prompt: [\"a \\\"red\\\" fish\", \"a: b #c\"]\n") && text.includes("  seed: [3, 4, 5, 6, 7, 8, 9, 10, 11]\n"));
  assert.ok(text.includes("  subseed_strength: [0, 0.05, 0.1, 0.2, 0.3]\n") && text.includes("  cfg_scale: [5, 6, 7, 8, 9]\n"));
  assert.equal(page.likeCount(settings, choices), 2 * 9 * 5 * 5);
});

test("Fit makes everything fit into the window, whatever its shape", () => {
  const stubs = "const textWidth = text => text.length * 7; const lineCount = (text, width) => Math.max(1, Math.ceil(text.length * 7 / width));";
  const { Arrangement } = load(["arrangement.js"], ["Arrangement"], stubs);
  const [columns, rows] = [7, 5];
  const axis = (name, count) => ({ name, title: name, values: Array.from({ length: count }, (_, n) => ({ title: String(n), label: String(n) })) });
  const cells = Array.from({ length: rows * columns }, (_, n) => ({ at: [Math.floor(n / columns), n % columns], width: 512, height: 768, status: "done" }));
  const run = { axes: [axis("steps", rows), axis("cfg_scale", columns)], cells, extras: [], cellAt: at => cells[at[0] * columns + at[1]], label: () => "" };
  const view = { x: 1, y: 0, sx: -1, sy: -1, order: "grid", size: "fit", pick: "all", hidden: [new Set(), new Set()], keeps: () => true,
    held: () => 0, shown: number => run.axes[number].values.map((_, n) => n) };
  for (const [width, height] of [[1400, 760], [390, 600], [3000, 500], [500, 3000]]) {
    const fitted = new Arrangement(run, view, width, height);
    assert.ok(fitted.width <= width && fitted.height <= height, `${fitted.width}x${fitted.height} in ${width}x${height}`);
    const larger = new Arrangement(run, view, width, height, fitted.size + 1);
    assert.ok(fitted.size === 768 || larger.width > width || larger.height > height, "it is the largest that fits");
  }
});

test("a pick is taken back to what it was, also after picks from elsewhere", () => {
  const saved = [];
  const cells = [{ id: "a".repeat(64), index: 0 }, { id: "b".repeat(64), index: 1 }];
  const picks = new page.Picks({ cells, picks: { [cells[0].id]: { stars: 2, note: "n", changed: "2026" } } },
    { load: () => ({}), save: (all, changes) => saved.push(changes) });
  picks.change([cells[0]], { stars: 5 });
  picks.change(cells, { rejected: true });
  assert.deepEqual([picks.of(cells[0]).rejected, picks.of(cells[1]).rejected], [true, true]);
  assert.deepEqual(picks.undo().sort(), cells.map(cell => cell.id));
  assert.deepEqual([picks.of(cells[0]).stars, picks.of(cells[0]).rejected, picks.of(cells[1]).rejected], [5, false, false]);
  assert.deepEqual(picks.undo(), [cells[0].id]);
  assert.deepEqual([picks.of(cells[0]).stars, picks.of(cells[0]).note], [2, "n"]);
  assert.equal(picks.undo(), null);
  // Each step is saved.
  assert.equal(saved.length, 4);
});

test("an animation goes along the axes of which the cells have several values", () => {
  const run = { axes: [{ name: "seed" }, { name: "cfg_scale" }, { name: "steps" }] };
  const found = page.animatedAxes(run, [{ at: [0, 1, null] }, { at: [0, 2, 1] }, { at: [0, 2, 0] }]);
  assert.deepEqual(found.map(({ axis, count }) => [axis.name, count]), [["cfg_scale", 2], ["steps", 2]]);
});
