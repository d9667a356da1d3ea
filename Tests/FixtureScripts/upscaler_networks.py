"""The networks of the ESRGAN family, and how the webui enlarges an image with them.

The networks are written out from their papers (arXiv:1809.00219, arXiv:2107.10833), with the names that their authors' files
have; what is around them from a description of stable-diffusion-webui 1.10.1.
"""

import math
import os

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file

from fixture_paths import fixtures

HERE = fixtures("Upscalers")
LANCZOS = Image.Resampling.LANCZOS


class Dense(nn.Module):
    def __init__(s, nf, gc, plus=False):
        super().__init__()
        for i in range(5): setattr(s, f"conv{i+1}", nn.Conv2d(nf + i * gc, nf if i == 4 else gc, 3, 1, 1))
        # The shortcuts of ESRGAN+ (arXiv:2001.08073).
        if plus: s.conv1x1 = nn.Conv2d(nf, gc, 1, bias=False)
    def forward(s, x):
        seen, shortcut = [x], getattr(s, "conv1x1", None)
        for i in range(4):
            y = F.leaky_relu(getattr(s, f"conv{i+1}")(torch.cat(seen, 1)), 0.2)
            if shortcut is not None and i == 1: y = y + shortcut(x)
            if shortcut is not None and i == 3: y = y + seen[2]
            seen.append(y)
        return s.conv5(torch.cat(seen, 1)) * 0.2 + x

class Block(nn.Module):
    def __init__(s, nf, gc, plus=False):
        super().__init__(); s.rdb1 = Dense(nf, gc, plus); s.rdb2 = Dense(nf, gc, plus); s.rdb3 = Dense(nf, gc, plus)
    def forward(s, x): return s.rdb3(s.rdb2(s.rdb1(x))) * 0.2 + x

class RRDB(nn.Module):
    def __init__(s, nf, gc, nb, ups, unshuffle=1, plus=False):
        super().__init__(); s.ups = ups; s.unshuffle = unshuffle
        s.conv_first = nn.Conv2d(3 * unshuffle ** 2, nf, 3, 1, 1)
        s.body = nn.ModuleList(Block(nf, gc, plus) for _ in range(nb))
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

def out8(net, image):
    x = image.permute(2, 0, 1)[None].float() / 255
    with torch.no_grad(): y = net(x)
    return (y.clamp(0, 1) * 255).round().to(torch.uint8)[0].permute(1, 2, 0), y

# Several tiles, joined in 8 bits with masks, as Pillow does it.
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

def network(file):
    """A network of the files here, and how many times larger its images are."""
    path = os.path.join(HERE, file)
    tensors = load_file(path) if file.endswith(".safetensors") else torch.load(path)
    tensors = tensors.get("params_ema") or tensors.get("params") or tensors
    tensors = {key.removeprefix("params."): tensor.float() for key, tensor in tensors.items()}
    net, scale = {
        "realesrgan.pth": (RRDB(8, 4, 2, 2), 4), "x2.safetensors": (RRDB(8, 4, 1, 2, 2), 2), "compact.pth": (Compact(8, 2, 4), 4),
    }[file]
    net.load_state_dict(tensors)
    return net.eval(), scale


def enlarged(image, width, height, name):
    """An image at the size of a second pass, from the upscaler with this name."""
    if name == "None":
        return image.resize((width, height), resample=LANCZOS)
    factor = max(width / image.width, height / image.height)
    if factor > 1:
        wide, high = int(image.width * factor // 8 * 8), int(image.height * factor // 8 * 8)
        for turn in range(3):
            before = image.size
            if turn > 0 and image.width >= wide and image.height >= high:
                break
            if name in ("Lanczos", "Nearest"):
                kind = LANCZOS if name == "Lanczos" else Image.Resampling.NEAREST
                image = image.resize((int(image.width * factor), int(image.height * factor)), resample=kind)
            else:
                net, scale = network(name)
                x = torch.from_numpy(np.array(image))
                if name == "x2.safetensors":
                    # It needs even sides: the last pixels are repeated, and cut off again.
                    y = F.pad(x.permute(2, 0, 1)[None].float(), (0, x.shape[1] % 2, 0, x.shape[0] % 2), mode="replicate")
                    y = out8(net, y[0].permute(1, 2, 0))[0][: scale * x.shape[0], : scale * x.shape[1]]
                    image = Image.fromarray(y.contiguous().numpy())
                else:
                    image = tiled(net, x, scale)
            if image.size == before:
                break
        if image.size != (wide, high):
            image = image.resize((wide, high), resample=LANCZOS)
    return image if image.size == (width, height) else image.resize((width, height), resample=LANCZOS)
