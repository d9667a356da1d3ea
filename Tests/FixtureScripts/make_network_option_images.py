"""Writes images that tile, and images of merged tokens.

  python make_network_option_images.py

Reads the model of make_engine_fixtures.py and the demo model; writes options/*.png and options/cases.json. Which
tokens are merged is what tomesd says, with the webui's choices.
"""

import json
import math
import os

import torch
from diffusers.models.attention import BasicTransformerBlock
from PIL import Image
from tomesd.merge import bipartite_soft_matching_random2d

import webui_reference as reference
from fixture_paths import DEMO, fixtures
from saved_networks import folder_model, small_model


class MergingAttention(torch.nn.Module):
    """Self-attention of fewer tokens, in blocks that see the whole latent."""

    def __init__(self, attention, unet):
        super().__init__()
        self.attention, self.unet = attention, [unet]

    def forward(self, normal, **arguments):
        unet, x = self.unet[0], self.before
        height, width = unet.latent_size
        if unet.merging == 0 or math.ceil(math.sqrt(height * width // x.shape[1])) > 1:
            return self.attention(normal, **arguments)
        merge, unmerge = bipartite_soft_matching_random2d(
            x, width, height, 2, 2, int(x.shape[1] * unet.merging), no_rand=True
        )
        unet.merged += x.shape[1] - merge(normal).shape[1]
        return unmerge(self.attention(merge(normal), **arguments))


def prepare(unet):
    """Lets a UNet merge a part of its tokens: `unet.merging`."""
    unet.register_forward_pre_hook(lambda _, inputs: setattr(unet, "latent_size", inputs[0].shape[2:]))
    for block in unet.modules():
        if isinstance(block, BasicTransformerBlock):
            block.attn1 = MergingAttention(block.attn1, unet)
            block.norm1.register_forward_pre_hook(lambda _, x, attention=block.attn1: setattr(attention, "before", x[0]))


def set_padding(network, mode):
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.padding_mode = mode


out, folder = fixtures("Engine"), DEMO
os.makedirs(out + "/options", exist_ok=True)
tiny, other = small_model(), folder_model(folder)
for networks in (tiny, other):
    prepare(networks[2])

base = dict(
    prompt="a small boat on a (calm:1.3) lake", negative_prompt="noise", seed=31, steps=5, cfg_scale=7.0, width=64,
    height=64, rng="nv", clip_skip=1,
)  # fmt: skip
demo = dict(base, model="folder", prompt="a blue star on a yellow background", width=128, height=128)
cases = [
    dict(base, sampler_name="Euler", tiling=True),
    dict(base, sampler_name="DPM++ 2M", tiling=True, width=104, height=72),
    dict(base, sampler_name="Euler a", tiling=True, width=8, height=48),
    dict(demo, sampler_name="DPM++ 2M", tiling=True, width=96),
    dict(base, sampler_name="Euler", token_merging_ratio=0.5),
    dict(base, sampler_name="Euler", token_merging_ratio=0.9),
    dict(base, sampler_name="DDIM", token_merging_ratio=0.25, width=104, height=72),
    dict(base, sampler_name="DPM++ SDE", token_merging_ratio=0.6, tiling=True, width=72, height=56),
    dict(demo, sampler_name="Euler a", token_merging_ratio=0.5),
]  # fmt: skip
for i, case in enumerate(cases):
    tokenizer, text, unet, vae, prediction = other if "model" in case else tiny
    for network in (unet, vae):
        set_padding(network, "circular" if case.get("tiling") else "zeros")
    unet.merging, unet.merged = case.get("token_merging_ratio", 0), 0
    settings = {k: case[k] for k in ("seed", "steps", "cfg_scale", "sampler_name", "width", "height", "rng")}
    contexts = [reference.encode(tokenizer, text, case[k]) for k in ("prompt", "negative_prompt")]
    latent, _ = reference.sample(reference.DiscreteModel(unet, prediction), *contexts, **settings)
    case["file"] = f"options/{i:02d}.png"
    pixels = reference.decode(vae, latent)
    Image.fromarray(pixels).save(f"{out}/{case['file']}")
    print(i, case["sampler_name"], unet.merged, "merged, mean %.1f, deviation %.1f" % (pixels.mean(), pixels.std()))
json.dump(cases, open(out + "/options/cases.json", "w"), indent=1)
