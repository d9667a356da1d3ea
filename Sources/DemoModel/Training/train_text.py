"""Teaches the text encoder to read: linear layers predict what is where from the tokens after a caption.

    python train_text.py FOLDER MINUTES [--threads N]

Writes FOLDER/tokenizer, FOLDER/text_encoder and FOLDER/text.tsv. The linear layers are thrown away. What
remains is a context that states the layout, so the UNet need not learn English through its own loss. This training is cheap, because it
draws no images.
"""

import argparse
import math
import pathlib
import random
import time

import torch
import torch.nn.functional as F

import networks
import world

RATE = 1.5e-3
BATCH = 64
ARRANGEMENTS = ["single", "beside", "stacked"]
COLORS, SIZES = list(world.COLORS), list(world.SIZES)
# Arrangement; shape, colour and size of the left or upper object and of the other one, which may be absent; background.
CLASSES = [3, 12, 12, 3, 13, 13, 4, 13]


def facts(scene, with_background):
    first, second = scene.objects[0], scene.objects[1] if len(scene.objects) > 1 else None
    return [
        ARRANGEMENTS.index(scene.arrangement),
        world.SHAPES.index(first.shape), COLORS.index(first.color), SIZES.index(first.size),
        world.SHAPES.index(second.shape) if second else 12, COLORS.index(second.color) if second else 12,
        SIZES.index(second.size) if second else 3,
        COLORS.index(scene.background) if with_background else 12,
    ]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("minutes", type=float)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    options.folder.mkdir(parents=True, exist_ok=True)
    tokenizer = networks.write_tokenizer(options.folder / "tokenizer")
    text = networks.text_encoder(tokenizer)
    heads = torch.nn.Linear(128, sum(CLASSES))
    parameters = [*text.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(parameters, RATE, betas=(0.9, 0.98), weight_decay=1e-2)
    progress = networks.Progress(options.folder / "text.tsv")
    rng = random.Random(1)
    start, mean, step = time.time(), 0.0, 0
    end = options.minutes * 60
    while (elapsed := time.time() - start) < end:
        captions, targets = [], []
        for _ in range(BATCH):
            scene, with_background = world.random_scene(rng), rng.random() > 0.08
            captions.append(world.caption(scene, rng, with_background))
            targets.append(facts(scene, with_background))
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 200) * (0.5 + 0.5 * math.cos(math.pi * elapsed / end) + 0.01)
        ids = networks.token_ids(tokenizer, captions)
        # Mostly short sequences, but all 77 positions have to be trained.
        length = networks.TOKENS if step % 8 == 0 else 34
        with torch.autocast("cpu", torch.bfloat16):
            context = text(ids[:, :length]).last_hidden_state
        ends = (ids != tokenizer.eos_token_id).sum(1)
        places = [ends, torch.tensor([rng.randrange(int(e), length) for e in ends])]
        loss = 0.0
        for place in places:
            logits = heads(context.float()[torch.arange(BATCH), place])
            for part, target in zip(logits.split(CLASSES, 1), torch.tensor(targets).T):
                loss = loss + F.cross_entropy(part, target) / (len(places) * len(CLASSES))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        step += 1
        mean = loss.item() if step == 1 else 0.98 * mean + 0.02 * loss.item()
        if step % 100 == 0:
            progress.seconds = time.time() - start
            progress.log(step, mean)
    text.save_pretrained(options.folder / "text_encoder")


main()
