"""Guidance in which some calls have no negative prompt, as in the webui, and outside an interval of the calls."""

import torch

import webui_reference as reference

W = reference.W
SECOND_ORDER = ("DPM++ SDE", "DPM++ 2S a", "Heun", "DPM2", "DPM2 a", "Restart")


class SkippingModel:
    """Guidance that leaves the negative prompt out of some calls: the first part replaces it, and the scale is 1."""

    def __init__(self, model, prompts, negative, case, alphas):
        self.inner_model, self.prompts, self.negative, self.alphas = model, prompts, negative, alphas
        self.scale = case["cfg_scale"] / (12.5 if case["sampler_name"] == "DDIM CFG++" else 1)
        self.total = case["steps"] * (2 if case["sampler_name"] in SECOND_ORDER else 1)
        self.below, self.all = case.get("s_min_uncond", 0), case.get("s_min_uncond_all", False)
        self.early = case.get("skip_early_cond", 0)
        self.interval = case.get("guidance_interval", [0, 1])
        self.calls, self.skipped, self.is_lcm = 0, 0, False

    def at(self, schedule):
        return next((context for end, context in schedule if self.calls <= end), schedule[0][1])

    def prompt_contexts(self):
        """The parts of the prompt at this call, padded to the same length."""
        contexts = [self.at(entries) for _, entries in self.prompts]
        length = max(map(len, contexts))
        return [torch.cat([c] + [c[-1:]] * (length - len(c)))[None] for c in contexts]

    def skips(self, level):
        """Whether this call leaves the negative prompt out."""
        part = self.calls / self.total
        if self.early != 0 and part <= self.early:
            return True
        if part < self.interval[0] or (part >= self.interval[1] and self.interval[1] < 1):
            return True
        return (self.calls % 2 == 1 or self.all) and self.below > 0 and level < self.below

    def combined(self, level, output):
        """The guided output, and that without the prompt."""
        outputs = [output(context) for context in self.prompt_contexts()]
        skips = self.skips(level)
        negative, scale = (outputs[0], 1) if skips else (output(self.at(self.negative)[None]), self.scale)
        result = negative.clone()
        for (weight, _), with_prompt in zip(self.prompts, outputs):
            result += (with_prompt - negative) * (weight * scale)
        self.calls += 1
        self.skipped += skips
        return result, negative

    def __call__(self, x, sigma, **_):
        sigma = sigma.flatten()[0]
        timestep = W.lcm_timestep(sigma) if self.is_lcm else None
        result = self.combined(sigma, lambda c: self.inner_model.denoise(x, sigma, c, timestep))[0]
        return W.lcm_denoised(x, timestep, result) if self.is_lcm else result

    def noise(self, x, timestep):
        t, alpha = torch.tensor([float(timestep)]), self.alphas[int(timestep)]

        def output(context):
            out = self.inner_model.unet(x.float(), t, context, return_dict=False)[0]
            return out if self.inner_model.prediction == "epsilon" else alpha.sqrt() * out + (1 - alpha).sqrt() * x.float()

        return self.combined(timestep, output)
