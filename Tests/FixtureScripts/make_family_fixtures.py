"""Writes small random models of Stable Diffusion 2.x, XL, its refiner and a distilled 1.x, and images of them.

  python make_family_fixtures.py

Models/NAME.weights in the single-file layout, Models/NAME/ in that of diffusers, their tokenizer beside them, Families/images/*.png
and Families/cases.json. Guidance, prompts and networks are those of family_reference.py. Imported, it makes the models alone.
"""

import json
import os
import shutil

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from family_reference import ALIGNED, Encoder, Model, picture, reference
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from checkpoint_names import networks, open_clip
from fixture_paths import fixtures
from random_weights import fill, read_list, write_list
from tiny_model import make_tokenizer

out, model_folder = fixtures("Families"), fixtures("Models")
os.makedirs(out + "/images", exist_ok=True)
tokenizer, vocabulary_size = make_tokenizer(model_folder)


def text_encoder(width, layers, activation="gelu", projection=None):
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(
        CLIPTextConfig(
            vocab_size=vocabulary_size, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=layers,
            num_attention_heads=width // 64, hidden_act=activation, projection_dim=projection or width,
            bos_token_id=vocabulary_size - 2, eos_token_id=vocabulary_size - 1,
        )
    )  # fmt: skip


def unet(channels, depths, context, linear=True, head_width=64, vector=None, guidance=None, groups=32):
    """depths: transformer blocks of each level, 0 for a level without."""
    more = {}
    if vector:
        more = dict(
            addition_embed_type="text_time", addition_time_embed_dim=vector[0],
            projection_class_embeddings_input_dim=vector[1],
        )  # fmt: skip
    return UNet2DConditionModel(
        sample_size=8,
        down_block_types=tuple("CrossAttnDownBlock2D" if d else "DownBlock2D" for d in depths),
        up_block_types=tuple("CrossAttnUpBlock2D" if d else "UpBlock2D" for d in reversed(depths)),
        block_out_channels=channels, layers_per_block=1, cross_attention_dim=context,
        attention_head_dim=tuple(max(c // head_width, 1) for c in channels),
        transformer_layers_per_block=[max(d, 1) for d in depths], use_linear_projection=linear,
        time_cond_proj_dim=guidance, norm_num_groups=groups, **more,
    )  # fmt: skip


def autoencoder(channels=32):
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(channels,) * 4, layers_per_block=1, latent_channels=4, sample_size=64,
        norm_num_groups=min(channels, 32),
    )  # fmt: skip


def livened(networks, shift=0.0):
    """Weights with which prompt, size, timestep and position all matter, in half precision."""
    unet, vae, *texts = networks
    with torch.no_grad():
        for name, p in unet.named_parameters():
            p.mul_(2.5 if "attn2" in name else 1.5) if p.ndim > 1 else p.add_(torch.randn_like(p) * 0.1)
        for text in texts:
            for name, p in text.named_parameters():
                if "embedding" in name:
                    p.copy_(torch.randn_like(p) * 0.3)
                elif p.ndim > 1:
                    p.mul_(3.0)
                else:
                    p.add_(torch.randn_like(p) * 0.1)
        for name, p in vae.named_parameters():
            if p.ndim > 1 and "decoder" in name:
                p.mul_(1.6)
        for network in networks:
            network.half().float().eval()
        # As large as noise and images are.
        vector = unet.config.projection_class_embeddings_input_dim
        more = {}
        if vector:
            pooled = texts[-1].config.projection_dim
            numbers = (vector - pooled) // unet.config.addition_time_embed_dim
            more = dict(text_embeds=torch.randn(2, pooled), time_ids=torch.full((2, numbers), 64.0))
        tokens = torch.randn(2, 77, unet.config.cross_attention_dim)
        scale = 0.9 / unet(torch.randn(2, 4, 8, 8), torch.tensor([500.0]), tokens, added_cond_kwargs=more).sample.std()
        unet.conv_out.weight.mul_(scale), unet.conv_out.bias.mul_(scale).add_(shift)
        scale = 0.45 / vae.decode(torch.randn(1, 4, 8, 8) * 5).sample.std()
        vae.decoder.conv_out.weight.mul_(scale), vae.decoder.conv_out.bias.mul_(scale)
    for network in networks:
        network.half().float()
    return networks


def save_single(name, seed, unet, vae, encoders, texts):
    """Writes the list of a single file, and puts its weights into the networks.

    texts: Makes the text encoders' tensors under the names of a single file.
    """

    def tensors():
        # No test encodes images with these.
        kept = {k: t for k, t in networks(unet, vae).items() if ".encoder." not in k and ".quant_conv." not in k}
        return kept | texts()

    path = f"{model_folder}/{name}.weights"
    write_list(path, seed, tensors())
    fill([unet, vae, *encoders], tensors, read_list(path))


def save_folder(name, seed, unet, vae, texts, **scheduler):
    """Writes the configurations and lists of a folder, and puts its weights into the networks. texts: by the folder's name."""
    for network, part in ((unet, "unet"), (vae, "vae"), *((t, f) for f, t in texts.items())):
        folder = f"{model_folder}/{name}/{part}"
        network.half().save_pretrained(folder)
        network.float()
        file = "model" if part.startswith("text_encoder") else "diffusion_pytorch_model"
        os.remove(f"{folder}/{file}.safetensors")

        # No test encodes images with these.
        left_out = ("encoder.", "quant_conv.") if part == "vae" else ()

        def tensors():
            return {k: t for k, t in network.state_dict().items() if not k.startswith(left_out)}

        path = f"{folder}/{file}.weights"
        write_list(path, f"{seed}-{part}", tensors(), metadata=None if part == "vae" else {"format": "pt"})
        fill([network], tensors, read_list(path))
    for number in ("", "_2"):
        if "text_encoder" + number in texts:
            os.makedirs(f"{model_folder}/{name}/tokenizer{number}", exist_ok=True)
            for file in ("vocab.json", "merges.txt"):
                shutil.copy(f"{model_folder}/{file}", f"{model_folder}/{name}/tokenizer{number}/{file}")
    DDIMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, **scheduler).save_pretrained(
        f"{model_folder}/{name}/scheduler"
    )


def predicts_velocity(unet):
    """The webui's test of a checkpoint of Stable Diffusion 2.x."""
    with torch.no_grad():
        x = torch.full((1, 4, 8, 8), 0.5)
        context = torch.full((1, 2, unet.config.cross_attention_dim), 0.5)
        mean = (unet(x, torch.tensor([999]), context).sample - x).mean().item()
    print("probe", mean)
    return mean < -1


def zero_terminal(alphas):
    roots = alphas.sqrt()
    first, last = roots[0].clone(), roots[-1].clone()
    alphas = ((roots - last) * (first / (first - last))) ** 2
    alphas[-1] = 4.8973451890853435e-08
    return alphas


models = {}
velocity = dict(prediction="v_prediction")
XL = 0.13025

# Stable Diffusion 2.x; according to the webui, the single file predicts the velocity.
torch.manual_seed(31)
u, v, t = livened([unet((64, 64), (1, 0), 128), autoencoder(), text_encoder(128, 3)], shift=-1.5)
save_single("sd2", 31, u, v, [t], lambda: open_clip(t, "cond_stage_model.model."))
assert predicts_velocity(u)
models["sd2.safetensors"] = Model("sd2", tokenizer, [Encoder(t, -2, True, True, False)], u, v, "v_prediction")

# A folder lacks the text encoder's last layer; heads are as many as the configuration says.
torch.manual_seed(32)
u, v, t = livened([unet((16, 32), (1, 1), 64, head_width=8, groups=8), autoencoder(16), text_encoder(64, 2)])
save_folder("sd2", 32, u, v, {"text_encoder": t}, prediction_type="epsilon")
models["sd2"] = Model("sd2", tokenizer, [Encoder(t, -1, True, True, False)], u, v)


def xl(seed, channels, depths, width1, width2, projection, number, head_width=64, groups=32):
    torch.manual_seed(seed)
    vector = (number, projection + 6 * number)
    u, v, t1, t2 = livened(
        [unet(channels, depths, width1 + width2, head_width=head_width, vector=vector, groups=groups),
         autoencoder(groups),
         text_encoder(width1, 3, "quick_gelu"), text_encoder(width2, 3, "gelu", projection)]
    )  # fmt: skip
    return u, v, t1, t2, [Encoder(t1, -2, False, False, False), Encoder(t2, -2, True, False, True)]


u, v, t1, t2, encoders = xl(33, (32, 64), (0, 2), 64, 128, 96, 32)



def both_texts():
    tensors = open_clip(t2, "conditioner.embedders.1.model.")
    for key, tensor in t1.state_dict().items():
        key = key if key.startswith("text_model.") else "text_model." + key
        tensors["conditioner.embedders.0.transformer." + key] = tensor
    return tensors


save_single("sdxl", 33, u, v, [t1, t2], both_texts)
models["sdxl.safetensors"] = Model("sdxl", tokenizer, encoders, u, v, scale=XL)
# Two empty tensors say that the same file had another training.
models["sdxl-marked.safetensors"] = Model(
    "sdxl", tokenizer, encoders, u, v, "v_prediction", zero_terminal(reference.W.ALPHAS), XL
)

u, v, t1, t2, encoders = xl(34, (16, 32, 32), (0, 1, 2), 64, 64, 64, 16, head_width=8, groups=8)
v.register_to_config(scaling_factor=XL)
save_folder(
    "sdxl", 34, u, v, {"text_encoder": t1, "text_encoder_2": t2}, prediction_type="v_prediction", rescale_betas_zero_snr=True
)
models["sdxl"] = Model("sdxl", tokenizer, encoders, u, v, "v_prediction", zero_terminal(reference.W.ALPHAS), XL)

for name, seed, channels, depths, width, projection, number, head in (
    ("refiner.safetensors", 35, (32, 64, 64), (0, 1, 0), 128, 96, 32, 64),
    ("refiner", 36, (16, 32, 16), (0, 2, 0), 64, 64, 16, 8),
):
    torch.manual_seed(seed)
    vector = (number, projection + 5 * number)
    u, v, t = livened(
        [unet(channels, depths, width, head_width=head, vector=vector, groups=min(channels[0], 32)),
         autoencoder(channels[0]),
         text_encoder(width, 3, "gelu", projection)]
    )  # fmt: skip
    v.register_to_config(scaling_factor=XL)
    if name.endswith(".safetensors"):
        save_single("refiner", seed, u, v, [t], lambda: open_clip(t, "conditioner.embedders.0.model."))
    else:
        save_folder(name, seed, u, v, {"text_encoder_2": t}, prediction_type="epsilon")
    models[name] = Model("sdxl-refiner", tokenizer, [Encoder(t, -2, True, False, True)], u, v, scale=XL)

# A model distilled from guided ones, which takes the guidance scale.
torch.manual_seed(37)
u, v, t = livened(
    [unet((16, 16), (1, 0), 64, linear=False, head_width=4, guidance=24, groups=8), autoencoder(8), text_encoder(64, 2, "quick_gelu")]
)
save_folder("lcm", 37, u, v, {"text_encoder": t}, prediction_type="epsilon")
models["lcm"] = Model("sd1", tokenizer, [Encoder(t, -1, False, True, False)], u, v)

long = "a small boat on a (calm:1.3) lake, [the star] BREAK a painting of a house"
edited = "a [red:blue:0.5] boat AND a (green:1.2) tree:0.6"
base = dict(prompt=long, negative_prompt="noise, blurry", seed=1234, steps=6, cfg_scale=6.0, width=64, height=64, rng="cpu")
base["clip_skip"] = 1
# With zero terminal noise sigma begins at 4518, where samplers that use sigma lose digits: these cases use
# timesteps, or have little guidance.
cases = [
    dict(base, model="sd2.safetensors", sampler_name="Euler"),
    dict(base, model="sd2.safetensors", sampler_name="DPM++ 2M", negative_prompt="", width=72, height=56, rng="nv"),
    dict(base, model="sd2.safetensors", sampler_name="DDIM", prompt=edited, clip_skip=2),
    dict(base, model="sd2.safetensors", sampler_name="Euler", prediction_type="epsilon", seed=5),
    dict(base, model="sd2", sampler_name="DPM++ SDE", rng="nv"),
    dict(base, model="sd2", sampler_name="Euler a", prompt="", negative_prompt=edited, width=56),
    dict(base, model="sd2", sampler_name="Heun", prediction_type="v_prediction", prompt=edited),
    dict(base, model="sdxl.safetensors", sampler_name="Euler"),
    dict(base, model="sdxl.safetensors", sampler_name="DPM++ 2M", negative_prompt="", width=104, height=64, rng="nv"),
    dict(base, model="sdxl.safetensors", sampler_name="DPM++ 2M SDE", negative_prompt=" ", clip_skip=2),
    dict(base, model="sdxl.safetensors", sampler_name="DDIM", prompt=edited, negative_prompt="a [noise:blurry:0.3] fish"),
    dict(base, model="sdxl.safetensors", sampler_name="Euler", scheduler="align_your_steps", steps=8, prompt=edited),
    dict(base, model="sdxl.safetensors", sampler_name="Heun", prompt="", negative_prompt="a big fish, " * 30, cfg_scale=3.5),
    dict(base, model="sdxl.safetensors", sampler_name="Euler a", prompt="a red fish", negative_prompt="", cfg_scale=1.0),
    dict(base, model="sdxl-marked.safetensors", sampler_name="Euler", steps=8, cfg_scale=1.0, seed=7),
    dict(base, model="sdxl-marked.safetensors", sampler_name="DDIM", negative_prompt=""),
    dict(base, model="sdxl", sampler_name="DDIM", rng="nv", cfg_scale=2.0),
    dict(base, model="sdxl", sampler_name="Euler", prompt=edited, negative_prompt="", height=88, cfg_scale=1.5),
    dict(base, model="refiner.safetensors", sampler_name="Euler", rng="nv"),
    dict(base, model="refiner.safetensors", sampler_name="DPM++ 2M", negative_prompt="", width=80),
    dict(base, model="refiner", sampler_name="Heun", prompt=edited),
    dict(base, model="lcm", sampler_name="LCM", steps=4, cfg_scale=8.0),
    dict(base, model="lcm", sampler_name="Euler", cfg_scale=1.5, prompt="a blue star"),
]  # fmt: skip
refined = dict(base, model="sdxl.safetensors", refiner_checkpoint="refiner.safetensors")
cases += [
    dict(refined, sampler_name="Euler", refiner_switch_at=0.5, steps=8),
    dict(refined, sampler_name="DPM++ 2M", refiner_switch_at=0.6, steps=8, negative_prompt="", rng="nv"),
    dict(refined, sampler_name="Heun", refiner_switch_at=0.35, prompt=edited),
    dict(refined, sampler_name="DPM++ SDE", refiner_switch_at=0.7, rng="nv"),
    dict(refined, sampler_name="DDIM", refiner_switch_at=0.4, steps=9),
    dict(refined, sampler_name="UniPC", refiner_switch_at=0.5, steps=7),
    # Its noise rises again after the switch, but the refiner stays.
    dict(refined, sampler_name="Restart", model="sd2.safetensors", refiner_checkpoint="lcm", refiner_switch_at=0.8, steps=20),
    dict(refined, sampler_name="Euler a", refiner_switch_at=1.0),
    dict(refined, sampler_name="Euler a"),
    # Stable Diffusion 1.x and 2.x have the same latents; here one predicts velocity, the other takes the guidance scale.
    dict(refined, sampler_name="Euler", model="sd2", refiner_checkpoint="lcm", refiner_switch_at=0.3),
    dict(refined, sampler_name="DDIM", model="lcm", refiner_checkpoint="sd2", refiner_switch_at=0.6, cfg_scale=3.0),
]  # fmt: skip

own_schedule = reference.schedule


def with_aligned(model, name, steps, drops_penultimate):
    if name != "align_your_steps":
        return own_schedule(model, name, steps, drops_penultimate)
    import numpy as np

    logs = np.interp(np.linspace(0, 1, steps), np.linspace(0, 1, 11), np.log(np.array(ALIGNED)[::-1]))
    return torch.FloatTensor([*np.exp(logs)[::-1], 0.0])


reference.schedule = with_aligned
if __name__ == "__main__":
    for i, case in enumerate(cases):
        model = models[case["model"]]
        refiner = models.get(case.get("refiner_checkpoint"))
        own = model.prediction
        model.prediction = case.get("prediction_type", own)
        pixels, case["calls"], switched = picture(model, case, refiner)
        # If one unit in the last place of the noise changes the image, it cannot show whether the arithmetic is right.
        randn = {name: noise.randn for name, noise in reference.NOISE.items()}
        for name, noise in reference.NOISE.items():
            noise.randn = lambda self, shape, randn=randn[name]: randn(self, shape) * (1 + 1.2e-7)
        changed = (picture(model, case, refiner)[0] != pixels).mean()
        for name, noise in reference.NOISE.items():
            noise.randn = randn[name]
        model.prediction = own
        case["file"] = f"../Families/images/{i:02d}.png"
        Image.fromarray(pixels).save(f"{out}/images/{i:02d}.png")
        print(i, case["model"], case["sampler_name"], case["calls"], "calls, refined from", switched, "mean %.1f, deviation %.1f, unstable %.4f" % (
            pixels.mean(), pixels.std(), changed))  # fmt: skip
    json.dump(cases, open(out + "/cases.json", "w"), indent=1)
