"""Writes what diffusers' Stable Diffusion 3 transformer predicts without some of its blocks.

  python make_skipped_layers.py

Reads Models/sd3/transformer and the inputs of make_transformers.py; writes Transformers/skipped-layers.safetensors: the velocities
without block 0, without block 1 (the last), and without both.
"""

import json

import torch
from diffusers import SD3Transformer2DModel
from fixture_paths import fixtures
from random_weights import fill, read_list
from safetensors.torch import load_file, save_file

folder = fixtures("Models") + "/sd3/transformer"
config = {k: v for k, v in json.load(open(folder + "/config.json")).items() if not k.startswith("_")}
net = SD3Transformer2DModel.from_config(config).eval()
fill([net], lambda: {k: v for k, v in net.state_dict().items() if v.is_floating_point()},
     read_list(folder + "/diffusion_pytorch_model.weights"))  # fmt: skip
inputs = {k.split(".")[1]: v for k, v in load_file(fixtures("Transformers") + "/networks.safetensors").items()
          if k.startswith("sd3Folder.")}  # fmt: skip


@torch.no_grad()
def velocity(layers):
    return net(
        inputs["latent"], inputs["context"][None], inputs["pooled"][None], 1000 * inputs["sigma"], skip_layers=layers,
        return_dict=False)[0]  # fmt: skip


print("whole differs by", (velocity(None) - inputs["velocity"]).abs().max())
out = {"without.0": velocity([0]), "without.1": velocity([1]), "without.0.1": velocity([0, 1])}
save_file({k: v.contiguous() for k, v in out.items()}, fixtures("Transformers") + "/skipped-layers.safetensors")
