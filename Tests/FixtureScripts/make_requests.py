"""Writes info.json and dumps.json: the output of Python's json.dumps for an `info` object and for difficult texts.

The object is the one that stable-diffusion-webui 1.10.1 builds for a txt2img request: its keys in its order, with the
types that its values have there. Run with any Python 3: `python3 make_requests.py`.
"""

import json
import pathlib

from fixture_paths import fixtures

here = pathlib.Path(fixtures("Requests"))

prompts = ['a "quoted" café, 日本 🐟\nnext line'] * 3
negatives = ["blurry"] * 3
settings = "Steps: 4, Sampler: DPM++ SDE, Schedule type: Karras, CFG scale: 7.0"
infotexts = [f"{prompts[0]}\nNegative prompt: blurry\n{settings}, Seed: {5 + i}" for i in range(3)]

info = {
    "prompt": prompts[0],
    "all_prompts": prompts,
    "negative_prompt": negatives[0],
    "all_negative_prompts": negatives,
    "seed": 5,
    "all_seeds": [5, 6, 7],
    "subseed": 4294967293,
    "all_subseeds": [4294967293, 4294967294, 4294967295],
    "subseed_strength": 0.0,
    "width": 64,
    "height": 128,
    "sampler_name": "DPM++ SDE",
    "cfg_scale": 7.0,
    "steps": 4,
    "batch_size": 3,
    "restore_faces": False,
    "face_restoration_model": None,
    "sd_model_name": "v1-5-pruned-emaonly",
    "sd_model_hash": "6ce0161689",
    "sd_vae_name": None,
    "sd_vae_hash": None,
    "seed_resize_from_w": -1,
    "seed_resize_from_h": -1,
    "denoising_strength": 0.7,
    "extra_generation_params": {"Schedule type": "Karras", "Precision": "fp32", "Generator": "sdbatch 1"},
    "index_of_first_image": 0,
    "infotexts": infotexts,
    "styles": ["ink"],
    "job_timestamp": "20260102030405",
    "clip_skip": 2,
    "is_using_inpainting_conditioning": False,
    "version": None,
}
# A second pass: its prompts are functions in the webui's object, which become null; so does the schedule, which is not given.
second = info | {
    "extra_generation_params": {
        "Denoising strength": 0.7, "Hires sampler": "Euler a", "Hires prompt": None, "Hires negative prompt": None,
        "Hires schedule type": None, "Hires upscale": 1.5, "Hires steps": 2, "Hires upscaler": "Latent (nearest)",
        "Schedule type": "Karras", "Schedule rho": 3.0, "Precision": "fp32", "Generator": "sdbatch 1",
    },
}  # fmt: skip
(here / "info.json").write_text(json.dumps(info) + "\n" + json.dumps(second) + "\n")

values = [
    "plain / text", 'quote " and \\ backslash', "\b\f\n\r\t\x00\x1f\x7f", "é\u2028 日本 🐟 \uffff", [], {}, [[], {}],
    [1, -1, 0, 7.0, 0.1, 1e-05, 1e16, 1e22, -0.0, 9223372036854775807], {"": None, "a": True, "é": False},
]
(here / "dumps.json").write_text(json.dumps([{"value": v, "text": json.dumps(v)} for v in values], indent=1) + "\n")
