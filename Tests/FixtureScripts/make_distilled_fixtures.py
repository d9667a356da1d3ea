"""Writes small random models with the layouts of distilled ones, images of them, and what models' files say about their training.

  python make_distilled_fixtures.py

Models/ssd.weights (like SSD-1B: no transformer in the middle block, transformers of different depths) and bk.weights (like
BK-SDM-Small: no middle block) in the single-file layout; Models/bktiny (like BK-SDM-Tiny: three blocks, no middle block) and
Models/sdxs (like SDXS: the first block attends to the text only, and a small decoder in place of the VAE) in that of diffusers.
Distilled/cases.json and images: what they make of prompts, and Distilled/training.json: what other noise schedules and broken
positions make of them. Distilled/layouts.json: digests of the names and shapes of the published models' UNets.
"""

import hashlib
import json
import os
import shutil

import numpy as np
import torch
from diffusers import AutoencoderTiny, DDIMScheduler, UNet2DConditionModel
from PIL import Image

import make_family_fixtures as family
from checkpoint_names import unet_name
from family_reference import Encoder, Model, picture
from fixture_paths import fixtures
from random_weights import read_list

out, model_folder = fixtures("Distilled"), family.model_folder
os.makedirs(out + "/images", exist_ok=True)
C, D, U, V = "CrossAttnDownBlock2D", "DownBlock2D", "UpBlock2D", "CrossAttnUpBlock2D"


def unet(down, up, channels, context, heads, groups=32, vector=None, **more):
    if vector:
        more |= dict(
            addition_embed_type="text_time", addition_time_embed_dim=vector[0],
            projection_class_embeddings_input_dim=vector[1],
        )  # fmt: skip
    return UNet2DConditionModel(
        sample_size=8, down_block_types=down, up_block_types=up, block_out_channels=channels, cross_attention_dim=context,
        attention_head_dim=heads, norm_num_groups=groups, **more,
    )  # fmt: skip


def clip(text, prefix="cond_stage_model.transformer."):
    return {prefix + (k if k.startswith("text_model.") else "text_model." + k): t for k, t in text.state_dict().items()}


models = {}

# SSD-1B.
torch.manual_seed(41)
u, v, t1, t2 = family.livened(
    [unet((D, C, C), (V, V, U), (32, 64, 64), 192, (1, 1, 1), vector=(32, 96 + 6 * 32), layers_per_block=2,
          transformer_layers_per_block=[1, [2, 2], [1, 1]], reverse_transformer_layers_per_block=[[1, 1, 3], [2, 1, 1], 1],
          mid_block_type="UNetMidBlock2D", use_linear_projection=True),
     family.autoencoder(), family.text_encoder(64, 3, "quick_gelu"), family.text_encoder(128, 3, "gelu", 96)]
)  # fmt: skip
family.save_single(
    "ssd", 41, u, v, [t1, t2],
    lambda: family.open_clip(t2, "conditioner.embedders.1.model.") | clip(t1, "conditioner.embedders.0.transformer."))  # fmt: skip
encoders = [Encoder(t1, -2, False, False, False), Encoder(t2, -2, True, False, True)]
models["ssd.safetensors"] = Model("sdxl", family.tokenizer, encoders, u, v, scale=family.XL)

# BK-SDM-Small, of Stable Diffusion 1.x.
torch.manual_seed(42)
u, v, t = family.livened(
    [unet((C, C, C, D), (U, V, V, V), (32, 32, 64, 64), 64, 8, layers_per_block=1, mid_block_type=None),
     family.autoencoder(), family.text_encoder(64, 3, "quick_gelu")]
)  # fmt: skip
family.save_single("bk", 42, u, v, [t], lambda: clip(t))
models["bk.safetensors"] = Model("sd1", family.tokenizer, [Encoder(t, -1, False, True, False)], u, v)
broken_text = t

# BK-SDM-Tiny.
torch.manual_seed(43)
u, v, t = family.livened(
    [unet((C, C, C), (V, V, V), (16, 32, 32), 64, 4, groups=8, layers_per_block=1, mid_block_type=None),
     family.autoencoder(8), family.text_encoder(64, 2, "quick_gelu")]
)  # fmt: skip
family.save_folder("bktiny", 43, u, v, {"text_encoder": t}, prediction_type="epsilon")
models["bktiny"] = Model("sd1", family.tokenizer, [Encoder(t, -1, False, True, False)], u, v)

# SDXS.
torch.manual_seed(44)
u, v, t = family.livened(
    [unet((C, C, C), (V, V, V), (16, 32, 32), 64, 4, groups=8, layers_per_block=1, mid_block_type=None,
          only_cross_attention=[True, False, False]),
     family.autoencoder(8), family.text_encoder(64, 2, "quick_gelu")]
)  # fmt: skip
family.save_folder("sdxs", 44, u, v, {"text_encoder": t}, prediction_type="epsilon")
shutil.rmtree(f"{model_folder}/sdxs/vae")
shutil.copytree(f"{model_folder}/taesd", f"{model_folder}/sdxs/vae")
tiny = AutoencoderTiny.from_config(AutoencoderTiny.load_config(f"{model_folder}/taesd"))
listed = read_list(f"{model_folder}/taesd/diffusion_pytorch_model.weights")
missing = tiny.load_state_dict({k: w.float() for k, w in listed.items()}, strict=False)
assert all(k.startswith("encoder.") for k in missing.missing_keys) and not missing.unexpected_keys, missing
models["sdxs"] = Model("sd1", family.tokenizer, [Encoder(t, -1, False, True, False)], u, tiny.eval(), scale=1.0)

base = dict(family.base, steps=5)
cases = [
    dict(base, model="ssd.safetensors", sampler_name="Euler"),
    dict(base, model="ssd.safetensors", sampler_name="DPM++ 2M", negative_prompt="", width=128, height=64, rng="nv"),
    dict(base, model="bk.safetensors", sampler_name="Euler"),
    dict(base, model="bk.safetensors", sampler_name="DDIM", prompt=family.edited, width=128),
    dict(base, model="bktiny", sampler_name="Euler a", rng="nv"),
    dict(base, model="bktiny", sampler_name="Heun", prompt=family.edited),
    dict(base, model="sdxs", sampler_name="Euler", cfg_scale=3.0),
    dict(base, model="sdxs", sampler_name="DPM++ 2M", prompt="a red fish", height=128),
]  # fmt: skip

schedules = [
    dict(beta_schedule="linear", beta_start=0.0001, beta_end=0.02),
    dict(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.02),
    dict(beta_schedule="squaredcos_cap_v2", beta_start=0.0001, beta_end=0.02),
    dict(trained_betas=[round(0.0002 + 0.000013 * i, 9) for i in range(1000)]),
]


def write(name, model, case):
    case["file"] = f"../Distilled/images/{name}.png"
    pixels, case["calls"], _ = picture(model, case)
    Image.fromarray(pixels).save(f"{out}/images/{name}.png")
    print(name, case["model"], case["sampler_name"], "mean %.1f, deviation %.1f" % (pixels.mean(), pixels.std()))
    return case


# The UNets of the published models, in full size.
bk = dict(cross_attention_dim=768, attention_head_dim=8, layers_per_block=1, mid_block_type=None)
xl = dict(
    down_block_types=(D, C, C), up_block_types=(V, V, U), block_out_channels=(320, 640, 1280), cross_attention_dim=2048,
    attention_head_dim=(5, 10, 20), layers_per_block=2, mid_block_type="UNetMidBlock2D", use_linear_projection=True,
    addition_embed_type="text_time", addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816,
)  # fmt: skip
published = {
    "SSD-1B": dict(xl, transformer_layers_per_block=[1, [2, 2], [4, 4]],
                   reverse_transformer_layers_per_block=[[4, 4, 10], [2, 1, 1], 1]),
    "Segmind-Vega": dict(xl, transformer_layers_per_block=[1, [1, 1], [2, 2]],
                         reverse_transformer_layers_per_block=[[2, 2, 2], [1, 1, 1], 1]),
    "BK-SDM-Base": dict(bk, mid_block_type="UNetMidBlock2DCrossAttn", down_block_types=(C, C, C, D), up_block_types=(U, V, V, V),
                        block_out_channels=(320, 640, 1280, 1280)),
    "BK-SDM-Small": dict(bk, down_block_types=(C, C, C, D), up_block_types=(U, V, V, V),
                         block_out_channels=(320, 640, 1280, 1280)),
    "BK-SDM-Tiny": dict(bk, down_block_types=(C, C, C), up_block_types=(V, V, V), block_out_channels=(320, 640, 1280)),
    "SDXS-512": dict(bk, cross_attention_dim=1024, attention_head_dim=(5, 10, 20), use_linear_projection=True,
                     only_cross_attention=[True, False, False],
                     down_block_types=(C, C, C), up_block_types=(V, V, V), block_out_channels=(320, 640, 1280)),
}  # fmt: skip


def layout(config):
    with torch.device("meta"):
        network = UNet2DConditionModel(**config)
    plain = tuple(str(i) for i, kind in enumerate(network.config.up_block_types) if kind == "UpBlock2D")
    layers = network.config.layers_per_block
    shapes = {k: "x".join(map(str, t.shape)) for k, t in network.state_dict().items()}
    digest = lambda names: hashlib.sha256("".join(sorted(f"{k} {s}\n" for k, s in names.items())).encode()).hexdigest()
    return dict(
        config=dict(network.config), tensors=len(shapes), parameters=sum(t.numel() for t in network.state_dict().values()),
        diffusers=digest(shapes), single=digest({unet_name(k, layers, plain): s for k, s in shapes.items()}),
    )  # fmt: skip


if __name__ == "__main__":
    written = [write(f"{i:02d}", models[case["model"]], case) for i, case in enumerate(cases)]
    json.dump(written, open(out + "/cases.json", "w"), indent=1)

    training = []
    model = models["bktiny"]
    own = model.alphas, model.sigmas, model.log_sigmas
    for i, schedule in enumerate(schedules):
        scheduler = DDIMScheduler(**schedule)
        alphas = scheduler.alphas_cumprod.float()
        model.alphas, model.sigmas = alphas, ((1 - alphas) / alphas) ** 0.5
        model.log_sigmas = model.sigmas.log()
        sampler = ("Euler", "DPM++ 2M", "DDIM", "Euler")[i]
        case = write(f"schedule-{i}", model, dict(base, model="bktiny", sampler_name=sampler, cfg_scale=3.0))
        picked = {str(t): alphas[t].item() for t in (0, 1, 10, 100, 500, 900, 998, 999)}
        training.append(dict(scheduler=schedule, alphas=picked, image=case))
    model.alphas, model.sigmas, model.log_sigmas = own
    # A merge of two checkpoints whose position ids were averaged in half precision: PyTorch drops the fractions.
    broken = (np.arange(77) - np.where(np.arange(77) % 3 == 1, 0.03, 0)).astype(np.float16)
    embeddings = getattr(broken_text, "text_model", broken_text).embeddings
    plain = embeddings.position_ids.clone()
    embeddings.position_ids = torch.from_numpy(broken)[None].to(torch.int64)
    case = write("positions", models["bk.safetensors"], dict(base, model="bk.safetensors", sampler_name="Euler"))
    training.append(dict(positions=[float(p) for p in broken], image=case))
    embeddings.position_ids = plain
    json.dump(training, open(out + "/training.json", "w"), indent=1)
    json.dump({name: layout(config) for name, config in published.items()}, open(out + "/layouts.json", "w"), indent=1)
