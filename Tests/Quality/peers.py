"""Times sdbatch beside OpenVINO and PyTorch in one run, and prints the manual's table of peers as Markdown.

  python peers.py make FOLDER                 # random full-size Stable Diffusion 1.5 and XL, and OpenVINO's models: minutes, 13 GB
  python peers.py compare FOLDER SDBENCH [--rounds 3] [--only TEXT]

Rows are ratios of medians; each round runs every program once, one after the other, so that all meet the same clock. A guided
step is two images in one call of the UNet (512x512, XL: 1024x1024). OpenVINO's int8 model is made by nncf's post-training
quantisation, which leaves the rest in bf16. AVX2 limits both programs to that instruction set. Needs an idle machine, and the
packages of Tests/FixtureScripts/requirements.txt, openvino and nncf.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import numpy as np

from full_size import CLIP_G, CLIP_L, RandomFile, write_network


# ------------------------------------------------------------------------------------------------------------ networks


def unet(**options):
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(in_channels=4, out_channels=4, layers_per_block=2, **options)


def unet15():
    down, cross = "DownBlock2D", "CrossAttnDownBlock2D"
    return unet(
        sample_size=64, down_block_types=(cross, cross, cross, down), block_out_channels=(320, 640, 1280, 1280),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3, cross_attention_dim=768, attention_head_dim=8)  # fmt: skip


def unet_xl():
    cross = "CrossAttnDownBlock2D"
    return unet(
        sample_size=128, down_block_types=("DownBlock2D", cross, cross), block_out_channels=(320, 640, 1280),
        up_block_types=("CrossAttnUpBlock2D",) * 2 + ("UpBlock2D",), cross_attention_dim=2048, attention_head_dim=(5, 10, 20),
        transformer_layers_per_block=(1, 2, 10), use_linear_projection=True, addition_embed_type="text_time",
        addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816)  # fmt: skip


def autoencoder(scaling_factor):
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4, scaling_factor=scaling_factor,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4)  # fmt: skip


FOLDERS = {
    "sd15": ("StableDiffusionPipeline", {
        "unet": unet15, "vae": lambda: autoencoder(0.18215), "text_encoder": CLIP_L}),
    "sdxl": ("StableDiffusionXLPipeline", {
        "unet": unet_xl, "vae": lambda: autoencoder(0.13025), "text_encoder": CLIP_L, "text_encoder_2": CLIP_G}),
}  # fmt: skip


def write_folder(folder, pipeline, networks):
    random = RandomFile()
    for name, network in networks.items():
        write_network(random, f"{folder}/{name}", network)
    with open(folder + "/model_index.json", "w") as file:
        json.dump({"_class_name": pipeline}, file)


# ------------------------------------------------------------------------------------------------------------ OpenVINO


def openvino_inputs(part, seed=0, timestep=500.0):
    normal = np.random.default_rng(seed).standard_normal
    if part == "vae":
        return [normal((1, 4, 64, 64)).astype("f4")]
    return [normal((2, 4, 64, 64)).astype("f4"), np.array([timestep], "f4"), normal((2, 77, 768)).astype("f4")]


def convert(folder):
    """Writes the UNet in half precision, the same in int8, and the VAE's decoder."""
    import nncf
    import openvino
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel

    class UNet(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = UNet2DConditionModel.from_pretrained(folder + "/sd15/unet", torch_dtype=torch.float32).eval()

        def forward(self, x, t, c):
            return self.net(x, t, c, return_dict=False)[0]

    class Decoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = AutoencoderKL.from_pretrained(folder + "/sd15/vae", torch_dtype=torch.float32).eval()

        def forward(self, z):
            return self.net.decode(z, return_dict=False)[0]

    os.makedirs(folder + "/openvino", exist_ok=True)
    for part, network in (("unet", UNet), ("vae", Decoder)):
        example = [torch.from_numpy(x) for x in openvino_inputs(part)]
        with torch.no_grad():
            model = openvino.convert_model(network(), example_input=tuple(example), input=[list(x.shape) for x in example])
        openvino.save_model(model, f"{folder}/openvino/{part}.xml", compress_to_fp16=True)
        del model
    data = [openvino_inputs("unet", seed, timestep) for seed, timestep in ((0, 900.0), (1, 300.0))]
    quantised = nncf.quantize(
        openvino.Core().read_model(folder + "/openvino/unet.xml"), nncf.Dataset(data), subset_size=2,
        model_type=nncf.ModelType.TRANSFORMER, preset=nncf.QuantizationPreset.MIXED, fast_bias_correction=True,
        advanced_parameters=nncf.AdvancedQuantizationParameters(disable_bias_correction=True, smooth_quant_alpha=-1))  # fmt: skip
    openvino.save_model(quantised, folder + "/openvino/unet_int8.xml")


def median_time(call, repeats=3):
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def openvino_seconds(folder, name, precision):
    import openvino

    options = {
        "INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": len(os.sched_getaffinity(0)),
        "PERFORMANCE_HINT": "LATENCY"}  # fmt: skip
    request = openvino.Core().compile_model(f"{folder}/openvino/{name}.xml", "CPU", options).create_infer_request()
    inputs = openvino_inputs(name.split("_")[0])
    return median_time(lambda: request.infer(inputs))


# ------------------------------------------------------------------------------------------------------------- PyTorch


def torch_seconds(name):
    import torch

    from full_size import filled

    net = filled(unet15 if name == "sd15" else unet_xl)
    size, width = (64, 768) if name == "sd15" else (128, 2048)
    conditions = {"text_embeds": torch.randn(2, 1280).bfloat16(), "time_ids": torch.full((2, 6), 1024.0).bfloat16()}
    x, c = torch.randn(2, 4, size, size).bfloat16(), torch.randn(2, 77, width).bfloat16()
    options = {} if name == "sd15" else {"added_cond_kwargs": conditions}
    with torch.no_grad():
        return median_time(lambda: net(x, 500, c, return_dict=False, **options), repeats=1 if name == "sdxl" else 3)


# ------------------------------------------------------------------------------------------------------------- compare


# What a peer runs: kind, arguments, and the instruction set that it is limited to.
PEERS = {
    "OpenVINO bf16": ("openvino", "unet", "bf16", None),
    "OpenVINO int8": ("openvino", "unet_int8", "bf16", None),
    "OpenVINO f32": ("openvino", "unet", "f32", None),
    "OpenVINO f32, AVX2": ("openvino", "unet", "f32", "avx2"),
    "OpenVINO VAE bf16": ("openvino", "vae", "bf16", None),
    "PyTorch bf16": ("torch", "sd15", "bf16", None),
    "PyTorch XL bf16": ("torch", "sdxl", "bf16", None),
}
# What sdbench runs: model, precision, size, and SDBATCH_ISA.
OURS = {
    "bf16": ("sd15", "bf16", 512, None),
    "int8": ("sd15", "int8", 512, None),
    "fp32": ("sd15", "fp32", 512, None),
    "fp32, AVX2": ("sd15", "fp32", 512, "avx2"),
    "XL bf16": ("sdxl", "bf16", 1024, None),
}
# Title, what of ours (measurement, line of sdbench), and beside which peer.
ROWS = [
    ("guided step, bf16", "bf16", "guided step", "OpenVINO bf16"),
    ("guided step, bf16", "bf16", "guided step", "PyTorch bf16"),
    ("guided step, int8", "int8", "guided step", "OpenVINO bf16"),
    ("guided step, int8", "int8", "guided step", "OpenVINO int8"),
    ("guided step, fp32", "fp32", "guided step", "OpenVINO f32"),
    ("guided step, fp32, AVX2", "fp32, AVX2", "guided step", "OpenVINO f32, AVX2"),
    ("VAE decode, bf16", "bf16", "VAE decode", "OpenVINO VAE bf16"),
    ("SDXL 1024x1024, guided step, bf16", "XL bf16", "guided step", "PyTorch XL bf16"),
]


def peer_seconds(folder, name):
    """Runs in a process of its own: its memory is gone afterwards, and the limit of oneDNN is read at its start."""
    kind, network, precision, isa = PEERS[name]
    environment = dict(os.environ)
    if isa:
        environment["ONEDNN_MAX_CPU_ISA"] = environment["DNNL_MAX_CPU_ISA"] = isa.upper()
    command = [sys.executable, __file__, kind, folder, network, precision]
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    return float(output.split()[-1])


def our_seconds(folder, sdbench, name):
    """The seconds of each line of `sdbench model`."""
    model, precision, size, isa = OURS[name]
    environment = {**os.environ, **({"SDBATCH_ISA": isa} if isa else {})}
    command = [sdbench, "model", f"{folder}/{model}", "--precision", precision, "--size", str(size), "--steps", "0", "--json"]
    command += ["--repeats", "1" if model == "sdxl" else "3"]
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    return {line["name"]: line["seconds"] for line in json.loads(output.splitlines()[-1])["measurements"]}


def compare(folder, sdbench, rounds, only):
    rows = [row for row in ROWS if only in f"{row[0]} {row[3]}"]
    ours, peers = {}, {}
    for _ in range(rounds):
        for name in dict.fromkeys(row[1] for row in rows):
            for line, seconds in our_seconds(folder, sdbench, name).items():
                ours.setdefault((name, line), []).append(seconds)
        for name in dict.fromkeys(row[3] for row in rows):
            peers.setdefault(name, []).append(peer_seconds(folder, name))
            print(f"{name}: {peers[name][-1]:.2f} s", file=sys.stderr, flush=True)
    print("| | sdbatch | peer | ratio |\n|---|---|---|---|")
    for title, name, line, peer in rows:
        mine, other = statistics.median(ours[name, line]), statistics.median(peers[peer])
        print(f"| {title} | {mine:.2f} s | {peer}: {other:.2f} s | {mine / other:.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    for name, arguments in {
        "make": ["folder"], "compare": ["folder", "sdbench"],
        "openvino": ["folder", "network", "precision"], "torch": ["folder", "network", "precision"]}.items():  # fmt: skip
        action = actions.add_parser(name)
        for argument in arguments:
            action.add_argument(argument)
        if name == "compare":
            action.add_argument("--rounds", type=int, default=3)
            action.add_argument("--only", default="", help="only rows whose title or peer contains this text")
    options = parser.parse_args()
    if options.action == "make":
        for name, (pipeline, networks) in FOLDERS.items():
            write_folder(f"{options.folder}/{name}", pipeline, networks)
        convert(options.folder)
    elif options.action == "compare":
        compare(options.folder, options.sdbench, options.rounds, options.only)
    elif options.action == "openvino":
        print(openvino_seconds(options.folder, options.network, options.precision))
    else:
        print(torch_seconds(options.network))


if __name__ == "__main__":
    main()
