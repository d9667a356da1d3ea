"""Makes the fixture of flow matching's sampling from PyTorch, SciPy and k-diffusion, without using this package's arithmetic.

    python make_flow_sampling.py

needs what make_sampling.py needs. Families are those of FamilyTraits.swift by their names; every case is a toy model through one
sampler and one schedule, from noise or from a latent with a denoising strength. Also the sigmas of FLUX.2's own schedule by
size and steps.
"""
import math
import numpy as np
import torch
from scipy import stats

import make_sampling as M
from fixture_paths import fixtures

K = M.K


def table_by_shift(a, n):
    u = torch.arange(1, n + 1) / n
    return a * u / (1 + (a - 1) * u)


def table_by_mu(mu, n):
    u = torch.arange(1, n + 1) / n
    return math.exp(mu) / (math.exp(mu) + (1 / u - 1))


# name: table, whether time is sigma itself, the schedule of samplers without one, whether beta picks levels of the table
FAMILIES = {
    "sd3": (table_by_shift(3.0, 1000), False, "uniform", False),
    "z-image": (table_by_shift(3.0, 1000), False, "simple", False),
    "flux1-dev": (table_by_mu(1.15, 10000), True, "simple", False),
    "flux1-schnell": (table_by_mu(1.0, 10000), True, "simple", False),
    "flux2-klein": (table_by_mu(2.02, 10000), True, "flux2", True),
}


def flux2_mu(tokens, steps):
    """compute_empirical_mu of black-forest-labs/flux2."""
    a1, b1, a2, b2 = 8.73809524e-05, 1.89833333, 0.00016927, 0.45666666
    if tokens > 4300:
        return a2 * tokens + b2
    m200, m10 = a2 * tokens + b2, a1 * tokens + b1
    a = (m200 - m10) / 190.0
    return a * steps + (m200 - 200.0 * a)


def flux2(mu, steps):
    t = np.linspace(1.0, 1 / steps, steps)
    return torch.tensor(np.append(math.exp(mu) / (math.exp(mu) + (1 / t - 1)), 0.0), dtype=torch.float64).float()


class Schedule:
    """k-diffusion's discrete schedule over a table, or Forge's Flux where time is sigma."""

    def __init__(self, table, by_sigma, beta_of_table):
        self.table, self.logs, self.by_sigma, self.beta_of_table = table, table.log(), by_sigma, beta_of_table

    def time(self, sigma):
        if self.by_sigma:
            return sigma
        log = torch.tensor(sigma).log()
        low = int((log - self.logs).ge(0).cumsum(0).argmax().clamp(max=len(self.table) - 2))
        w = ((self.logs[low] - log) / (self.logs[low] - self.logs[low + 1])).clamp(0, 1)
        return float((1 - w) * low + w * (low + 1))

    def sigma(self, t):
        if self.by_sigma:
            return t
        low, high, w = t.floor().long(), t.ceil().long(), t.frac()
        return ((1 - w) * self.logs[low] + w * self.logs[high]).exp()

    def make(self, name, n, tokens):
        low, high, count, zero = self.table[0].item(), self.table[-1].item(), len(self.table), torch.zeros(1)
        if name == "uniform":
            return torch.cat([self.sigma(torch.linspace(count - 1, 0, n)), zero])
        if name == "normal":
            return torch.cat([self.sigma(torch.linspace(self.time(high), self.time(low), n)), zero])
        if name == "sgm_uniform":
            return torch.cat([self.sigma(torch.linspace(self.time(high), self.time(low), n + 1)[:-1]), zero])
        if name == "simple":
            return torch.cat([self.table[[-(1 + int(i * count / n)) for i in range(n)]], zero])
        if name == "ddim":
            return torch.cat([self.table[1::max(count // n, 1)].flip(0), zero])
        if name in ("karras", "exponential", "polyexponential"):
            return getattr(K, "get_sigmas_" + name)(n, low, high)
        if name == "kl_optimal":
            a, b = torch.arctan(torch.tensor(low)), torch.arctan(torch.tensor(high))
            steps = torch.arange(n + 1) / n
            return torch.tan(steps * a + (1 - steps) * b)
        if name == "beta" and self.beta_of_table:
            places = np.rint(stats.beta.ppf(1 - np.linspace(0, 1, n, endpoint=False), 0.6, 0.6) * (count - 1)).astype(int)
            places = [p for i, p in enumerate(places) if i == 0 or p != places[i - 1]]
            return torch.cat([self.table[places], zero])
        if name == "beta":
            return torch.tensor([low + stats.beta.ppf(1 - i / max(n - 1, 1), 0.6, 0.6) * (high - low) for i in range(n)] + [0.0])
        if name == "flux2":
            return flux2(flux2_mu(tokens, n), n)
        raise ValueError(name)


# Samplers: k-diffusion's, and the forms in which noise is added while the image's part shrinks.

def split(a, b, eta):
    down = b * (1 + (b / a - 1) * eta)
    k = (1 - b) / (1 - down)
    return down, k, (b ** 2 - down ** 2 * k ** 2) ** 0.5


def euler_ancestral(model, x, sigmas, draw, eta=1.0, **_):
    for a, b in zip(sigmas[:-1], sigmas[1:]):
        d = model(x, a[None])
        if b == 0:
            x = d
            continue
        down, k, up = split(a, b, eta)
        x = down / a * x + (1 - down / a) * d
        if eta > 0:
            x = k * x + draw() * up
    return x


def dpm_2_ancestral(model, x, sigmas, draw, eta=1.0, s_noise=1.0):
    for a, b in zip(sigmas[:-1], sigmas[1:]):
        d = (x - model(x, a[None])) / a
        down, k, up = split(a, b, eta)
        if down == 0:
            x = x + d * (down - a)
            continue
        mid = a.log().lerp(down.log(), 0.5).exp()
        middle = x + d * (mid - a)
        x = x + (middle - model(middle, mid[None])) / mid * (down - a)
        x = k * x + draw() * s_noise * up
    return x


def lcm(model, x, sigmas, draw, **_):
    for a, b in zip(sigmas[:-1], sigmas[1:]):
        x = model(x, a[None])
        if b > 0:
            x = (1 - b) * x + b * draw()
    return x


SAMPLERS = {
    "Euler": "sample_euler", "Heun": "sample_heun", "DPM2": "sample_dpm_2", "LMS": "sample_lms", "DPM++ 2M": "sample_dpmpp_2m",
    "Euler a": euler_ancestral, "DPM2 a": dpm_2_ancestral, "LCM": lcm,
}
OWN = {"DPM2": "karras", "DPM2 a": "karras", "DPM++ 2M": "karras"}


def toy(x, sigma):
    """The denoised latent of a velocity that is nonlinear in x and depends on sigma."""
    x, sigma = x.numpy(), np.float32(sigma)
    velocity = np.float32(1.5) * x / (np.float32(1) + np.abs(x)) + sigma * np.float32(0.25)
    return torch.from_numpy(x - sigma * velocity)


def sample(family, sampler, name, steps, seed, rng, shape, options, strength=None, extra=0.0):
    table, by_sigma, automatic, beta_of_table = FAMILIES[family]
    if name == "automatic":
        name = automatic if automatic == "flux2" else OWN.get(sampler, automatic)
    everything = int(steps / min(strength, 0.999)) if strength else steps
    discards = sampler.startswith("DPM2")
    sigmas = Schedule(table, by_sigma, beta_of_table).make(name, everything + discards, shape[1] * shape[2])
    if discards:
        sigmas = torch.cat([sigmas[:-2], sigmas[-1:]])
    source, calls = M.SOURCES[rng](seed), []
    draw = lambda: source.randn(shape)[None]
    if strength:
        sigmas = sigmas[everything - steps:]
        latent = torch.from_numpy(np.sin(np.arange(np.prod(shape), dtype=np.float32)).astype(np.float32).reshape((1,) + shape))
        noise = draw()
        x = sigmas[0] * noise + (1 - sigmas[0]) * latent + extra * noise
    else:
        x = draw() * sigmas[0]

    def model(x, sigma, **_):
        calls.append(np.float32(sigma.flatten()[0].item()))
        return toy(x, calls[-1])

    function = SAMPLERS[sampler]
    if callable(function):
        return sigmas, calls, function(model, x, sigmas, draw, **options)
    return sigmas, calls, getattr(K, function)(model, x, sigmas, disable=True)


def cases():
    common = ["simple", "normal", "sgm_uniform", "beta", "karras", "exponential", "polyexponential", "kl_optimal", "ddim"]
    shape, odd = (4, 4, 6), (4, 3, 5)
    for number, family in enumerate(FAMILIES):
        schedules = ["automatic"] + common + (["flux2"] if family == "flux2-klein" else [])
        if not FAMILIES[family][1]:
            schedules.append("uniform")
        for index, sampler in enumerate(SAMPLERS):
            for place, name in enumerate(schedules):
                steps = [4, 8, 5, 20][(index + place) % 4]
                if name == "kl_optimal" and sampler in ("DPM2", "DPM2 a"):
                    continue  # It ends above 0, and the webui drops its last level but one all the same.
                yield family, sampler, name, steps, 1000 * number + 10 * index + place, ["cpu", "nv"][place % 2], [shape, odd][place % 2], {}, None, 0.0
            yield family, sampler, "simple", 1 if sampler != "LMS" else 2, 7, "cpu", odd, {}, None, 0.0
            yield family, sampler, "automatic", 6, 11 + index, "nv", shape, {}, 0.55, 0.0
            yield family, sampler, "beta", 5, 12 + index, "cpu", odd, {}, 0.3, 0.05
        yield family, "Euler a", "simple", 7, 21, "cpu", shape, {"eta": 0.4}, None, 0.0
        yield family, "Euler a", "simple", 7, 22, "nv", odd, {"eta": 0.0}, None, 0.0
        yield family, "DPM2 a", "simple", 7, 23, "cpu", shape, {"eta": 0.6, "s_noise": 1.1}, None, 0.0


def make(folder):
    store, rows = M.Store(), []
    for family, sampler, name, steps, seed, rng, shape, options, strength, extra in cases():
        sigmas, calls, result = sample(family, sampler, name, steps, seed, rng, shape, options, strength, extra)
        assert torch.isfinite(result).all(), (family, sampler, name, steps)
        rows.append({"family": family, "sampler": sampler, "schedule": name, "steps": steps, "seed": seed, "rng": rng, "shape": shape,
                     "options": options, "strength": strength, "extra": extra, "sigmas": store.put(sigmas), "calls": store.put(calls),
                     "result": store.put(result)})
    curves = [{"width": w, "height": h, "steps": n, "sigmas": store.put(flux2(flux2_mu(w // 16 * (h // 16), n), n))}
              for w, h in [(512, 512), (768, 512), (1024, 1024), (1040, 1040), (1056, 1056), (1536, 1024), (1536, 1536)]
              for n in (1, 4, 6, 8, 20, 50)]
    store.write(folder, "flow", {"cases": rows, "curves": curves})
    print(len(rows), "cases,", store.count * 4, "bytes")


if __name__ == "__main__":
    make(fixtures("Sampling"))
