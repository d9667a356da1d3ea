"""A small random SD 1.x model and its vocabulary."""

import json
import os

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

WORDS = (
    "a the of on in and red blue green small big calm boat lake fish star house tree noise blurry painting , .".split()
)


def make_tokenizer(folder):
    """A vocabulary of the words above: merges build each word letter by letter."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(b) for b in printable] + [chr(256 + n) for n in range(256 - len(printable))]
    tokens, merges = letters + [letter + "</w>" for letter in letters], []
    for word in WORDS:
        for end in range(2, len(word) + 1):
            left, right = word[: end - 1], word[end - 1] + ("</w>" if end == len(word) else "")
            if f"{left} {right}" not in merges:
                merges.append(f"{left} {right}")
                tokens.append(left + right)
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    os.makedirs(folder, exist_ok=True)
    json.dump({token: i for i, token in enumerate(tokens)}, open(folder + "/vocab.json", "w"))
    open(folder + "/merges.txt", "w").write("#version: 0.2\n" + "\n".join(merges) + "\n")
    return CLIPTokenizer(folder + "/vocab.json", folder + "/merges.txt"), len(tokens)


def make_networks(vocabulary_size):
    torch.manual_seed(20)
    cross, plain = "CrossAttnDownBlock2D", "DownBlock2D"
    unet = UNet2DConditionModel(
        sample_size=8,
        down_block_types=(cross, cross, cross, plain),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        block_out_channels=(32, 32, 64, 64),
        layers_per_block=1,
        cross_attention_dim=64,
        attention_head_dim=8,
    )
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(32, 32, 32, 32),
        layers_per_block=1,
        latent_channels=4,
        sample_size=64,
    )
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocabulary_size,
            hidden_size=64,
            intermediate_size=160,
            num_hidden_layers=3,
            num_attention_heads=1,
            hidden_act="quick_gelu",
            projection_dim=64,
            bos_token_id=vocabulary_size - 2,
            eos_token_id=vocabulary_size - 1,
        )
    )
    with torch.no_grad():
        # Changed so that prompt, timestep and position all affect the image.
        for name, p in unet.named_parameters():
            p.mul_(3.0 if "attn2" in name else 1.7) if p.ndim > 1 else p.add_(torch.randn_like(p) * 0.1)
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
        for network in (unet, vae, text):
            network.half().float().eval()
        context = text(torch.randint(0, vocabulary_size, (2, 77))).last_hidden_state
        scale = 0.9 / unet(torch.randn(2, 4, 8, 8), torch.tensor([500.0]), context).sample.std()
        unet.conv_out.weight.mul_(scale), unet.conv_out.bias.mul_(scale)
        scale = 0.45 / vae.decode(torch.randn(1, 4, 8, 8) * 5).sample.std()
        vae.decoder.conv_out.weight.mul_(scale), vae.decoder.conv_out.bias.mul_(scale)
    for network in (unet, vae, text):
        network.half().float()
    return unet, vae, text
