"""Writes LoRAs of every kind and style of names for the small random model, and images that PyTorch makes with them.

  python make_adapter_images.py

Reads the model of make_engine_fixtures.py; writes adapters/lora/*.safetensors, adapters/*.png and
adapters/cases.json. Changes of weights are computed here by the formulas of kohya's sd-scripts and LyCORIS; those of PEFT
by PEFT itself.
"""

import copy
import json
import os
import random

import torch
from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model
from PIL import Image
from safetensors.torch import save_file

from checkpoint_names import unet_name
from fixture_paths import fixtures
from saved_networks import small_model
from webui_reference import DiscreteModel, decode, sample

out = fixtures("Engine")
os.makedirs(out + "/adapters/lora/more", exist_ok=True)
tokenizer, text, unet, vae, _ = small_model()

torch.manual_seed(5)
random.seed(5)
networks = {"unet": unet, "te": text}


def layers(network, keep, kinds=(torch.nn.Linear, torch.nn.Conv2d)):
    """The names of some of a network's layers."""
    names = [n for n, m in networks[network].named_modules() if isinstance(m, kinds)]
    return [n for n in names if random.random() < keep]


def kohya(network, name):
    if network == "unet":
        return "lora_unet_" + name.replace(".", "_")
    return "lora_te_" + ("" if name.startswith("text_model.") else "text_model_") + name.replace(".", "_")


def ldm(network, name):
    if network == "te":
        return kohya(network, name)
    return "lora_unet_" + unet_name(name + ".weight", unet.config.layers_per_block)[: -len(".weight")].replace(".", "_")


def weight(network, name):
    return networks[network].get_submodule(name).weight


def small(*shape, of=0.2):
    return torch.randn(*shape) * of


def lora(w, rank=3, mid=False):
    """up, down and, with Tucker's form, mid; change() computes the change from the same numbers."""
    rest = list(w.shape[2:])
    if mid:
        return {
            "lora_up.weight": small(w.shape[0], rank, 1, 1),
            "lora_mid.weight": small(rank, rank, *rest, of=0.5),
            "lora_down.weight": small(rank, w.shape[1], 1, 1),
        }
    return {
        "lora_up.weight": small(w.shape[0], rank, *[1] * len(rest)),
        "lora_down.weight": small(rank, w.shape[1], *rest),
    }


def loha(w, rank=3, core=False):
    rest = list(w.shape[2:])
    parts = {}
    for i in "12":
        if core and rest:
            parts[f"hada_t{i}"] = small(rank, rank, *rest, of=0.6)
            parts[f"hada_w{i}_a"] = small(rank, w.shape[0], of=0.5)
            parts[f"hada_w{i}_b"] = small(rank, w.shape[1], of=0.5)
        else:
            parts[f"hada_w{i}_a"] = small(w.shape[0], rank, of=0.4)
            parts[f"hada_w{i}_b"] = small(rank, w[0].numel(), of=0.4)
    return parts


def lokr(w, rank=2, form=0):
    rest = list(w.shape[2:])
    factor = 4 if w.shape[0] % 4 == 0 and w.shape[1] % 4 == 0 else 1
    o, i = w.shape[0] // factor, w.shape[1] // factor
    first = {"lokr_w1": small(factor, factor)}
    if form == 1:
        first = {"lokr_w1_a": small(factor, rank, of=0.5), "lokr_w1_b": small(rank, factor, of=0.5)}
    if form == 2:
        return {**first, "lokr_w2": small(o, i, *rest)}
    if rest and rest[0] > 1:
        return {**first, "lokr_t2": small(rank, rank, *rest), "lokr_w2_a": small(rank, o), "lokr_w2_b": small(rank, i)}
    return {**first, "lokr_w2_a": small(o, rank), "lokr_w2_b": small(rank, i * (rest and rest[0] * rest[1] or 1))}


def core_product(core, a, b):
    return torch.einsum("ijkl,jq,ip->pqkl", core, b, a)


def change(w, p, multiplier, limit=None):
    """The new weight: what LyCORIS and the webui compute for one layer."""
    p = {k: v.half().float() for k, v in p.items()}
    scale = 1.0
    if "lora_up.weight" in p:
        up, down = p["lora_up.weight"].flatten(1), p["lora_down.weight"].flatten(1)
        rank = p["lora_down.weight"].shape[0]
        if "lora_mid.weight" in p:
            delta = core_product(p["lora_mid.weight"], up.T, down)
        else:
            delta = up[:, :limit] @ down[:limit]
    elif "hada_w1_a" in p:
        rank = p["hada_w1_b"].shape[0]
        pair = []
        for i in "12":
            a, b = p[f"hada_w{i}_a"], p[f"hada_w{i}_b"]
            pair.append(core_product(p[f"hada_t{i}"], a, b) if f"hada_t{i}" in p else a @ b)
        delta = pair[0] * pair[1]
    elif any(k.startswith("lokr") for k in p):
        rank = None
        w1 = p["lokr_w1"] if "lokr_w1" in p else p["lokr_w1_a"] @ p["lokr_w1_b"]
        if "lokr_w1_b" in p:
            rank = p["lokr_w1_b"].shape[0]
        if "lokr_w2" in p:
            w2 = p["lokr_w2"]
        else:
            rank = p["lokr_w2_b"].shape[0]
            w2 = p["lokr_w2_a"] @ p["lokr_w2_b"] if "lokr_t2" not in p else None
            if w2 is None:
                w2 = core_product(p["lokr_t2"], p["lokr_w2_a"], p["lokr_w2_b"])
        delta = torch.kron(w1.reshape(*w1.shape, *[1] * (w2.ndim - 2)), w2.contiguous())
    elif "diff" in p:
        rank, delta = None, p["diff"]
    elif "w_norm" in p:
        rank, delta = None, p["w_norm"]
    elif "weight" in p:
        rank = None
        delta = w * (p["weight"].reshape(1, -1, *[1] * (w.ndim - 2)) if p["on_input"].item() else p["weight"].reshape(-1, *[1] * (w.ndim - 1)))
    else:
        return w
    if "scale" in p:
        scale = p["scale"].item()
    elif "alpha" in p and rank:
        scale = p["alpha"].item() / rank
    delta = delta.reshape(w.shape) * scale
    if "dora_scale" in p:
        whole = w + delta
        if p["dora_scale"].shape[0] == w.shape[0]:
            norm = whole.flatten(1).norm(dim=1).reshape(-1, *[1] * (w.ndim - 1))
        else:
            norm = whole.transpose(0, 1).flatten(1).norm(dim=1).reshape(1, -1, *[1] * (w.ndim - 2))
        delta = whole * (p["dora_scale"] / norm) - w
    return w + multiplier * delta


files = {}


def write(name, parts, style, metadata=None, folder="lora"):
    """parts: {(network, layer): tensors}."""
    files[name] = parts
    tensors = {}
    for (network, layer), p in parts.items():
        for key, tensor in p.items():
            tensors[f"{style(network, layer)}.{key}"] = tensor.half().contiguous()
    save_file(tensors, f"{out}/adapters/{folder}/{name}.safetensors", metadata)


conv3 = [n for n in layers("unet", 1.0, torch.nn.Conv2d) if weight("unet", n).shape[-1] == 3]
conv1 = [n for n in layers("unet", 1.0, torch.nn.Conv2d) if weight("unet", n).shape[-1] == 1]
linear = layers("unet", 1.0, torch.nn.Linear)
texts = [n for n in layers("te", 1.0, torch.nn.Linear) if "encoder" in n]

# LoRA in kohya's names: linear layers and 1x1 convolutions, with alpha.
parts = {("unet", n): {**lora(weight("unet", n)), "alpha": torch.tensor(2.0)} for n in random.sample(linear, 24) + random.sample(conv1, 6)}
parts |= {("te", n): {**lora(weight("te", n)), "alpha": torch.tensor(1.5)} for n in random.sample(texts, 9)}
write("plain", parts, kohya, {"ss_output_name": "trained as plain", "ss_base_model_version": "sd_v1"})
# LoCon in the names of a single file: 3x3 convolutions, some in Tucker's form; no alpha for some, scale for others.
parts = {}
for i, n in enumerate(conv3):
    parts["unet", n] = lora(weight("unet", n), rank=2, mid=i % 3 == 0)
    if i % 4:
        parts["unet", n]["alpha"] = torch.tensor(1.0)
    if i % 5 == 0:
        parts["unet", n]["scale"] = torch.tensor(0.75)
for n in random.sample(linear, 10) + random.sample(conv1, 4):
    parts["unet", n] = {**lora(weight("unet", n), rank=4), "alpha": torch.tensor(1.0)}
write("locon", parts, ldm, {"sshs_model_hash": "0123456789abcdef" * 4}, folder="lora/more")
parts = {("unet", n): {**loha(weight("unet", n), core=i % 2 == 0), "alpha": torch.tensor(2.0)} for i, n in enumerate(random.sample(conv3, 6) + random.sample(linear, 12))}
parts |= {("te", n): {**loha(weight("te", n)), "alpha": torch.tensor(3.0)} for n in random.sample(texts, 5)}
write("loha", parts, kohya)
parts = {("unet", n): {**lokr(weight("unet", n), form=i % 3), "alpha": torch.tensor(1.0)} for i, n in enumerate(random.sample(conv3, 8) + random.sample(linear, 18) + random.sample(conv1, 3))}
parts |= {("te", n): lokr(weight("te", n), form=i % 3) for i, n in enumerate(random.sample(texts, 6))}
write("lokr", parts, kohya)
parts = {}
for i, n in enumerate(random.sample(linear, 14) + random.sample(conv3, 5)):
    w = weight("unet", n)
    shape = [w.shape[0], *[1] * (w.ndim - 1)] if i % 2 else [1, w.shape[1], *[1] * (w.ndim - 2)]
    norm = w.flatten(1).norm(dim=1) if i % 2 else w.transpose(0, 1).flatten(1).norm(dim=1)
    parts["unet", n] = {**lora(w), "alpha": torch.tensor(2.0), "dora_scale": (norm * (1 + small(len(norm)))).reshape(shape)}
for n in random.sample(texts, 4):
    w = weight("te", n)
    parts["te", n] = {**loha(w), "dora_scale": w.norm(dim=0, keepdim=True) * 1.2}
write("dora", parts, kohya)
# Full differences, norms, and IA3.
parts = {("unet", n): {"diff": small(*weight("unet", n).shape, of=0.05), "diff_b": small(weight("unet", n).shape[0], of=0.1)} for n in random.sample(conv1, 3) + ["time_embedding.linear_1"]}
for n, m in [*unet.named_modules()]:
    if isinstance(m, (torch.nn.GroupNorm, torch.nn.LayerNorm)) and random.random() < 0.4:
        parts["unet", n] = {"w_norm": small(len(m.weight)), "b_norm": small(len(m.weight))}
for i, n in enumerate([n for n in linear if n.endswith(("to_k", "to_v", "ff.net.2"))]):
    inputs = n.endswith("ff.net.2")
    parts["unet", n] = {"weight": small(weight("unet", n).shape[1 if inputs else 0]), "on_input": torch.tensor(float(inputs))}
write("other", parts, kohya)


def write_peft(name, style, **options):
    """An adapter that PEFT makes, writes and applies; returns the changed networks."""
    changed = {}
    tensors, metadata = {}, {}
    for network, targets in (("unet", ["to_q", "to_k", "to_out.0", "proj_in", "conv1"]), ("te", ["q_proj", "fc2"])):
        model = copy.deepcopy(networks[network])
        config = LoraConfig(r=3, target_modules=targets, init_lora_weights=False, **options)
        inject_adapter_in_model(config, model, "default")
        model.peft_config = {"default": config}
        for n, p in model.named_parameters():
            if "lora_" in n:
                p.data = (p.data * (1.2 if "magnitude" in n else 0.7)).half().float()
        prefix = {"unet": "unet.", "te": "text_encoder."}[network]
        if style == "alone":
            prefix = "base_model.model."
        for key, tensor in get_peft_model_state_dict(model, adapter_name="default").items():
            if network == "te" and style != "alone" and not key.startswith("text_model."):
                key = "text_model." + key
            if style == "old":
                key = key.replace(".lora_A.weight", ".lora.down.weight").replace(".lora_B.weight", ".lora.up.weight")
            tensors[prefix + key] = tensor.half().contiguous()
        metadata |= {prefix + "lora_alpha": config.lora_alpha, prefix + "r": 3, prefix + "use_rslora": config.use_rslora}
        changed[network] = model
    metadata = {"lora_adapter_metadata": json.dumps(metadata)} if config.lora_alpha != 3 else None
    save_file(tensors, f"{out}/adapters/lora/{name}.safetensors", metadata)
    return changed


peft = {
    "peft": write_peft("peft", "new", lora_alpha=5),
    "peft-dora": write_peft("peft-dora", "new", lora_alpha=4, use_dora=True, use_rslora=True),
    "peft-alone": write_peft("peft-alone", "alone", lora_alpha=3),
    "peft-old": write_peft("peft-old", "old", lora_alpha=3),
}
# The oldest names of diffusers: attention processors hold the matrices.
parts = {("unet", n): lora(weight("unet", n)) for n in linear if ".attn" in n and random.random() < 0.4}
files["processors"] = parts
tensors = {}
for (_, layer), p in parts.items():
    layer = layer.removesuffix(".0") if "to_out" in layer else layer
    place, last = layer.rsplit(".", 1)
    tensors[f"{place}.processor.{last}_lora.up.weight"] = p["lora_up.weight"].half()
    tensors[f"{place}.processor.{last}_lora.down.weight"] = p["lora_down.weight"].half()
save_file(tensors, out + "/adapters/lora/processors.safetensors")


def changed_networks(adapters):
    """adapters: (name, te, unet, limit) in the order of the prompt."""
    if len(adapters) == 1 and adapters[0][0] in peft:
        model = peft[adapters[0][0]]
        return model["unet"], model["te"]
    result = {k: copy.deepcopy(m) for k, m in networks.items()}
    with torch.no_grad():
        for name, te, un, limit in adapters:
            for (network, layer), p in files[name].items():
                module = result[network].get_submodule(layer)
                multiplier = te if network == "te" else un
                module.weight.copy_(change(module.weight, p, multiplier, limit))
                bias = p.get("diff_b", p.get("b_norm"))
                if bias is not None:
                    module.bias.add_(multiplier * bias.half().float())
    return result["unet"], result["te"]


base = dict(
    negative_prompt="noise, blurry", seed=31, steps=5, cfg_scale=6.0, width=64, height=64, rng="cpu", clip_skip=1,
    sampler_name="Euler", precision="fp32",
)  # fmt: skip
rows = [
    ("a red boat on a lake", []),
    ("a red boat <lora:plain:1> on a lake", [("plain", 1, 1, None)]),
    ("<lora:plain:0.3:-0.8>a red boat on a lake", [("plain", 0.3, -0.8, None)]),
    ("a red boat on a lake<lora:plain:unet=0.5:te=1.2>", [("plain", 1.2, 0.5, None)]),
    ("a red boat on a lake<lyco:trained as plain:1:1:2>", [("plain", 1, 1, 2)]),
    ("a red boat on a lake <lora:locon>", [("locon", 1, 1, None)]),
    ("a red boat <lora:loha:0.9>", [("loha", 0.9, 0.9, None)]),
    ("a red boat <lora:lokr:0.8>", [("lokr", 0.8, 0.8, None)]),
    ("a red boat <lora:dora:1>", [("dora", 1, 1, None)]),
    ("a red boat <lora:dora:0.6:0.7>", [("dora", 0.6, 0.7, None)]),
    ("a red boat <lora:other:0.7>", [("other", 0.7, 0.7, None)]),
    ("a red boat <lora:peft:1>", [("peft", 1, 1, None)]),
    ("a red boat <lora:peft-dora:1>", [("peft-dora", 1, 1, None)]),
    ("a red boat <lora:peft-alone:1>", [("peft-alone", 1, 1, None)]),
    ("a red boat <lora:peft-old:1>", [("peft-old", 1, 1, None)]),
    ("a red boat <lora:processors:1.1>", [("processors", 1, 1.1, None)]),
    (
        "a (red:1.3) boat <lora:plain:0.5> AND <lora:dora:0.8:0.6> a green tree:0.4 <lora:lokr:-0.4><lora:plain:0.2>",
        [("plain", 0.5, 0.5, None), ("dora", 0.8, 0.6, None), ("lokr", -0.4, -0.4, None), ("plain", 0.2, 0.2, None)],
    ),
]
from webui_prompts import parts as prompt_parts, schedule  # noqa: E402
from webui_reference import ScheduledModel, encode_schedule  # noqa: E402
import re  # noqa: E402

cases = []
for i, (prompt, adapters) in enumerate(rows):
    case = dict(base, prompt=prompt)
    changed_unet, changed_text = changed_networks(adapters)
    calls = case["steps"]

    def encoded(text):
        entries = schedule(text, calls, False)
        contexts = encode_schedule(tokenizer, changed_text, [t for _, t in entries])
        return [(end, context) for (end, _), context in zip(entries, contexts)]

    stripped = re.sub(r"<(\w+):([^>]+)>", "", prompt)
    model = DiscreteModel(changed_unet)
    weighted = [(weight, encoded(part)) for part, weight in prompt_parts(stripped)]
    guided = ScheduledModel(model, weighted, encoded(case["negative_prompt"]), case["cfg_scale"])
    settings = {k: case[k] for k in ("seed", "steps", "cfg_scale", "sampler_name", "width", "height", "rng")}
    latent, _ = sample(model, None, None, guided=guided, **settings)
    case["file"] = f"adapters/{i:02d}.png"
    pixels = decode(vae, latent)
    Image.fromarray(pixels).save(f"{out}/{case['file']}")
    cases.append(case)
    first = pixels if i == 0 else first
    distance = abs(pixels.astype(float) - first).mean()
    print(i, prompt, "mean %.1f, from the first %.1f" % (pixels.mean(), distance))
json.dump(cases, open(out + "/adapters/cases.json", "w"), indent=1)
