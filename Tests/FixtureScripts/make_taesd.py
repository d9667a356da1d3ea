"""Writes small random TAESD decoders in both layouts, and PyTorch's results for a latent.

  python make_taesd.py

Models/taesd_decoder.weights (the row of layers of madebyollin's TAESD), Models/taesd/ (diffusers' AutoencoderTiny, another one,
with its encoder), Engine/taesd.safetensors (the input, the output of both, about -1 to 1).
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
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1))

    def forward(self, x):
        return torch.relu(self.conv(x) + x)


def decoder(counts, width):
    layers = [Limit(), nn.Conv2d(4, width, 3, padding=1), nn.ReLU()]
    for stage, count in enumerate(counts):
        layers += [Block(width) for _ in range(count)]
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
