"""Writes resize.json: the results of Pillow's Image.resize for images with pseudo-random values, as SHA-256 of the RGB bytes.

  python make_resize.py
"""
import hashlib, json
from fixture_paths import fixtures
from PIL import Image

M = (1 << 64) - 1

def picture(width, height, seed):
    """SplitMix64, the high byte of each number; as Tests/TestSupport/SplitMix64.swift."""
    values, state = bytearray(), seed
    for _ in range(width * height * 3):
        state = (state + 0x9E3779B97F4A7C15) & M
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & M
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M
        values.append((z ^ (z >> 31)) >> 56)
    return Image.frombytes("RGB", (width, height), bytes(values))

sizes = [(8, 8, 16, 16), (64, 48, 128, 96), (64, 48, 100, 77), (33, 57, 64, 64), (100, 80, 40, 30), (120, 90, 119, 91), (7, 5, 333, 3),
         (1, 1, 9, 4), (200, 1, 13, 1), (1, 200, 1, 13), (96, 96, 96, 150), (96, 96, 150, 96), (512, 3, 767, 5), (31, 17, 3, 2), (128, 128, 200, 200)]
cases = []
for number, (w, h, nw, nh) in enumerate(sizes):
    image = picture(w, h, number + 1)
    for name in ("NEAREST", "LANCZOS"):
        out = image.resize((nw, nh), getattr(Image.Resampling, name))
        cases.append({"seed": number + 1, "from": [w, h], "to": [nw, nh], "filter": name.title(),
                      "sha256": hashlib.sha256(out.tobytes()).hexdigest()})
path = fixtures("Imaging") + "/resize.json"
with open(path, "w") as file:
    json.dump({"source": "Pillow " + Image.__version__, "cases": cases}, file, indent=1)
    file.write("\n")
