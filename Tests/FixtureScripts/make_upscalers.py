"""Writes small random upscalers of the ESRGAN family with every layout of names, and PyTorch's results for a small image.

  python make_upscalers.py

The networks are those of upscaler_networks.py. Raw bytes: a network's results for images; one of them has several tiles.
"""
import json, os
import numpy as np
import torch
from safetensors.torch import save_file

from fixture_paths import fixtures
from upscaler_networks import RRDB, Compact, Image, out8, tiled

HERE = fixtures("Upscalers")
M = (1 << 64) - 1

def picture(width, height, seed):
    """SplitMix64, the high byte of each number, smoothed so that neighbours are alike."""
    values, state = [], seed
    for _ in range(width * height * 3):
        state = (state + 0x9E3779B97F4A7C15) & M
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & M
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M
        values.append((z ^ (z >> 31)) >> 56)
    return torch.tensor(values, dtype=torch.uint8).reshape(height, width, 3)

def halved(net, seed, gain):
    """Random weights that half precision represents exactly, of a size that keeps the image in range."""
    torch.manual_seed(seed)
    for name, p in net.named_parameters():
        if p.dim() == 4: p.data = torch.randn_like(p) * gain / (p.shape[1] * 9) ** 0.5
        elif name.endswith("bias"): p.data = torch.randn_like(p) * 0.05
        else: p.data = torch.rand_like(p) * 0.4
        p.data = p.data.half().float()
    return net

def old(name, nb, ups):
    n, kind = name.rsplit(".", 1)
    t = {"conv_first": "model.0", "conv_body": f"model.1.sub.{nb}", "conv_hr": f"model.{3*ups+2}", "conv_last": f"model.{3*ups+4}"}
    if n in t: return f"{t[n]}.{kind}"
    if n.startswith("conv_up"): return f"model.{3*int(n[7:])}.{kind}"
    _, b, rdb, conv = n.split(".")
    # The shortcuts of ESRGAN+ are plain convolutions, the others blocks of their own.
    return f"model.1.sub.{b}.RDB{rdb[3:]}.{conv}.{kind}" if conv == "conv1x1" else f"model.1.sub.{b}.RDB{rdb[3:]}.{conv}.0.{kind}"

def trunk(name):
    n, kind = name.rsplit(".", 1)
    n = {"conv_body": "trunk_conv", "conv_hr": "HRconv"}.get(n, n.replace("conv_up", "upconv"))
    return n.replace("body.", "RRDB_trunk.").replace("rdb", "RDB") + "." + kind

cases = []
def case(file, net, w, h, seed):
    y8, y = out8(net, picture(w, h, seed))
    open(os.path.join(HERE, file.split(".")[0] + ".rgb"), "wb").write(y8.contiguous().numpy().tobytes())
    cases.append({"file": file, "width": w, "height": h, "seed": seed, "scale": y8.shape[1] // w, "range": [y.min().item(), y.max().item()]})

half = lambda d: {k: v.half().contiguous() for k, v in d.items()}
r4 = halved(RRDB(8, 4, 2, 2), 1, 0.9); s = r4.state_dict()
torch.save({"params_ema": half(s), "params": half({k: v * 0 for k, v in s.items()})}, os.path.join(HERE, "realesrgan.pth"))
case("realesrgan.pth", r4, 11, 9, 1)
torch.save(half({old(k, 2, 2): v for k, v in s.items()}), os.path.join(HERE, "numbered.pth"))
case("numbered.pth", r4, 11, 9, 2)
save_file(half({trunk(k): v for k, v in s.items()}), os.path.join(HERE, "trunk.safetensors"))
case("trunk.safetensors", r4, 10, 12, 3)
r2 = halved(RRDB(8, 4, 1, 2, 2), 2, 0.9)
save_file(half({"params." + k: v for k, v in r2.state_dict().items()}), os.path.join(HERE, "x2.safetensors"))
case("x2.safetensors", r2, 12, 10, 4)
r1 = halved(RRDB(8, 4, 1, 1), 3, 0.9)
save_file(half({old(k, 1, 1): v for k, v in r1.state_dict().items()}), os.path.join(HERE, "numbered2.safetensors"))
case("numbered2.safetensors", r1, 9, 9, 5)
c4 = halved(Compact(8, 2, 4), 4, 0.6)
torch.save({"params": half(c4.state_dict())}, os.path.join(HERE, "compact.pth"))
case("compact.pth", c4, 13, 8, 6)
# Networks that only restore have no doublings, in each naming; one of them works on squares of 4x4 pixels and doubles them again.
one = halved(RRDB(6, 4, 1, 0), 5, 0.9); s = one.state_dict()
save_file(half({old(k, 1, 0): v for k, v in s.items()}), os.path.join(HERE, "numbered1x.safetensors"))
case("numbered1x.safetensors", one, 10, 9, 8)
save_file(half({trunk(k): v for k, v in s.items()}), os.path.join(HERE, "trunk1x.safetensors"))
case("trunk1x.safetensors", one, 10, 9, 8)
save_file(half(s), os.path.join(HERE, "realesrgan1x.safetensors"))
case("realesrgan1x.safetensors", one, 10, 9, 8)
same = halved(RRDB(6, 4, 1, 2, 4), 6, 0.9)
save_file(half(same.state_dict()), os.path.join(HERE, "unshuffled1x.safetensors"))
case("unshuffled1x.safetensors", same, 12, 8, 9)
plus = halved(RRDB(6, 4, 1, 1, plus=True), 7, 0.8)
save_file(half({old(k, 1, 1): v for k, v in plus.state_dict().items()}), os.path.join(HERE, "plus.safetensors"))
case("plus.safetensors", plus, 9, 10, 10)

image = picture(250, 200, 7)
large = tiled(c4, image, 4)
final = large.resize((int(250 * 2.5) // 8 * 8, int(200 * 2.5) // 8 * 8), Image.Resampling.LANCZOS)
# Rows and columns across the seams, and the whole image as the command writes it.
sample = np.asarray(final)
open(os.path.join(HERE, "tiled.rgb"), "wb").write(sample[::7, ::7].tobytes())
json.dump({"source": "PyTorch " + torch.__version__.split("+")[0], "cases": cases,
           "tiled": {"file": "compact.pth", "width": 250, "height": 200, "seed": 7, "factor": 2.5, "size": list(final.size), "step": 7}},
          open(os.path.join(HERE, "upscalers.json"), "w"), indent=1)
