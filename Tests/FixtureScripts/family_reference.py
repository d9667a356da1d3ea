"""The results of Stable Diffusion 2.x, XL, its refiner and distilled models for a prompt, as in the webui.

Networks are those of diffusers and transformers; noise, schedules and samplers are those of webui_reference.py.
"""

import torch

import webui_reference as reference
from webui_prompts import parts, schedule

W = reference.W
SECOND_ORDER = ("DPM++ SDE", "DPM++ 2S a", "Heun", "DPM2", "DPM2 a", "Restart")
# The table for SDXL of Align Your Steps; the webui has another for SD 1.x.
ALIGNED = [14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029]


class Encoder:
    """A text encoder, and the outputs that the webui uses.

    layer: hidden_states' index; pads_zero: whether 0 stands behind the end token; is_normed, is_pooled.
    """

    def __init__(self, model, layer, pads_zero, is_normed, is_pooled):
        self.model, self.layer, self.pads_zero = model, layer, pads_zero
        self.is_normed, self.is_pooled = is_normed, is_pooled

    def __call__(self, tokenizer, texts):
        """Tokens [texts, 77 * chunks, width] and the first chunk as a whole, [texts, width] or nothing."""
        text = getattr(self.model, "text_model", self.model)
        rows = [reference.chunks(tokenizer, t) for t in texts]
        empty = reference.chunks(tokenizer, "")[0]
        end = tokenizer.get_vocab()["<|endoftext|>"]
        tokens, pooled = [], None
        for index in range(max(map(len, rows))):
            column = [row[index] if index < len(row) else empty for row in rows]
            ids = torch.tensor([ids for ids, _ in column])
            if self.pads_zero:
                for row in ids:
                    row[row.tolist().index(end) + 1 :] = 0
            output = self.model(ids, output_hidden_states=True)
            z = output.hidden_states[self.layer]
            if self.is_normed:
                z = text.final_layer_norm(z)
            if self.is_pooled and pooled is None:
                last = text.final_layer_norm(output.hidden_states[-1])
                pooled = self.model.text_projection(last[torch.arange(len(ids)), ids.argmax(-1)])
            mean = z.mean()
            z = z * torch.tensor([weights for _, weights in column])[:, :, None]
            tokens.append(z * (mean / z.mean()))
        return torch.cat(tokens, 1), pooled


class Context:
    """The inputs of a UNet: tokens [n, width] and what diffusers calls added conditions."""

    def __init__(self, tokens, pooled=None, numbers=None):
        self.tokens, self.pooled, self.numbers = tokens, pooled, numbers

    def lengthened(self, length):
        missing = length - len(self.tokens)
        return Context(torch.cat([self.tokens] + [self.tokens[-1:]] * missing), self.pooled, self.numbers)


class Model:
    """A model: networks, tokenizer, and how they are used. family: sd1, sd2, sdxl or sdxl-refiner."""

    def __init__(self, family, tokenizer, encoders, unet, vae, prediction="epsilon", alphas=None, scale=0.18215):
        self.family, self.tokenizer, self.encoders, self.unet, self.vae = family, tokenizer, encoders, unet, vae
        self.prediction, self.scale = prediction, scale
        self.alphas = reference.W.ALPHAS if alphas is None else alphas
        self.sigmas = ((1 - self.alphas) / self.alphas) ** 0.5
        self.log_sigmas = self.sigmas.log()
        self.cfg = None

    timestep = reference.DiscreteModel.timestep
    sigma = reference.DiscreteModel.sigma

    def raw(self, x, t, context):
        more = {}
        if context.numbers is not None:
            more["added_cond_kwargs"] = {"text_embeds": context.pooled[None], "time_ids": context.numbers[None]}
        if self.unet.config.time_cond_proj_dim:
            more["timestep_cond"] = guidance_embedding(self.cfg - 1, self.unet.config.time_cond_proj_dim)
        return self.unet(x, t, context.tokens[None], return_dict=False, **more)[0]

    def denoise(self, x, sigma, context, timestep=None):
        t = self.timestep(sigma[None]) if timestep is None else timestep[None].float()
        out = self.raw(x / (sigma**2 + 1).sqrt(), t, context)
        if self.prediction == "epsilon":
            return x - sigma * out
        return x / (sigma**2 + 1) - out * sigma / (sigma**2 + 1).sqrt()

    def noise(self, x, timestep, context):
        t, alpha = torch.tensor([float(timestep)]), self.alphas[int(timestep)]
        out = self.raw(x.float(), t, context)
        if self.prediction == "epsilon":
            return out
        return alpha.sqrt() * out + (1 - alpha).sqrt() * x.float()

    def encode(self, prompt, case, is_negative):
        """The schedule of a prompt, [(end, context), ...]."""
        calls = case["steps"] * (2 if case["sampler_name"] in SECOND_ORDER else 1)
        entries = schedule(prompt, calls, False, case.get("calls_before"))
        texts = [text for _, text in entries]
        encoded = [encoder(self.tokenizer, texts) for encoder in self.encoders]
        tokens = torch.cat([z for z, _ in encoded], -1)
        pooled = next((p for _, p in encoded if p is not None), None)
        if self.family in ("sdxl", "sdxl-refiner") and is_negative and all(text == "" for text in texts):
            tokens, pooled = torch.zeros_like(tokens), torch.zeros_like(pooled)
        size = [case["height"], case["width"]]
        numbers = {
            "sdxl": torch.tensor([*size, 0.0, 0.0, *size]),
            "sdxl-refiner": torch.tensor([*size, 0.0, 0.0, 2.5 if is_negative else 6.0]),
        }.get(self.family)
        return [
            (end, Context(tokens[i], None if pooled is None else pooled[i], numbers)) for i, (end, _) in enumerate(entries)
        ]


def guidance_embedding(w, width):
    """As the diffusers library's latent consistency pipeline embeds the guidance scale less 1."""
    half = width // 2
    step = torch.log(torch.tensor(10000.0)) / (half - 1)
    angles = torch.tensor([w * 1000.0])[:, None] * torch.exp(torch.arange(half, dtype=torch.float32) * -step)[None]
    return torch.cat([torch.sin(angles), torch.cos(angles)], 1)


class Guided:
    """Guidance by AND parts and a negative prompt, by one model until another takes over."""

    def __init__(self, model, case, refiner=None):
        self.case, self.refiner, self.calls, self.is_lcm, self.switched = case, refiner, 0, False, None
        self.switch(model)
        self.first = model

    def switch(self, model):
        self.inner_model = model
        model.cfg = self.case["cfg_scale"]
        self.prompts = [(weight, model.encode(text, self.case, False)) for text, weight in parts(self.case["prompt"])]
        self.negative = model.encode(self.case["negative_prompt"], self.case, True)
        self.scale = self.case["cfg_scale"] / (12.5 if self.case["sampler_name"] == "DDIM CFG++" else 1)

    def at(self, entries):
        return next((context for end, context in entries if self.calls <= end), entries[0][1])

    def combined(self, index, output):
        """The guided output, and that without the prompt. index: of the timestep that the noise is nearest to."""
        at = self.case.get("refiner_switch_at")
        done = torch.tensor(999 - index) / 1000
        if self.refiner is not None and self.switched is None and (at is None or not done < at):
            self.switch(self.refiner)
            self.switched = self.calls
        contexts = [self.at(entries) for _, entries in self.prompts]
        length = max(len(c.tokens) for c in contexts)
        outputs = [output(c.lengthened(length)) for c in contexts]
        if self.inner_model.unet.config.time_cond_proj_dim:
            self.calls += 1
            return outputs[0], outputs[0]
        negative = output(self.at(self.negative))
        result = negative.clone()
        for (weight, _), with_prompt in zip(self.prompts, outputs):
            result += (with_prompt - negative) * (weight * self.scale)
        self.calls += 1
        return result, negative

    def __call__(self, x, sigma, **_):
        sigma = sigma.flatten()[0]
        timestep = W.lcm_timestep(sigma) if self.is_lcm else None
        nearest = (self.inner_model.sigmas - sigma).abs().argmin().item()
        result = self.combined(nearest, lambda c: self.inner_model.denoise(x, sigma, c, timestep))[0]
        return W.lcm_denoised(x, timestep, result) if self.is_lcm else result

    def noise(self, x, timestep):
        return self.combined(int(timestep), lambda c: self.inner_model.noise(x, timestep, c))


def train(model):
    """Makes the samplers use the noise levels of a model."""
    W.ALPHAS = model.alphas
    W.LCM_SIGMAS = ((1 - model.alphas[19::20]) / model.alphas[19::20]) ** 0.5


def decode(model, latent):
    model.vae.config.scaling_factor = model.scale
    return reference.decode(model.vae, latent)


@torch.no_grad()
def sample(model, case, refiner=None):
    """The latent of a case, the calls, and the final guidance."""
    train(model)
    guided = Guided(model, case, refiner)
    settings = {k: case[k] for k in ("seed", "steps", "cfg_scale", "sampler_name", "width", "height", "rng")}
    latent, calls = reference.sample(model, None, None, guided=guided, scheduler=case.get("scheduler"), **settings)
    return latent, calls, guided


def picture(model, case, refiner=None):
    """The 8-bit image of a case, the calls, and the call at which the refiner took over."""
    latent, calls, guided = sample(model, case, refiner)
    # The model that ran last decodes, as in the webui.
    return decode(guided.inner_model, latent), calls, guided.switched
