"""Times the transformer families at full size, with random weights, beside PyTorch in the same run.

  python full_size.py make MODEL FOLDER            # writes a diffusers folder: klein, zimage, sd3 (3.5 medium) or flux (schnell, FP8)
  python full_size.py compare MODEL FOLDER SDBATCH [--precision bf16] [--rounds 3]
  python full_size.py torch MODEL                  # PyTorch's part alone

An evaluation is one call of the network for one prompt at 512x512. sdbatch runs the whole network: the time is the column
`seconds_per_step` of the second of two images. PyTorch runs some of the network's blocks, since not all networks fit into memory:
one network is timed with a few blocks of each kind, others with more of one kind, and the differences are multiplied. Rounds
alternate, and medians are printed. Needs the packages of Tests/FixtureScripts/requirements.txt.
"""

import argparse
import gzip
import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch

TOKENIZERS = os.path.join(os.path.dirname(__file__), "../Fixtures/Tokenizers")
CLIP = os.path.join(os.path.dirname(__file__), "../Fixtures/Models")


# ------------------------------------------------------------------------------------------------------------ networks


def klein(double=5, single=20):
    from diffusers import Flux2Transformer2DModel

    return Flux2Transformer2DModel(
        patch_size=1, in_channels=128, num_layers=double, num_single_layers=single, attention_head_dim=128,
        num_attention_heads=24, joint_attention_dim=7680, mlp_ratio=3.0, axes_dims_rope=(32, 32, 32, 32), rope_theta=2000,
        guidance_embeds=False)  # fmt: skip


def zimage(layers=30, refiners=2):
    from diffusers import ZImageTransformer2DModel

    return ZImageTransformer2DModel(
        all_patch_size=(2,), all_f_patch_size=(1,), in_channels=16, dim=3840, n_layers=layers, n_refiner_layers=refiners,
        n_heads=30, n_kv_heads=30, norm_eps=1e-5, qk_norm=True, cap_feat_dim=2560, rope_theta=256.0, t_scale=1000.0,
        axes_dims=[32, 48, 48], axes_lens=[1536, 512, 512])  # fmt: skip


def sd3(dual=13, plain=11):
    from diffusers import SD3Transformer2DModel

    return SD3Transformer2DModel(
        sample_size=128, patch_size=2, in_channels=16, num_layers=dual + plain, attention_head_dim=64,
        num_attention_heads=24, joint_attention_dim=4096, caption_projection_dim=1536, pooled_projection_dim=2048,
        out_channels=16, pos_embed_max_size=384, dual_attention_layers=tuple(range(dual)), qk_norm="rms_norm")  # fmt: skip


def flux(double=19, single=38):
    from diffusers import FluxTransformer2DModel

    return FluxTransformer2DModel(num_layers=double, num_single_layers=single, guidance_embeds=False)


# The maker of a network, its blocks of each kind, and how many of each are timed.
NETWORKS = {
    "klein": (klein, (5, 20), (1, 1), (2, 4)),
    "zimage": (zimage, (30, 2), (1, 1), (4, 2)),
    "sd3": (sd3, (13, 11), (2, 2), (6, 6)),
    "flux": (flux, (19, 38), (1, 1), (2, 4)),
}


def inputs(model):
    """One call's arguments at 512x512, with as many text tokens as the model's pipeline gives a short prompt."""

    def normal(*shape):
        return torch.randn(*shape, dtype=torch.bfloat16)

    def grid(width):
        ids = torch.zeros(1024, width)
        ids[:, 1], ids[:, 2] = torch.arange(1024) // 32, torch.arange(1024) % 32
        return ids

    if model == "klein":
        text = torch.zeros(512, 4)
        text[:, 3] = torch.arange(512)
        return (normal(1, 1024, 128),), dict(
            encoder_hidden_states=normal(1, 512, 7680), timestep=torch.tensor([0.7]).bfloat16(), img_ids=grid(4), txt_ids=text,
            guidance=None)  # fmt: skip
    if model == "zimage":
        return ([normal(16, 1, 64, 64)], torch.tensor([0.3]).bfloat16(), [normal(32, 2560)]), {}
    if model == "sd3":
        return (normal(1, 16, 64, 64), normal(1, 154, 4096), normal(1, 2048), torch.tensor([700.0])), {}
    return (normal(1, 1024, 64),), dict(
        encoder_hidden_states=normal(1, 512, 4096), pooled_projections=normal(1, 768), timestep=torch.tensor([0.7]).bfloat16(),
        img_ids=grid(3), txt_ids=torch.zeros(512, 3))  # fmt: skip


def on_meta(make):
    with torch.device("meta"):
        return make()


def is_scale(name, shape):
    return name.endswith("running_var") or len(shape) == 1 and "norm" in name and name.endswith("weight")


def filled(make):
    """A network with random weights in bfloat16; a repeated block of numbers, because drawing billions takes minutes."""
    net = on_meta(make).to(torch.bfloat16).to_empty(device="cpu").eval()
    block = torch.randn(1 << 16).mul_(0.02).bfloat16()
    for name, tensor in net.state_dict().items():
        if is_scale(name, tensor.shape):
            tensor.fill_(1)
        elif tensor.is_floating_point():
            tensor.view(-1).copy_(block.repeat(tensor.numel() // len(block) + 1)[: tensor.numel()])
    # Tables that are not saved are empty, too.
    computed = dict(make().named_buffers())
    for name, buffer in net.named_buffers():
        if name not in net.state_dict():
            buffer.copy_(computed[name])
    return net


class PyTorch:
    """Times a network by its blocks."""

    def __init__(self, model):
        make, self.whole, self.few, self.more = NETWORKS[model]
        (a, b), (c, d) = self.few, self.more
        self.networks = [filled(lambda: make(*counts)) for counts in ((a, b), (c, b), (a, d))]
        self.arguments, self.options = inputs(model)

    @torch.no_grad()
    def time(self, net):
        net(*self.arguments, **self.options, return_dict=False)
        times = []
        for _ in range(3):
            start = time.perf_counter()
            net(*self.arguments, **self.options, return_dict=False)
            times.append(time.perf_counter() - start)
        return statistics.median(times)

    def seconds(self):
        few, first, second = (self.time(net) for net in self.networks)
        first = (first - few) / (self.more[0] - self.few[0])
        second = (second - few) / (self.more[1] - self.few[1])
        return few + (self.whole[0] - self.few[0]) * first + (self.whole[1] - self.few[1]) * second


# --------------------------------------------------------------------------------------------------------------- files


class RandomFile:
    """Writes safetensors of random numbers, in bfloat16 or, the matrices of blocks, in FP8."""

    def __init__(self):
        values = np.random.default_rng(0).standard_normal(1 << 24, dtype=np.float32) * 0.02
        self.bf16 = (values.view(np.uint32) >> 16).astype(np.uint16)
        self.f8 = torch.from_numpy(values).to(torch.float8_e4m3fn).view(torch.uint8).numpy()

    def write(self, path, module, in_f8=False):
        shapes = {}
        for name, tensor in module.state_dict().items():
            if name not in ("lm_head.weight", "encoder.embed_tokens.weight") and not name.endswith("num_batches_tracked"):
                shapes[name] = tuple(tensor.shape)
        header, offset, tensors = {"__metadata__": {"format": "pt"}}, 0, []
        for index, (name, shape) in enumerate(shapes.items()):
            small = in_f8 and len(shape) == 2 and "_blocks." in name
            count = int(np.prod(shape))
            size = count if small else 2 * count
            header[name] = {
                "dtype": "F8_E4M3" if small else "BF16", "shape": list(shape), "data_offsets": [offset, offset + size]}  # fmt: skip
            offset += size
            tensors.append((self.f8 if small else self.bf16, count, index * 7919, is_scale(name, shape)))
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with open(path, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            for numbers, count, start, ones in tensors:
                file.write((np.full(count, 0x3F80, np.uint16) if ones else np.resize(np.roll(numbers, start), count)).tobytes())


def qwen():
    from transformers import Qwen3Config, Qwen3ForCausalLM

    return Qwen3ForCausalLM(Qwen3Config(
        vocab_size=151936, hidden_size=2560, intermediate_size=9728, num_hidden_layers=36, num_attention_heads=32,
        num_key_value_heads=8, head_dim=128, rope_theta=1000000, tie_word_embeddings=True, rms_norm_eps=1e-6))  # fmt: skip


def t5():
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(T5Config(
        vocab_size=32128, d_model=4096, d_kv=64, d_ff=10240, num_layers=24, num_heads=64, feed_forward_proj="gated-gelu"))  # fmt: skip


def clip(width, layers, heads, activation, projects=True):
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    kind = CLIPTextModelWithProjection if projects else CLIPTextModel
    return kind(CLIPTextConfig(
        hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers, num_attention_heads=heads,
        projection_dim=width, hidden_act=activation))  # fmt: skip


def autoencoder():
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=16, use_quant_conv=False,
        use_post_quant_conv=False, down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        scaling_factor=0.3611, shift_factor=0.1159)  # fmt: skip


def autoencoder2():
    from diffusers import AutoencoderKLFlux2

    return AutoencoderKLFlux2()


CLIP_L, CLIP_G = (lambda: clip(768, 12, 12, "quick_gelu")), (lambda: clip(1280, 32, 20, "gelu"))
# The class of each pipeline, its networks, and its tokenizers.
PIPELINES = {
    "klein": ("Flux2KleinPipeline", {"transformer": klein, "text_encoder": qwen, "vae": autoencoder2}, {"tokenizer": "qwen"}),
    "zimage": ("ZImagePipeline", {"transformer": zimage, "text_encoder": qwen, "vae": autoencoder}, {"tokenizer": "qwen"}),
    "sd3": (
        "StableDiffusion3Pipeline",
        {"transformer": sd3, "text_encoder": CLIP_L, "text_encoder_2": CLIP_G, "text_encoder_3": t5, "vae": autoencoder},
        {"tokenizer": "clip", "tokenizer_2": "clip", "tokenizer_3": "t5"},
    ),
    "flux": (
        "FluxPipeline",
        {"transformer": flux, "text_encoder": lambda: clip(768, 12, 12, "quick_gelu", False), "text_encoder_2": t5, "vae": autoencoder},
        {"tokenizer": "clip", "tokenizer_2": "t5"},
    ),
}  # fmt: skip


def write_tokenizer(kind, folder):
    os.makedirs(folder, exist_ok=True)
    if kind == "clip":
        for name in ("vocab.json", "merges.txt"):
            shutil.copy(os.path.join(CLIP, name), folder)
        return
    packed = {"qwen": "qwen/tokenizer.json.gz", "t5": "t5/spiece.model.gz"}[kind]
    with gzip.open(os.path.join(TOKENIZERS, packed)) as source:
        with open(os.path.join(folder, os.path.basename(packed)[:-3]), "wb") as file:
            file.write(source.read())


def write_network(random, folder, network, in_f8=False):
    """A network's part of a diffusers folder: its configuration and its weights."""
    module = on_meta(network)
    is_text = hasattr(module.config, "to_dict")
    config = module.config.to_dict() if is_text else {"_class_name": type(module).__name__, **module.config}
    os.makedirs(folder, exist_ok=True)
    with open(folder + "/config.json", "w") as file:
        json.dump({**config, **({"architectures": [type(module).__name__]} if is_text else {})}, file, default=str)
    random.write(f"{folder}/{'model' if is_text else 'diffusion_pytorch_model'}.safetensors", module, in_f8)


def make(model, folder):
    pipeline, networks, tokenizers = PIPELINES[model]
    random = RandomFile()
    os.makedirs(folder, exist_ok=True)
    with open(folder + "/model_index.json", "w") as file:
        json.dump({"_class_name": pipeline, "is_distilled": True}, file)
    os.makedirs(folder + "/scheduler", exist_ok=True)
    with open(folder + "/scheduler/scheduler_config.json", "w") as file:
        scheduler = {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 3.0}
        json.dump({**scheduler, "use_dynamic_shifting": model == "klein"}, file)
    for name, kind in tokenizers.items():
        write_tokenizer(kind, f"{folder}/{name}")
    for name, network in networks.items():
        write_network(random, f"{folder}/{name}", network, in_f8=model == "flux" and name == "transformer")


# ------------------------------------------------------------------------------------------------------------- sdbatch


RECIPE = """model: {folder}
prompt: a red fox in the snow
width: 512
height: 512
steps: 2
sampler_name: Euler
cfg_scale: 1
precision: {precision}
grid: {{seed: [1, 2]}}
output: {work}/out
"""


def sdbatch_seconds(folder, program, precision):
    with tempfile.TemporaryDirectory() as work:
        with open(work + "/recipe.yaml", "w") as file:
            file.write(RECIPE.format(folder=os.path.abspath(folder), precision=precision, work=work))
        subprocess.run([program, work + "/recipe.yaml", "--no-reuse", "--quiet"], check=True)
        with open(work + "/out/trace.tsv") as file:
            rows = [line.rstrip("\n").split("\t") for line in file]
    last = dict(zip(rows[0], rows[-1]))
    print(f"  sdbatch {precision}: {last['seconds_per_step']} s, peak {int(last['peak_memory_mib']) / 953.7:.1f} GB", flush=True)
    return float(last["seconds_per_step"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["make", "compare", "torch"])
    parser.add_argument("model", choices=list(PIPELINES))
    parser.add_argument("folder", nargs="?")
    parser.add_argument("program", nargs="?")
    parser.add_argument("--precision", action="append", choices=["bf16", "int8", "fp32"])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.action == "make":
        return make(options.model, options.folder)
    precisions = (options.precision or ["bf16", "int8"]) if options.action == "compare" else []
    peer, ours = PyTorch(options.model), {name: [] for name in precisions}
    theirs = []
    for _ in range(options.rounds):
        theirs.append(peer.seconds())
        print(f"  PyTorch bf16: {theirs[-1]:.2f} s", flush=True)
        for name in precisions:
            ours[name].append(sdbatch_seconds(options.folder, options.program, name))
    median = statistics.median(theirs)
    for name in precisions:
        mine = statistics.median(ours[name])
        print(f"{options.model} {name}: {mine:.2f} s, PyTorch bf16 {median:.2f} s, ratio {mine / median:.2f}")


if __name__ == "__main__":
    sys.exit(main())
