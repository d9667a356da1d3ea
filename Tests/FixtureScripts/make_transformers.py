"""Writes small random transformers with both kinds of names, VAEs with their latents, and diffusers' results, for
Tests/NetworksTests/TransformerTests.swift.

  python make_transformers.py

Models/klein.weights, zimage.weights, flux1.weights, sd3.weights (single files with the authors' names), Models/klein, zimage, flux1,
sd3 (diffusers folders of the transformer, and of the VAE of the first two, with other sizes), Models/klein_vae.weights (the authors' names, decoder widths of its own),
Transformers/networks.safetensors: NAME.{latent,sigma,context,velocity}, NAME.{packed,image} of VAEs, channels first.
Made with torch 2.15.0, diffusers 0.42.1.
"""

import json
import os
import re

import torch
from diffusers import (
    AutoencoderKL, AutoencoderKLFlux2, Flux2Transformer2DModel, FluxTransformer2DModel, SD3Transformer2DModel,
    ZImageTransformer2DModel)
from fixture_paths import fixtures
from random_weights import fill, read_list, write_list
from safetensors.torch import save_file

torch.manual_seed(21)
MODELS = fixtures("Models")


@torch.no_grad()
def liven(network, factor):
    """Makes every part count: norms that are not 1, matrices that are not small."""
    for name, p in network.named_parameters():
        if p.ndim >= 2 and "pad_token" not in name:
            p.copy_(torch.randn_like(p) * factor * p[0].numel() ** -0.5)
        elif "norm" in name and name.endswith("weight"):
            p.copy_(1 + 0.3 * torch.randn_like(p))
        else:
            p.copy_(0.3 * torch.randn_like(p))
    return network.eval()


def swapped(w):
    first, second = w.chunk(2)
    return torch.cat([second, first])


def klein_names(state):
    """The authors' names."""
    out, rest = {}, dict(state)

    def move(old, new):
        out[new] = rest.pop(old)

    def joined(names, new):
        out[new] = torch.cat([rest.pop(n) for n in names])

    move("x_embedder.weight", "img_in.weight")
    move("context_embedder.weight", "txt_in.weight")
    for i, name in ((1, "in_layer"), (2, "out_layer")):
        move(f"time_guidance_embed.timestep_embedder.linear_{i}.weight", f"time_in.{name}.weight")
    for name in ("double_stream_modulation_img", "double_stream_modulation_txt", "single_stream_modulation"):
        move(f"{name}.linear.weight", f"{name}.lin.weight")
    for i in range(100):
        old, new = f"transformer_blocks.{i}.", f"double_blocks.{i}."
        if old + "attn.to_q.weight" not in rest:
            break
        joined([f"{old}attn.to_{n}.weight" for n in "qkv"], new + "img_attn.qkv.weight")
        joined([f"{old}attn.add_{n}_proj.weight" for n in "qkv"], new + "txt_attn.qkv.weight")
        for a, b in (("norm_q", "img_attn.norm.query_norm"), ("norm_k", "img_attn.norm.key_norm"),
                     ("norm_added_q", "txt_attn.norm.query_norm"), ("norm_added_k", "txt_attn.norm.key_norm")):
            move(f"{old}attn.{a}.weight", f"{new}{b}.scale")
        move(old + "attn.to_out.0.weight", new + "img_attn.proj.weight")
        move(old + "attn.to_add_out.weight", new + "txt_attn.proj.weight")
        for a, b in (("ff", "img_mlp"), ("ff_context", "txt_mlp")):
            move(f"{old}{a}.linear_in.weight", f"{new}{b}.0.weight")
            move(f"{old}{a}.linear_out.weight", f"{new}{b}.2.weight")
    for i in range(100):
        old, new = f"single_transformer_blocks.{i}.attn.", f"single_blocks.{i}."
        if old + "to_out.weight" not in rest:
            break
        move(old + "to_qkv_mlp_proj.weight", new + "linear1.weight")
        move(old + "to_out.weight", new + "linear2.weight")
        for n in ("query", "key"):
            move(f"{old}norm_{n[0]}.weight", f"{new}norm.{n}_norm.scale")
    move("proj_out.weight", "final_layer.linear.weight")
    out["final_layer.adaLN_modulation.1.weight"] = swapped(rest.pop("norm_out.linear.weight"))
    assert not rest, list(rest)
    return out


def zimage_names(state):
    out = {}
    for key, value in state.items():
        if ".attention.to_q." in key:
            value = torch.cat([state[key.replace("to_q", f"to_{n}")] for n in "qkv"])
            key = key.replace("to_q", "qkv")
        elif ".attention.to_k." in key or ".attention.to_v." in key:
            continue
        for a, b in (("all_final_layer.2-1", "final_layer"), ("all_x_embedder.2-1", "x_embedder"), ("norm_k", "k_norm"),
                     ("norm_q", "q_norm"), ("to_out.0", "out")):
            key = key.replace(a, b)
        out[key] = value
    return out


def move_all(rest, out, pairs):
    for old, new in pairs:
        for ending in (".weight", ".bias"):
            if old + ending in rest:
                out[new + ending] = rest.pop(old + ending)


def join_all(rest, out, names, new):
    for ending in (".weight", ".bias"):
        out[new + ending] = torch.cat([rest.pop(n + ending) for n in names])


def flux1_names(state):
    out, rest = {}, dict(state)
    move_all(rest, out, [("x_embedder", "img_in"), ("context_embedder", "txt_in"), ("proj_out", "final_layer.linear")])
    for a, b in (("timestep_embedder", "time_in"), ("text_embedder", "vector_in"), ("guidance_embedder", "guidance_in")):
        move_all(rest, out, [(f"time_text_embed.{a}.linear_1", f"{b}.in_layer"), (f"time_text_embed.{a}.linear_2", f"{b}.out_layer")])
    for i in range(100):
        old, new = f"transformer_blocks.{i}.", f"double_blocks.{i}."
        if old + "attn.to_q.weight" not in rest:
            break
        join_all(rest, out, [f"{old}attn.to_{n}" for n in "qkv"], new + "img_attn.qkv")
        join_all(rest, out, [f"{old}attn.add_{n}_proj" for n in "qkv"], new + "txt_attn.qkv")
        for a, b in (("norm_q", "img_attn.norm.query_norm"), ("norm_k", "img_attn.norm.key_norm"),
                     ("norm_added_q", "txt_attn.norm.query_norm"), ("norm_added_k", "txt_attn.norm.key_norm")):
            out[f"{new}{b}.scale"] = rest.pop(f"{old}attn.{a}.weight")
        move_all(rest, out, [(old + a, new + b) for a, b in (
            ("attn.to_out.0", "img_attn.proj"), ("attn.to_add_out", "txt_attn.proj"), ("norm1.linear", "img_mod.lin"),
            ("norm1_context.linear", "txt_mod.lin"), ("ff.net.0.proj", "img_mlp.0"), ("ff.net.2", "img_mlp.2"),
            ("ff_context.net.0.proj", "txt_mlp.0"), ("ff_context.net.2", "txt_mlp.2"))])
    for i in range(100):
        old, new = f"single_transformer_blocks.{i}.", f"single_blocks.{i}."
        if old + "proj_out.weight" not in rest:
            break
        join_all(rest, out, [f"{old}attn.to_{n}" for n in "qkv"] + [old + "proj_mlp"], new + "linear1")
        move_all(rest, out, [(old + "proj_out", new + "linear2"), (old + "norm.linear", new + "modulation.lin")])
        for n in ("query", "key"):
            out[f"{new}norm.{n}_norm.scale"] = rest.pop(f"{old}attn.norm_{n[0]}.weight")
    for ending in (".weight", ".bias"):
        out["final_layer.adaLN_modulation.1" + ending] = swapped(rest.pop("norm_out.linear" + ending))
    assert not rest, list(rest)
    return out


def sd3_names(state, layers):
    out, rest = {}, dict(state)
    out["pos_embed"] = rest.pop("pos_embed.pos_embed")
    move_all(rest, out, [("pos_embed.proj", "x_embedder.proj"), ("context_embedder", "context_embedder"), ("proj_out", "final_layer.linear")])
    for a, b in (("timestep_embedder", "t_embedder"), ("text_embedder", "y_embedder")):
        move_all(rest, out, [(f"time_text_embed.{a}.linear_1", f"{b}.mlp.0"), (f"time_text_embed.{a}.linear_2", f"{b}.mlp.2")])
    for i in range(layers):
        old, x, c = f"transformer_blocks.{i}.", f"joint_blocks.{i}.x_block.", f"joint_blocks.{i}.context_block."
        join_all(rest, out, [f"{old}attn.to_{n}" for n in "qkv"], x + "attn.qkv")
        join_all(rest, out, [f"{old}attn.add_{n}_proj" for n in "qkv"], c + "attn.qkv")
        if old + "attn2.to_q.weight" in rest:
            join_all(rest, out, [f"{old}attn2.to_{n}" for n in "qkv"], x + "attn2.qkv")
        move_all(rest, out, [(old + a, b) for a, b in (
            ("attn.norm_q", x + "attn.ln_q"), ("attn.norm_k", x + "attn.ln_k"), ("attn.norm_added_q", c + "attn.ln_q"),
            ("attn.norm_added_k", c + "attn.ln_k"), ("attn2.norm_q", x + "attn2.ln_q"), ("attn2.norm_k", x + "attn2.ln_k"),
            ("attn.to_out.0", x + "attn.proj"), ("attn2.to_out.0", x + "attn2.proj"), ("attn.to_add_out", c + "attn.proj"),
            ("norm1.linear", x + "adaLN_modulation.1"), ("norm1_context.linear", c + "adaLN_modulation.1"),
            ("ff.net.0.proj", x + "mlp.fc1"), ("ff.net.2", x + "mlp.fc2"), ("ff_context.net.0.proj", c + "mlp.fc1"),
            ("ff_context.net.2", c + "mlp.fc2"))])
    for ending in (".weight", ".bias"):
        last = f"joint_blocks.{layers - 1}.context_block.adaLN_modulation.1{ending}"
        out[last] = swapped(out[last])
        out["final_layer.adaLN_modulation.1" + ending] = swapped(rest.pop("norm_out.linear" + ending))
    assert not rest, list(rest)
    return out


def vae_names(state, levels, inside):
    """The authors' names of a decoder and its statistics; `inside` has post_quant_conv in the decoder."""
    out = {}
    for key, value in state.items():
        if not key.startswith(("decoder.", "post_quant_conv.", "bn.running")):
            continue
        key = re.sub(r"up_blocks\.(\d+)\.", lambda m: f"up.{levels - 1 - int(m[1])}.", key)
        key = re.sub(r"up\.(\d+)\.resnets\.(\d+)\.", r"up.\1.block.\2.", key)
        for a, b in (("upsamplers.0.conv", "upsample.conv"), ("mid_block.resnets.0", "mid.block_1"),
                     ("mid_block.resnets.1", "mid.block_2"), ("conv_shortcut", "nin_shortcut"), ("conv_norm_out", "norm_out")):
            key = key.replace(a, b)
        if "mid_block.attentions.0" in key:
            for a, b in (("mid_block.attentions.0", "mid.attn_1"), ("group_norm", "norm"), ("to_out.0", "proj_out"), ("to_q", "q"),
                         ("to_k", "k"), ("to_v", "v")):
                key = key.replace(a, b)
            if value.ndim == 2:
                value = value[:, :, None, None]
        if inside and key.startswith("post_quant_conv"):
            key = "decoder." + key
        out[key] = value
    return out


def write(name, network, named=None, dtype="F16"):
    """The list of tensors of a file, with which the network is filled."""
    named = named or network.state_dict
    path = f"{MODELS}/{name}.weights"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    write_list(path, f"21-{name}", {k: v for k, v in named().items() if v.is_floating_point()}, dtype, {"format": "pt"})
    fill([network], lambda: {k: v for k, v in named().items() if v.is_floating_point()}, read_list(path))


def config(network, folder):
    os.makedirs(f"{MODELS}/{folder}", exist_ok=True)
    values = {"_class_name": type(network).__name__, **{k: v for k, v in network.config.items() if not k.startswith("_")}}
    with open(f"{MODELS}/{folder}/config.json", "w") as file:
        json.dump(values, file, indent=1)
        file.write("\n")


def index(folder, name, **more):
    with open(f"{MODELS}/{folder}/model_index.json", "w") as file:
        json.dump({"_class_name": name, **more}, file, indent=1)
        file.write("\n")


def klein(heads, axes, double, single, context):
    return liven(Flux2Transformer2DModel(
        patch_size=1, in_channels=128, num_layers=double, num_single_layers=single, attention_head_dim=sum(axes),
        num_attention_heads=heads, joint_attention_dim=context, mlp_ratio=3.0, axes_dims_rope=axes, rope_theta=2000,
        guidance_embeds=False), 1.2)


def zimage(heads, axes, layers, refiners, context):
    return liven(ZImageTransformer2DModel(
        all_patch_size=(2,), all_f_patch_size=(1,), in_channels=16, dim=heads * sum(axes), n_layers=layers,
        n_refiner_layers=refiners, n_heads=heads, n_kv_heads=heads, norm_eps=1e-5, qk_norm=True, cap_feat_dim=context,
        rope_theta=256.0, t_scale=1000.0, axes_dims=list(axes), axes_lens=[1536, 512, 512]), 1.2)


def klein_velocity(net, x, sigma, context):
    b, n, h, w = x.shape
    places = torch.zeros(h, w, 4)
    places[..., 1] += torch.arange(h)[:, None]
    places[..., 2] += torch.arange(w)[None]
    words = torch.zeros(len(context), 4)
    words[:, 3] = torch.arange(len(context))
    y = net(x.flatten(2).transpose(1, 2), encoder_hidden_states=context[None], timestep=sigma.reshape(1),
            img_ids=places.reshape(-1, 4), txt_ids=words, guidance=None, return_dict=False)[0]
    return y.transpose(1, 2).reshape(x.shape)


def zimage_velocity(net, x, sigma, context):
    return -net([x[0].unsqueeze(1)], (1 - sigma).reshape(1), [context], return_dict=False)[0][0].transpose(0, 1)


def flux1(heads, axes, double, single, context, pooled, guidance):
    return liven(FluxTransformer2DModel(
        patch_size=1, in_channels=64, num_layers=double, num_single_layers=single, attention_head_dim=sum(axes),
        num_attention_heads=heads, joint_attention_dim=context, pooled_projection_dim=pooled, guidance_embeds=guidance,
        axes_dims_rope=axes), 1.0)


def sd3(heads, head, layers, context, pooled, side, dual, norm):
    return liven(SD3Transformer2DModel(
        sample_size=16, patch_size=2, in_channels=16, num_layers=layers, attention_head_dim=head, num_attention_heads=heads,
        joint_attention_dim=context, caption_projection_dim=heads * head, pooled_projection_dim=pooled, out_channels=16,
        pos_embed_max_size=side, dual_attention_layers=dual, qk_norm=norm), 1.0)


def flux1_velocity(net, x, sigma, context, pooled):
    h, w = x.shape[2] // 2, x.shape[3] // 2
    tokens = x[0].reshape(16, h, 2, w, 2).permute(1, 3, 0, 2, 4).reshape(1, h * w, 64)
    places = torch.zeros(h, w, 3)
    places[..., 1] += torch.arange(h)[:, None]
    places[..., 2] += torch.arange(w)[None]
    guidance = torch.tensor([2.5]) if net.config.guidance_embeds else None
    y = net(tokens, encoder_hidden_states=context[None], pooled_projections=pooled[None], timestep=sigma.reshape(1),
            img_ids=places.reshape(-1, 3), txt_ids=torch.zeros(len(context), 3), guidance=guidance, return_dict=False)[0]
    return y.reshape(h, w, 16, 2, 2).permute(2, 0, 3, 1, 4).reshape(1, 16, 2 * h, 2 * w)


def sd3_velocity(net, x, sigma, context, pooled):
    return net(x, context[None], pooled[None], (1000 * sigma).reshape(1), return_dict=False)[0]


out = {}


@torch.no_grad()
def case(name, net, velocity, shape, tokens, width, sigma, pooled=None):
    x, context, sigma = torch.randn(1, *shape), torch.randn(tokens, width), torch.tensor(sigma)
    more = []
    if pooled:
        more = [torch.randn(pooled)]
        out[f"{name}.pooled"] = more[0]
    y = velocity(net, x, sigma, context, *more)
    out.update({f"{name}.latent": x, f"{name}.context": context, f"{name}.sigma": sigma[None], f"{name}.velocity": y})
    print(name, y.std())


@torch.no_grad()
def decode(name, vae, z):
    out[f"{name}.packed"] = z
    if isinstance(vae, AutoencoderKLFlux2):
        z = z * (vae.bn.running_var + vae.config.batch_norm_eps).sqrt().view(1, -1, 1, 1) + vae.bn.running_mean.view(1, -1, 1, 1)
        b, c, h, w = z.shape
        z = z.reshape(b, c // 4, 2, 2, h, w).permute(0, 1, 4, 2, 5, 3).reshape(b, c // 4, 2 * h, 2 * w)
    else:
        z = z / vae.config.scaling_factor + vae.config.shift_factor
    out[f"{name}.image"] = vae.decode(z).sample
    print(name, out[f"{name}.image"].std())


def calm(vae):
    """An image from about -1 to 1."""
    with torch.no_grad():
        for p in vae.decoder.conv_out.parameters():
            p.mul_(0.4)
    if hasattr(vae, "bn"):
        vae.bn.running_mean.copy_(0.5 * torch.randn(128))
        vae.bn.running_var.copy_(torch.rand(128) + 1.5)
    return vae


net = klein(2, (4, 4, 4, 4), 2, 2, 36)
write("klein", net, lambda: klein_names(net.state_dict()))
case("klein", net, klein_velocity, (128, 5, 7), 11, 36, 0.7)
net = klein(3, (4, 4, 8, 8), 1, 3, 24)
config(net, "klein/transformer")
write("klein/transformer/diffusion_pytorch_model", net)
case("kleinFolder", net, klein_velocity, (128, 4, 6), 9, 24, 1.0)
net = zimage(2, (4, 6, 6), 2, 1, 24)
write("zimage", net, lambda: zimage_names(net.state_dict()))
case("zimage", net, zimage_velocity, (16, 6, 10), 37, 24, 0.7)
net = zimage(3, (4, 4, 8), 1, 2, 20)
config(net, "zimage/transformer")
write("zimage/transformer/diffusion_pytorch_model", net)
case("zimageFolder", net, zimage_velocity, (16, 16, 4), 32, 20, 0.25)

sizes = dict(block_out_channels=(8, 8, 8, 16), layers_per_block=1, norm_num_groups=4)
vae = calm(liven(AutoencoderKLFlux2(latent_channels=32, decoder_block_out_channels=(8, 8, 12, 16), **sizes), 1.2))
config(vae, "klein/vae")
write("klein/vae/diffusion_pytorch_model", vae, dtype="F32")
decode("kleinFolder", vae, torch.randn(1, 128, 3, 2))
vae = calm(liven(AutoencoderKLFlux2(
    latent_channels=32, block_out_channels=(32, 32, 32, 32), layers_per_block=1, norm_num_groups=32), 1.2))
write("klein_vae", vae, lambda: vae_names(vae.state_dict(), 4, True), dtype="F32")
decode("klein", vae, torch.randn(1, 128, 2, 3))
vae = calm(liven(AutoencoderKL(
    down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, latent_channels=16,
    scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False, use_post_quant_conv=False, **sizes), 1.2))
config(vae, "zimage/vae")
write("zimage/vae/diffusion_pytorch_model", vae, dtype="F32")
decode("zimageFolder", vae, torch.randn(1, 16, 4, 6))
net = flux1(2, (4, 14, 14), 2, 2, 28, 20, True)
write("flux1", net, lambda: flux1_names(net.state_dict()))
case("flux1", net, flux1_velocity, (16, 6, 10), 9, 28, 0.7, 20)
net = flux1(3, (4, 4, 8), 1, 3, 24, 12, False)
config(net, "flux1/transformer")
write("flux1/transformer/diffusion_pytorch_model", net)
case("flux1Folder", net, flux1_velocity, (16, 4, 6), 7, 24, 1.0, 12)
net = sd3(1, 64, 3, 28, 20, 6, (0, 1), "rms_norm")
write("sd3", net, lambda: sd3_names(net.state_dict(), 3))
case("sd3", net, sd3_velocity, (16, 6, 10), 9, 28, 0.7, 20)
net = sd3(3, 16, 2, 24, 12, 8, (), None)
config(net, "sd3/transformer")
write("sd3/transformer/diffusion_pytorch_model", net)
case("sd3Folder", net, sd3_velocity, (16, 16, 6), 7, 24, 0.4, 12)
index("klein", "Flux2KleinPipeline", is_distilled=True)
index("zimage", "ZImagePipeline")
save_file({k: v.contiguous().clone() for k, v in out.items()}, fixtures("Transformers") + "/networks.safetensors")
