"""Measures, from the pixels, how well images show what their prompts describe.

    python measure.py --truth 500                        the measure itself, on drawn scenes
    python measure.py --sdbatch PROGRAM --count 200 DIR  on images of random prompts and seeds that sdbatch makes in DIR
                      [--cfg 6] [--steps 20] [--sampler NAME] [--seed 1]

Prints shares. One object: background, colour and shape are right. Two objects: both colours are in order, and so are both shapes.
"""

import argparse
import json
import pathlib
import random
import subprocess

import numpy as np
from PIL import Image

import world

NAMES = list(world.COLORS)


def lab(rgb):
    """CIE L*a*b* of sRGB in 0...255, [..., 3]."""
    c = np.asarray(rgb, np.float64) / 255
    c = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    xyz = c @ np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
    xyz /= [0.9505, 1.0, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


NAMED = lab([world.COLORS[name] for name in NAMES])


def nearest_color(pixels):
    """The index of the named colour nearest to each pixel, [n]."""
    return np.linalg.norm(lab(pixels)[:, None] - NAMED[None], axis=-1).argmin(1)


def background_of(picture):
    border = np.concatenate([picture[:5].reshape(-1, 3), picture[-5:].reshape(-1, 3), picture[:, :5].reshape(-1, 3), picture[:, -5:].reshape(-1, 3)])
    counts = np.bincount(nearest_color(border), minlength=len(NAMES))
    return NAMES[counts.argmax()], np.median(border, 0)


def objects_mask(picture, background):
    """Where the image is neither the background, in any light, nor a shadow."""
    shades = np.linspace(0.68, 1.12, 23)[:, None, None, None] * background
    distance = np.linalg.norm(lab(np.clip(shades, 0, 255)) - lab(picture)[None], axis=-1).min(0)
    return distance > 14


def normalized(mask, size=40):
    """The silhouette, moved to its centre and scaled to a fixed area."""
    ys, xs = np.nonzero(mask > 0.5)
    if len(ys) < 20:
        return np.zeros((size, size))
    scale = size * 0.45 / np.sqrt(len(ys))
    height, width = mask.shape
    grid = np.arange(size) - (size - 1) / 2
    y = np.rint(grid / scale + ys.mean()).astype(int)
    x = np.rint(grid / scale + xs.mean()).astype(int)
    inside = ((y >= 0) & (y < height))[:, None] & ((x >= 0) & (x < width))[None]
    return np.where(inside, mask[y.clip(0, height - 1)][:, x.clip(0, width - 1)], 0)


SILHOUETTES = {
    shape: normalized(world.silhouette(world.Object(shape, "red", "", 0, 0, 0.6), 192)) for shape in world.SHAPES}


def shape_of(mask):
    """The shape whose silhouette overlaps most."""
    seen = normalized(largest_part(mask))
    overlap = {
        shape: np.minimum(seen, other).sum() / max(np.maximum(seen, other).sum(), 1)
        for shape, other in SILHOUETTES.items()}
    return max(overlap, key=overlap.get)


def largest_part(mask):
    """The largest connected part, so that a speck elsewhere does not move the centre."""
    labels = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    while True:
        padded = np.pad(labels, 1)
        grown = np.maximum.reduce([
            padded[1 + dy:padded.shape[0] - 1 + dy, 1 + dx:padded.shape[1] - 1 + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1)])
        grown = np.where(mask, grown, 0)
        if (grown == labels).all():
            break
        labels = grown
    if not mask.any():
        return mask
    values, counts = np.unique(labels[mask], return_counts=True)
    return labels == values[counts.argmax()]


def color_of(picture, mask, thing):
    """The colour of most of the object, without the fixed colours of the shape (roof and door, trunk, eye, centre)."""
    if mask.sum() < 20:
        return None
    counts = np.bincount(nearest_color(picture[mask].reshape(-1, 3)), minlength=len(NAMES)).astype(float)
    if thing.shape == "tree" and thing.color != "brown":
        counts[NAMES.index("brown")] *= 0.3
    return NAMES[counts.argmax()]


def look(scene, picture):
    """For each property, whether it is right."""
    background, color = background_of(picture)
    mask = objects_mask(picture, color)
    middle = world.SIZE // 2
    found = {"background": background == scene.background}
    if scene.arrangement == "single":
        thing = scene.objects[0]
        found["color"] = color_of(picture, mask, thing) == thing.color
        found["shape"] = shape_of(mask) == thing.shape
        return found
    first, second = np.zeros_like(mask), np.zeros_like(mask)
    if scene.arrangement == "beside":
        first[:, :middle], second[:, middle:] = mask[:, :middle], mask[:, middle:]
    else:
        first[:middle], second[middle:] = mask[:middle], mask[middle:]
    parts = list(zip(scene.objects, (first, second)))
    found["pair colors in order"] = all(color_of(picture, part, thing) == thing.color for thing, part in parts)
    found["pair shapes in order"] = all(shape_of(part) == thing.shape for thing, part in parts)
    return found


def report(findings):
    for kind, wanted in [("one object", ["background", "color", "shape"]), ("two objects", ["background", "pair colors in order", "pair shapes in order"])]:
        chosen = [found for found in findings if (wanted[1] in found)]
        if chosen:
            shares = ", ".join(f"{name} {sum(found[name] for found in chosen) / len(chosen):.1%}" for name in wanted)
            print(f"{kind} ({len(chosen)} images): {shares}")


def make(options):
    """Runs sdbatch on random scenes; yields each scene with its image."""
    rng = random.Random(options.seed)
    scenes = [world.random_scene(rng) for _ in range(options.count)]
    options.folder.mkdir(parents=True, exist_ok=True)
    recipe = {
        "steps": options.steps, "cfg_scale": options.cfg, "sampler_name": options.sampler,
        "width": world.SIZE, "height": world.SIZE,
        "output": str(options.folder / "run"),
        "zip": [{
            "prompt": [world.caption(scene, rng) for scene in scenes],
            "seed": [rng.randrange(2**32) for _ in scenes]}],
    }
    if options.model:
        recipe["model"] = str(options.model.resolve())
    path = options.folder / "measure.yaml"
    path.write_text(json.dumps(recipe))
    subprocess.run([options.sdbatch, str(path), "--quiet"], check=True)
    jobs = json.loads((options.folder / "run" / "manifest.json").read_text())["jobs"]
    for scene, job in zip(scenes, jobs):
        yield scene, job["parameters"]["prompt"], np.asarray(Image.open(options.folder / "run" / job["file"]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path, nargs="?")
    parser.add_argument("--truth", type=int)
    parser.add_argument("--sdbatch")
    parser.add_argument("--model", type=pathlib.Path, help="another model than the one in the package")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--cfg", type=float, default=6)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--sampler", default="DPM++ 2M")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.truth:
        rng = random.Random(options.seed)
        scenes = [world.random_scene(rng) for _ in range(options.truth)]
        report([look(scene, world.draw(scene)) for scene in scenes])
        return
    findings = []
    for scene, prompt, picture in make(options):
        found = look(scene, picture)
        findings.append(found)
        if not all(found.values()):
            print(prompt, "--", ", ".join(name for name, right in found.items() if not right))
    report(findings)


main()
