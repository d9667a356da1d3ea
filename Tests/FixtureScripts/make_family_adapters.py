"""Writes LoRAs and textual inversions for the small models of Stable Diffusion 2.x and XL, and images that PyTorch makes with them.

  python make_family_adapters.py

adapters/lora/*, adapters/embeddings/*, adapters/*.png and adapters/cases.json. Changes of weights are those of kohya's
sd-scripts and LyCORIS; vectors take the places of tokens as in the webui.
"""

import json
import os
import random
import re

import torch
from make_family_fixtures import base, models, out, picture
from PIL import Image
from safetensors.torch import save_file

from checkpoint_names import unet_name

folder = out + "/adapters"
os.makedirs(folder + "/lora", exist_ok=True)
os.makedirs(folder + "/embeddings", exist_ok=True)
torch.manual_seed(61)
random.seed(61)


def networks(model):
    """By the names of diffusers."""
    texts = [encoder.model for encoder in model.encoders]
    return {"unet": model.unet, "text_encoder": texts[0]} | ({"text_encoder_2": texts[1]} if len(texts) > 1 else {})


def layers(model, network, *ends, size=None):
    modules = networks(model)[network].named_modules()
    found = [n for n, m in modules if n.endswith(ends) and m.weight.ndim == (2 if size is None else 4)]
    return [n for n in found if size is None or networks(model)[network].get_submodule(n).weight.shape[-1] == size]


def kohya(model, network, name):
    """Names of sd-scripts: the UNet's are those of the single file for XL, and those of diffusers for 2.x."""
    if network == "unet" and model.family == "sdxl":
        kinds = model.unet.config.up_block_types
        plain = tuple(str(i) for i, kind in enumerate(kinds) if kind == "UpBlock2D")
        name = unet_name(name + ".weight", model.unet.config.layers_per_block, plain)[: -len(".weight")]
    elif network != "unet" and not name.startswith("text_model."):
        name = "text_model." + name
    prefix = {"unet": "lora_unet_", "text_encoder": "lora_te1_", "text_encoder_2": "lora_te2_"}[network]
    return (prefix if model.family == "sdxl" else prefix.replace("te1", "te")) + name.replace(".", "_")


def diffusers(model, network, name):
    return f"{network}.{name if network == 'unet' or name.startswith('text_model.') else 'text_model.' + name}"


def small(*shape, of=0.2):
    return (torch.randn(*shape) * of).half().float()


def plain(w, rank=3):
    rest = w.shape[2:]
    return {
        "lora_up.weight": small(w.shape[0], rank, *[1 for _ in rest]),
        "lora_down.weight": small(rank, w.shape[1], *rest),
        "alpha": torch.tensor(2.0),
    }


def hadamard(w, rank=2):
    return {
        "hada_w1_a": small(w.shape[0], rank, of=0.4), "hada_w1_b": small(rank, w[0].numel(), of=0.4),
        "hada_w2_a": small(w.shape[0], rank, of=0.4), "hada_w2_b": small(rank, w[0].numel(), of=0.4),
        "alpha": torch.tensor(2.0),
    }  # fmt: skip


def kronecker(w):
    return {"lokr_w1": small(4, 4), "lokr_w2": small(w.shape[0] // 4, w.shape[1] // 4, *w.shape[2:])}


def decomposed(w):
    lengths = w.flatten(1).norm(dim=1).reshape(-1, *[1 for _ in w.shape[1:]])
    return plain(w) | {"dora_scale": (lengths * (1 + 0.2 * torch.randn_like(lengths))).half().float()}


def changed(w, p, multiplier):
    scale = p["alpha"].item() / min(p["lora_down.weight"].shape[0], 9) if "lora_up.weight" in p else 1.0
    if "lora_up.weight" in p:
        delta = p["lora_up.weight"].flatten(1) @ p["lora_down.weight"].flatten(1)
    elif "hada_w1_a" in p:
        delta = (p["hada_w1_a"] @ p["hada_w1_b"]) * (p["hada_w2_a"] @ p["hada_w2_b"])
        scale = p["alpha"].item() / p["hada_w1_b"].shape[0]
    else:
        second = p["lokr_w2"]
        delta = torch.kron(p["lokr_w1"].reshape(4, 4, *[1] * (second.ndim - 2)), second.contiguous())
    delta = delta.reshape(w.shape) * scale
    if "dora_scale" in p:
        whole = w + delta
        delta = whole * (p["dora_scale"] / whole.flatten(1).norm(dim=1).reshape(p["dora_scale"].shape)) - w
    return w + multiplier * delta


files = {}


def write(name, model, style, parts, save):
    """parts: {(network, layer): tensors}."""
    files[name] = parts
    renamed = {"lora_up.weight": "lora_B.weight", "lora_down.weight": "lora_A.weight"} if style is diffusers else {}
    tensors = {
        f"{style(model, *place)}.{renamed.get(key, key)}": tensor.half().contiguous()
        for place, p in parts.items() for key, tensor in p.items() if not (style is diffusers and key == "alpha")
    }  # fmt: skip
    save(tensors, f"{folder}/lora/{name}")


def chosen(model, forms, network, *ends, size=None, count=6):
    names = random.sample(found := layers(model, network, *ends, size=size), min(count, len(found)))
    weights = networks(model)[network]
    return {
        (network, n): forms[i % len(forms)](weights.get_submodule(n).weight.detach()) for i, n in enumerate(names)
    }


xl, two = models["sdxl.safetensors"], models["sd2.safetensors"]
every = (plain, hadamard, kronecker, decomposed)
attention = ("to_q", "to_k", "to_v", "to_out.0", "proj_in", "ff.net.2")
text = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")
parts = chosen(xl, every, "unet", *attention, count=12) | chosen(xl, every, "unet", "conv1", "conv2", size=3, count=4)
parts |= chosen(xl, every, "text_encoder", *text, count=8) | chosen(xl, every, "text_encoder_2", *text, count=8)
write("xl.safetensors", xl, kohya, parts, save_file)


def scaled(w):
    """PEFT's default scale is 1: alpha is the rank."""
    return plain(w) | {"alpha": torch.tensor(3.0)}


parts = chosen(xl, (scaled,), "unet", *attention, count=10) | chosen(xl, (scaled,), "unet", "conv1", size=3, count=2)
parts |= chosen(xl, (scaled,), "text_encoder", *text) | chosen(xl, (scaled,), "text_encoder_2", *text)
write("xl-peft.safetensors", xl, diffusers, parts, save_file)
parts = chosen(two, every, "unet", *attention, count=12) | chosen(two, every, "text_encoder", *text, count=12)
write("two.safetensors", two, kohya, parts, save_file)
parts = chosen(two, every, "unet", *attention, count=8) | chosen(two, every, "text_encoder", *text)
write("two-pickled.pt", two, kohya, parts, torch.save)
parts = chosen(two, (plain,), "unet", *attention, count=4)
write("two-nested.ckpt", two, kohya, parts, lambda tensors, path: torch.save({"state_dict": tensors}, path))

# Vectors for each text encoder. They replace a word that is one token and is in no other prompt.
vectors = {
    "xl-star": {0: small(2, 64, of=0.5), 1: small(2, 128, of=0.5)},
    "two-star": {0: small(3, 128, of=0.5)},
    "two-bin": {0: small(1, 128, of=0.5)},
}
word = "painting"
[word_id] = models["sd2"].tokenizer(word, add_special_tokens=False).input_ids
save_file({"clip_l": vectors["xl-star"][0].half(), "clip_g": vectors["xl-star"][1].half()}, f"{folder}/embeddings/xl-star.safetensors")
torch.save({"string_to_token": {"*": 265}, "string_to_param": {"*": vectors["two-star"][0]}, "name": "two-star", "step": 5}, f"{folder}/embeddings/two-star.pt")
torch.save({"<two>": vectors["two-bin"][0][0]}, f"{folder}/embeddings/two-bin.bin")


class Replaced(torch.nn.Module):
    """A token embedding in which vectors, one after the other, replace the word."""

    def __init__(self, inner, rows):
        super().__init__()
        self.inner, self.rows, self.weight = inner, rows, inner.weight

    def forward(self, ids):
        embedded = self.inner(ids).clone()
        for row, tokens in zip(embedded, ids):
            for i, place in enumerate((tokens == word_id).nonzero().flatten()):
                row[place] = self.rows[i % len(self.rows)]
        return embedded


def made(model, case, loras, star):
    saved = {k: {n: p.clone() for n, p in m.state_dict().items()} for k, m in networks(model).items()}
    with torch.no_grad():
        for name, te, un in loras:
            for (network, layer), p in files[name].items():
                module = networks(model)[network].get_submodule(layer)
                p = {k: t.half().float() for k, t in p.items()}
                module.weight.copy_(changed(module.weight, p, un if network == "unet" else te))
    inner = [getattr(e.model, "text_model", e.model).embeddings for e in model.encoders]
    tables = [i.token_embedding for i in inner]
    if star:
        place = " ".join([word] * len(vectors[star][0]))
        case = case | {k: case[k].replace(star, place) for k in ("prompt", "negative_prompt")}
        for number, i in enumerate(inner):
            i.token_embedding = Replaced(tables[number], vectors[star][number])
    case = case | {"prompt": re.sub("<[^>]*>", "", case["prompt"])}
    pixels = picture(model, case)[0]
    for i, table in zip(inner, tables):
        i.token_embedding = table
    for k, m in networks(model).items():
        m.load_state_dict(saved[k])
    return pixels


rows = [
    (dict(model="sdxl.safetensors", prompt="a red boat on a lake"), [], None),
    (dict(model="sdxl.safetensors", prompt="a red boat <lora:xl:0.8:0.6> on a lake"), [("xl.safetensors", 0.8, 0.6)], None),
    (dict(model="sdxl.safetensors", prompt="a red boat on a lake<lora:xl-peft:1>", sampler_name="DPM++ 2M"), [("xl-peft.safetensors", 1, 1)], None),
    (dict(model="sdxl.safetensors", prompt="a red boat <lora:xl-peft:0.7><lora:xl:0.3:-0.4>"), [("xl-peft.safetensors", 0.7, 0.7), ("xl.safetensors", 0.3, -0.4)], None),
    (dict(model="sdxl.safetensors", prompt="a (xl-star:1.2) on a lake", negative_prompt="xl-star, noise"), [], "xl-star"),
    (dict(model="sd2.safetensors", prompt="a red boat <lora:two:0.9>"), [("two.safetensors", 0.9, 0.9)], None),
    (dict(model="sd2.safetensors", prompt="a red boat <lora:two-pickled:0.6><lora:two-nested:1>"), [("two-pickled.pt", 0.6, 0.6), ("two-nested.ckpt", 1, 1)], None),
    (dict(model="sd2.safetensors", prompt="a two-star boat", negative_prompt="(two-star:0.7), blurry"), [], "two-star"),
    (dict(model="sd2.safetensors", prompt="a boat, two-bin"), [], "two-bin"),
]  # fmt: skip
cases = []
for i, (row, loras, star) in enumerate(rows):
    case = dict(base, sampler_name="Euler", steps=5) | row
    pixels = made(models[case["model"]], case, loras, star)
    case["file"] = f"../Families/adapters/{i:02d}.png"
    Image.fromarray(pixels).save(f"{folder}/{i:02d}.png")
    cases.append(case)
    print(i, case["prompt"], "mean %.1f, deviation %.1f" % (pixels.mean(), pixels.std()))
json.dump(cases, open(folder + "/cases.json", "w"), indent=1)
