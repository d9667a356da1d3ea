"""The world that the demo model knows: scenes drawn by code, with captions.

A scene is one or two objects, each a shape with a colour and a size, on a background of one colour. Every shape is a signed
distance function, so edges are anti-aliased, shadows are soft, and a silhouette is known exactly (measure.py compares with it).

    python world.py SHEET.png     draws 32 scenes and prints their captions
"""

import dataclasses
import random
import sys

import numpy as np
from PIL import Image

SIZE = 128

COLORS = {
    "red": (214, 40, 40), "orange": (244, 140, 6), "yellow": (252, 211, 40), "green": (46, 160, 67),
    "teal": (0, 150, 150), "blue": (38, 84, 214), "purple": (126, 58, 190), "pink": (245, 130, 180),
    "white": (245, 245, 245), "black": (25, 25, 28), "gray": (128, 128, 128), "brown": (128, 76, 40),
}
SHAPES = [
    "circle", "square", "triangle", "star", "heart", "diamond", "ring", "cross", "house", "tree", "flower", "fish",
]
# The word, its share of the scenes, and the size against the word's absence.
SIZES = {"small": 0.66, "": 1.0, "big": 1.35}
# The arrangements of two objects: the words between the first and the second, and where the first one is.
RELATIONS = {
    "left of": "left", "to the left of": "left", "right of": "right", "to the right of": "right",
    "and": "left", "next to": "left", "above": "above", "below": "below",
}


@dataclasses.dataclass
class Object:
    shape: str
    color: str
    size: str
    # Centre in [-1, 1], y downwards, and radius in the same unit.
    x: float
    y: float
    radius: float


@dataclasses.dataclass
class Scene:
    """Objects from left to right or from top to bottom."""
    arrangement: str  # "single", "beside" or "stacked"
    objects: list
    background: str


def random_scene(rng):
    arrangement = rng.choices(["single", "beside", "stacked"], [0.45, 0.33, 0.22])[0]
    background = rng.choice(list(COLORS))
    places = {"single": [(0, 0)], "beside": [(-0.47, 0), (0.47, 0)], "stacked": [(0, -0.47), (0, 0.47)]}[arrangement]
    objects = []
    for x, y in places:
        size = rng.choices(list(SIZES), [0.25, 0.5, 0.25])[0]
        if arrangement == "single":
            radius, jitter = 0.5 * SIZES[size], 0.12
        else:
            radius, jitter = 0.34 * SIZES[size] ** 0.7, 0.05
        color = rng.choice([name for name in COLORS if name != background])
        objects.append(Object(
            rng.choice(SHAPES), color, size, x + rng.uniform(-jitter, jitter), y + rng.uniform(-jitter, jitter), radius))
    return Scene(arrangement, objects, background)


# Captions.


def article(words):
    return ("an " if words[0] in "aeiou" else "a ") + words


def name(thing):
    return f"{thing.size} {thing.color} {thing.shape}".strip()


def caption(scene, rng, with_background=True):
    """One of the possible captions of the scene."""
    if scene.arrangement == "single":
        text = name(scene.objects[0])
        text = text if rng.random() < 0.2 else article(text)
    else:
        first, second = scene.objects
        where = rng.choice(["left", "left", "right"] if scene.arrangement == "beside" else ["above", "below"])
        words = rng.choice([words for words, place in RELATIONS.items() if place == where])
        if where in ("right", "below"):
            first, second = second, first
        text = f"{article(name(first))} {words} {article(name(second))}"
    if with_background:
        color = scene.background
        text += rng.choice([
            f" on {article(color)} background", f" on {article(color)} background", f", {color} background",
            f" on {color}", f" in front of {article(color)} background",
        ])
    return rng.choice(["", "", "", "a picture of ", "a drawing of "]) + text


# Shapes: the signed distance to the edge, negative inside, for points around the origin; a shape is about 1 in radius.


def box(x, y, width, height):
    dx, dy = np.abs(x) - width, np.abs(y) - height
    return np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) + np.minimum(np.maximum(dx, dy), 0)


def disc(x, y, radius):
    return np.hypot(x, y) - radius


def ellipse(x, y, width, height):
    """Accurate near the edge, which is where it is evaluated."""
    k = np.hypot(x / width, y / height)
    return k * (k - 1) / np.maximum(np.hypot(x / width**2, y / height**2), 1e-6)


def polygon(x, y, points):
    """Inigo Quilez's distance to a polygon, point by point."""
    distance = np.full_like(x, np.inf)
    sign = np.ones_like(x)
    for (ax, ay), (bx, by) in zip(points, points[-1:] + points[:-1]):
        ex, ey = bx - ax, by - ay
        wx, wy = x - ax, y - ay
        t = np.clip((wx * ex + wy * ey) / (ex * ex + ey * ey), 0, 1)
        distance = np.minimum(distance, (wx - ex * t) ** 2 + (wy - ey * t) ** 2)
        above, below, right = y >= ay, y < by, ex * wy > ey * wx
        sign = np.where((above & below & right) | (~above & ~below & ~right), -sign, sign)
    return sign * np.sqrt(distance)


def star_points(count, inner):
    radii = [1.12 if i % 2 == 0 else 1.12 * inner for i in range(2 * count)]
    return [(r * np.sin(np.pi * i / count), -r * np.cos(np.pi * i / count)) for i, r in enumerate(radii)]


def heart(x, y):
    lobes = np.minimum(disc(x + 0.47, y + 0.36, 0.56), disc(x - 0.47, y + 0.36, 0.56))
    return np.minimum(lobes, polygon(x, y, [(-0.93, -0.04), (0, -0.4), (0.93, -0.04), (0, 1.0)]))


def darker(color, factor):
    return tuple(factor * channel for channel in color)


def parts(thing, x, y):
    """The parts of an object, lowest first: signed distances, colours, and whether a part has the named colour."""
    color = COLORS[thing.color]
    shape = thing.shape
    if shape == "circle":
        return [(disc(x, y, 0.95), color)]
    if shape == "square":
        return [(box(x, y, 0.8, 0.8) - 0.03, color)]
    if shape == "triangle":
        return [(polygon(x, y, [(0, -0.98), (1.02, 0.8), (-1.02, 0.8)]), color)]
    if shape == "star":
        return [(polygon(x, y, star_points(5, 0.42)), color)]
    if shape == "heart":
        return [(heart(x, y), color)]
    if shape == "diamond":
        return [(polygon(x, y, [(0, -1.12), (0.76, 0), (0, 1.12), (-0.76, 0)]), color)]
    if shape == "ring":
        return [(np.abs(disc(x, y, 0.73)) - 0.25, color)]
    if shape == "cross":
        return [(np.minimum(box(x, y, 0.95, 0.32), box(x, y, 0.32, 0.95)), color)]
    if shape == "house":
        return [
            (box(x, y - 0.4, 0.72, 0.5), color),
            (polygon(x, y, [(0, -1.0), (1.02, -0.05), (-1.02, -0.05)]), darker(color, 0.62)),
            (box(x, y - 0.58, 0.19, 0.32), darker(color, 0.35)),
        ]
    if shape == "tree":
        crown = np.minimum(np.minimum(disc(x, y + 0.5, 0.52), disc(x - 0.4, y + 0.05, 0.5)), disc(x + 0.4, y + 0.05, 0.5))
        return [(box(x, y - 0.65, 0.16, 0.38), (96, 60, 32)), (crown, color)]
    if shape == "flower":
        petals = np.full_like(x, np.inf)
        for i in range(6):
            angle = np.pi * i / 3
            petals = np.minimum(petals, disc(x - 0.58 * np.sin(angle), y + 0.58 * np.cos(angle), 0.38))
        petals = np.minimum(petals, disc(x, y, 0.5))
        center = COLORS["brown"] if thing.color in ("yellow", "orange") else COLORS["yellow"]
        return [(petals, color), (disc(x, y, 0.3), center)]
    body = ellipse(x - 0.2, y, 0.82, 0.56)
    tail = polygon(x, y, [(-0.4, 0), (-1.08, -0.58), (-0.92, 0), (-1.08, 0.58)])
    eye = (235, 235, 235) if thing.color == "black" else (20, 20, 22)
    return [(np.minimum(body, tail), color), (disc(x - 0.62, y + 0.14, 0.1), eye)]


def silhouette(thing, size=SIZE):
    """How much of each pixel the object covers, [size, size] in 0...1."""
    x, y = local(thing, size)
    distance = np.minimum.reduce([part[0] for part in parts(thing, x, y)])
    return coverage(distance * thing.radius, size)


def local(thing, size):
    axis = (np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1
    y, x = np.meshgrid(axis, axis, indexing="ij")
    return (x - thing.x) / thing.radius, (y - thing.y) / thing.radius


def coverage(distance, size):
    return np.clip(0.5 - distance * size / 2, 0, 1)


def draw(scene, size=SIZE):
    """The image, uint8 [size, size, 3]."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1
    picture = np.array(COLORS[scene.background], np.float32) * (1 - 0.07 * axis[:, None, None]) + np.zeros((size, size, 1), np.float32)
    for thing in scene.objects:
        x, y = local(thing, size)
        drawn = parts(thing, x, y)
        outline = np.minimum.reduce([part[0] for part in drawn])
        # A soft shadow, below and to the right: a ramp of the silhouette's distance, moved.
        step = round(0.03 * size)
        shadow = np.pad(outline, ((step, 0), (step, 0)), mode="edge")[:size, :size] * thing.radius
        picture *= 1 - 0.22 * np.clip(0.5 - shadow / 0.12, 0, 1)[..., None]
        # Light from above.
        light = (1.05 - 0.1 * np.clip(y, -1, 1))[..., None]
        for distance, color in drawn:
            alpha = coverage(distance * thing.radius, size)[..., None]
            picture = picture * (1 - alpha) + np.array(color, np.float32) * light * alpha
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def words():
    """Every word of the captions, for the vocabulary."""
    text = "a an on in front of background , picture drawing small big " + " ".join(RELATIONS)
    return sorted(set(text.split()) | set(COLORS) | set(SHAPES))


if __name__ == "__main__":
    rng = random.Random(0)
    sheet = Image.new("RGB", (8 * SIZE, 4 * SIZE))
    for i in range(32):
        scene = random_scene(rng)
        sheet.paste(Image.fromarray(draw(scene)), (i % 8 * SIZE, i // 8 * SIZE))
        print(caption(scene, rng))
    sheet.save(sys.argv[1])
