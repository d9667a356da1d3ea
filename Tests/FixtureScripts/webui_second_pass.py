"""The webui's second pass (hires fix), written from a description of its arithmetic.

`generate` makes the latent of a case with both passes; sizes, steps and noise as stable-diffusion-webui 1.10.1 has them.
"""


import numpy as np
import torch
import torchsde._brownian.brownian_interval as brownian_interval

from PIL import Image

import webui_reference as reference

import upscaler_networks
from webui_prompts import parts, schedule

K, W = reference.K, reference.W
SECOND_ORDER = ("DPM++ SDE", "DPM++ 2S a", "Heun", "DPM2", "DPM2 a", "Restart")

# name: mode and antialias of torch.nn.functional.interpolate
LATENT_UPSCALERS = {
    "Latent": ("bilinear", False),
    "Latent (antialiased)": ("bilinear", True),
    "Latent (bicubic)": ("bicubic", False),
    "Latent (bicubic antialiased)": ("bicubic", True),
    "Latent (nearest)": ("nearest", False),
    "Latent (nearest-exact)": ("nearest-exact", False),
}


class Guided(reference.ScheduledModel):
    """For all samplers, including those that use timesteps and LCM."""

    is_lcm = False

    def combined(self, output):
        contexts = [self.at(schedule) for _, schedule in self.prompts]
        length = max(map(len, contexts))
        contexts = [torch.cat([c] + [c[-1:]] * (length - len(c)))[None] for c in contexts]
        negative = output(self.at(self.negative)[None])
        result = negative.clone()
        for (weight, _), context in zip(self.prompts, contexts):
            result += (output(context) - negative) * (weight * self.cfg_scale)
        self.calls += 1
        return result, negative

    def noise(self, x, timestep):
        t = torch.tensor([float(timestep)])
        return self.combined(lambda c: self.inner_model.unet(x.float(), t, c, return_dict=False)[0])

    def __call__(self, x, sigma, **_):
        sigma = sigma.flatten()[0]
        if not self.is_lcm:
            return self.combined(lambda c: self.inner_model.denoise(x, sigma, c))[0]
        timestep = W.lcm_timestep(sigma)
        return W.lcm_denoised(x, timestep, self.combined(lambda c: self.inner_model.denoise(x, sigma, c, timestep))[0])


def calls(sampler_name, steps):
    return steps * (2 if sampler_name in SECOND_ORDER else 1)


def guidance(networks, case, sampler_name, prompt, negative_prompt, steps, before=None):
    tokenizer, text, unet, _, prediction = networks
    count, old = calls(sampler_name, steps), case.get("use_old_scheduling", False)

    def encoded(prompt):
        entries = schedule(prompt, count, old, before)
        contexts = reference.encode_schedule(tokenizer, text, [t for _, t in entries], case["clip_skip"])
        return [(end, context) for (end, _), context in zip(entries, contexts)]

    prompts = [(weight, encoded(part)) for part, weight in parts(prompt)]
    scale = case["cfg_scale"] / (12.5 if sampler_name == "DDIM CFG++" else 1)
    return Guided(reference.DiscreteModel(unet, prediction), prompts, encoded(negative_prompt), scale)


def target(case):
    """Width and height to enlarge to, and how many latent columns and rows are cut off."""
    width, height = case["width"], case["height"]
    x, y = case.get("hr_resize_x", 0), case.get("hr_resize_y", 0)
    if x == 0 and y == 0:
        return int(width * case["hr_scale"]), int(height * case["hr_scale"]), 0, 0
    if y == 0:
        return x, x * height // width, 0, 0
    if x == 0:
        return y * width // height, y, 0, 0
    wide, high = (x, x * height // width) if width / height < x / y else (y * width // height, y)
    return wide, high, (wide - x) // 8, (high - y) // 8


def crop(latent, across, down):
    return latent[
        :, :, down // 2 : latent.shape[2] - (down + 1) // 2, across // 2 : latent.shape[3] - (across + 1) // 2
    ]


@torch.no_grad()
def resample(guided, latent, *, sampler_name, scheduler, steps, strength, seed, rng, extra=0.0):
    """The second pass over a latent of its size; extra: the webui's img2img_extra_noise."""
    if strength == 0:
        return latent
    function, default_schedule, drops_penultimate, noise = reference.SAMPLERS[sampler_name]
    total = int(steps / min(strength, 0.999))
    encoded = steps - 1
    source = reference.NOISE[rng](seed)

    def draw(*_):
        return source.randn(latent.shape[1:])[None]

    first = draw()
    if noise == "timesteps":
        timesteps = W.timesteps(total)
        alpha = W.ALPHAS[timesteps[encoded]]
        kept = timesteps[:encoded]
        options = {"start": kept[-1] / 1000 + 1 / 1000} if sampler_name == "UniPC" else {}
        original, W.timesteps = W.timesteps, lambda _: kept
        x = latent * alpha.sqrt() + first * (1 - alpha).sqrt()
        if extra > 0:
            x += first * extra * alpha.sqrt()
        x = function(guided.noise, x, total, draw, **options).float()
        W.timesteps = original
        return x
    model = guided.inner_model
    if sampler_name == "LCM":
        guided.is_lcm = True
        sigmas = torch.cat([W.lcm_sigma(torch.linspace(999, 19, total)), torch.zeros(1)])
    else:
        sigmas = reference.schedule(model, scheduler or default_schedule, total, drops_penultimate)
    kept = sigmas[total - encoded - 1 :]
    x = latent + first * kept[0]
    if extra > 0:
        x += first * extra
    if noise == "own":
        return function(guided, x, kept, draw)
    options = {}
    if noise == "ancestral":
        options["noise_sampler"] = draw
    if noise == "brownian":
        brownian_interval._randn = (
            lambda size, dtype, device, seed: reference.NOISE[rng](int(seed)).randn(tuple(size)).to(dtype)
        )
        options["noise_sampler"] = K.BrownianTreeNoiseSampler(x, sigmas[sigmas > 0].min(), sigmas.max(), seed=[seed])

    class Torch:
        """torch, except for the noise of samplers that take no noise_sampler."""

        def __getattr__(self, name):
            return draw if name == "randn_like" else getattr(torch, name)

    K.torch = Torch()
    levels = [kept]
    if sampler_name in ("DPM fast", "DPM adaptive"):
        levels = [kept[-2].item(), kept[0].item()] + [len(kept) - 1] * (sampler_name == "DPM fast")
        options["eta"] = 1.0
    if "Heun" in sampler_name and noise == "brownian":
        options["solver_type"] = "heun"
    x = getattr(K, function)(guided, x, *levels, disable=True, **options)
    K.torch = torch
    return x


@torch.no_grad()
def first_pass(networks, case):
    settings = {k: case[k] for k in ("seed", "steps", "cfg_scale", "sampler_name", "width", "height", "rng")}
    model = guidance(networks, case, case["sampler_name"], case["prompt"], case["negative_prompt"], case["steps"])
    return reference.sample(
        model.inner_model, None, None, guided=model, scheduler=case.get("scheduler"), **settings
    )[0]


@torch.no_grad()
def second_pass(networks, case, latent):
    """The second pass over a latent that is enlarged and cropped already."""
    sampler_name = case.get("hr_sampler_name") or case["sampler_name"]
    scheduler = case.get("hr_scheduler") or case.get("scheduler")
    steps = case.get("hr_second_pass_steps") or case["steps"]
    guided = guidance(
        networks, case, sampler_name, case.get("hr_prompt") or case["prompt"],
        case.get("hr_negative_prompt") or case["negative_prompt"], steps,
        calls(case["sampler_name"], case["steps"]),
    )  # fmt: skip
    return resample(
        guided, latent, sampler_name=sampler_name, scheduler=scheduler, steps=steps,
        strength=case["denoising_strength"], seed=case["seed"], rng=case["rng"], extra=case.get("img2img_extra_noise", 0.0),
    )  # fmt: skip


@torch.no_grad()
def encoded(vae, pixels, width, height, name):
    """The latent of an 8-bit image, enlarged; the mean of the VAE's encoding."""
    image = upscaler_networks.enlarged(Image.fromarray(pixels), width, height, name)
    pixels = torch.from_numpy(np.moveaxis(np.array(image).astype(np.float32) / 255.0, 2, 0))[None]
    return vae.encode(pixels * 2 - 1).latent_dist.mean * vae.config.scaling_factor


@torch.no_grad()
def generate(networks, case):
    """The latent of both passes."""
    width, height, across, down = target(case)
    name = case.get("hr_upscaler", "Latent")
    latent = first_pass(networks, case)
    if name in LATENT_UPSCALERS:
        mode, antialias = LATENT_UPSCALERS[name]
        latent = torch.nn.functional.interpolate(
            latent, size=(height // 8, width // 8), mode=mode, antialias=antialias
        )
    else:
        latent = encoded(networks[3], reference.decode(networks[3], latent), width, height, name)
    return second_pass(networks, case, crop(latent, across, down))
