"""Makes the fixtures of the Sampling tests from PyTorch, NumPy, k-diffusion and torchsde.

    python make_sampling.py

needs torch, numpy, scipy, k-diffusion 0.1.1 and torchsde 0.2.6. Every .json file is an index over the little-endian
float32 values of the .f32 file of the same name: {"offset": first value, "count": values}.
"""
import importlib.util, itertools, json, os, random, sys, types, warnings
import numpy as np
import torch
import torchsde._brownian.brownian_interval as brownian_interval

warnings.filterwarnings("ignore")
torch.set_num_threads(1)


def load_k_diffusion():
    """Only its sampling module: the package's __init__ imports modules that only training needs."""
    folder = list(importlib.util.find_spec("k_diffusion").submodule_search_locations)[0]
    package = types.ModuleType("k_diffusion")
    package.__path__ = [folder]
    utils = types.ModuleType("k_diffusion.utils")
    utils.append_dims = lambda x, n: x[(...,) + (None,) * (n - x.ndim)]
    package.utils = utils
    sys.modules["k_diffusion"], sys.modules["k_diffusion.utils"] = package, utils
    spec = importlib.util.spec_from_file_location("k_diffusion.sampling", os.path.join(folder, "sampling.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


K = load_k_diffusion()
from fixture_paths import fixtures
import webui_samplers as W


# Noise sources: the webui's CPU and NV generators.

class TorchSource:
    def __init__(self, seed):
        self.generator = torch.Generator("cpu").manual_seed(seed)

    def randn(self, shape):
        return torch.randn(shape, generator=self.generator)


def philox(offset, count, seed):
    """Words 0 and 1 of Philox4x32-10 at the counters (offset, 0, i, 0)."""
    counter = [np.full(count, offset, np.uint64), np.zeros(count, np.uint64), np.arange(count, dtype=np.uint64),
               np.zeros(count, np.uint64)]
    key, mask = [seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF], np.uint64(0xFFFFFFFF)
    for _ in range(10):
        a, b = counter[0] * np.uint64(0xD2511F53), counter[2] * np.uint64(0xCD9E8D57)
        counter = [(b >> np.uint64(32)) ^ counter[1] ^ np.uint64(key[0]), b & mask,
                   (a >> np.uint64(32)) ^ counter[3] ^ np.uint64(key[1]), a & mask]
        key = [key[0] + 0x9E3779B9 & 0xFFFFFFFF, key[1] + 0xBB67AE85 & 0xFFFFFFFF]
    return counter[0], counter[1]


class PhiloxSource:
    def __init__(self, seed):
        self.seed, self.offset = seed, 0

    def randn(self, shape):
        first, second = philox(self.offset, int(np.prod(shape)), self.seed)
        self.offset += 1
        unit, turn = float(np.float32(2.3283064e-10)), float(np.float32(2.3283064e-10 * 6.2831855))
        u, v = first * unit + unit / 2, second * turn + turn / 2
        return torch.from_numpy((np.sqrt(-2 * np.log(u)) * np.sin(v)).astype(np.float32).reshape(shape))


SOURCES = {"cpu": TorchSource, "nv": PhiloxSource}


def use_source_in_trees(rng):
    brownian_interval._randn = lambda size, dtype, device, seed: SOURCES[rng](int(seed)).randn(tuple(size))


# Files.

class Store:
    def __init__(self):
        self.chunks, self.count = [], 0

    def put(self, values):
        flat = np.asarray(values, np.float32).ravel()
        place = {"offset": self.count, "count": int(flat.size)}
        self.chunks.append(flat)
        self.count += flat.size
        return place

    def write(self, folder, name, index):
        np.concatenate(self.chunks).astype("<f4").tofile(os.path.join(folder, name + ".f32"))
        with open(os.path.join(folder, name + ".json"), "w") as file:
            lines = ",\n".join(
                json.dumps(key) + ": [\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]"
                for key, rows in index.items())
            file.write("{\n" + lines + "\n}\n")


# Schedules, as the webui's: one value more, without the next-to-last value if the sampler asks for it.

ALPHAS = torch.cumprod(1 - torch.linspace(0.00085 ** 0.5, 0.012 ** 0.5, 1000, dtype=torch.float64) ** 2, 0).float()
SIGMAS = ((1 - ALPHAS) / ALPHAS) ** 0.5
LOGS = SIGMAS.log()


def sigma_to_t(sigma):
    log = sigma.log()
    low = (log - LOGS[:, None]).ge(0).cumsum(0).argmax(0).clamp(max=998)
    w = ((LOGS[low] - log) / (LOGS[low] - LOGS[low + 1])).clamp(0, 1)
    return (1 - w) * low + w * (low + 1)


def t_to_sigma(t):
    low, high, w = t.floor().long(), t.ceil().long(), t.frac()
    return ((1 - w) * LOGS[low] + w * LOGS[high]).exp()


def schedule(name, steps, discards):
    n = steps + 1 if discards else steps
    low, high = SIGMAS[0].item(), SIGMAS[-1].item()
    if name == "uniform":
        sigmas = K.append_zero(t_to_sigma(torch.linspace(999, 0, n)))
    else:
        sigmas = getattr(K, "get_sigmas_" + name)(n, low, high)
    return torch.cat([sigmas[:-2], sigmas[-1:]]) if discards else sigmas


SAMPLERS = {  # function, own schedule, discards the penultimate sigma, kind of noise
    "DPM++ 2M": ("sample_dpmpp_2m", "karras", False, None),
    "DPM++ SDE": ("sample_dpmpp_sde", "karras", False, "tree"),
    "DPM++ 2M SDE": ("sample_dpmpp_2m_sde", "exponential", False, "tree"),
    "DPM++ 2S a": ("sample_dpmpp_2s_ancestral", "karras", False, "stream"),
    "DPM++ 3M SDE": ("sample_dpmpp_3m_sde", "exponential", True, "tree"),
    "Euler a": ("sample_euler_ancestral", "uniform", False, "stream"),
    "Euler": ("sample_euler", "uniform", False, "churn"),
    "LMS": ("sample_lms", "uniform", False, None),
    "Heun": ("sample_heun", "uniform", False, "churn"),
    "DPM2": ("sample_dpm_2", "karras", True, "churn"),
    "DPM2 a": ("sample_dpm_2_ancestral", "karras", True, "stream"),
    "DPM++ 2M SDE Heun": ("sample_dpmpp_2m_sde", "exponential", False, "tree"),
    "DPM fast": ("sample_dpm_fast", "uniform", False, "stream"),
    "DPM adaptive": ("sample_dpm_adaptive", "uniform", False, "stream"),
    "Restart": (W.restart, "karras", False, "webui"),
    "LCM": (W.lcm, "uniform", False, "webui"),
    "DDIM": (W.ddim, None, False, "timesteps"),
    "DDIM CFG++": (W.TIMESTEP_SAMPLERS["DDIM CFG++"], None, False, "timesteps"),
    "PLMS": (W.plms, None, False, "timesteps"),
    "UniPC": (W.unipc, None, False, "timesteps"),
}


def toy_denoised(x, sigma):
    """A fake network: nonlinear, with operations that IEEE 754 rounds in only one way."""
    scale = np.sqrt(np.float32(1) + sigma * sigma)
    u = x.numpy() / scale
    return torch.from_numpy(np.float32(1.5) * u / (np.float32(1) + np.abs(u)))


def toy_noise(x, timestep):
    x = x.numpy()
    guided = torch.from_numpy(np.float32(1.5) * x / (np.float32(1) + np.abs(x)) * (np.float32(0.5) + timestep / np.float32(2000)))
    return guided, guided * 0.5


def sample(sampler, schedule_name, steps, seed, rng, shape, options):
    function, _, discards, kind = SAMPLERS[sampler]
    source, calls = SOURCES[rng](seed), []

    def draw(*_):
        return source.randn(shape)[None]

    if kind == "timesteps":
        def model(x, timestep):
            calls.append(np.float32(timestep))
            return toy_noise(x.float(), calls[-1])

        return torch.zeros(0), calls, function(model, draw(), steps, draw, **options)
    if sampler == "LCM" and schedule_name == "uniform":
        sigmas = K.append_zero(W.lcm_sigma(torch.linspace(999, 19, steps)))
    elif sampler == "LCM":
        sigmas = getattr(K, "get_sigmas_" + schedule_name)(steps, W.LCM_SIGMAS[0].item(), W.LCM_SIGMAS[-1].item())
    else:
        sigmas = schedule(schedule_name, steps, discards)
    x = source.randn(shape)[None] * sigmas[0]

    def model(x, sigma):
        calls.append(np.float32(sigma.flatten()[0].item()))
        return toy_denoised(x, calls[-1])

    if kind == "webui":
        def lcm_model(x, sigma):
            return W.lcm_denoised(x, W.lcm_timestep(sigma), model(x, sigma))

        return sigmas, calls, function(lcm_model if sampler == "LCM" else model, x, sigmas, draw)
    arguments = dict(options)
    if "Heun" in sampler and kind == "tree":
        arguments["solver_type"] = "heun"
    if kind == "tree":
        use_source_in_trees(rng)
        arguments["noise_sampler"] = K.BrownianTreeNoiseSampler(x, sigmas[sigmas > 0].min(), sigmas.max(), seed=[seed])
    elif kind == "stream":
        arguments["noise_sampler"] = lambda *_: source.randn(shape)[None]
    elif kind == "churn":
        torch_randn_like, torch.randn_like = torch.randn_like, lambda _: source.randn(shape)[None]
    try:
        if sampler in ("DPM fast", "DPM adaptive"):
            levels = [SIGMAS[0].item(), SIGMAS[-1].item()] + ([steps] if sampler == "DPM fast" else [])
        else:
            levels = [sigmas]
        result = getattr(K, function)(model, x, *levels, disable=True, **arguments)
    finally:
        if kind == "churn":
            torch.randn_like = torch_randn_like
    return sigmas, calls, result


def sampler_cases():
    plain, odd, small = (4, 8, 12), (4, 7, 9), (4, 1, 3)
    others = itertools.cycle(["exponential", "polyexponential", "uniform", "karras"])
    for sampler, (_, own, _, kind) in SAMPLERS.items():
        other = next(s for s in others if s != own)
        if kind in ("webui", "timesteps"):
            own = own or "automatic"
            yield sampler, own, 10, 1234, "cpu", plain, {}
            yield sampler, own, 7, 98765, "nv", plain, {}
            yield sampler, own, 20, 31337, "cpu", odd, {}
            yield sampler, own, 30, 6, "cpu", odd, {}
            yield sampler, own, 38, 7, "nv", small, {}
            yield sampler, "exponential" if kind == "webui" else own, 24, 2 ** 32 + 5, "nv", odd, {}
            if "DDIM" in sampler:
                yield sampler, own, 12, 4, "cpu", plain, {"eta": 0.6}
                yield sampler, own, 9, 5, "nv", plain, {"eta": 1.0}
            if sampler == "UniPC":
                for variant, skip_type, order, final in [("bh2", "time_quadratic", 2, True), ("vary_coeff", "logSNR", 3, True),
                                                         ("bh1", "time_uniform", 1, True), ("bh1", "logSNR", 4, False), ("bh2", "time_uniform", 3, False)]:
                    yield sampler, own, 12, 8, "cpu", odd, {"variant": variant, "skip_type": skip_type, "order": order, "lower_order_final": final}
            continue
        yield sampler, own, 10, 1234, "cpu", plain, {}
        yield sampler, own, 7, 98765, "nv", plain, {}
        yield sampler, own, 20, 31337, "cpu", odd, {}
        yield sampler, other, 12, 2 ** 32 + 5, "nv", plain, {}
        # k-diffusion's multistep SDE samplers fail on a single step.
        yield sampler, other, 3 if "M SDE" in sampler else 1, 3, "cpu", small, {}
        yield sampler, own, 2, 0, "nv", odd, {}
        if kind == "churn":
            options = {"s_churn": 4.0, "s_tmin": 0.05, "s_tmax": 10.0, "s_noise": 1.05}
            yield sampler, own, 9, 4, "cpu", plain, options
            yield sampler, "karras", 6, 5, "nv", plain, {"s_churn": 100.0}
        elif sampler in ("Euler a", "DPM adaptive"):
            yield sampler, own, 9, 4, "cpu", plain, {"eta": 0.6}
            yield sampler, "karras", 6, 5, "nv", plain, {"eta": 0.0}
        elif kind:
            yield sampler, own, 9, 4, "cpu", plain, {"eta": 0.6, "s_noise": 1.1}
            yield sampler, "karras", 6, 5, "nv", plain, {"eta": 0.0}


def make_samplers(folder):
    store, rows = Store(), []
    for sampler, schedule_name, steps, seed, rng, shape, options in sampler_cases():
        sigmas, calls, result = sample(sampler, schedule_name, steps, seed, rng, shape, options)
        rows.append({"sampler": sampler, "schedule": schedule_name, "steps": steps, "seed": seed, "rng": rng,
                     "shape": shape, "options": options, "sigmas": store.put(sigmas), "calls": store.put(calls),
                     "result": store.put(result)})
    store.write(folder, "samplers", {"cases": rows})


def make_schedules(folder):
    store = Store()
    training = [{"name": "alphas_cumprod", "values": store.put(ALPHAS)}, {"name": "sigmas", "values": store.put(SIGMAS)}]
    sigmas = torch.exp(torch.linspace(np.log(0.02), np.log(20), 200))
    timesteps = torch.cat([torch.linspace(0, 999, 150), torch.tensor([0., 500.5, 998.999, 999.])])
    mapping = [{"from": store.put(sigmas), "to": store.put(sigma_to_t(sigmas)), "name": "sigma to timestep"},
               {"from": store.put(timesteps), "to": store.put(t_to_sigma(timesteps)), "name": "timestep to sigma"}]
    schedules = [{"schedule": name, "steps": steps, "discards": discards, "sigmas": store.put(schedule(name, steps, discards))}
                 for name in ["uniform", "karras", "exponential", "polyexponential"]
                 for steps, discards in [(1, False), (1, True), (2, True), (10, False), (20, False), (20, True), (33, False), (50, True)]]
    store.write(folder, "schedules", {"training": training, "mapping": mapping, "schedules": schedules})


def make_noise(folder):
    store, draws, trees = Store(), [], []
    for rng, seed, counts in [("cpu", 0, [10, 4, 16, 20, 3, 31, 1]), ("cpu", 1234, [4 * 8 * 12] * 3), ("cpu", 2 ** 32 + 1, [48]),
                              ("cpu", -1, [48]), ("cpu", 2 ** 63 - 1, [1000, 1000]), ("nv", 0, [12, 4]), ("nv", 12345, [384, 384]),
                              ("nv", 2 ** 32 + 7, [384]), ("nv", 2 ** 63 - 1, [17, 1])]:
        source = SOURCES[rng](seed)
        draws.append({"rng": rng, "seed": seed, "draws": [store.put(source.randn((n,))) for n in counts]})
    for rng, seed, shape, name, steps in [("cpu", 12345, (4, 4, 8), "karras", 20), ("nv", 2 ** 32 + 9, (4, 4, 8), "exponential", 12),
                                          ("cpu", 7, (4, 5, 7), "uniform", 9)]:
        use_source_in_trees(rng)
        sigmas = schedule(name, steps, False)
        sampler = K.BrownianTreeNoiseSampler(torch.zeros((1,) + shape), sigmas[-2], sigmas[0], seed=[seed])
        levels = [s.item() for s in sigmas[:-1]]
        queries = list(zip(levels, levels[1:]))[::3] + [(levels[0], levels[-1]), (levels[-1], levels[2]), (levels[0] + 1, levels[-1] / 2),
                                                      (levels[3], levels[3] - 2e-6)]
        values = [{"from": store.put([a]), "to": store.put([b]), "noise": store.put(sampler(torch.tensor(a), torch.tensor(b)))} for a, b in queries]
        trees.append({"rng": rng, "seed": seed, "shape": shape, "sigmaMin": store.put([levels[-1]]), "sigmaMax": store.put([levels[0]]), "queries": values})
    sequences = [{"entropy": str(entropy), "key": key, "words": np.random.SeedSequence(entropy, spawn_key=key, pool_size=24).generate_state(26).tolist()}
                 for entropy, key in [(0, ()), (12345, ()), (12345, (0, 0)), (12345, (5, 3)), (2 ** 32, (9, 4)), (2 ** 64 - 1, (2 ** 40 + 3, 41)), (1, (2 ** 32 - 1, 32))]]
    generator = random.Random(1)
    numbers = [1 / 128, 3 / 128, 5 / 128, 0.0, 1.0, 14.614642143249512, 0.02916753478348255, 0.5e-6, 1.5e-6, 2.5e-6, 123456.7890125, 8e9 + 0.1]
    numbers += [generator.uniform(0, 15) for _ in range(100)]
    numbers += [round(generator.uniform(0, 15), 6) + generator.choice([-0.5e-6, 0.5e-6]) for _ in range(100)]
    rounding = [[x, round(x, 6)] for x in numbers]
    store.write(folder, "noise", {"draws": draws, "trees": trees, "sequences": sequences, "rounding": rounding})


if __name__ == "__main__":
    for make in [make_schedules, make_noise, make_samplers]:
        make(fixtures("Sampling"))
