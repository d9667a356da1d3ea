"""Writes textual inversions in every form for the small random model, and images that PyTorch makes with them.

  python make_embedding_images.py

Reads the model of make_engine_fixtures.py; writes inversions/embeddings/*, inversions/*.png and
inversions/cases.json. Names are looked for among tokens, and vectors take the places of tokens, as the webui does both.
"""

import json
import os

import torch
from PIL import Image
from safetensors.torch import save_file

from fixture_paths import fixtures
from saved_networks import small_model
from webui_prompts import parts, schedule
from webui_reference import DiscreteModel, ScheduledModel, attention, decode, sample

out = fixtures("Engine")
folder = out + "/inversions/embeddings"
os.makedirs(folder + "/more", exist_ok=True)
tokenizer, text, unet, vae, _ = small_model()

torch.manual_seed(9)
width = 64
vectors = {}


def vector(name, count, save, width=width):
    v = (torch.randn(count, width) * 0.6).half().float()
    if width == 64:
        vectors[name] = v
    save(v)


def webui(name):
    """The files that the webui's training tab writes."""
    def save(v):
        torch.save({
            "string_to_token": {"*": 265}, "string_to_param": {"*": torch.nn.Parameter(v)}, "name": "other", "step": 3,
            "sd_checkpoint": None, "sd_checkpoint_name": None,
        }, f"{folder}/{name}.pt")
    return save


vector("bluestar", 2, webui("bluestar"))
vector("EasyNoise", 3, lambda v: torch.save({"<easy>": v}, f"{folder}/EasyNoise.bin"))
vector("calm lake", 4, lambda v: save_file({"emb_params": v.half()}, f"{folder}/more/calm lake.safetensors"))
vector("calm", 1, lambda v: torch.save({"<calm>": v[0]}, f"{folder}/calm.pt", _use_new_zipfile_serialization=False))
vector("long-one", 70, lambda v: save_file({"anything": v.half()}, f"{folder}/long-one.safetensors"))
vector("tree", 2, lambda v: save_file({"emb_params": v}, f"{folder}/tree.safetensors"), width=96)

names = sorted(((tokenizer(n, add_special_tokens=False).input_ids, n) for n in vectors), key=lambda x: -len(x[0]))
comma, begin, end = (tokenizer.get_vocab()[t] for t in (",</w>", "<|startoftext|>", "<|endoftext|>"))


def chunks(prompt):
    """Lists of 77 ids, of weights and of (position, name)."""
    finished, ids, weights, fixes, last_comma = [], [], [], [], -1

    def flush():
        nonlocal ids, weights, fixes, last_comma
        padding = 75 - len(ids)
        finished.append(([begin] + ids + [end] * (padding + 1), [1.0] + weights + [1.0] * (padding + 1), fixes))
        ids, weights, fixes, last_comma = [], [], [], -1

    for run, weight in attention(prompt):
        if run == "BREAK" and weight == -1:
            flush()
            continue
        tokens = tokenizer(run, add_special_tokens=False, truncation=False).input_ids
        place = 0
        while place < len(tokens):
            if tokens[place] == comma:
                last_comma = len(ids)
            elif len(ids) == 75 and last_comma != -1 and len(ids) - last_comma <= 20:
                cut = last_comma + 1
                assert not any(p >= cut for p, _ in fixes), "the webui leaves vectors behind here"
                rest, rest_weights = ids[cut:], weights[cut:]
                ids, weights = ids[:cut], weights[:cut]
                flush()
                ids, weights = rest, rest_weights
            if len(ids) == 75:
                flush()
            name = next((n for t, n in names if tokens[place : place + len(t)] == t), None)
            if name is None:
                ids.append(tokens[place])
                weights.append(weight)
                place += 1
                continue
            count = len(vectors[name])
            if len(ids) + count > 75:
                flush()
            fixes.append((len(ids), name))
            ids += [0] * count
            weights += [weight] * count
            place += len(tokenizer(name, add_special_tokens=False).input_ids)
    if ids or not finished:
        flush()
    return finished


class Replaced(torch.nn.Module):
    """A token embedding in which vectors replace some tokens."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.fixes, self.weight = inner, [], inner.weight

    def forward(self, ids):
        rows = self.inner(ids)
        for row, fixes in zip(rows, self.fixes):
            for position, name in fixes:
                row[position + 1 : position + 1 + len(vectors[name])] = vectors[name]
        return rows


inner = getattr(text, "text_model", text)
replaced = inner.embeddings.token_embedding = Replaced(inner.embeddings.token_embedding)


@torch.no_grad()
def encode_schedule(texts):
    rows = [chunks(t) for t in texts]
    empty = chunks("")[0]
    result = []
    for index in range(max(map(len, rows))):
        column = [row[index] if index < len(row) else empty for row in rows]
        replaced.fixes = [fixes for _, _, fixes in column]
        z = text(torch.tensor([ids for ids, _, _ in column])).last_hidden_state
        mean = z.mean()
        z = z * torch.tensor([weights for _, weights, _ in column])[:, :, None]
        result.append(z * (mean / z.mean()))
    return torch.cat(result, 1)


base = dict(
    negative_prompt="noise, blurry", seed=41, steps=5, cfg_scale=6.0, width=64, height=64, rng="cpu", clip_skip=1,
    sampler_name="Euler",
)  # fmt: skip
cases = [
    dict(base, prompt="a red boat on a lake"),
    dict(base, prompt="a bluestar on a lake"),
    dict(base, prompt="a BlueStar, (bluestar:1.4) lake", negative_prompt="easynoise, blurry"),
    dict(base, prompt="a calm lake, calm tree on a calm blue lake"),
    dict(base, prompt="[bluestar:red:0.5] boat AND a calm easynoise:0.5", negative_prompt="(EasyNoise:0.8)"),
    # 74 tokens, then one of two vectors; a chunk that is split at a comma after it; one that nearly fills a chunk.
    dict(base, prompt="a big red boat " * 18 + "a big bluestar on a lake"),
    dict(base, prompt="bluestar in a tree " * 9 + "on, " + "a big red boat " * 6 + "star"),
    dict(base, prompt="a big red boat on a lake, long-one in a house, long-one", negative_prompt="long-one"),
]  # fmt: skip
for i, case in enumerate(cases):
    def encoded(prompt):
        entries = schedule(prompt, case["steps"], False)
        contexts = encode_schedule([t for _, t in entries])
        return [(end, context) for (end, _), context in zip(entries, contexts)]

    model = DiscreteModel(unet)
    weighted = [(weight, encoded(part)) for part, weight in parts(case["prompt"])]
    guided = ScheduledModel(model, weighted, encoded(case["negative_prompt"]), case["cfg_scale"])
    settings = {k: case[k] for k in ("seed", "steps", "cfg_scale", "sampler_name", "width", "height", "rng")}
    latent, _ = sample(model, None, None, guided=guided, **settings)
    case["file"] = f"inversions/{i:02d}.png"
    pixels = decode(vae, latent)
    Image.fromarray(pixels).save(f"{out}/{case['file']}")
    first = pixels if i == 0 else first
    sizes = [len(c[0]) for c in chunks(case["prompt"])]
    print(i, case["prompt"][:50], len(sizes), "chunks, from the first %.1f" % abs(pixels.astype(float) - first).mean())
json.dump(cases, open(out + "/inversions/cases.json", "w"), indent=1)
