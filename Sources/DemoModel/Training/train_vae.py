"""Trains the KL autoencoder on drawn scenes.

    python train_vae.py FOLDER MINUTES [--start VAE_FOLDER] [--decoder] [--threads N]

Writes FOLDER/vae (diffusers), FOLDER/vae.pt (to continue from) and FOLDER/vae.tsv (the loss). A second run continues the first
one. With --decoder the encoder does not change, so latents stay the same.
"""

import argparse
import math
import pathlib
import random
import time

import numpy as np
import torch
from diffusers import AutoencoderKL

import networks
import world

RATE = 4e-4
BATCH = 6


def gradients(x):
    return x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("minutes", type=float)
    parser.add_argument("--start", help="a VAE to begin with")
    parser.add_argument("--decoder", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    options.folder.mkdir(parents=True, exist_ok=True)

    state_file = options.folder / ("decoder.pt" if options.decoder else "vae.pt")
    saved = options.folder / "vae"
    if saved.exists():
        vae = AutoencoderKL.from_pretrained(saved)
    elif options.start:
        vae = AutoencoderKL.from_pretrained(options.start)
    else:
        vae = networks.vae()
    vae = vae.float()
    trained = [*vae.decoder.parameters(), *vae.post_quant_conv.parameters()] if options.decoder else list(vae.parameters())
    optimizer = torch.optim.AdamW(trained, RATE, betas=(0.9, 0.95), weight_decay=1e-4)
    step, seconds = 0, 0.0
    if state_file.exists():
        state = torch.load(state_file)
        optimizer.load_state_dict(state["optimizer"])
        step, seconds = state["step"], state["seconds"]
    progress = networks.Progress(options.folder / (state_file.stem + ".tsv"), seconds)
    rng = random.Random(1000 + step)
    start, mean = time.time(), None
    end = options.minutes * 60
    while (elapsed := time.time() - start) < end:
        x = networks.to_signal(np.stack([world.draw(world.random_scene(rng)) for _ in range(BATCH)]))
        rate = RATE * min(1, (step + 1) / 50) * (0.5 + 0.5 * math.cos(math.pi * elapsed / end) + 0.01)
        for group in optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", torch.bfloat16):
            with torch.set_grad_enabled(not options.decoder):
                mean_latent = vae.encode(x).latent_dist.mean
            # The decoder will receive latents from a UNet, which are never exact.
            latent = mean_latent + 0.08 * torch.randn_like(mean_latent)
            y = vae.decode(latent).sample
        y = y.float()
        loss = (y - x).abs().mean() + 2 * (y - x).square().mean()
        for a, b in zip(gradients(y), gradients(x)):
            loss = loss + 0.7 * (a - b).abs().mean()
        # Limits the latents' scale, which the added noise would otherwise increase.
        total = loss + 2e-3 * mean_latent.float().square().mean()
        optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        step += 1
        mean = loss.item() if mean is None else 0.98 * mean + 0.02 * loss.item()
        if step % 50 == 0:
            progress.seconds = seconds + time.time() - start
            progress.log(step, mean)
    vae.save_pretrained(saved)
    torch.save(
        {"optimizer": optimizer.state_dict(), "step": step, "seconds": seconds + time.time() - start}, state_file)


main()
