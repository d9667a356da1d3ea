"""Makes the fixture of the samplers that k-diffusion does not have: Sampling/multistep.json, from PyTorch.

    python make_multistep_sampling.py

needs what make_sampling.py needs. The formulas are those of arXiv:2309.06169 (ER-SDE-Solver-3, with ComfyUI's noise scale) and
arXiv:2308.02157 (RES, second order, multistep), in double precision where the package's own are in single.
"""
import itertools

import torch

import make_sampling as M
from fixture_paths import fixtures


def er_sde(model, x, sigmas, draw, flow_first=None, s_noise=1.0):
    sigmas = sigmas.clone()
    if flow_first is not None and sigmas[0] >= 1:
        sigmas[0] = flow_first
    lambdas = (sigmas if flow_first is None else sigmas / (1 - sigmas)).double()
    scale = lambda value: value * (torch.exp(value**0.3) + 10)
    seen = []  # (λ, denoised, slope)
    for i in range(len(sigmas) - 1):
        denoised = model(x, sigmas[i][None])
        if sigmas[i + 1] == 0:
            return denoised
        a, b = lambdas[i], lambdas[i + 1]
        alpha_a, alpha_b = sigmas[i] / a, sigmas[i + 1] / b
        ratio, change = scale(b) / scale(a), b - a
        result = alpha_b / alpha_a * ratio * x + alpha_b * (1 - ratio) * denoised
        slope = None
        if seen:
            # Left Riemann sums over 200 points, as in the authors' program.
            points = b + torch.arange(200, dtype=torch.float64) * (a - b) / 200
            width = (a - b) / 200
            slope = (denoised - seen[-1][1]) / (a - seen[-1][0])
            result = result + alpha_b * (change + (1 / scale(points)).sum() * width * scale(b)) * slope
            if seen[-1][2] is not None:
                curvature = (slope - seen[-1][2]) / ((a - seen[-2][0]) / 2)
                weighted = ((points - a) / scale(points)).sum() * width
                result = result + alpha_b * (change**2 / 2 + weighted * scale(b)) * curvature
        if s_noise > 0:
            variance = b**2 - a**2 * ratio**2
            result = result + alpha_b * s_noise * variance.clamp(min=0).sqrt() * draw()
        seen.append((a, denoised, slope))
        x = result.float()
    return x


def res_multistep(model, x, sigmas, draw, flow_first=None):
    before = None
    for i in range(len(sigmas) - 1):
        denoised = model(x, sigmas[i][None])
        if before is None or sigmas[i + 1] == 0:
            x = x + (x - denoised) / sigmas[i] * (sigmas[i + 1] - sigmas[i])
        else:
            last, now, then = (-sigmas[j].double().log() for j in (i - 1, i, i + 1))
            h, c2 = then - now, (last - now) / (then - now)
            phi1 = torch.expm1(-h) / -h
            phi2 = (phi1 - 1) / -h
            x = (torch.exp(-h) * x + h * ((phi1 - phi2 / c2) * denoised + phi2 / c2 * before)).float()
        before = denoised
    return x


SAMPLERS = {"ER SDE": er_sde, "Res Multistep": res_multistep}
SHIFT = 3.0


def flow_levels(steps):
    u = torch.arange(1, 1001) / 1000
    table = SHIFT * u / (1 + (SHIFT - 1) * u)
    return torch.cat([table[[-(1 + int(i * 1000 / steps)) for i in range(steps)]], torch.zeros(1)])


def sample(name, schedule, steps, seed, rng, shape, options):
    source, calls = M.SOURCES[rng](seed), []
    is_flow = schedule == "flow"
    sigmas = flow_levels(steps) if is_flow else M.schedule(schedule, steps, False)
    draw = lambda: source.randn(shape)[None]
    x = draw() * (1 if is_flow else sigmas[0])

    def model(x, sigma):
        calls.append(sigma.item())
        return M.toy_denoised(x, M.np.float32(sigma.item()))

    u = torch.tensor(1 - 1e-4)
    first = SHIFT * u / (1 + (SHIFT - 1) * u) if is_flow else None
    return sigmas, calls, SAMPLERS[name](model, x, sigmas, draw, first, **options)


def cases():
    shapes = itertools.cycle([(4, 8, 12), (4, 7, 9), (4, 1, 3)])
    for name in SAMPLERS:
        for schedule, steps, seed, rng in [("karras", 10, 1234, "cpu"), ("uniform", 7, 98765, "nv"), ("exponential", 20, 31337, "cpu"),
                                           ("karras", 12, 2**32 + 5, "nv"), ("uniform", 1, 3, "cpu"), ("karras", 2, 0, "nv"),
                                           ("flow", 8, 11, "cpu"), ("flow", 20, 12, "nv"), ("flow", 1, 13, "cpu")]:
            yield name, schedule, steps, seed, rng, next(shapes), {}
        if name == "ER SDE":
            yield name, "karras", 9, 4, "cpu", (4, 8, 12), {"s_noise": 1.1}
            yield name, "flow", 6, 5, "nv", (4, 8, 12), {"s_noise": 0.0}


def main():
    store, rows = M.Store(), []
    for name, schedule, steps, seed, rng, shape, options in cases():
        sigmas, calls, result = sample(name, schedule, steps, seed, rng, shape, options)
        rows.append({"sampler": name, "schedule": schedule, "steps": steps, "seed": seed, "rng": rng, "shape": shape,
                     "options": options, "sigmas": store.put(sigmas), "calls": store.put(calls), "result": store.put(result)})
    store.write(fixtures("Sampling"), "multistep", {"cases": rows})


if __name__ == "__main__":
    main()
