"""The webui's own samplers, in PyTorch: Restart, LCM, DDIM, DDIM CFG++, PLMS and UniPC.

Written from their papers and from a description of the webui's arithmetic. `python webui_samplers.py` compares them with
published results on a toy model. A sampler of sigmas calls model(x, sigma); a sampler of timesteps calls model(x, t) and
gets the guided noise and the noise without the prompt; `draw()` gives the next noise.
"""

import math

import numpy as np
import torch

ALPHAS = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2, 0).float()


# Samplers that use sigmas.


def karras(n, low, high):
    ramp = torch.linspace(0, 1, n)
    top, bottom = high ** (1 / 7), low ** (1 / 7)
    return (top + ramp * (bottom - top)) ** 7


def restart(model, x, sigmas, draw):
    steps = len(sigmas) - 1
    path = list(zip(sigmas[:-1], sigmas[1:]))
    if steps >= 20:
        length, times = (steps // 4, 2) if steps >= 36 else (9, 1)
        levels = torch.cat([karras(steps - length * times, sigmas[-2].item(), sigmas[0].item()), torch.zeros(1)])
        bottom, top = int((levels - 0.1).abs().argmin()), int((levels - 2).abs().argmin())
        path = []
        for i in range(len(levels) - 1):
            path.append((levels[i], levels[i + 1]))
            if i + 1 == bottom and top < bottom:
                again = karras(length + 1, levels[bottom].item(), levels[top].item())
                path += list(zip(again[:-1], again[1:])) * times
    last = None
    for start, end in path:
        if last is not None and last < start:
            x = x + draw() * (start**2 - last**2) ** 0.5
        d = (x - model(x, start)) / start
        if end == 0:
            x = x + d * (end - start)
        else:
            ahead = x + d * (end - start)
            x = x + (d + (ahead - model(ahead, end)) / end) / 2 * (end - start)
        last = end
    return x


LCM_SIGMAS = ((1 - ALPHAS[19::20]) / ALPHAS[19::20]) ** 0.5


def lcm_timestep(sigma):
    return (sigma.log() - LCM_SIGMAS.log()).abs().argmin() * 20 + 19


def lcm_sigma(timestep):
    place = ((timestep - 19) / 20).clamp(0, 49)
    low, high, w = place.floor().long(), place.ceil().long(), place.frac()
    return ((1 - w) * LCM_SIGMAS.log()[low] + w * LCM_SIGMAS.log()[high]).exp()


def lcm_denoised(x, timestep, denoised):
    scaled = timestep * 10.0
    return 0.25 / (scaled**2 + 0.25) * x + scaled / (scaled**2 + 0.25) ** 0.5 * denoised


def lcm(model, x, sigmas, draw):
    """`model` has to apply lcm_denoised itself."""
    for sigma, after in zip(sigmas[:-1], sigmas[1:]):
        x = model(x, sigma)
        if after > 0:
            x = x + after * draw()
    return x


# Samplers that use timesteps.


def timesteps(n):
    return [min(t + 1, 999) for t in range(0, 1000, 1000 // n)]


def ddim(model, x, n, draw, eta=0.0, cfgpp=False):
    steps = timesteps(n)
    for i in range(len(steps) - 1, 0, -1):
        guided, unconditional = model(x, steps[i])
        a, previous = ALPHAS[steps[i]].double().item(), ALPHAS[steps[i - 1]].double().item()
        deviation = eta * math.sqrt((1 - previous) / (1 - a) * (1 - a / previous))
        image = (x - math.sqrt(1 - a) * guided) / math.sqrt(a)
        towards = math.sqrt(1 - previous - deviation**2)
        x = math.sqrt(previous) * image + towards * (unconditional if cfgpp else guided) + deviation * draw()
    return x


def plms(model, x, n, draw):
    steps, old = timesteps(n), []

    def advance(x, e, i):
        a, previous = ALPHAS[steps[i]].item(), ALPHAS[steps[i - 1]].item()
        return math.sqrt(previous) * (x - math.sqrt(1 - a) * e) / math.sqrt(a) + math.sqrt(1 - previous) * e

    for i in range(len(steps) - 1, 0, -1):
        e = model(x, steps[i])[0]
        if not old:
            mean = (e + model(advance(x, e, i), steps[i - 1])[0]) / 2
        elif len(old) == 1:
            mean = (3 * e - old[-1]) / 2
        elif len(old) == 2:
            mean = (23 * e - 16 * old[-1] + 5 * old[-2]) / 12
        else:
            mean = (55 * e - 59 * old[-1] + 37 * old[-2] - 9 * old[-3]) / 24
        x = advance(x, mean, i)
        old = (old + [e])[-3:]
    return x


def unipc(model, x, n, draw=None, variant="bh1", skip_type="time_uniform", order=3, lower_order_final=True, start=1.0):
    count = len(timesteps(n))
    # The webui refuses fewer steps than orders.
    order = min(order, count)
    knots, half_logs = np.arange(1, 1001) / 1000, 0.5 * np.log(ALPHAS.double().numpy())

    def lam(log_alpha):
        return log_alpha - 0.5 * np.log(-np.expm1(2 * log_alpha))

    def log_alpha(t):
        return np.interp(t, knots, half_logs)

    if skip_type == "time_uniform":
        times = np.linspace(start, 1e-3, count + 1)
    elif skip_type == "time_quadratic":
        times = np.linspace(start**0.5, 1e-3**0.5, count + 1) ** 2
    else:
        lambdas = np.linspace(lam(log_alpha(start)), lam(log_alpha(1e-3)), count + 1)
        times = np.interp(-0.5 * np.logaddexp(0, -2 * lambdas), half_logs[::-1], knots[::-1])
    logs = log_alpha(times)
    alphas, sigmas, lambdas = np.exp(logs), np.sqrt(-np.expm1(2 * logs)), lam(logs)

    def image(x, i):
        return (x - sigmas[i] * model(x, (times[i] - 1e-3) * 1000)[0]) / alphas[i]

    known = {0: image(x, 0)}
    for i in range(1, count + 1):
        p = i if i < order else min(order, count + 1 - i) if lower_order_final else order
        h = lambdas[i] - lambdas[i - 1]
        r = np.array([(lambdas[i - 1 - k] - lambdas[i - 1]) / h for k in range(1, p)] + [1.0])
        slopes = [(known[i - 1 - k] - known[i - 1]) / r[k - 1] for k in range(1, p)]
        phi = [np.expm1(-h)]
        for k in range(1, p + 2):
            phi.append(phi[-1] / -h - 1 / math.factorial(k))
        base = sigmas[i] / sigmas[i - 1] * x - alphas[i] * phi[0] * known[i - 1]
        if variant == "vary_coeff":
            taylor = np.array([[rk**k / math.factorial(k + 1) for k in range(p)] for rk in r])
            inverse_p = np.linalg.inv(taylor[:-1, :-1]) if p > 1 else None
            inverse_c = np.linalg.inv(taylor)
            predict = [sum(phi[k + 1] * inverse_p[k][j] for k in range(p - 1)) for j in range(p - 1)]
            correct = [sum(phi[k + 1] * inverse_c[k][j] for k in range(p - 1)) for j in range(p - 1)]
            correct.append(phi[p] * inverse_c[max(p - 2, 0)][-1])
        else:
            scale = -h if variant == "bh1" else np.expm1(-h)
            rows = np.array([r**k for k in range(p)])
            right = np.array([phi[k] * math.factorial(k) / scale for k in range(1, p + 1)])
            predict = [] if p == 1 else [0.5] if p == 2 else np.linalg.solve(rows[:-1, :-1], right[:-1])
            correct = [0.5] if p == 1 else np.linalg.solve(rows, right)
            predict, correct = [scale * w for w in predict], [scale * w for w in correct]
        x = base - alphas[i] * sum(w * s for w, s in zip(predict, slopes))
        if i < count:
            known[i] = image(x, i)
            slopes.append(known[i] - known[i - 1])
            x = base - alphas[i] * sum(w * s for w, s in zip(correct, slopes))
    return x


TIMESTEP_SAMPLERS = {
    "DDIM": ddim,
    "DDIM CFG++": lambda *args, **options: ddim(*args, cfgpp=True, **options),
    "PLMS": plms,
    "UniPC": unipc,
}


def check():
    def close(name, got, expected, tolerance=2e-5):
        difference = max(abs(g - e) for g, e in zip(got.tolist(), expected))
        print(f"{name}: {difference:.1e}")
        assert difference < tolerance, (name, got, expected)

    def draws():
        k = 0
        while True:
            k += 1
            yield math.cos(k)

    def toy(x, sigma):
        return torch.tanh(x / (1 + sigma**2) ** 0.5)

    def toy_noise(x, t):
        e = torch.tanh(x) * (0.5 + t / 2000)
        return e, e / 2

    for steps, expected in [
        (10, (0.581261, -0.494027)),
        (20, (0.542032, 0.289915)),
        (36, (-0.080881, -0.300735)),
        (40, (-0.064637, -0.297951)),
    ]:
        sigmas = torch.cat([karras(steps, 0.03, 14), torch.zeros(1)])
        noise = draws()
        close(f"Restart {steps}", restart(toy, torch.tensor([1.0, -0.5]) * sigmas[0], sigmas, lambda: next(noise)), expected)
    sigmas = torch.cat([karras(6, 0.1, 10), torch.zeros(1)])
    noise = draws()
    close("LCM", lcm(toy, torch.tensor([10.0, -5.0]), sigmas, lambda: next(noise)), (-0.566976862, -0.577036308))
    x = torch.tensor([1.0, -0.5], dtype=torch.float64)
    for sampler, n, options, expected in [
        ("DDIM", 5, {}, (1.8126046, -0.5545013)),
        ("DDIM", 10, {}, (2.4701167, -0.6272943)),
        ("DDIM", 5, {"eta": 1}, (0.6304648, -0.5332945)),
        ("DDIM", 10, {"eta": 1}, (0.4665567, -0.2357351)),
        ("DDIM CFG++", 5, {}, (0.7665227, -0.1998939)),
        ("DDIM CFG++", 10, {}, (0.1206469, -0.0327528)),
        ("PLMS", 5, {}, (1.8504795, -0.5849297)),
        ("PLMS", 10, {}, (2.4789344, -0.6450084)),
        ("UniPC", 10, {}, (3.5174, -0.6922)),
        ("UniPC", 10, {"variant": "bh2"}, (3.52656, -0.69048)),
        ("UniPC", 10, {"variant": "vary_coeff"}, (3.5072, -0.68752)),
        ("UniPC", 10, {"order": 2}, (3.51217, -0.69238)),
    ]:
        noise = draws()
        result = TIMESTEP_SAMPLERS[sampler](toy_noise, x, n, lambda: next(noise), **options)
        close(f"{sampler} {n} {options}", result, expected, 6e-5 if sampler == "UniPC" else 1e-6)


if __name__ == "__main__":
    check()
