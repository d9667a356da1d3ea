"""Writes images with infotexts as the webui (Pillow) writes them, one for each kind of text chunk.

  python make_infotext_images.py
"""

from fixture_paths import fixtures
from PIL import Image
from PIL.PngImagePlugin import PngInfo

LATIN = """a café, (red:1.2)
Negative prompt: blurry,
ugly
Steps: 20, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 1234, Size: 16x8, Model hash: 6ce0161689, \
Model: v1-5-pruned-emaonly, Clip skip: 2, ENSD: 31337, Version: v1.5.1"""
UNICODE = """日本の海 “waves”
Steps: 8, Sampler: Euler a, Schedule type: Automatic, CFG scale: 5.5, Seed: 9, Size: 16x8, Model: sea, RNG: CPU, \
Some Extension: "a: 1, b: \\"2\\"", Version: v1.10.1"""

folder = fixtures("Infotext")
for name, text, options in [
    ("tEXt", LATIN, {}),
    ("zTXt", LATIN, {"zip": True}),
    ("iTXt", UNICODE, {}),
    ("iTXt-compressed", UNICODE, {"zip": True}),
    ("other", "{}", {"key": "workflow"}),
]:
    info = PngInfo()
    key = options.pop("key", "parameters")
    if name.startswith("iTXt"):
        info.add_itxt(key, text, **options)
    else:
        info.add_text(key, text, **options)
    Image.new("RGB", (16, 8), (200, 100, 50)).save(f"{folder}/{name}.png", pnginfo=info)
