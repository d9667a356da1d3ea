"""Writes images of two passes by the models of make_family_fixtures.py: other checkpoints, refiners and sizes in the second.

  python make_family_hires.py

Makes the models again, which leaves their files unchanged; writes hires/*.png and hires/cases.json.
"""

import copy
import json
import os

import torch
from make_family_fixtures import base, edited, models, out
from PIL import Image

import webui_second_pass as second
from family_reference import Guided, decode, sample, train
from saved_networks import small_model

os.makedirs(out + "/hires", exist_ok=True)
base = dict(base, enable_hr=True, hr_scale=1.5, denoising_strength=0.7, negative_prompt="noise")
xl = dict(base, model="sdxl.safetensors")
refined = dict(xl, refiner_checkpoint="refiner.safetensors")
cases = [
    # The size conditioning belongs to each pass, before cropping.
    dict(xl, sampler_name="Euler", negative_prompt=""),
    dict(xl, sampler_name="DPM++ 2M", hr_resize_x=72, hr_resize_y=104, rng="nv", hr_prompt="a red bird"),
    dict(refined, sampler_name="Euler", refiner_switch_at=0.5),
    dict(refined, sampler_name="Euler a", refiner_switch_at=0.4, hires_fix_refiner_pass="first pass", hr_second_pass_steps=4),
    dict(refined, sampler_name="DDIM", refiner_switch_at=0.6, hires_fix_refiner_pass="both passes", hr_scale=1.25),
    dict(xl, sampler_name="DPM++ SDE", hr_checkpoint_name="refiner.safetensors", hr_resize_x=80, hr_resize_y=88, rng="nv"),
    # One predicts velocity, the other noise, the third takes the guidance scale.
    dict(base, model="sd2.safetensors", sampler_name="Euler", hr_checkpoint_name="sd2", hr_prompt=edited, hr_scale=1.25),
    dict(base, model="sd2", sampler_name="Heun", hr_checkpoint_name="sd2.safetensors", prompt="a [red:blue:1.5] boat"),
    dict(base, model="lcm", sampler_name="DDIM", hr_checkpoint_name="sd2", refiner_checkpoint="sd2.safetensors",
         refiner_switch_at=0.7, hires_fix_refiner_pass="both passes", cfg_scale=3.0, steps=9),
    # Nothing is sampled, but the other checkpoint decodes.
    dict(base, model="sd2", sampler_name="Euler", hr_checkpoint_name="lcm", denoising_strength=0.0),
    # Enlarged as images, with a VAE in a separate file; its latents are scaled as the checkpoint's are. With less
    # noise, the random VAE amplifies single steps of the 8 bits between the passes.
    dict(xl, sampler_name="Euler", vae="model.safetensors", hr_upscaler="Lanczos", hr_scale=1.3, denoising_strength=0.8),
    dict(refined, sampler_name="Euler", refiner_switch_at=0.5, hires_fix_refiner_pass="first pass",
         vae="model.safetensors", hr_upscaler="compact.pth", hr_resize_x=90, hr_resize_y=104, denoising_strength=0.95),
    # A pass that is handed over as an image may continue in a model with other latents.
    dict(base, model="sd2.safetensors", sampler_name="DPM++ 2M", hr_checkpoint_name="sdxl.safetensors", vae="model.safetensors",
         hr_upscaler="Lanczos", denoising_strength=0.8),
]  # fmt: skip
small_vae = small_model()[3]


def checkpoint(name, case):
    """The model of this name, with the case's VAE."""
    model = models.get(name)
    if model and "vae" in case:
        model = copy.copy(model)
        model.vae = small_vae
    return model


@torch.no_grad()
def picture(case):
    """The 8-bit image of both passes."""
    refiner = checkpoint(case.get("refiner_checkpoint"), case)
    passes = case.get("hires_fix_refiner_pass", "second pass")
    latent, _, first = sample(checkpoint(case["model"], case), case, None if passes == "second pass" else refiner)
    width, height, across, down = second.target(case)
    model = checkpoint(case.get("hr_checkpoint_name") or case["model"], case)
    if "hr_upscaler" in case:
        pixels = decode(first.inner_model, latent)
        model.vae.config.scaling_factor = model.scale
        latent = second.encoded(model.vae, pixels, width, height, case["hr_upscaler"])
    else:
        latent = torch.nn.functional.interpolate(latent, size=(height // 8, width // 8), mode="bilinear")
    latent = second.crop(latent, across, down)
    if case["denoising_strength"] == 0:
        return decode(model, latent)
    steps = case.get("hr_second_pass_steps") or case["steps"]
    before = second.calls(case["sampler_name"], case["steps"])
    case = dict(case, width=width, height=height, steps=steps, prompt=case.get("hr_prompt") or case["prompt"], calls_before=before)
    train(model)
    guided = Guided(model, case, None if passes == "first pass" else refiner)
    latent = second.resample(
        guided, latent, sampler_name=case["sampler_name"], scheduler=None, steps=steps,
        strength=case["denoising_strength"], seed=case["seed"], rng=case["rng"],
    )  # fmt: skip
    print("refined from", guided.switched, "of", guided.calls, end=" ")
    return decode(guided.inner_model, latent)


for i, case in enumerate(cases):
    pixels = picture(case)
    case["file"] = f"../Families/hires/{i:02d}.png"
    Image.fromarray(pixels).save(f"{out}/hires/{i:02d}.png")
    print(i, case["model"], case["sampler_name"], pixels.shape, "mean %.1f, deviation %.1f" % (pixels.mean(), pixels.std()))
json.dump(cases, open(out + "/hires/cases.json", "w"), indent=1)
