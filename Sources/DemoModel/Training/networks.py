"""The demo model's vocabulary, networks and noise schedule: Stable Diffusion 1.x with small widths."""

import json
import pathlib

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

import world

TOKENS = 77
STEPS = 1000


def byte_letters():
    """The 256 characters that represent bytes in CLIP's byte-level vocabulary."""
    plain = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    others = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) for byte in plain] + [chr(256 + i) for i in range(len(others))]


def merges():
    """Byte pairs joined so that every word of the captions becomes one token.

    The merges of a word come after those of the words before it, and a tokenizer applies earlier merges first.
    """
    pairs = []
    for word in world.words():
        parts = list(word[:-1]) + [word[-1] + "</w>"]
        for pair in pairs:
            i = 0
            while i + 1 < len(parts):
                if tuple(parts[i:i + 2]) == pair:
                    parts[i:i + 2] = ["".join(pair)]
                i += 1
        while len(parts) > 1:
            pairs.append(tuple(parts[:2]))
            parts[:2] = ["".join(parts[:2])]
    return pairs


def write_tokenizer(folder):
    """Writes `vocab.json` and `merges.txt` in CLIP's form: bytes, bytes that end a word, merges, begin and end."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    letters, pairs = byte_letters(), merges()
    names = letters + [x + "</w>" for x in letters] + [x + y for x, y in pairs] + ["<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({name: i for i, name in enumerate(names)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(map(" ".join, pairs)) + "\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))


def token_ids(tokenizer, captions):
    """[captions, 77]: begin, the caption, then end tokens up to the last position, as the webui pads."""
    begin, end = tokenizer.convert_tokens_to_ids(["<|startoftext|>", "<|endoftext|>"])
    ids = torch.full((len(captions), TOKENS), end)
    for row, text in zip(ids, captions):
        words = [begin] + tokenizer(text, add_special_tokens=False).input_ids[:TOKENS - 2]
        row[:len(words)] = torch.tensor(words)
    return ids


def text_encoder(tokenizer):
    begin, end = tokenizer.convert_tokens_to_ids(["<|startoftext|>", "<|endoftext|>"])
    return CLIPTextModel(CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=128, intermediate_size=512, num_hidden_layers=3, num_attention_heads=2,
        max_position_embeddings=TOKENS, hidden_act="quick_gelu", projection_dim=128, bos_token_id=begin, eos_token_id=end,
        pad_token_id=end))


def unet():
    # Two heads: with eight heads of 8 channels, as in SD 1.x, attention would take most of a step on a CPU.
    network = UNet2DConditionModel(
        sample_size=world.SIZE // 8, block_out_channels=(64, 128, 128, 128), layers_per_block=1, cross_attention_dim=128,
        attention_head_dim=2)
    network.set_attn_processor(AttnProcessor())
    return network


def vae():
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(32, 32, 64, 64), layers_per_block=1, norm_num_groups=16, sample_size=world.SIZE)


def alphas_cumprod():
    """Stable Diffusion's schedule ("scaled_linear")."""
    return torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, STEPS, dtype=torch.float64) ** 2, 0).float()


def to_signal(pictures):
    """uint8 [n, size, size, 3] to [n, 3, size, size] in -1...1."""
    return (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous()


class Progress:
    """Counts the minutes of training over all resumed runs, and writes the loss to a table, which the model card's curve is drawn from."""

    def __init__(self, path, seconds=0.0):
        self.path, self.seconds = pathlib.Path(path), seconds
        if not self.path.exists():
            self.path.write_text("step\tseconds\tloss\n")

    def log(self, step, loss):
        with self.path.open("a") as table:
            table.write(f"{step}\t{self.seconds:.0f}\t{loss:.5f}\n")
        print(f"{step} loss {loss:.4f} after {self.seconds / 60:.1f} min", flush=True)
