"""Images of the small models with 8-bit weights; the tests write the same weights into files.

  python make_quantised_images.py

quantised/*.png and quantised/cases.json. Networks compute in float32 with the numbers that the 8 bits stand for.
"""

import json
import os

import torch
from make_family_fixtures import base, models, out, picture
from PIL import Image

folder = out + "/quantised"
os.makedirs(folder, exist_ok=True)


def q8_0(w):
    """GGUF's Q8_0: 32 numbers of a row and their scale in half precision."""
    blocks = w.reshape(-1, 32)
    scale = (blocks.abs().amax(1, keepdim=True) / 127).half().float()
    return (torch.round(blocks / scale).clamp(-127, 127).nan_to_num() * scale).reshape(w.shape)


e4m3 = torch.arange(127, dtype=torch.uint8).view(torch.float8_e4m3fn).float()


def fp8(w, scale):
    """The E4M3 value whose product with the scale is nearest; the smaller one of two equally near."""
    x = (w / scale).abs().contiguous()
    upper = torch.searchsorted(e4m3, x).clamp(1, 126)
    nearest = torch.where(x - e4m3[upper - 1] <= e4m3[upper] - x, e4m3[upper - 1], e4m3[upper])
    return torch.copysign(nearest, w) * scale


def by_tensor(w):
    return fp8(w, w.abs().max() / 448)


def by_row(w):
    return fp8(w, w.abs().amax(1, keepdim=True) / 448)


def by_block(w):
    """With a scale for each square of 128; the squares in the last row and column are not full."""
    w = w.clone()
    for square in (s for rows in w.split(128, 0) for s in rows.split(128, 1)):
        square.copy_(fp8(square, square.abs().max() / 448))
    return w


def quantise_q8_0(model):
    """All matrices of UNet and text encoders, with tokens and positions among them."""
    for network in (model.unet, *(encoder.model for encoder in model.encoders)):
        for name, p in network.named_parameters():
            if p.ndim == 2 and p.shape[1] % 32 == 0 and "text_projection" not in name:
                p.copy_(q8_0(p))


def quantise_fp8(model):
    """Attention of the UNet by tensor, its feed-forward layers by block, text encoders by row."""
    for name, p in model.unet.named_parameters():
        if p.ndim == 2 and ".attn" in name and name.endswith(".weight"):
            p.copy_(by_tensor(p))
        elif name.endswith("ff.net.0.proj.weight"):
            p.copy_(by_block(p))
    for number, encoder in enumerate(model.encoders):
        # OpenCLIP's queries, keys and values are one tensor, of a name without scales.
        layers = ("out_proj", "fc1", "fc2") + (() if number else ("q_proj", "k_proj", "v_proj"))
        for name, p in encoder.model.named_parameters():
            if p.ndim == 2 and name.endswith(tuple(layer + ".weight" for layer in layers)):
                p.copy_(by_row(p))


rows = [
    (dict(model="sd2.safetensors", sampler_name="Euler"), quantise_q8_0),
    (dict(model="sdxl.safetensors", sampler_name="DPM++ 2M"), quantise_q8_0),
    (dict(model="sdxl.safetensors", sampler_name="Euler"), quantise_fp8),
]
cases = []
for i, (row, quantise) in enumerate(rows):
    case = dict(base, steps=5) | row
    model = models[case["model"]]
    networks = [model.unet, *(encoder.model for encoder in model.encoders)]
    saved = [{n: p.clone() for n, p in m.state_dict().items()} for m in networks]
    exact = picture(model, case)[0]
    with torch.no_grad():
        quantise(model)
    pixels = picture(model, case)[0]
    for network, state in zip(networks, saved):
        network.load_state_dict(state)
    case["file"] = f"../Families/quantised/{i:02d}.png"
    Image.fromarray(pixels).save(f"{folder}/{i:02d}.png")
    cases.append(case)
    print(i, case["model"], quantise.__name__, "changes %.2f of the values" % (pixels != exact).mean())
json.dump(cases, open(folder + "/cases.json", "w"), indent=1)
