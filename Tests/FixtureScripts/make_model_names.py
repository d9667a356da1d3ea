"""Writes what the tests of Weights and Models read: lists of tensors, configurations, and small files of numbers.

  python make_model_names.py LDM_NAMES

LDM_NAMES is the path of ldm_names.py, which renames an SD 1.5 sized model from diffusers' names to a single file's.
Made with torch 2.15.0, diffusers 0.42.1, transformers 5.23.0, safetensors 0.8.0.

Weights/<model>/tensors.txt     for each network a line [network], then for each tensor: its name in diffusers, its name in a
                            single file, its shape, and its shape in the single file where that is another one
Weights/<model>/<network>.json  the configuration that diffusers writes
Weights/numbers.safetensors     F32, F16, BF16 and other types, with
Weights/numbers.txt             the bits of the same numbers in Float32
"""
import importlib.util, json, os, re, sys
import numpy as np, torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from fixture_paths import fixtures
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

out = fixtures("Weights")
spec = importlib.util.spec_from_file_location("ldm_names", sys.argv[1])
ldm_names = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ldm_names)


def model(channels, attention, layers, heads, width, vae_channels, vae_layers, text_layers, linear=False, depth=1):
    """The three networks without numbers: only their names and shapes are needed."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(
            block_out_channels=channels, layers_per_block=layers, attention_head_dim=heads, cross_attention_dim=width,
            down_block_types=[("CrossAttn" if a else "") + "DownBlock2D" for a in attention],
            up_block_types=[("CrossAttn" if a else "") + "UpBlock2D" for a in reversed(attention)],
            use_linear_projection=linear, transformer_layers_per_block=depth)
        vae = AutoencoderKL(
            block_out_channels=vae_channels, layers_per_block=vae_layers,
            down_block_types=("DownEncoderBlock2D",) * len(vae_channels),
            up_block_types=("UpDecoderBlock2D",) * len(vae_channels))
        text = CLIPTextModel(CLIPTextConfig(
            hidden_size=width, intermediate_size=4 * width, num_hidden_layers=text_layers,
            num_attention_heads=width // 64))
    return unet, vae, text


MODELS = {
    "sd15": model((320, 640, 1280, 1280), (1, 1, 1, 0), 2, 8, 768, (128, 256, 512, 512), 2, 12),
    "one-layer": model((32, 64, 96), (0, 1, 0), 1, 8, 64, (32, 64), 1, 1),
    "three-layers": model((64, 32), (1, 1), 3, 8, 128, (64, 32, 32), 3, 2, linear=True, depth=2),
}


def ldm_unet(k, unet):
    """ldm_names._unet for any number of layers, and for blocks with attention anywhere."""
    stride = unet.config.layers_per_block + 1
    types = unet.config.up_block_types
    m = re.match(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.*)", k)
    if not m:
        return ldm_names._unet(k)
    side, block, kind, layer, rest = m[1], int(m[2]), m[3], int(m[4]), m[5]
    if kind == "downsamplers":
        return f"input_blocks.{stride * (block + 1)}.0.op." + rest.removeprefix("conv.")
    if kind == "upsamplers":
        return f"output_blocks.{stride * (block + 1) - 1}.{2 if 'CrossAttn' in types[block] else 1}." + rest
    number = f"input_blocks.{stride * block + layer + 1}" if side == "down" else f"output_blocks.{stride * block + layer}"
    # The names that ldm_names gives inside a layer do not depend on the position of the layer.
    inside = ldm_names._unet(f"mid_block.{kind}.0.{rest}").split(".", 2)[2]
    return f"{number}.{0 if kind == 'resnets' else 1}.{inside}"


def ldm_vae(k, vae):
    """ldm_names._vae for any number of blocks."""
    last = len(vae.config.block_out_channels) - 1
    k = re.sub(r"decoder\.up_blocks\.(\d+)", lambda m: f"decoder.up_blocks.{int(m[1]) + 3 - last}", k)
    return ldm_names._vae(k)


for name, (unet, vae, text) in MODELS.items():
    os.makedirs(f"{out}/{name}", exist_ok=True)
    unet_names = {k: ldm_unet(k, unet) for k in unet.state_dict()}
    vae_names = {k: ldm_vae(k, vae) for k in vae.state_dict()}
    single = {"model.diffusion_model." + n: unet.state_dict()[k] for k, n in unet_names.items()}
    for k, n in vae_names.items():
        t = vae.state_dict()[k]
        single["first_stage_model." + n] = t[:, :, None, None] if re.search(r"attn_1\.(q|k|v|proj_out)\.weight", n) else t
    # Two independent renamings must agree with this one: the one for SD 1.5 sizes, and diffusers' own in the other direction.
    if name == "sd15":
        reference = ldm_names.single_file(unet, vae, text)
        reference = {k: list(t.shape) for k, t in reference.items() if not k.startswith("cond_stage_model.")}
        assert reference == {k: list(t.shape) for k, t in single.items()}
    back = convert_ldm_unet_checkpoint(dict(single), unet.config)
    assert {k: list(t.shape) for k, t in back.items()} == {k: list(t.shape) for k, t in unet.state_dict().items()}, name
    assert all(back[k] is single["model.diffusion_model." + n] for k, n in unet_names.items())
    back = convert_ldm_vae_checkpoint(dict(single), vae.config)
    assert {k: list(t.shape) for k, t in back.items()} == {k: list(t.shape) for k, t in vae.state_dict().items()}, name

    def shape(t):
        return "x".join(map(str, t.shape))

    with open(f"{out}/{name}/tensors.txt", "w") as f:
        for network, net, prefix, names in (
            ("unet", unet, "model.diffusion_model.", unet_names), ("vae", vae, "first_stage_model.", vae_names),
            ("text_encoder", text, "cond_stage_model.transformer.", {k: "text_model." + k for k in text.state_dict()})):
            f.write(f"[{network}] {prefix}\n")
            for k, t in net.state_dict().items():
                other = shape(single.get(prefix + names[k], t))
                f.write(f"{k} {names[k]} {shape(t)}" + (f" {other}" if other != shape(t) else "") + "\n")
            config = net.config.to_dict() if network == "text_encoder" else json.loads(net.to_json_string())
            json.dump(config, open(f"{out}/{name}/{network}.json", "w"), indent=1)

# Finite numbers at the limits of each type, and some random ones.
rng = np.random.default_rng(2)
f32 = torch.from_numpy(np.concatenate([
    np.array([0, 0x80000000, 1, 0x807FFFFF, 0x00800000, 0x7F7FFFFF, 0xFF7FFFFF, 0x3F800000], np.uint32).view(np.float32),
    rng.standard_normal(7).astype(np.float32)]))
f16 = torch.from_numpy(np.concatenate([
    np.array([0, 0x8000, 1, 0x83FF, 0x0400, 0x7BFF, 0xFBFF, 0x3C00], np.uint16).view(np.float16),
    rng.standard_normal(13).astype(np.float16)]))
bf16 = torch.from_numpy(np.concatenate([
    np.array([0, 0x80000000, 0x00010000, 0x807F0000, 0x00800000, 0x7F7F0000, 0xFF7F0000, 0x3F800000], np.uint32).view(np.float32),
    rng.standard_normal(11).astype(np.float32)])).bfloat16()
numbers = {"f32": f32.reshape(3, 5), "f16": f16.reshape(3, 7), "bf16": bf16, "scalar": torch.tensor(0.1),
           "empty": torch.zeros(0, 4)}
others = {"positions": torch.arange(77)[None], "f64": torch.ones(2, dtype=torch.float64), "bytes": torch.ones(3, dtype=torch.uint8),
          "flags": torch.tensor([True]), "f8": torch.ones(5).to(torch.float8_e4m3fn)}
save_file(numbers | others, f"{out}/numbers.safetensors", metadata={"format": "pt", "note": "é \"quoted\"\n"})
with open(f"{out}/numbers.txt", "w") as f:
    for name, t in numbers.items():
        bits = t.float().flatten().numpy().view(np.uint32)
        f.write(" ".join([name, "x".join(map(str, t.shape)) or "-"] + [f"{b:08x}" for b in bits]) + "\n")
