"""Writes images whose network is forecast in some calls (arXiv:2603.01623), and forecasts of numbers.

  python make_forecast_images.py

Reads the model of make_engine_fixtures.py; writes forecast/*.png, forecast/cases.json and forecast/series.json. The features
are fitted by least squares over all earlier calls (numpy), which is another way than the program's sums.
"""

import json
import os

import numpy as np
import torch
from numpy.polynomial import chebyshev
from PIL import Image

import webui_reference as reference
from fixture_paths import fixtures
from saved_networks import small_model
from skipping_model import SECOND_ORDER, SkippingModel
from webui_prompts import parts, schedule

W = reference.W
DEGREE, RIDGE = 4, 0.1


def forecast(taus, features, tau):
    """The features [calls, ...] continued to tau: ridge regression as least squares with more rows."""
    rows = np.vstack([chebyshev.chebvander(np.array(taus), DEGREE), np.sqrt(RIDGE) * np.eye(DEGREE + 1)])
    flat = np.asarray(features, np.float64).reshape(len(taus), -1)
    values = np.vstack([flat, np.zeros((DEGREE + 1, flat.shape[1]))])
    coefficients = np.linalg.lstsq(rows, values, rcond=None)[0]
    return (chebyshev.chebvander(np.array([tau]), DEGREE) @ coefficients).reshape(np.shape(features)[1:])


class ForecastNetwork:
    """A UNet that is computed in the first calls and then in every interval-th, for all prompts of a call alike."""

    def __init__(self, unet, interval, first):
        self.unet, self.interval, self.first = unet, interval, first
        self.histories, self.computed, self.asked = {}, 0, 0
        self.config = unet.config

    def begin(self, contexts):
        """A call of the model, with these contexts by the prompts' roles, in the order of their evaluation."""
        self.contexts, self.remaining = contexts, None

    def __call__(self, x, timestep, context, return_dict=False):
        if self.remaining is None:
            self.remaining = self.evaluated(x, timestep)
        return (self.remaining.pop(0),)

    def evaluated(self, x, timestep):
        """The outputs of all prompts of the call."""
        self.asked += len(self.contexts)
        sigma = self.model.sigma(timestep)[0].double().log()
        low, high = self.model.log_sigmas[0].double(), self.model.log_sigmas[-1].double()
        tau = float(1 - 2 * (sigma - low) / (high - low))
        known = [
            role
            for role, context in self.contexts.items()
            if role in self.histories and torch.equal(self.histories[role]["context"], context)
        ]
        histories = [self.histories[role] for role in known]
        if len(known) == len(self.contexts) and all(
            len(h["taus"]) >= self.first and h["skipped"] + 1 < self.interval for h in histories
        ):
            for history in histories:
                history["skipped"] += 1
            late = [torch.from_numpy(forecast(h["taus"], h["features"], tau)).float() for h in histories]
            return [self.unet.conv_out(self.unet.conv_act(self.unet.conv_norm_out(features))) for features in late]
        outputs, late = [], {}
        for role, context in self.contexts.items():
            kept = []
            hook = self.unet.conv_norm_out.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))
            outputs.append(self.unet(x, timestep, context, return_dict=False)[0])
            hook.remove()
            late[role] = kept[0].numpy()
            self.computed += 1
        for role, context in self.contexts.items():
            if role not in known:
                # What the other prompt's features were, plus the difference of the two at this call.
                other = self.histories[known[0]] if known else dict(taus=[], features=[])
                self.histories[role] = dict(
                    context=context, taus=list(other["taus"]),
                    features=[features + (late[role] - late[known[0]]) for features in other["features"]],
                )  # fmt: skip
        for role in self.contexts:
            history = self.histories[role]
            history["taus"].append(tau)
            history["features"].append(late[role])
            history["skipped"] = 0
        return outputs


class ForecastModel(SkippingModel):
    """Guidance over such a network."""

    def combined(self, level, output):
        contexts = dict(enumerate(self.prompt_contexts()))
        if not self.skips(level):
            contexts["negative"] = self.at(self.negative)[None]
        self.inner_model.unet.begin(contexts)
        return super().combined(level, output)


out = fixtures("Engine")
os.makedirs(out + "/forecast", exist_ok=True)
tokenizer, text, unet, vae, _ = small_model()
base = dict(
    prompt="a red boat", negative_prompt="noise, blurry", seed=77, steps=10, cfg_scale=7.0, width=48, height=56, rng="cpu",
    clip_skip=1, feature_forecast=2,
)  # fmt: skip
two = "a red boat:0.6 AND a (green:1.3) tree:0.7"
cases = [
    dict(base, sampler_name="Euler"),
    dict(base, sampler_name="DPM++ 2M", feature_forecast=3, steps=16),
    dict(base, sampler_name="DPM++ 2M", guidance_interval=[0.2, 0.8], steps=14),
    dict(base, sampler_name="DPM++ 2M", guidance_interval=[0.4, 1], steps=13),
    dict(base, sampler_name="Heun", steps=9),
    dict(base, sampler_name="DPM++ SDE", feature_forecast=4),
    dict(base, sampler_name="Euler a", prompt="a [red:blue:0.7] boat", steps=14),
    dict(base, sampler_name="DPM++ 2M SDE", prompt=two, s_min_uncond=2.0, steps=12),
    dict(base, sampler_name="DDIM", steps=12),
    dict(base, sampler_name="UniPC", steps=11, skip_early_cond=0.3),
    dict(base, sampler_name="PLMS", prompt="a [red|blue] boat"),
    dict(base, sampler_name="Restart", steps=20, feature_forecast=3),
    dict(base, sampler_name="LCM", steps=8, cfg_scale=1.5),
]  # fmt: skip
with torch.no_grad():
    for i, case in enumerate(cases):
        calls = case["steps"] * (2 if case["sampler_name"] in SECOND_ORDER else 1)
        network = ForecastNetwork(unet, case["feature_forecast"], 3 * calls // case["steps"])
        model = reference.DiscreteModel(network)
        network.model = model

        def encoded(prompt):
            entries = schedule(prompt, calls, False)
            contexts = reference.encode_schedule(tokenizer, text, [t for _, t in entries])
            return [(end, context) for (end, _), context in zip(entries, contexts)]

        prompts = [(weight, encoded(part)) for part, weight in parts(case["prompt"])]
        guided = ForecastModel(model, prompts, encoded(case["negative_prompt"]), case, W.ALPHAS)
        settings = {k: case[k] for k in ("seed", "steps", "cfg_scale", "sampler_name", "width", "height", "rng")}
        latent, _ = reference.sample(model, None, None, guided=guided, **settings)
        case["evaluations"], case["evaluations_computed"] = network.asked, network.computed
        case["file"] = f"forecast/{i:02d}.png"
        pixels = reference.decode(vae, latent)
        Image.fromarray(pixels).save(f"{out}/{case['file']}")
        print(i, case["sampler_name"], network.computed, "of", network.asked, "deviation %.1f" % pixels.std())
json.dump(cases, open(out + "/forecast/cases.json", "w"), indent=1)

random = np.random.default_rng(5)
series = []
for calls in (1, 2, 4, 9):
    taus = np.sort(random.uniform(-1, 1, calls))
    features = random.standard_normal((calls, 2, 3, 4)).astype(np.float32)
    tau = float(random.uniform(-1, 1))
    series.append(
        dict(
            taus=taus.tolist(), features=features.reshape(calls, -1).tolist(), tau=tau,
            forecast=forecast(taus, features, tau).reshape(-1).tolist(),
        )
    )  # fmt: skip
json.dump(dict(shape=[2, 3, 4], series=series), open(out + "/forecast/series.json", "w"))
