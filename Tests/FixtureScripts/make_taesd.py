"""Writes small random TAESD decoders in both layouts, and what PyTorch makes of a latent.

  python make_taesd.py

Models/taesd_decoder.weights (the row of layers of madebyollin's TAESD), Models/taesd/ (diffusers' AutoencoderTiny, another one,
with its encoder), Engine/taesd.safetensors (the input, the output of both, about -1 to 1).
The same for the latents of transformers: Models/taef1/ (diffusers' AutoencoderTiny with 16 channels, which TAESD3 is too),
Models/taef2_decoder.weights (the row of TAEF2: 32 channels, and a branch with a group norm in the first blocks),
Models/taef2.weights (the same as diffusers names it, with a part of the encoder), Engine/taef.safetensors (the sampled latents and
the outputs). TAEF2 reads the 128 channels that FLUX.2 samples as 2x2 pixels of 32, without the VAE's statistics.
Made with torch 2.15.0, diffusers 0.42.1.
"""

import os

import torch
from diffusers import AutoencoderTiny
from fixture_paths import fixtures
from random_weights import fill, read_list, write_list
from safetensors.torch import save_file
from torch import nn

out = fixtures("Engine")
torch.manual_seed(9)
WIDTH = 16


class Limit(nn.Module):
    def forward(self, x):
        return torch.tanh(x / 3) * 3


class Block(nn.Module):
    def __init__(self, width, has_pool=False):
        super().__init__()
        self.pool = nn.Sequential(
            nn.Conv2d(width, 4 * width, 1, bias=False), nn.GroupNorm(4, 4 * width), nn.ReLU(),
            nn.Conv2d(4 * width, width, 1, bias=False)) if has_pool else None
        self.conv = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1))

    def forward(self, x):
        if self.pool is not None:
            x = x + self.pool(x)
        return torch.relu(self.conv(x) + x)


def decoder(counts, width, channels=4, has_pool=False):
    layers = [Limit(), nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
    for stage, count in enumerate(counts):
        layers += [Block(width, has_pool and stage == 0) for _ in range(count)]
        if stage < len(counts) - 1:
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(width, width, 3, padding=1, bias=False)]
    return nn.Sequential(*layers, nn.Conv2d(width, 3, 3, padding=1))


row = decoder((3, 3, 3, 1), WIDTH)
tiny = AutoencoderTiny(
    encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(12,) * 4, num_encoder_blocks=(1, 1, 1, 1),
    num_decoder_blocks=(2, 1, 3, 2))
latent = 3 * torch.randn(1, 4, 5, 6)
models = fixtures("Models")
tiny.save_pretrained(f"{models}/taesd")
os.remove(f"{models}/taesd/diffusion_pytorch_model.safetensors")
for network, name, metadata in ((row, "taesd_decoder", None), (tiny, "taesd/diffusion_pytorch_model", {"format": "pt"})):
    path = f"{models}/{name}.weights"
    write_list(path, f"9-{name}", network.state_dict(), "F32", metadata)
    fill([network], network.state_dict, read_list(path))
with torch.no_grad():
    outputs = {"latent": latent, "row": row(latent) * 2 - 1, "tiny": tiny.decode(latent).sample}
save_file(outputs, f"{out}/taesd.safetensors")
print({k: (t.min().item(), t.max().item()) for k, t in outputs.items()})

# The latents of transformers, with numbers of their own.
torch.manual_seed(10)
taef1 = AutoencoderTiny(
    latent_channels=16, encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(12,) * 4,
    num_encoder_blocks=(1, 1, 1, 1), num_decoder_blocks=(3, 3, 3, 1))
taef2 = decoder((3, 3, 3, 1), WIDTH, channels=32, has_pool=True)
with torch.no_grad():
    for name, p in taef2.named_parameters():
        if ".pool." in name:
            # So strong that the branch counts.
            p.copy_(1 + 0.3 * torch.randn_like(p) if name.endswith("1.weight") else p + 0.3 * torch.randn_like(p))
taef1.save_pretrained(f"{models}/taef1")
os.remove(f"{models}/taef1/diffusion_pytorch_model.safetensors")


def both_halves(state):
    """The names of taef2.safetensors: those of diffusers, which counts no layer for the limit."""
    named = {}
    for name, tensor in state.items():
        index, rest = name.split(".", 1)
        named[f"decoder.layers.{int(index) - 1}.{rest}"] = tensor
    return named | {"encoder.layers.0.weight": torch.randn(WIDTH, 3, 3, 3)}


for network, name, named, metadata in (
    (taef1, "taef1/diffusion_pytorch_model", taef1.state_dict, {"format": "pt"}),
    (taef2, "taef2", lambda: both_halves(taef2.state_dict()), {"format": "pt"}),
    (taef2, "taef2_decoder", taef2.state_dict, None),
):
    path = f"{models}/{name}.weights"
    write_list(path, f"10-{name}", named(), "F32", metadata)
    if name != "taef2":
        fill([network], named, read_list(path))
packed = 3 * torch.randn(1, 128, 3, 2)
whole = 3 * torch.randn(1, 16, 5, 6)
outputs = {"latent16": whole, "latent128": packed}
with torch.no_grad():
    outputs["taef1"] = taef1.decode(whole).sample
    outputs["taef2"] = taef2(nn.functional.pixel_shuffle(packed, 2)) * 2 - 1
    fill([taef2], lambda: both_halves(taef2.state_dict()), read_list(f"{models}/taef2.weights"))
    outputs["taef2-both"] = taef2(nn.functional.pixel_shuffle(packed, 2)) * 2 - 1
    for block in taef2:
        block.pool = None
    print("without the branch", (taef2(nn.functional.pixel_shuffle(packed, 2)) * 2 - 1 - outputs["taef2-both"]).abs().max().item())
save_file({k: t.contiguous() for k, t in outputs.items()}, f"{out}/taef.safetensors")
print({k: (t.min().item(), t.max().item()) for k, t in outputs.items()})
