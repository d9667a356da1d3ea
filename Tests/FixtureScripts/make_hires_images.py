"""Writes images of two passes, enlarged between them as latents or as images.

  python make_hires_images.py

Reads the model of make_engine_fixtures.py and the demo model; writes hires/*.png and hires/cases.json.
"""

import json
import os

import torch
from PIL import Image

import webui_reference as reference
import webui_second_pass as second
from fixture_paths import DEMO, fixtures
from saved_networks import folder_model, small_model

out, folder = fixtures("Engine"), DEMO
os.makedirs(out + "/hires", exist_ok=True)
tiny, demo_networks = small_model(), folder_model(folder)

base = dict(
    prompt="a small boat on a (calm:1.3) lake", negative_prompt="noise", seed=31, steps=5, cfg_scale=7.0, width=64,
    height=64, rng="nv", clip_skip=1, enable_hr=True, hr_scale=2.0, denoising_strength=0.7,
)  # fmt: skip
demo = dict(base, model="folder", prompt="a blue star on a yellow background", width=128, height=128, hr_scale=1.5)
# Without added noise, the random VAE amplifies single steps of the 8 bits between the passes, and rounding may go either
# way there: so these cases use the trained one.
cases = [
    dict(base, sampler_name="Euler"),
    dict(base, sampler_name="Euler a", hr_upscaler="Latent (antialiased)", hr_scale=1.3, denoising_strength=0.3),
    dict(base, sampler_name="DPM++ 2M", hr_upscaler="Latent (bicubic)", hr_scale=1.7, width=72, rng="cpu"),
    dict(base, sampler_name="DPM++ SDE", hr_upscaler="Latent (bicubic antialiased)", hr_scale=0.8, height=104, denoising_strength=0.5),
    dict(base, sampler_name="DDIM", hr_upscaler="Latent (nearest)", hr_scale=1.45, denoising_strength=0.55),
    dict(base, sampler_name="PLMS", hr_upscaler="Latent (nearest-exact)", hr_scale=1.45, hr_second_pass_steps=7),
    dict(base, sampler_name="UniPC", hr_upscaler="Latent", hr_scale=1.5, hr_second_pass_steps=8, denoising_strength=0.6),
    dict(base, sampler_name="Heun", denoising_strength=1.0, hr_resize_x=96, hr_resize_y=0),
    dict(base, sampler_name="DPM2", denoising_strength=0.75, hr_resize_x=0, hr_resize_y=100, width=56, rng="cpu"),
    dict(base, sampler_name="DPM++ 2S a", denoising_strength=0.4, hr_resize_x=150, hr_resize_y=100, width=56),
    dict(base, sampler_name="DPM++ 2M SDE", denoising_strength=0.65, hr_resize_x=88, hr_resize_y=136, rng="cpu", hr_second_pass_steps=3),
    dict(base, sampler_name="DPM++ 3M SDE", denoising_strength=0.9, hr_scale=1.25, hr_second_pass_steps=9),
    dict(base, sampler_name="DPM fast", denoising_strength=0.8, hr_scale=1.25, hr_second_pass_steps=7),
    dict(base, sampler_name="Euler", hr_sampler_name="DPM adaptive", denoising_strength=0.8, hr_scale=1.25),
    dict(base, sampler_name="LCM", denoising_strength=0.7, hr_scale=1.25, cfg_scale=1.5),
    dict(base, sampler_name="LMS", denoising_strength=0.7, hr_scale=1.25, scheduler="sgm_uniform"),
    dict(base, sampler_name="Restart", denoising_strength=0.35, hr_scale=1.25, steps=5, hr_second_pass_steps=20),
    dict(base, sampler_name="Euler", denoising_strength=0.7, hr_sampler_name="DPM++ SDE", hr_scheduler="exponential", hr_second_pass_steps=4),
    dict(base, sampler_name="DPM++ 2M", scheduler="karras", hr_sampler_name="Euler a", hr_prompt="a red bird", hr_negative_prompt="a (big:1.2) house"),
    dict(base, sampler_name="Euler", denoising_strength=0.0, hr_upscaler="Latent (bicubic)"),
    dict(base, sampler_name="DDIM CFG++", denoising_strength=0.5, hr_second_pass_steps=6),
    dict(demo, sampler_name="DPM++ 2M", denoising_strength=0.6, hr_upscaler="Latent (nearest-exact)"),
    dict(demo, sampler_name="Euler a", denoising_strength=0.7, hr_scale=2.0, width=72),
    dict(base, sampler_name="Euler", prompt="a [boat:(red bird:1.3):1.5] AND a [fish|dog]:0.6", negative_prompt="a [big:dark:7] house", steps=6),
    dict(base, sampler_name="Heun", prompt="a [boat:bird:13] on [a lake:1.3] [x::0.5]", steps=4, hr_second_pass_steps=6),
    dict(base, sampler_name="Euler a", prompt="a [boat:bird:0.5] on [a lake:3]", use_old_scheduling=True, hr_second_pass_steps=8),
    dict(base, sampler_name="Euler", denoising_strength=0.7, hr_second_pass_steps=1),
    dict(demo, sampler_name="Euler", hr_upscaler="None", hr_scale=1.5, width=72, height=56, denoising_strength=0.0),
    dict(base, sampler_name="DPM++ 2M", hr_upscaler="Lanczos", hr_scale=1.3, denoising_strength=0.5),
    dict(base, sampler_name="Euler a", hr_upscaler="Nearest", hr_scale=1.37, width=72, height=56, denoising_strength=0.3, rng="cpu"),
    dict(base, sampler_name="DDIM", hr_upscaler="realesrgan.pth", hr_scale=1.5, denoising_strength=0.4, hr_second_pass_steps=4),
    dict(base, sampler_name="Euler", hr_upscaler="compact.pth", hr_resize_x=90, hr_resize_y=110, denoising_strength=0.6),
    dict(demo, sampler_name="Euler", hr_upscaler="realesrgan.pth", hr_resize_x=150, hr_resize_y=100, width=56, height=64, denoising_strength=0.0),
    dict(base, sampler_name="DPM++ SDE", hr_upscaler="x2.safetensors", hr_resize_x=100, hr_resize_y=0, denoising_strength=0.7, hr_second_pass_steps=3),
    dict(base, sampler_name="Euler", hr_upscaler="Lanczos", hr_scale=0.8, width=104, denoising_strength=0.5),
    dict(demo, sampler_name="DPM++ 2M", hr_upscaler="None", hr_scale=1.2, width=72, denoising_strength=0.6, hr_prompt="a red circle"),
    dict(demo, sampler_name="Euler", hr_upscaler="compact.pth", hr_scale=1.25, width=72, height=88, denoising_strength=0.0),
    dict(base, sampler_name="Euler", hr_upscaler="Lanczos", hr_scale=1.5, denoising_strength=0.5, tiling=True),
    dict(base, sampler_name="Euler", hr_scale=1.5, img2img_extra_noise=0.3),
    dict(base, sampler_name="DDIM", hr_scale=1.25, denoising_strength=0.5, img2img_extra_noise=0.6),
    dict(base, sampler_name="DPM++ SDE", denoising_strength=0.4, img2img_extra_noise=1.0, rng="cpu"),
]  # fmt: skip


def set_padding(networks, mode):
    """What convolutions of UNet and VAE see outside the edges."""
    for network in networks[2:4]:
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.padding_mode = mode


only = [int(i) for i in os.environ.get("ONLY", "").split(",") if i]
for i, case in enumerate(cases):
    networks = demo_networks if "model" in case else tiny
    case["file"] = f"hires/{i:02d}.png"
    if only and i not in only:
        continue
    set_padding(networks, "circular" if case.get("tiling") else "zeros")
    latent = second.generate(networks, case)
    pixels = reference.decode(networks[3], latent)
    Image.fromarray(pixels).save(f"{out}/{case['file']}")
    print(i, case["sampler_name"], pixels.shape, "mean %.1f, deviation %.1f" % (pixels.mean(), pixels.std()))
json.dump(cases, open(out + "/hires/cases.json", "w"), indent=1)
