"""Writes a small random SD 1.x model, PyTorch's results for each of its stages, and whole images of it and of a folder.

  python make_engine_fixtures.py

Models/model.weights (the list of a single file in float16) and its vocabulary, Engine/stages.safetensors, Engine/images/*.png and
Engine/cases.json; the last cases are of the demo model, which is in the diffusers layout.
"""

import json
import os

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPTextModel, CLIPTokenizer

from checkpoint_names import single_file
from fixture_paths import DEMO, fixtures
from random_weights import write_list
from saved_networks import small_model
from tiny_model import make_networks, make_tokenizer
from webui_reference import DiscreteModel, chunks, decode, encode, sample

out, folder = fixtures("Engine"), DEMO
os.makedirs(out + "/images", exist_ok=True)
unet, vae, text = make_networks(make_tokenizer(fixtures("Models"))[1])
write_list(fixtures("Models") + "/model.weights", 20, single_file(unet, vae, text))
tokenizer, text, unet, vae, _ = small_model()

prompt = "a small boat on a (calm:1.3) lake, [the star] BREAK a painting of a house"
stages = {}
with torch.no_grad():
    torch.manual_seed(3)
    ids = chunks(tokenizer, prompt)
    stages["text.ids"] = torch.tensor([c[0] for c in ids], dtype=torch.float32)
    stages["text.weights"] = torch.tensor([c[1] for c in ids])
    for clip_skip in (1, 2):
        hidden = text(torch.tensor([ids[0][0]]), output_hidden_states=True)
        last = hidden.last_hidden_state if clip_skip == 1 else text.final_layer_norm(hidden.hidden_states[-2])
        stages[f"text.output.{clip_skip}"] = last
    stages["context"] = context = encode(tokenizer, text, prompt)
    # Sizes whose halves are odd, and contexts with different lengths.
    for name, (h, w) in (("even", (8, 8)), ("odd", (9, 13))):
        latent = torch.randn(1, 4, h, w)
        stages[f"unet.{name}.input"] = latent
        stages[f"unet.{name}.output"] = unet(latent, torch.tensor([353.89038]), context).sample
        stages[f"unet.{name}.short"] = unet(latent, torch.tensor([353.89038]), context[:, :77]).sample
    stages["vae.input"] = latent = torch.randn(1, 4, 5, 6)
    stages["vae.output"] = vae.decode(latent).sample
    stages["vae.pixels"] = torch.from_numpy(decode(vae, latent * vae.config.scaling_factor).astype(np.float32))
save_file({k: t.contiguous() for k, t in stages.items()}, out + "/stages.safetensors")

base = dict(
    prompt=prompt,
    negative_prompt="noise, blurry",
    seed=1234,
    steps=6,
    cfg_scale=7.0,
    width=64,
    height=64,
    rng="cpu",
    clip_skip=1,
)
cases = [
    dict(base, sampler_name=name, rng=("cpu", "nv")[i % 2])
    for i, name in enumerate(
        [
            "Euler",
            "Euler a",
            "Heun",
            "DPM2",
            "DPM2 a",
            "LMS",
            "DPM++ 2S a",
            "DPM++ 2M",
            "DPM++ SDE",
            "DPM++ 2M SDE",
            "DPM++ 3M SDE",
        ]
    )
]
cases += [
    dict(base, sampler_name="DPM++ SDE", rng="nv", seed=99, steps=3),
    dict(base, sampler_name="DPM++ 2M", scheduler="exponential", width=104, height=72),
    dict(base, sampler_name="Euler", scheduler="polyexponential", clip_skip=2, cfg_scale=1.0),
    dict(base, sampler_name="Heun", scheduler="karras", prompt="", negative_prompt="a big fish, " * 30, cfg_scale=3.5),
    dict(base, sampler_name="Euler a", seed=2**32 + 7, rng="nv", prompt="((red)) fish \\(blue\\) star"),
]
base = dict(
    base, prompt="a blue star on a yellow background", negative_prompt="", width=128, height=128, model="folder"
)
cases += [
    dict(base, sampler_name="DPM++ 2M", steps=8, rng="nv"),
    dict(base, sampler_name="Euler a", width=96, height=136, prompt="a (red:1.4) circle, a green tree"),
]
base = dict(cases[0])
cases += [
    dict(base, sampler_name=name, rng=("cpu", "nv")[i % 2], seed=50 + i, steps=steps)
    for i, (name, steps) in enumerate(
        [
            ("DPM++ 2M SDE Heun", 6),
            ("DPM fast", 8),
            ("DPM adaptive", 6),
            ("Restart", 20),
            ("LCM", 4),
            ("DDIM", 9),
            ("DDIM CFG++", 7),
            ("PLMS", 6),
            ("UniPC", 7),
        ]
    )
]
# Strong guidance makes the choice of steps depend on the last bits of the noise.
adaptive = next(case for case in cases if case["sampler_name"] == "DPM adaptive")
adaptive["cfg_scale"] = 1.5
cases += [
    dict(base, sampler_name="Euler", scheduler="sgm_uniform"),
    dict(base, sampler_name="DPM++ 2M SDE Heun", scheduler="beta"),
    dict(base, sampler_name="Heun", scheduler="kl_optimal"),
]
tiny = (tokenizer, text, unet, vae)
other = (
    CLIPTokenizer(folder + "/tokenizer/vocab.json", folder + "/tokenizer/merges.txt"),
    CLIPTextModel.from_pretrained(folder + "/text_encoder", dtype=torch.float32).eval(),
    UNet2DConditionModel.from_pretrained(folder + "/unet", torch_dtype=torch.float32).eval(),
    AutoencoderKL.from_pretrained(folder + "/vae", torch_dtype=torch.float32).eval(),
)
with open(folder + "/scheduler/scheduler_config.json") as file:
    prediction = json.load(file)["prediction_type"]
for i, case in enumerate(cases):
    tokenizer, text, unet, vae = other if "model" in case else tiny
    settings = {k: v for k, v in case.items() if k not in ("prompt", "negative_prompt", "clip_skip", "model")}
    contexts = [encode(tokenizer, text, case[k], case["clip_skip"]) for k in ("prompt", "negative_prompt")]
    latent, case["calls"] = sample(DiscreteModel(unet, prediction if "model" in case else "epsilon"), *contexts, **settings)
    case["file"] = f"images/{i:02d}.png"
    pixels = decode(vae, latent)
    Image.fromarray(pixels).save(f"{out}/{case['file']}")
    print(i, case["sampler_name"], case["calls"], "mean %.1f, deviation %.1f" % (pixels.mean(), pixels.std()))
json.dump(cases, open(out + "/cases.json", "w"), indent=1)
