"""Compares what bf16 costs here with what it costs in PyTorch: PSNR against each one's own fp32, of the same noise.

  python bf16_psnr.py SDBATCH MODEL SIZE SEED[,SEED...]

MODEL is a diffusers folder of Stable Diffusion 1.x; one without a tokenizer/ takes the demo model's tokens, which is as
good for random weights. 20 steps of DPM++ 2M.
"""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image
from transformers import CLIPTextModel, CLIPTokenizer

here = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(here, "..", "FixtureScripts"))
import webui_reference as reference  # noqa: E402

sdbatch, model, size, seeds = sys.argv[1], os.path.abspath(sys.argv[2]), int(sys.argv[3]), sys.argv[4].split(",")
demo = os.path.join(here, "..", "..", "Sources", "DemoModel", "Resources", "demo")
tokens = next(f for f in (model, demo) if os.path.isdir(f + "/tokenizer")) + "/tokenizer"
prompt = "a red fish"


def pictures(precision, folder):
    """What sdbatch makes, by seed."""
    settings = dict(
        model=model, prompt=prompt, width=size, height=size, steps=20, sampler_name="DPM++ 2M", rng="cpu",
        precision=precision, grid=dict(seed=[int(seed) for seed in seeds]), output=f"{folder}/{precision}",
    )  # fmt: skip
    with open(f"{folder}/{precision}.yaml", "w") as recipe:
        json.dump(settings, recipe)
    subprocess.run([sdbatch, "run", recipe.name, "--no-sheet", "--quiet"], check=True)
    with open(f"{folder}/{precision}/manifest.json") as file:
        jobs = json.load(file)["jobs"]
    return [np.asarray(Image.open(f"{folder}/{precision}/{job['file']}")) for job in jobs]


class Narrow:
    """A network in bfloat16 between floats."""

    def __init__(self, network):
        self.network, self.config = network, network.config

    def __call__(self, x, timestep, context, return_dict=False):
        return (self.network(x.bfloat16(), timestep, context.bfloat16(), return_dict=False)[0].float(),)

    def decode(self, latent, return_dict=False):
        return (self.network.decode(latent.bfloat16(), return_dict=False)[0].float(),)


def psnr(a, b):
    return 10 * np.log10(255**2 / max(np.mean((a.astype(float) - b.astype(float)) ** 2), 1e-9))


def sampled(unet, vae):
    made = []
    for seed in seeds:
        latent, _ = reference.sample(
            reference.DiscreteModel(unet, prediction), *contexts, seed=int(seed), steps=20, cfg_scale=7.0,
            sampler_name="DPM++ 2M", width=size, height=size, rng="cpu",
        )  # fmt: skip
        made.append(reference.decode(vae, latent))
    return made


with tempfile.TemporaryDirectory() as folder:
    ours = pictures("fp32", folder), pictures("bf16", folder)
tokenizer = CLIPTokenizer(tokens + "/vocab.json", tokens + "/merges.txt")
text = CLIPTextModel.from_pretrained(model + "/text_encoder", dtype=torch.float32).eval()
unet = UNet2DConditionModel.from_pretrained(model + "/unet", torch_dtype=torch.float32).eval()
vae = AutoencoderKL.from_pretrained(model + "/vae", torch_dtype=torch.float32).eval()
scheduler = model + "/scheduler/scheduler_config.json"
prediction = json.load(open(scheduler))["prediction_type"] if os.path.exists(scheduler) else "epsilon"
contexts = [reference.encode(tokenizer, text, words) for words in (prompt, "")]
with torch.no_grad():
    theirs = sampled(unet, vae), sampled(Narrow(unet.bfloat16()), Narrow(vae.bfloat16()))
for seed, precise, narrow, their_precise, their_narrow in zip(seeds, *ours, *theirs):
    print(
        f"seed {seed}: sdbatch {psnr(narrow, precise):.2f} dB, PyTorch {psnr(their_narrow, their_precise):.2f} dB; fp32 "
        f"differs by at most {np.abs(precise.astype(int) - their_precise).max()}"
    )
