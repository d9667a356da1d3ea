"""Trains the UNet on the latents of drawn scenes, under the trained VAE and text encoder.

    python train_unet.py FOLDER MINUTES [--cool MINUTES] [--batch N] [--threads N] [--device cpu|cuda]

Writes FOLDER/unet (the moving average of the weights), FOLDER/scheduler, FOLDER/unet.pt (to continue from) and FOLDER/unet.tsv (the
loss). A second run continues the first one. The learning rate is constant and falls to zero over the last --cool minutes; leave --cool
out if a later run will continue this one.

The network predicts v (Salimans & Ho 2022). The background and the colours are decided at the highest noise levels, and there the loss
of a network that predicts the noise hardly depends on the image.
"""

import argparse
import json
import pathlib
import random
import time

import numpy as np
import torch
from diffusers import AutoencoderKL
from transformers import CLIPTextModel, CLIPTokenizer

import networks
import world

RATE = 8e-4
# One caption in ten is empty, for classifier-free guidance.
EMPTY = 0.1
# New latents are drawn all the time, and each is used several times, with different noise and words.
POOL_START, POOL_END, NEW_PER_STEP = 2048, 40_000, 4


class Pool:
    """Scenes and their latents."""

    def __init__(self, vae, device):
        self.vae, self.device = vae, device
        self.scenes, self.latents = [], torch.empty(0, 4, world.SIZE // 8, world.SIZE // 8, dtype=torch.float16)

    @torch.no_grad()
    def grow(self, count):
        first = len(self.scenes)
        rng = random.Random(first + 7)
        scenes = [world.random_scene(rng) for _ in range(count)]
        pictures = networks.to_signal(np.stack([world.draw(scene) for scene in scenes]))
        with torch.autocast(self.device, torch.bfloat16):
            latents = self.vae.encode(pictures.to(self.device)).latent_dist.mean
        self.scenes += scenes
        self.latents = torch.cat([self.latents, latents.to("cpu", torch.float16)])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("minutes", type=float)
    parser.add_argument("--cool", type=float, default=0)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    folder, device = options.folder, options.device
    torch.set_num_threads(options.threads)

    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    text = CLIPTextModel.from_pretrained(folder / "text_encoder").to(device).eval()
    vae = AutoencoderKL.from_pretrained(folder / "vae").to(device).eval()
    torch.manual_seed(0)
    unet = networks.unet().to(device)
    # The optimizer's own weights are float32; the network computes with their bfloat16 copies.
    master = [p.detach().clone() for p in unet.parameters()]
    average = [p.clone() for p in master]
    optimizer = torch.optim.AdamW(master, RATE, betas=(0.9, 0.98), weight_decay=1e-3, foreach=True)
    pool, step, seconds = Pool(vae, device), 0, 0.0
    state_file = folder / "unet.pt"
    if state_file.exists():
        state = torch.load(state_file, weights_only=False)
        for a, b in [(master, state["master"]), (average, state["average"])]:
            torch._foreach_copy_(a, b)
        optimizer.load_state_dict(state["optimizer"])
        step, seconds = state["step"], state["seconds"]
        pool.scenes, pool.latents, scale = state["scenes"], state["latents"], state["scale"]
    else:
        while len(pool.scenes) < POOL_START:
            pool.grow(32)
        scale = 1 / pool.latents.float().std().item()
        vae.register_to_config(scaling_factor=scale)
        vae.save_config(folder / "vae")
    unet = unet.bfloat16()
    weights = list(unet.parameters())
    with torch.no_grad():
        torch._foreach_copy_(weights, master)

    def save(with_state):
        full = networks.unet()
        full.load_state_dict({k: v.float() for k, v in zip(dict(unet.named_parameters()), average)})
        full.save_pretrained(folder / "unet")
        (folder / "scheduler").mkdir(exist_ok=True)
        (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps({
            "_class_name": "DDIMScheduler", "num_train_timesteps": networks.STEPS, "beta_start": 0.00085,
            "beta_end": 0.012, "beta_schedule": "scaled_linear", "prediction_type": "v_prediction", "clip_sample": False,
            "set_alpha_to_one": False, "steps_offset": 1}, indent=2))
        if with_state:
            torch.save({
                "master": master, "average": average, "optimizer": optimizer.state_dict(), "step": step,
                "seconds": progress.seconds, "scenes": pool.scenes, "latents": pool.latents, "scale": scale,
            }, state_file.with_suffix(".new"))
            state_file.with_suffix(".new").replace(state_file)

    alphas = networks.alphas_cumprod().to(device)
    progress = networks.Progress(folder / "unet.tsv", seconds)
    rng = random.Random(step)
    start, mean, last_save = time.time(), None, time.time()
    end, cool = options.minutes * 60, options.cool * 60
    while (elapsed := time.time() - start) < end:
        if len(pool.scenes) < POOL_END:
            pool.grow(NEW_PER_STEP)
        chosen = rng.choices(range(len(pool.scenes)), k=options.batch)
        captions = [
            "" if rng.random() < EMPTY else world.caption(pool.scenes[i], rng, rng.random() > 0.08) for i in chosen]
        latent = pool.latents[chosen].to(device).float() * scale
        with torch.no_grad(), torch.autocast(device, torch.bfloat16):
            context = text(networks.token_ids(tokenizer, captions).to(device)).last_hidden_state.bfloat16()
        # One timestep from each of as many equal parts as there are samples, which makes the loss less noisy.
        parts = (torch.arange(options.batch) + torch.rand(options.batch)) * (networks.STEPS / options.batch)
        timestep = parts.long().clamp(max=networks.STEPS - 1).to(device)
        alpha = alphas[timestep][:, None, None, None]
        noise = torch.randn_like(latent)
        noisy = alpha.sqrt() * latent + (1 - alpha).sqrt() * noise
        target = alpha.sqrt() * noise - (1 - alpha).sqrt() * latent
        output = unet(noisy.bfloat16(), timestep, context, return_dict=False)[0]
        loss = (output.float() - target).square().mean()
        for p in weights:
            p.grad = None
        loss.backward()
        for m, p in zip(master, weights):
            m.grad = p.grad.float()
        torch.nn.utils.clip_grad_norm_(master, 1.0)
        rate = RATE * min(1, (step + 1) / 300) * (min(1, (end - elapsed) / cool) if cool else 1)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        step += 1
        with torch.no_grad():
            torch._foreach_copy_(weights, master)
            torch._foreach_lerp_(average, master, 1 - min(0.999, (1 + step) / (10 + step)))
        mean = loss.item() if mean is None else 0.98 * mean + 0.02 * loss.item()
        progress.seconds = seconds + time.time() - start
        if step % 100 == 0:
            progress.log(step, mean)
        if time.time() - last_save > 600:
            save(True)
            last_save = time.time()
    save(True)


main()
