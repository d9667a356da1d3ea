"""Renames diffusers networks to the names of the single-file checkpoint that the webui loads."""

import re

import torch

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
HEAD = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "conv_in": "input_blocks.0.0",
}


def unet_name(key, layers, plain_up=("0",)):
    """The name of a UNet tensor.

    layers: layers_per_block, which decides how blocks are numbered.
    plain_up: The numbers of the upward blocks without attention.
    """
    for ours, theirs in HEAD.items():
        if key.startswith(ours + "."):
            return theirs + key[len(ours) :]
    part = re.match(r"(down|up)_blocks\.(\d)\.(resnets|attentions)\.(\d)\.(.*)", key)
    if part:
        way, block, kind, index, rest = part.groups()
        number = (layers + 1) * int(block) + int(index) + (1 if way == "down" else 0)
        place = "0." + resnet_name(rest) if kind == "resnets" else "1." + rest
        return f"{'input' if way == 'down' else 'output'}_blocks.{number}.{place}"
    part = re.match(r"down_blocks\.(\d)\.downsamplers\.0\.conv\.(.*)", key)
    if part:
        return f"input_blocks.{(layers + 1) * (int(part[1]) + 1)}.0.op.{part[2]}"
    part = re.match(r"up_blocks\.(\d)\.upsamplers\.0\.conv\.(.*)", key)
    if part:
        # After a layer without attention, the upsampler comes second; otherwise, third.
        place = 1 if part[1] in plain_up else 2
        return f"output_blocks.{(layers + 1) * int(part[1]) + layers}.{place}.conv.{part[2]}"
    part = re.match(r"mid_block\.(resnets|attentions)\.(\d)\.(.*)", key)
    kind, index, rest = part.groups()
    return f"middle_block.{1 if kind == 'attentions' else 2 * int(index)}." + (
        rest if kind == "attentions" else resnet_name(rest)
    )


def resnet_name(rest):
    first, _, last = rest.partition(".")
    return f"{RESNET[first]}.{last}"


def vae_name(key):
    key = re.sub(r"encoder\.down_blocks\.(\d)\.resnets\.(\d)", r"encoder.down.\1.block.\2", key)
    key = re.sub(r"encoder\.down_blocks\.(\d)\.downsamplers\.0", r"encoder.down.\1.downsample", key)
    key = re.sub(r"decoder\.up_blocks\.(\d)\.resnets\.(\d)", lambda m: f"decoder.up.{3 - int(m[1])}.block.{m[2]}", key)
    key = re.sub(r"decoder\.up_blocks\.(\d)\.upsamplers\.0", lambda m: f"decoder.up.{3 - int(m[1])}.upsample", key)
    key = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", key)
    key = key.replace("mid_block.attentions.0", "mid.attn_1").replace("attn_1.group_norm", "attn_1.norm")
    key = re.sub(r"attn_1\.to_([qkv])", r"attn_1.\1", key.replace("attn_1.to_out.0", "attn_1.proj_out"))
    return key.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")


def single_file(unet, vae, text_encoder):
    """All three networks' tensors under the names of a webui checkpoint of Stable Diffusion 1.x."""
    tensors = networks(unet, vae)
    for key, tensor in text_encoder.state_dict().items():
        key = key if key.startswith("text_model.") else "text_model." + key
        tensors["cond_stage_model.transformer." + key] = tensor
    return {key: tensor.contiguous() for key, tensor in tensors.items()}


def networks(unet, vae):
    """The tensors of UNet and VAE."""
    layers = unet.config.layers_per_block
    plain = tuple(str(i) for i, kind in enumerate(unet.config.up_block_types) if kind == "UpBlock2D")
    tensors = {"model.diffusion_model." + unet_name(k, layers, plain): t for k, t in unet.state_dict().items()}
    for key, tensor in vae.state_dict().items():
        name = vae_name(key)
        if re.search(r"attn_1\.(q|k|v|proj_out)\.weight$", name):
            tensor = tensor[:, :, None, None]  # 1x1 convolutions there
        tensors["first_stage_model." + name] = tensor
    return tensors


LAYER = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}


def open_clip(text_encoder, prefix):
    """A text encoder of the transformers library under OpenCLIP's names, queries, keys and values in one matrix."""
    state = {k.removeprefix("text_model."): t for k, t in text_encoder.state_dict().items()}
    tensors = {
        "token_embedding.weight": state["embeddings.token_embedding.weight"],
        "positional_embedding": state["embeddings.position_embedding.weight"],
        "logit_scale": torch.tensor(4.6052),
    }
    for end in ("weight", "bias"):
        tensors["ln_final." + end] = state["final_layer_norm." + end]
        for layer in range(text_encoder.config.num_hidden_layers):
            ours, theirs = f"encoder.layers.{layer}.", f"transformer.resblocks.{layer}."
            parts = [state[f"{ours}self_attn.{part}_proj.{end}"] for part in "qkv"]
            tensors[f"{theirs}attn.in_proj_{end}"] = torch.cat(parts)
            for a, b in LAYER.items():
                tensors[f"{theirs}{b}.{end}"] = state[f"{ours}{a}.{end}"]
    width = text_encoder.config.hidden_size
    projection = state.get("text_projection.weight")
    tensors["text_projection"] = torch.zeros(width, width) if projection is None else projection.T
    return {prefix + key: tensor.contiguous() for key, tensor in tensors.items()}
