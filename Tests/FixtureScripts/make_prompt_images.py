"""Writes images of prompts that change while they are sampled, of parts between ANDs, and of the kinds of emphasis.

  python make_prompt_images.py

Reads the model of make_engine_fixtures.py; writes prompts/*.png and prompts/cases.json.
"""

import json
import os

from PIL import Image

from fixture_paths import fixtures
from saved_networks import small_model
from webui_prompts import parts, schedule
from webui_reference import DiscreteModel, ScheduledModel, decode, encode_schedule, sample

SECOND_ORDER = ("DPM++ SDE", "DPM++ 2S a", "Heun", "DPM2", "DPM2 a")

out = fixtures("Engine")
os.makedirs(out + "/prompts", exist_ok=True)
tokenizer, text, unet, vae, _ = small_model()

base = dict(
    negative_prompt="noise, blurry", seed=77, steps=6, cfg_scale=7.0, width=64, height=64, rng="cpu", clip_skip=1,
    emphasis="Original", use_old_scheduling=False,
)  # fmt: skip
long = "a big house on the calm lake, " * 12
cases = [
    dict(base, sampler_name="Euler", prompt="a [red:blue:0.5] boat [on a lake:3]"),
    dict(base, sampler_name="Heun", prompt="a [red fish:(green:1.4) star:0.4] in the lake"),
    dict(base, sampler_name="DPM++ 2M", prompt="a [boat|fish|house] on a (red:1.3) lake"),
    dict(base, sampler_name="DPM++ SDE", prompt="[a [red|blue]:the green:7] star", negative_prompt="[noise:blurry:4]"),
    dict(base, sampler_name="Euler", prompt="a [red:blue:1.0] boat", use_old_scheduling=True),
    dict(base, sampler_name="Euler", prompt="a [red:blue:1.0] boat"),
    dict(base, sampler_name="DPM++ 2M", prompt="a red boat:0.6 AND a (green:1.3) tree:0.7 AND a star:-0.4"),
    dict(base, sampler_name="DPM2 a", prompt="a [red|blue] fish AND " + long + ":0.8", negative_prompt="noise AND blurry"),
    dict(base, sampler_name="Euler a", prompt="a boat:2", cfg_scale=3.0),
    dict(base, sampler_name="Euler", prompt="a fish:0.25 AND a star:0.75", cfg_scale=1.0),
    dict(base, sampler_name="Euler", prompt="a (red:1.6) [fish] BREAK star", emphasis="None"),
    dict(base, sampler_name="Euler", prompt="a (red:1.6) [fish] BREAK star", emphasis="Ignore"),
    dict(base, sampler_name="Euler", prompt="a (red:1.6) [fish] BREAK star", emphasis="No norm"),
    dict(base, sampler_name="LMS", prompt="[a (red:1.5) fish:" + long + ":3] (star:0.7)", negative_prompt=long + "[noise:2]"),
    dict(base, sampler_name="Euler", prompt="[(red:1.5)|a fish] star (boat", negative_prompt="(a big house:1.2)", clip_skip=2),
]  # fmt: skip
for i, case in enumerate(cases):
    calls = case["steps"] * (2 if case["sampler_name"] in SECOND_ORDER else 1)

    def encoded(prompt):
        entries = schedule(prompt, calls, case["use_old_scheduling"])
        contexts = encode_schedule(tokenizer, text, [t for _, t in entries], case["clip_skip"], case["emphasis"])
        return [(end, context) for (end, _), context in zip(entries, contexts)]

    prompts = [(weight, encoded(part)) for part, weight in parts(case["prompt"])]
    model = DiscreteModel(unet)
    guided = ScheduledModel(model, prompts, encoded(case["negative_prompt"]), case["cfg_scale"])
    settings = {k: case[k] for k in ("seed", "steps", "cfg_scale", "sampler_name", "width", "height", "rng")}
    latent, case["calls"] = sample(model, None, None, guided=guided, **settings)
    case["file"] = f"prompts/{i:02d}.png"
    pixels = decode(vae, latent)
    Image.fromarray(pixels).save(f"{out}/{case['file']}")
    print(i, case["sampler_name"], case["calls"], "mean %.1f, deviation %.1f" % (pixels.mean(), pixels.std()))
json.dump(cases, open(out + "/prompts/cases.json", "w"), indent=1)
