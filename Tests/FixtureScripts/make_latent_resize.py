"""Writes latent_resize.json: the results of PyTorch's interpolate for small latents, by the webui's names of the upscalers.

  python make_latent_resize.py
"""
import json, torch
import torch.nn.functional as F
from fixture_paths import fixtures

MODES = {"Latent": ("bilinear", False), "Latent (antialiased)": ("bilinear", True), "Latent (bicubic)": ("bicubic", False),
         "Latent (bicubic antialiased)": ("bicubic", True), "Latent (nearest)": ("nearest", None), "Latent (nearest-exact)": ("nearest-exact", None)}
torch.manual_seed(20)
cases = []
for (h, w), (nh, nw) in [((4, 4), (8, 8)), ((5, 7), (9, 13)), ((8, 6), (5, 4)), ((3, 9), (3, 20)), ((64, 2), (100, 3)), ((2, 56), (3, 97)), ((6, 6), (6, 6))]:
    x = torch.randn(1, 2, h, w)
    for name, (mode, antialias) in MODES.items():
        y = F.interpolate(x, size=(nh, nw), mode=mode, **({} if antialias is None else {"antialias": antialias}))
        cases.append({"filter": name, "from": [h, w], "to": [nh, nw], "x": [round(v, 6) for v in x.flatten().tolist()]})
        x6 = torch.tensor(cases[-1]["x"]).reshape(x.shape)
        y = F.interpolate(x6, size=(nh, nw), mode=mode, **({} if antialias is None else {"antialias": antialias}))
        cases[-1]["y"] = [round(v, 6) for v in y.flatten().tolist()]
path = fixtures("Sampling") + "/latent_resize.json"
with open(path, "w") as file:
    json.dump({"source": "PyTorch " + torch.__version__.split("+")[0], "cases": cases}, file, separators=(",", ":"))
    file.write("\n")
