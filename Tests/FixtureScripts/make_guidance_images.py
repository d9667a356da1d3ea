"""Writes images of calls without a negative prompt, of other training noise, and of networks that predict the velocity.

  python make_guidance_images.py

Reads the model of make_engine_fixtures.py; writes guidance/*.png and guidance/cases.json.
"""

import json
import os

import torch
from PIL import Image

import webui_reference as reference
from fixture_paths import fixtures
from saved_networks import small_model
from skipping_model import SECOND_ORDER, SkippingModel
from webui_prompts import parts, schedule

W = reference.W
ALPHAS = W.ALPHAS


def zero_terminal(alphas):
    """sqrt(alpha), shifted and scaled so that the last value is nearly 0 and the first is unchanged."""
    roots = alphas.sqrt()
    first, last = roots[0].clone(), roots[-1].clone()
    alphas = ((roots - last) * (first / (first - last))) ** 2
    alphas[-1] = 4.8973451890853435e-08
    return alphas


out = fixtures("Engine")
os.makedirs(out + "/guidance", exist_ok=True)
tokenizer, text, unet, vae, _ = small_model()

base = dict(
    prompt="a [red:blue:0.5] boat", negative_prompt="noise, blurry", seed=77, steps=6, cfg_scale=7.0, width=48,
    height=56, rng="cpu", clip_skip=1,
)  # fmt: skip
three = "a red boat:0.6 AND a (green:1.3) tree:0.7 AND [a|the] star:-0.4"
terminal = dict(sd_noise_schedule="Zero Terminal SNR")
v = dict(prediction_type="v_prediction")
cases = [
    dict(base, sampler_name="Euler", s_min_uncond=4.0),
    dict(base, sampler_name="Euler", s_min_uncond=4.0, s_min_uncond_all=True),
    dict(base, sampler_name="Euler a", skip_early_cond=0.4, prompt=three),
    dict(base, sampler_name="DPM++ 2M", s_min_uncond=5.0, prompt=three, rng="nv"),
    dict(base, sampler_name="Heun", s_min_uncond=3.0, skip_early_cond=0.25, prompt=three, seed=5),
    dict(base, sampler_name="DPM++ SDE", s_min_uncond=30.0, s_min_uncond_all=True, prompt=three),
    dict(base, sampler_name="DPM2 a", skip_early_cond=0.5, prompt="a boat:2"),
    dict(base, sampler_name="Restart", steps=20, s_min_uncond=1.0, skip_early_cond=0.1),
    dict(base, sampler_name="LCM", steps=4, s_min_uncond=3.5, prompt=three, cfg_scale=1.5),
    dict(base, sampler_name="DDIM", steps=7, s_min_uncond=500.0, prompt=three),
    dict(base, sampler_name="DDIM CFG++", steps=7, skip_early_cond=0.3, s_min_uncond=600.0, prompt=three),
    dict(base, sampler_name="PLMS", steps=6, s_min_uncond=700.0, s_min_uncond_all=True, prompt=three),
    dict(base, sampler_name="UniPC", steps=8, skip_early_cond=0.2, prompt=three, rng="nv"),
    dict(base, sampler_name="Euler", skip_early_cond=1.0, prompt=three, cfg_scale=1.0),
    dict(base, sampler_name="DPM fast", steps=8, s_min_uncond=2.0),
    dict(base, **v, sampler_name="DDIM", steps=9, rng="nv"),
    dict(base, **v, sampler_name="DDIM CFG++", steps=7),
    dict(base, **v, sampler_name="PLMS"),
    dict(base, **v, sampler_name="UniPC", steps=7),
    dict(base, **v, sampler_name="LCM", steps=4),
    dict(base, **v, sampler_name="DPM++ 2S a", prompt=three),
    dict(base, **v, **terminal, sampler_name="Euler", steps=8),
    dict(base, **v, **terminal, sampler_name="DPM++ 2M", steps=8, scheduler="karras", rng="nv"),
    dict(base, **v, **terminal, sampler_name="DDIM", steps=8),
    dict(base, **v, **terminal, sampler_name="PLMS", steps=5),
    dict(base, **v, **terminal, sampler_name="LCM", steps=4),
    dict(base, **terminal, sampler_name="DDIM", steps=10),
    dict(base, **terminal, sampler_name="Euler", scheduler="sgm_uniform"),
    dict(base, **v, **terminal, sampler_name="UniPC", steps=6),
    dict(base, sampler_name="DPM++ 2M", steps=10, guidance_interval=[0.2, 0.8], prompt=three),
    dict(base, sampler_name="Heun", guidance_interval=[0.0, 0.5], s_min_uncond=8.0, skip_early_cond=0.1),
    dict(base, sampler_name="DDIM", steps=9, guidance_interval=[0.3, 1.0]),
]  # fmt: skip
for i, case in enumerate(cases):
    alphas = zero_terminal(ALPHAS) if case.get("sd_noise_schedule") else ALPHAS
    W.ALPHAS, W.LCM_SIGMAS = alphas, ((1 - alphas[19::20]) / alphas[19::20]) ** 0.5
    model = reference.DiscreteModel(unet, case.get("prediction_type", "epsilon"))
    model.sigmas = ((1 - alphas) / alphas) ** 0.5
    model.log_sigmas = model.sigmas.log()
    calls = case["steps"] * (2 if case["sampler_name"] in SECOND_ORDER else 1)

    def encoded(prompt):
        entries = schedule(prompt, calls, False)
        contexts = reference.encode_schedule(tokenizer, text, [t for _, t in entries])
        return [(end, context) for (end, _), context in zip(entries, contexts)]

    prompts = [(weight, encoded(part)) for part, weight in parts(case["prompt"])]
    guided = SkippingModel(model, prompts, encoded(case["negative_prompt"]), case, alphas)
    settings = {k: case[k] for k in ("seed", "steps", "cfg_scale", "sampler_name", "width", "height", "rng")}
    latent, case["calls"] = reference.sample(
        model, None, None, guided=guided, scheduler=case.get("scheduler"), **settings
    )
    case["file"] = f"guidance/{i:02d}.png"
    pixels = reference.decode(vae, latent)
    Image.fromarray(pixels).save(f"{out}/{case['file']}")
    print(i, case["sampler_name"], case["calls"], "calls,", guided.skipped, "skipped, mean %.1f, deviation %.1f" % (
        pixels.mean(), pixels.std()))  # fmt: skip
json.dump(cases, open(out + "/guidance/cases.json", "w"), indent=1)
