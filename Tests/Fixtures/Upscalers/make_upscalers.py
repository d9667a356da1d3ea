"""Writes small random upscalers of the ESRGAN family in every layout of names, and what PyTorch makes of a small picture.

  pip install torch safetensors numpy
  python make_upscalers.py

The networks are written out here from their papers (arXiv:1809.00219, arXiv:2107.10833), with the names that their authors'
files have. large.npy-like raw bytes: what a network makes of a picture of several tiles, joined as the webui joins them.
"""
import hashlib, json, os
import torch, torch.nn as nn, torch.nn.functional as F
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
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

class Dense(nn.Module):
    def __init__(s, nf, gc):
        super().__init__()
        for i in range(5): setattr(s, f"conv{i+1}", nn.Conv2d(nf + i * gc, nf if i == 4 else gc, 3, 1, 1))
    def forward(s, x):
        seen = [x]
        for i in range(4): seen.append(F.leaky_relu(getattr(s, f"conv{i+1}")(torch.cat(seen, 1)), 0.2))
        return s.conv5(torch.cat(seen, 1)) * 0.2 + x

class Block(nn.Module):
    def __init__(s, nf, gc):
        super().__init__(); s.rdb1 = Dense(nf, gc); s.rdb2 = Dense(nf, gc); s.rdb3 = Dense(nf, gc)
    def forward(s, x): return s.rdb3(s.rdb2(s.rdb1(x))) * 0.2 + x

class RRDB(nn.Module):
    def __init__(s, nf, gc, nb, ups, unshuffle=1):
        super().__init__(); s.ups = ups; s.unshuffle = unshuffle
        s.conv_first = nn.Conv2d(3 * unshuffle ** 2, nf, 3, 1, 1)
        s.body = nn.ModuleList(Block(nf, gc) for _ in range(nb))
        s.conv_body = nn.Conv2d(nf, nf, 3, 1, 1)
        for i in range(ups): setattr(s, f"conv_up{i+1}", nn.Conv2d(nf, nf, 3, 1, 1))
        s.conv_hr = nn.Conv2d(nf, nf, 3, 1, 1); s.conv_last = nn.Conv2d(nf, 3, 3, 1, 1)
    def forward(s, x):
        if s.unshuffle > 1: x = F.pixel_unshuffle(x, s.unshuffle)
        first = s.conv_first(x); x = first
        for b in s.body: x = b(x)
        x = first + s.conv_body(x)
        for i in range(s.ups): x = F.leaky_relu(getattr(s, f"conv_up{i+1}")(F.interpolate(x, scale_factor=2, mode="nearest")), 0.2)
        return s.conv_last(F.leaky_relu(s.conv_hr(x), 0.2))

class Compact(nn.Module):
    def __init__(s, nf, nc, scale):
        super().__init__(); s.scale = scale; layers = [nn.Conv2d(3, nf, 3, 1, 1), nn.PReLU(nf)]
        for _ in range(nc): layers += [nn.Conv2d(nf, nf, 3, 1, 1), nn.PReLU(nf)]
        s.body = nn.ModuleList(layers + [nn.Conv2d(nf, 3 * scale ** 2, 3, 1, 1)])
    def forward(s, x):
        y = x
        for l in s.body: y = l(y)
        return F.pixel_shuffle(y, s.scale) + F.interpolate(x, scale_factor=s.scale, mode="nearest")

def halved(net, seed, gain):
    """Random weights that half precision holds exactly, of a size that keeps the picture in range."""
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
    return f"model.1.sub.{b}.RDB{rdb[3:]}.{conv}.0.{kind}"

def trunk(name):
    n, kind = name.rsplit(".", 1)
    n = {"conv_body": "trunk_conv", "conv_hr": "HRconv"}.get(n, n.replace("conv_up", "upconv"))
    return n.replace("body.", "RRDB_trunk.").replace("rdb", "RDB") + "." + kind

def out8(net, image):
    x = image.permute(2, 0, 1)[None].float() / 255
    with torch.no_grad(): y = net(x)
    return (y.clamp(0, 1) * 255).round().to(torch.uint8)[0].permute(1, 2, 0), y

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

# Several tiles, joined in 8 bits by masks as Pillow applies them.
from PIL import Image
import numpy as np, math
def tiled(net, image, scale, tile=192, overlap=8):
    h, w, _ = image.shape
    def starts(n):
        if n <= tile: return min(n, tile), [0]
        c = math.ceil((n - overlap) / (tile - overlap)); d = (n - tile) / (c - 1) if c > 1 else 0
        return tile, [min(int(i * d), n - tile) for i in range(c)]
    (tw, xs), (th, ys), o = starts(w), starts(h), overlap * scale
    ramp = lambda n: (np.arange(n) * 255 / n).astype(np.uint8)
    mw = Image.fromarray(np.repeat(ramp(o)[None], th * scale, 0)); mh = Image.fromarray(np.repeat(ramp(o)[:, None], w * scale, 1))
    whole = Image.new("RGB", (w * scale, h * scale))
    for y in ys:
        band = Image.new("RGB", (w * scale, th * scale))
        for x in xs:
            t = Image.fromarray(out8(net, image[y:y + th, x:x + tw])[0].contiguous().numpy())
            if x == 0: band.paste(t, (0, 0)); continue
            band.paste(t.crop((0, 0, o, t.height)), (x * scale, 0), mask=mw); band.paste(t.crop((o, 0, t.width, t.height)), (x * scale + o, 0))
        if y == 0: whole.paste(band, (0, 0)); continue
        whole.paste(band.crop((0, 0, band.width, o)), (0, y * scale), mask=mh); whole.paste(band.crop((0, o, band.width, band.height)), (0, y * scale + o))
    return whole
image = picture(250, 200, 7)
large = tiled(c4, image, 4)
final = large.resize((int(250 * 2.5) // 8 * 8, int(200 * 2.5) // 8 * 8), Image.Resampling.LANCZOS)
# Rows and columns across the joints, and the whole as the command leaves it.
sample = np.asarray(final)
open(os.path.join(HERE, "tiled.rgb"), "wb").write(sample[::7, ::7].tobytes())
json.dump({"source": "PyTorch " + torch.__version__.split("+")[0], "cases": cases,
           "tiled": {"file": "compact.pth", "width": 250, "height": 200, "seed": 7, "factor": 2.5, "size": list(final.size), "step": 7}},
          open(os.path.join(HERE, "upscalers.json"), "w"), indent=1)
