"""Writes images of rescaled guidance and of adaptive projected guidance.

  python make_changed_guidance.py

Reads the model of make_engine_fixtures.py; writes changed-guidance/*.png and changed-guidance/cases.json. The arithmetic of guidance is
that of diffusers' guiders: `normalized_guidance` over denoised latents, `rescale_noise_cfg` over velocities.
"""

import json
import os

import torch
from diffusers.guiders.adaptive_projected_guidance import MomentumBuffer, normalized_guidance
from diffusers.guiders.guider_utils import rescale_noise_cfg
from PIL import Image

import webui_reference as reference
from fixture_paths import fixtures
from saved_networks import small_model
from skipping_model import SECOND_ORDER, SkippingModel
from webui_prompts import parts, schedule

W = reference.W


class ChangedModel(SkippingModel):
    """A model whose guidance is projected and rescaled, in calls that have the negative prompt."""

    def __init__(self, model, prompts, negative, case, alphas):
        super().__init__(model, prompts, negative, case, alphas)
        self.case = case
        self.buffer = MomentumBuffer(case["apg_momentum"]) if case.get("apg_momentum") else None
        self.is_projected = any(key.startswith("apg_") for key in case)

    def changed(self, level, output, velocity, denoised):
        """The guided denoised latent, and the output without the prompt.

        velocity: that of a denoised latent, denoised: the way back.
        """
        scale = self.scale
        self.scale = 1
        # A number: the sum may be a tensor, which is changed in place.
        before = int(self.skipped)
        prompted, negative = self.combined(level, output)
        self.scale = scale
        if self.skipped > before or scale == 1:
            return prompted, negative
        if self.is_projected:
            guided = normalized_guidance(
                prompted, negative, scale - 1, self.buffer, self.case.get("apg_eta", 1.0),
                self.case.get("apg_norm_threshold", 0.0), use_original_formulation=True)  # fmt: skip
        else:
            guided = negative + scale * (prompted - negative)
        if self.case.get("cfg_rescale"):
            guided = denoised(rescale_noise_cfg(velocity(guided), velocity(prompted), self.case["cfg_rescale"]))
        return guided, negative

    def __call__(self, x, sigma, **_):
        sigma = sigma.flatten()[0]
        timestep = W.lcm_timestep(sigma) if self.is_lcm else None
        root = (sigma**2 + 1).sqrt()
        result = self.changed(
            sigma, lambda c: self.inner_model.denoise(x, sigma, c, timestep),
            lambda d: (x / root**2 - d) * root / sigma, lambda v: x / root**2 - v * sigma / root)[0]  # fmt: skip
        return W.lcm_denoised(x, timestep, result) if self.is_lcm else result

    def noise(self, x, timestep):
        t, alpha = torch.tensor([float(timestep)]), self.alphas[int(timestep)]
        x = x.float()
        image, noise = alpha.sqrt(), (1 - alpha).sqrt()

        def output(context):
            out = self.inner_model.unet(x, t, context, return_dict=False)[0]
            return (x - noise * out) / image if self.inner_model.prediction == "epsilon" else image * x - noise * out

        result, negative = self.changed(
            timestep, output, lambda d: (image * x - d) / noise, lambda v: image * x - noise * v)  # fmt: skip
        return (x - image * result) / noise, (x - image * negative) / noise


def main():
    out = fixtures("Engine")
    os.makedirs(out + "/changed-guidance", exist_ok=True)
    tokenizer, text, unet, vae, _ = small_model()
    base = dict(
        prompt="a [red:blue:0.5] boat", negative_prompt="noise, blurry", seed=78, steps=6, cfg_scale=9.0, width=48,
        height=56, rng="cpu", clip_skip=1,
    )  # fmt: skip
    three = "a red boat:0.6 AND a (green:1.3) tree:0.7 AND [a|the] star:-0.4"
    v = dict(prediction_type="v_prediction")
    apg = dict(apg_eta=0.0, apg_norm_threshold=5.0, apg_momentum=-0.5)
    cases = [
        dict(base, sampler_name="Euler", cfg_rescale=0.7),
        dict(base, **v, sampler_name="DPM++ 2M", steps=8, cfg_rescale=1.0, scheduler="karras"),
        dict(base, sampler_name="Heun", cfg_rescale=0.5, prompt=three, s_min_uncond=4.0),
        dict(base, sampler_name="DDIM", steps=8, cfg_rescale=0.7),
        dict(base, **v, sampler_name="DDIM CFG++", steps=7, cfg_rescale=0.7, cfg_scale=14.0),
        dict(base, sampler_name="Euler", apg_eta=0.0),
        dict(base, sampler_name="Euler a", apg_norm_threshold=5.0, guidance_interval=[0.2, 0.9]),
        dict(base, sampler_name="DPM++ 2M", apg_momentum=-0.75, steps=8),
        dict(base, **apg, sampler_name="DPM++ SDE", prompt=three, rng="nv"),
        dict(base, **apg, sampler_name="Heun", skip_early_cond=0.25, cfg_rescale=0.4),
        dict(base, **apg, sampler_name="PLMS", steps=7),
        dict(base, **v, **apg, sampler_name="DDIM", steps=7, guidance_interval=[0.3, 1.0]),
        dict(base, sampler_name="UniPC", steps=7, apg_eta=-0.5, apg_momentum=0.3, prompt=three),
        dict(base, sampler_name="Euler", apg_eta=0.3, cfg_rescale=0.6, cfg_scale=2.0, prompt="a boat AND a fish:-0.5"),
        dict(base, **apg, sampler_name="LCM", steps=4, cfg_scale=1.5, cfg_rescale=0.3),
    ]  # fmt: skip
    alphas = W.ALPHAS
    for i, case in enumerate(cases):
        model = reference.DiscreteModel(unet, case.get("prediction_type", "epsilon"))
        calls = case["steps"] * (2 if case["sampler_name"] in SECOND_ORDER else 1)

        def encoded(prompt):
            entries = schedule(prompt, calls, False)
            contexts = reference.encode_schedule(tokenizer, text, [t for _, t in entries])
            return [(end, context) for (end, _), context in zip(entries, contexts)]

        prompts = [(weight, encoded(part)) for part, weight in parts(case["prompt"])]
        guided = ChangedModel(model, prompts, encoded(case["negative_prompt"]), case, alphas)
        settings = {k: case[k] for k in ("seed", "steps", "cfg_scale", "sampler_name", "width", "height", "rng")}
        with torch.no_grad():
            latent, case["calls"] = reference.sample(
                model, None, None, guided=guided, scheduler=case.get("scheduler"), **settings)  # fmt: skip
            pixels = reference.decode(vae, latent)
        case["file"] = f"changed-guidance/{i:02d}.png"
        Image.fromarray(pixels).save(f"{out}/{case['file']}")
        print(i, case["sampler_name"], guided.skipped, "skipped, mean %.1f, deviation %.1f" % (pixels.mean(), pixels.std()))
    json.dump(cases, open(out + "/changed-guidance/cases.json", "w"), indent=1)


main()
