"""Makes the JPEG and WebP files of Tests/Fixtures/Imaging/pictures, and pictures.json with their contents.

    python make_pictures.py

Files are written as the webui writes them: by Pillow, with the text added by piexif (both are needed). Decoded pixels are
Pillow's.
"""

import base64
import io
import json
import math
import pathlib
import random

from fixture_paths import fixtures

import piexif
import piexif.helper
from PIL import Image

TEXT = "a caf\u00e9, \u65e5\u672c \U0001f41f\nNegative prompt: \u00ff\nSteps: 20, Sampler: Euler a, CFG scale: 7.0, Seed: 1"


def picture(width, height, seed):
    """Soft colours with some noise, as an image has them."""
    r = random.Random(seed)
    pixels = bytearray()
    for y in range(height):
        for x in range(width):
            for phase in (0.0, 2.1, 4.2):
                value = 128 + 90 * math.sin(x / 7 + phase) * math.cos(y / 5 - phase) + r.gauss(0, 6)
                pixels.append(max(0, min(255, round(value))))
    return Image.frombytes("RGB", (width, height), bytes(pixels))


def exif(text, encoding="unicode"):
    return piexif.dump({"Exif": {piexif.ExifIFD.UserComment: piexif.helper.UserComment.dump(text, encoding=encoding)}})


def little(text):
    """Big-endian UTF-16 is the webui's; cameras and some sites write little-endian."""
    comment = b"UNICODE\0" + text.encode("utf_16_le")
    entry = b"\x86\x92\x07\x00" + len(comment).to_bytes(4, "little") + (44).to_bytes(4, "little")
    first = b"\x01\x00\x69\x87\x04\x00\x01\x00\x00\x00\x1a\x00\x00\x00" + bytes(4)
    return b"Exif\0\0II*\0\x08\0\0\0" + first + b"\x01\x00" + entry + bytes(4) + comment


def main(folder):
    folder.mkdir(exist_ok=True)
    images = {}

    def save(name, image, text=TEXT, data=None, **options):
        path = folder / name
        image.save(path, **options)
        data = exif(text) if data is None else data
        if data:
            piexif.insert(data, str(path))
        read = Image.open(path)
        shown = read.convert("RGBA")
        shown = Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown).convert("RGB")
        images[name] = {"width": read.width, "height": read.height, "text": text if data else None,
                        "pixels": base64.b64encode(shown.tobytes()).decode()}

    image = picture(40, 24, 1)
    save("webui.jpg", image, quality=80)
    save("webui.webp", image, quality=80)
    save("lossless.webp", image, quality=80, lossless=True)
    save("best.jpg", image, quality=100)
    save("odd.jpg", picture(17, 9, 2), quality=60)
    save("odd.webp", picture(17, 9, 2), quality=60)
    save("grey.jpg", image.convert("L"), quality=80)
    save("progressive.jpg", image, quality=80, progressive=True)
    save("ascii.jpg", image, text="Steps: 1, Seed: 2", data=exif("Steps: 1, Seed: 2", "ascii"), quality=80)
    save("little.jpg", image, data=little(TEXT), quality=80)
    save("bare.jpg", image, data=b"", quality=80)
    save("bare.webp", image, data=b"", quality=80)
    alpha = image.convert("RGBA")
    alpha.putalpha(Image.frombytes("L", image.size, bytes(random.Random(3).choice([0, 255]) for _ in range(40 * 24))))
    save("alpha.webp", alpha, quality=80, lossless=True)
    original = base64.b64encode(image.tobytes()).decode()
    odd = base64.b64encode(picture(17, 9, 2).tobytes()).decode()
    (folder / "pictures.json").write_text(json.dumps({
        "text": TEXT, "original": original, "odd": odd, "exif": base64.b64encode(exif(TEXT)[6:]).decode(),
        "files": images,
    }) + "\n")


main(pathlib.Path(fixtures("Imaging")) / "pictures")
