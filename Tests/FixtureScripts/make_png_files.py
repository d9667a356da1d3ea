"""Makes the PNG files of Tests/Fixtures/Imaging, and pixels.json with their contents, with Pillow.

    python make_png_files.py

Pillow is what the webui writes and reads its files with. Written with Pillow 13.
"""

import json
import pathlib
import random

from fixture_paths import fixtures

from PIL import Image
from PIL.PngImagePlugin import PngInfo

LATIN = "a caf\u00e9 \u00d7 2\nNegative prompt: \u00ff\nSteps: 20, Sampler: Euler a, Seed: 1"
WIDE = "\u65e5\u672c \u201cquoted\u201d \U0001f41f\nSteps: 20, Sampler: Euler a, Seed: 1"


def main(folder):
    r = random.Random(7)
    rgb = Image.frombytes("RGB", (7, 5), r.randbytes(105))
    images = {}

    def save(name, image, keyword="parameters", text=LATIN, **options):
        info = PngInfo()
        info.add_text(keyword, text, **options)
        image.save(folder / f"{name}.png", pnginfo=info)
        read = Image.open(folder / f"{name}.png")
        read.load()
        shown = read.convert("RGBA")
        shown = Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown).convert("RGB")
        if name == "grey16":
            shown = Image.merge("RGB", [Image.frombytes("L", read.size, bytes(v // 257 for v in read.get_flattened_data()))] * 3)
        images[name] = {"width": read.width, "height": read.height, "pixels": list(shown.tobytes()),
                        "keyword": keyword, "text": read.text[keyword]}

    save("latin1", rgb)
    save("utf8", rgb, text=WIDE)
    save("empty", rgb, text="")
    save("compressed-latin1", rgb, text=LATIN * 300, zip=True)
    save("compressed-utf8", rgb, text=WIDE, zip=True)
    save("palette", rgb.quantize(16))
    save("grey", rgb.convert("L"))
    save("bilevel", rgb.convert("1"))
    save("grey16", Image.frombytes("I;16", (7, 5), b"".join(bytes([v, v]) for v in r.randbytes(35))))
    alpha = rgb.convert("RGBA")
    alpha.putalpha(Image.frombytes("L", (7, 5), bytes(r.choice([0, 255]) for _ in range(35))))
    save("alpha", alpha)
    (folder / "pixels.json").write_text(json.dumps(images) + "\n")


main(pathlib.Path(fixtures("Imaging")))
