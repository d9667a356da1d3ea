"""The webui's arithmetic over diffusers modules and k-diffusion samplers, in float32 on the CPU.

Noise streams, schedules, guidance, samplers and the 8-bit conversion, each as the webui does them; the networks are
those of diffusers and transformers. What sdbatch makes is compared with what this makes.
"""

import importlib.util
import re
import site
import sys
import types

import diffusers.models.upsampling
import numpy as np
import scipy.stats
import torch
import torchsde._brownian.brownian_interval as brownian_interval


def load_samplers():
    """k-diffusion's sampling module alone: the package's __init__ imports modules for training."""
    base = site.getsitepackages()[0] + "/k_diffusion"
    package = types.ModuleType("k_diffusion")
    package.__path__ = [base]
    sys.modules["k_diffusion"] = package
    utils = types.ModuleType("k_diffusion.utils")
    utils.append_dims = lambda x, n: x[(...,) + (None,) * (n - x.ndim)]
    utils.append_zero = lambda x: torch.cat([x, x.new_zeros([1])])
    sys.modules["k_diffusion.utils"] = package.utils = utils
    spec = importlib.util.spec_from_file_location("k_diffusion.sampling", base + "/sampling.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["k_diffusion.sampling"] = module
    spec.loader.exec_module(module)
    return module


K = load_samplers()
import webui_samplers as W  # noqa: E402

# ---------- network ----------


def upsample(layer, hidden_states, output_size=None, *_, **__):
    """The webui doubles, convolves, and resizes to the skip where the two are joined; diffusers resizes first."""
    x = layer.conv(torch.nn.functional.interpolate(hidden_states, scale_factor=2.0, mode="nearest"))
    if output_size is None or tuple(x.shape[-2:]) == tuple(output_size):
        return x
    return torch.nn.functional.interpolate(x, tuple(output_size), mode="nearest")


diffusers.models.upsampling.Upsample2D.forward = upsample

# ---------- noise ----------


def philox(key, counter):
    """Philox4x32-10 over arrays of counters."""
    multipliers = [np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)]
    weyl = [np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)]
    c, k = [x.copy() for x in counter], [x.copy() for x in key]
    for number in range(10):
        p0, p1 = c[0].astype(np.uint64) * multipliers[0], c[2].astype(np.uint64) * multipliers[1]
        high0, low0 = (p0 >> np.uint64(32)).astype(np.uint32), p0.astype(np.uint32)
        high1, low1 = (p1 >> np.uint64(32)).astype(np.uint32), p1.astype(np.uint32)
        c = [high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0]
        if number < 9:
            with np.errstate(over="ignore"):
                k = [k[0] + weyl[0], k[1] + weyl[1]]
    return c


class NVNoise:
    def __init__(self, seed):
        self.seed, self.offset = seed, 0

    def randn(self, shape):
        n = int(np.prod(shape))
        zero = np.zeros(n, np.uint32)
        counter = [np.full(n, self.offset, np.uint32), zero, np.arange(n, dtype=np.uint32), zero]
        key = [np.full(n, self.seed & 0xFFFFFFFF, np.uint32), np.full(n, (self.seed >> 32) & 0xFFFFFFFF, np.uint32)]
        self.offset += 1
        g = philox(key, counter)
        # The constants are float32 values, the arithmetic is float64 up to the final cast.
        a, b = float(np.float32(2.3283064e-10)), float(np.float32(2.3283064e-10 * 6.2831855))
        u, v = g[0] * a + a / 2, g[1] * b + b / 2
        return torch.from_numpy((np.sqrt(-2.0 * np.log(u)) * np.sin(v)).astype(np.float32).reshape(shape))


class CPUNoise:
    def __init__(self, seed):
        self.generator = torch.Generator("cpu").manual_seed(seed)

    def randn(self, shape):
        return torch.randn(shape, generator=self.generator)


NOISE = {"cpu": CPUNoise, "nv": NVNoise}

# ---------- prompts ----------

TOKENS = re.compile(r"\\\(|\\\)|\\\[|\\]|\\\\|\\|\(|\[|:\s*([+-]?[.\d]+)\s*\)|\)|]|[^\\()\[\]:]+|:")


def attention(text):
    """Runs of text with their weights; a run "BREAK" of weight -1 ends a chunk."""
    runs, round_brackets, square_brackets = [], [], []

    def multiply(start, factor):
        for run in runs[start:]:
            run[1] *= factor

    for match in TOKENS.finditer(text):
        token, weight = match.group(0), match.group(1)
        if token.startswith("\\") and len(token) > 1:
            runs.append([token[1:], 1.0])
        elif token == "(":
            round_brackets.append(len(runs))
        elif token == "[":
            square_brackets.append(len(runs))
        elif weight is not None and round_brackets:
            multiply(round_brackets.pop(), float(weight))
        elif token == ")" and round_brackets:
            multiply(round_brackets.pop(), 1.1)
        elif token == "]" and square_brackets:
            multiply(square_brackets.pop(), 1 / 1.1)
        else:
            for index, part in enumerate(re.split(r"\s*\bBREAK\b\s*", token)):
                if index:
                    runs.append(["BREAK", -1])
                runs.append([part, 1.0])
    for start in round_brackets:
        multiply(start, 1.1)
    for start in square_brackets:
        multiply(start, 1 / 1.1)
    runs = runs or [["", 1.0]]
    index = 0
    while index + 1 < len(runs):
        if runs[index][1] == runs[index + 1][1]:
            runs[index][0] += runs.pop(index + 1)[0]
        else:
            index += 1
    return runs


def chunks(tokenizer, text, backtrack=20, runs=None):
    """Lists of 77 ids and weights; `runs` replaces the runs that emphasis gives."""
    vocabulary = tokenizer.get_vocab()
    comma = vocabulary.get(",</w>")
    begin, end = vocabulary["<|startoftext|>"], vocabulary["<|endoftext|>"]
    finished, ids, weights, last_comma = [], [], [], -1

    def flush():
        nonlocal ids, weights, last_comma
        padding = 75 - len(ids)
        finished.append(([begin] + ids + [end] * (padding + 1), [1.0] + weights + [1.0] * (padding + 1)))
        ids, weights, last_comma = [], [], -1

    for run, weight in attention(text) if runs is None else runs:
        if run == "BREAK" and weight == -1:
            flush()
            continue
        for token in tokenizer(run, add_special_tokens=False, truncation=False).input_ids:
            if token == comma:
                last_comma = len(ids)
            elif backtrack and len(ids) == 75 and last_comma != -1 and len(ids) - last_comma <= backtrack:
                cut = last_comma + 1
                rest_ids, rest_weights = ids[cut:], weights[cut:]
                ids, weights = ids[:cut], weights[:cut]
                flush()
                ids, weights = rest_ids, rest_weights
            if len(ids) == 75:
                flush()
            ids.append(token)
            weights.append(weight)
    if ids or not finished:
        flush()
    return finished


@torch.no_grad()
def encode(tokenizer, text_encoder, text, clip_skip=1):
    """The context of a prompt, [1, 77 * chunks, width], with the webui's emphasis."""
    norm = getattr(text_encoder, "final_layer_norm", None) or text_encoder.text_model.final_layer_norm
    parts = []
    for ids, weights in chunks(tokenizer, text):
        output = text_encoder(torch.tensor([ids]), output_hidden_states=True)
        z = norm(output.hidden_states[-clip_skip]) if clip_skip > 1 else output.last_hidden_state
        mean = z.mean()
        z = z * torch.tensor(weights)[None, :, None]
        parts.append(z * (mean / z.mean()))
    return torch.cat(parts, 1)


@torch.no_grad()
def encode_schedule(tokenizer, text_encoder, texts, clip_skip=1, emphasis="Original"):
    """The contexts of all texts of one schedule, [texts, 77 * chunks, width]: one call of the encoder per chunk."""
    norm = getattr(text_encoder, "final_layer_norm", None) or text_encoder.text_model.final_layer_norm
    rows = [chunks(tokenizer, text, runs=[[text, 1.0]] if emphasis == "None" else None) for text in texts]
    empty = chunks(tokenizer, "")[0]
    parts = []
    for index in range(max(map(len, rows))):
        column = [row[index] if index < len(row) else empty for row in rows]
        output = text_encoder(torch.tensor([ids for ids, _ in column]), output_hidden_states=True)
        z = norm(output.hidden_states[-clip_skip]) if clip_skip > 1 else output.last_hidden_state
        if emphasis in ("Original", "No norm"):
            mean = z.mean()
            z = z * torch.tensor([weights for _, weights in column])[:, :, None]
            if emphasis == "Original":
                z = z * (mean / z.mean())
        parts.append(z)
    return torch.cat(parts, 1)


# ---------- model ----------


class DiscreteModel:
    """The network seen as a denoiser at any sigma."""

    def __init__(self, unet, prediction="epsilon"):
        betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
        alphas = torch.cumprod(1 - betas, 0).float()
        self.sigmas = ((1 - alphas) / alphas) ** 0.5
        self.log_sigmas = self.sigmas.log()
        self.unet, self.prediction = unet, prediction

    def timestep(self, sigma):
        log = sigma.log()
        low = (log - self.log_sigmas[:, None]).ge(0).cumsum(0).argmax(0).clamp(max=998)
        w = ((self.log_sigmas[low] - log) / (self.log_sigmas[low] - self.log_sigmas[low + 1])).clamp(0, 1)
        return ((1 - w) * low + w * (low + 1)).view(sigma.shape)

    def sigma(self, timestep):
        low, high, w = timestep.floor().long(), timestep.ceil().long(), timestep.frac()
        return ((1 - w) * self.log_sigmas[low] + w * self.log_sigmas[high]).exp()

    def denoise(self, x, sigma, context, timestep=None):
        t = self.timestep(sigma[None]) if timestep is None else timestep[None].float()
        out = self.unet(x / (sigma**2 + 1).sqrt(), t, context, return_dict=False)[0]
        if self.prediction == "epsilon":
            return x - sigma * out
        return x / (sigma**2 + 1) - out * sigma / (sigma**2 + 1).sqrt()


class GuidedModel:
    """Classifier-free guidance; prompt and negative prompt may differ in length."""

    def __init__(self, model, context, negative_context, cfg_scale):
        self.inner_model, self.context, self.negative_context = model, context, negative_context
        self.cfg_scale, self.calls, self.is_lcm = cfg_scale, 0, False

    def combined(self, output):
        negative = output(self.negative_context)
        return negative + (output(self.context) - negative) * self.cfg_scale

    def noise(self, x, timestep):
        """The guided noise and that of the negative prompt."""
        self.calls += 1
        t = torch.tensor([float(timestep)])
        outputs = {}
        guided = self.combined(
            lambda c: outputs.setdefault(id(c), self.inner_model.unet(x.float(), t, c, return_dict=False)[0])
        )
        return guided, outputs[id(self.negative_context)]

    def __call__(self, x, sigma, **_):
        self.calls += 1
        sigma = sigma.flatten()[0]
        if self.is_lcm:
            timestep = W.lcm_timestep(sigma)
            combined = self.combined(lambda c: self.inner_model.denoise(x, sigma, c, timestep))
            return W.lcm_denoised(x, timestep, combined)
        denoised = self.inner_model.denoise(x, sigma, self.context)
        if self.cfg_scale == 1.0:
            return denoised
        negative = self.inner_model.denoise(x, sigma, self.negative_context)
        return negative + (denoised - negative) * self.cfg_scale


class ScheduledModel:
    """Guidance by several weighted prompts that change from call to call.

    prompts: one (weight, [(end, context), ...]) for each part, contexts [tokens, width]; negative: the same list alone.
    """

    def __init__(self, model, prompts, negative, cfg_scale):
        self.inner_model, self.prompts, self.negative, self.cfg_scale, self.calls = model, prompts, negative, cfg_scale, 0

    def at(self, schedule):
        return next((context for end, context in schedule if self.calls <= end), schedule[0][1])

    def __call__(self, x, sigma, **_):
        sigma = sigma.flatten()[0]
        contexts = [self.at(schedule) for _, schedule in self.prompts]
        length = max(map(len, contexts))
        contexts = [torch.cat([c] + [c[-1:]] * (length - len(c))) for c in contexts]
        negative = self.inner_model.denoise(x, sigma, self.at(self.negative)[None])
        result = negative.clone()
        for (weight, _), context in zip(self.prompts, contexts):
            result += (self.inner_model.denoise(x, sigma, context[None]) - negative) * (weight * self.cfg_scale)
        self.calls += 1
        return result


# name: (function, default schedule, drops the next-to-last sigma, noise)
SAMPLERS = {
    "Euler": ("sample_euler", "uniform", False, "churn"),
    "Euler a": ("sample_euler_ancestral", "uniform", False, "ancestral"),
    "Heun": ("sample_heun", "uniform", False, "churn"),
    "DPM2": ("sample_dpm_2", "karras", True, "churn"),
    "DPM2 a": ("sample_dpm_2_ancestral", "karras", True, "ancestral"),
    "LMS": ("sample_lms", "uniform", False, None),
    "DPM++ 2S a": ("sample_dpmpp_2s_ancestral", "karras", False, "ancestral"),
    "DPM++ 2M": ("sample_dpmpp_2m", "karras", False, None),
    "DPM++ SDE": ("sample_dpmpp_sde", "karras", False, "brownian"),
    "DPM++ 2M SDE": ("sample_dpmpp_2m_sde", "exponential", False, "brownian"),
    "DPM++ 3M SDE": ("sample_dpmpp_3m_sde", "exponential", True, "brownian"),
    "DPM++ 2M SDE Heun": ("sample_dpmpp_2m_sde", "exponential", False, "brownian"),
    "DPM fast": ("sample_dpm_fast", "uniform", False, "ancestral"),
    "DPM adaptive": ("sample_dpm_adaptive", "uniform", False, "ancestral"),
    "Restart": (W.restart, "karras", False, "own"),
    "LCM": (W.lcm, "uniform", False, "own"),
    "DDIM": (W.ddim, None, False, "timesteps"),
    "DDIM CFG++": (W.TIMESTEP_SAMPLERS["DDIM CFG++"], None, False, "timesteps"),
    "PLMS": (W.plms, None, False, "timesteps"),
    "UniPC": (W.unipc, None, False, "timesteps"),
}


def schedule(model, name, steps, drops_penultimate):
    n = steps + 1 if drops_penultimate else steps
    low, high = model.sigmas[0].item(), model.sigmas[-1].item()
    if name == "uniform":
        sigmas = torch.cat([model.sigma(torch.linspace(999, 0, n)), torch.zeros(1)])
    elif name == "sgm_uniform":
        sigmas = torch.cat([model.sigma(torch.linspace(999, 0, n + 1)[:-1]), torch.zeros(1)])
    elif name == "kl_optimal":
        part = torch.arange(n + 1) / n
        sigmas = torch.tan(part * torch.tensor(low).arctan() + (1 - part) * torch.tensor(high).arctan())
    elif name == "beta":
        points = scipy.stats.beta.ppf(1 - np.linspace(0, 1, n), 0.6, 0.6)
        sigmas = torch.FloatTensor([*(low + points * (high - low)), 0.0])
    else:
        sigmas = getattr(K, "get_sigmas_" + name)(n, low, high)
    return torch.cat([sigmas[:-2], sigmas[-1:]]) if drops_penultimate else sigmas


@torch.no_grad()
def sample(
    model,
    context,
    negative_context,
    *,
    seed,
    steps,
    cfg_scale,
    sampler_name,
    width,
    height,
    rng,
    scheduler=None,
    guided=None,
    **options
):
    """The latent and the number of guided model calls."""
    function, default_schedule, drops_penultimate, noise = SAMPLERS[sampler_name]
    shape = (1, 4, height // 8, width // 8)
    source = NOISE[rng](seed)

    def draw(*_):
        return source.randn(shape[1:])[None]

    if sampler_name == "DDIM CFG++":
        cfg_scale /= 12.5
    guided = guided or GuidedModel(model, context, negative_context, cfg_scale)
    if noise == "timesteps":
        return function(guided.noise, draw(), steps, draw, **options).float(), guided.calls
    if sampler_name == "LCM":
        guided.is_lcm = True
        sigmas = torch.cat([W.lcm_sigma(torch.linspace(999, 19, steps)), torch.zeros(1)])
    else:
        sigmas = schedule(model, scheduler or default_schedule, steps, drops_penultimate)
    x = draw() * sigmas[0]
    if noise == "own":
        return function(guided, x, sigmas, draw, **options), guided.calls
    if noise == "ancestral":
        options["noise_sampler"] = draw
    if noise == "brownian":
        brownian_interval._randn = lambda size, dtype, device, seed: NOISE[rng](int(seed)).randn(tuple(size)).to(dtype)
        options["noise_sampler"] = K.BrownianTreeNoiseSampler(x, sigmas[sigmas > 0].min(), sigmas.max(), seed=[seed])

    class Torch:
        """torch, except for the noise of samplers that take no noise_sampler."""

        def __getattr__(self, name):
            return draw if name == "randn_like" else getattr(torch, name)

    K.torch = Torch()
    levels = [sigmas]
    if sampler_name in ("DPM fast", "DPM adaptive"):
        levels = [model.sigmas[0].item(), model.sigmas[-1].item()] + [steps] * (sampler_name == "DPM fast")
        options.setdefault("eta", 1.0)  # k-diffusion's own default is 0 here, the webui's 1
    if "Heun" in sampler_name and noise == "brownian":
        options["solver_type"] = "heun"
    latent = getattr(K, function)(guided, x, *levels, disable=True, **options)
    K.torch = torch
    return latent, guided.calls


@torch.no_grad()
def decode(vae, latent):
    """8-bit RGB, truncated as in the webui."""
    image = vae.decode(latent / vae.config.scaling_factor, return_dict=False)[0]
    pixels = ((image + 1) / 2).clamp(0, 1)[0]
    return (255.0 * np.moveaxis(pixels.numpy(), 0, 2)).astype(np.uint8)
