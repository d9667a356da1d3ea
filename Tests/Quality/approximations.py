"""Times the approximations and measures what they cost: the table in the manual's Speed.md.

  python approximations.py SDBATCH demo            # PSNR with the demo model, 32 images at 128x128
  python approximations.py SDBATCH FOLDER          # times and PSNR with a model of full size, one seed at 512x512
  python approximations.py --make FOLDER           # makes such a model: Stable Diffusion 1.5 with random weights, in fp16
  options: --only REGEX (which rows), --rounds N (how often each is timed, one after the other)

20 steps of DPM++ 2M. Evaluations count each prompt by itself, forecast ones not at all. Wall and user time are the medians of
the rounds and include decoding, and loading from a packed copy in the cache, which an image of one step makes beforehand; PSNR is
against the first row, whose images are in bf16.
"""

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

FORECAST, INTERVAL = "feature_forecast", "guidance_interval"
PROMPTS = [
    "a red fish and a blue star on a white background",
    "a big green tree in front of a pink background",
    "a white house on a green background",
    "a yellow flower and a black heart on a gray background",
]
ROWS = [
    {},
    {"feature_cache": 2},
    {"feature_cache": 3},
    {FORECAST: 2},
    {FORECAST: 3},
    {FORECAST: 4},
    {INTERVAL: [0.2, 0.8]},
    {INTERVAL: [0.1, 0.8]},
    {INTERVAL: [0.0, 0.8]},
    {FORECAST: 2, INTERVAL: [0.2, 0.8]},
    {FORECAST: 2, INTERVAL: [0.0, 0.8]},
    {FORECAST: 2, INTERVAL: [0.2, 0.9]},
    {FORECAST: 2, INTERVAL: [0.3, 0.9]},
    {FORECAST: 2, INTERVAL: [0.3, 0.95]},
    {FORECAST: 2, INTERVAL: [0.3, 1.0]},
    {FORECAST: 3, INTERVAL: [0.3, 1.0]},
    {"feature_cache": 2, INTERVAL: [0.2, 0.8]},
    {"feature_cache": 3, INTERVAL: [0.2, 0.8]},
    {"feature_cache": 2, FORECAST: 2},
    {"feature_cache": 2, FORECAST: 2, INTERVAL: [0.2, 0.8]},
    {"precision": "int8"},
    {"precision": "int8", FORECAST: 2},
    {"precision": "int8", INTERVAL: [0.2, 0.8]},
    {"precision": "int8", FORECAST: 2, INTERVAL: [0.2, 0.8]},
    {"precision": "int8", FORECAST: 2, INTERVAL: [0.3, 0.9]},
    {"precision": "int8", FORECAST: 2, INTERVAL: [0.3, 1.0]},
    {"precision": "int8", "feature_cache": 3, INTERVAL: [0.2, 0.8]},
]  # fmt: skip


def make(folder):
    """Writes a diffusers folder with random weights of the sizes of Stable Diffusion 1.5."""
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=64, cross_attention_dim=768, attention_head_dim=8,
        down_block_types=["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
        up_block_types=["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3, block_out_channels=[320, 640, 1280, 1280],
    )  # fmt: skip
    unet.half().save_pretrained(folder + "/unet")
    del unet
    vae = AutoencoderKL(
        block_out_channels=[128, 256, 512, 512], down_block_types=["DownEncoderBlock2D"] * 4, layers_per_block=2,
        up_block_types=["UpDecoderBlock2D"] * 4, latent_channels=4, sample_size=512, scaling_factor=0.18215,
    )  # fmt: skip
    vae.half().save_pretrained(folder + "/vae")
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12
        )
    )
    text.half().save_pretrained(folder + "/text_encoder")


def psnr(a, b):
    return 10 * np.log10(255**2 / max(np.mean((a.astype(float) - b.astype(float)) ** 2), 1e-9))


def run(sdbatch, model, row, folder, cache):
    """The images by prompt and seed, wall seconds of all images, user seconds, evaluations asked and computed."""
    seeds, size = (list(range(1, 9)), 128) if model == "demo" else ([1], 512)
    recipe = dict(
        model=model, width=size, height=size, steps=20, sampler_name="DPM++ 2M", precision="bf16",
        grid=dict(prompt=PROMPTS if model == "demo" else PROMPTS[:1], seed=seeds), output=folder + "/out",
    )  # fmt: skip
    recipe.update(row)
    with open(folder + "/recipe.yaml", "w") as file:
        json.dump(recipe, file)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run(
        [sdbatch, "run", folder + "/recipe.yaml", "--no-sheet", "--quiet", "--no-reuse"], check=True,
        env=dict(os.environ, XDG_CACHE_HOME=cache),
    )  # fmt: skip
    user = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    lines = [line.split("\t") for line in open(folder + "/out/trace.tsv").read().splitlines()]
    trace = [dict(zip(lines[0], line)) for line in lines[1:]]
    with open(folder + "/out/manifest.json") as file:
        jobs = json.load(file)["jobs"]
    images = [np.asarray(Image.open(f"{folder}/out/{job['file']}")) for job in jobs]
    asked = sum(int(line["evaluations"]) for line in trace) / len(trace)
    saved = sum(int(line["evaluations_saved"]) for line in trace) / len(trace)
    return images, sum(float(line["seconds"]) for line in trace) / len(trace), user / len(trace), asked - saved


def name(row):
    return ", ".join(f"{key}: {value}" for key, value in row.items()) or "off"


parser = argparse.ArgumentParser()
parser.add_argument("--make")
parser.add_argument("sdbatch", nargs="?")
parser.add_argument("model", nargs="?")
parser.add_argument("--only", default="")
parser.add_argument("--rounds", type=int, default=1)
options = parser.parse_args()
if options.make:
    make(options.make)
    sys.exit()
model = options.model if options.model == "demo" else os.path.abspath(options.model)
rows = [row for row in ROWS if not row or re.search(options.only, name(row))]
results = {}
cache = tempfile.TemporaryDirectory()
for precision in ("bf16", "int8"):
    with tempfile.TemporaryDirectory() as folder:
        run(os.path.abspath(options.sdbatch), model, {"precision": precision, "steps": 1}, folder, cache.name)
for round in range(options.rounds):
    for row in rows:
        with tempfile.TemporaryDirectory() as folder:
            images, wall, user, computed = run(os.path.abspath(options.sdbatch), model, row, folder, cache.name)
        results.setdefault(name(row), []).append((images, wall, user, computed))
        print(f"# round {round}: {name(row)}: {wall:.2f} s, user {user:.2f} s", file=sys.stderr, flush=True)
exact = results["off"][0][0]
full = statistics.median(entry[1] for entry in results["off"])
full_user = statistics.median(entry[2] for entry in results["off"])
print("| setting | evaluations | wall s | of off | user s | of off | PSNR |\n|---|---|---|---|---|---|---|")
for key, entries in results.items():
    wall, user = (statistics.median(entry[i] for entry in entries) for i in (1, 2))
    values = sorted(psnr(a, b) for a, b in zip(entries[0][0], exact))
    quality = "" if key == "off" else f"{statistics.median(values):.1f} ({values[0]:.1f} to {values[-1]:.1f})"
    print(
        f"| {key} | {entries[0][3]:.0f} | {wall:.2f} | {wall / full:.2f} | {user:.2f} | {user / full_user:.2f} | {quality} |"
    )
