"""Grids over random axes: every cell must be the image that the cell alone makes in a fresh folder, to the last byte.

  python random_grids.py SDBATCH [--grids N] [--seed S]

Each grid is run in one of three ways: at once; killed with SIGKILL at random times and started again; or in shards, in random
order and partly at the same time. Also compared: the steps that trace.tsv counts with those that `plan` promised.
"""

import argparse
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

parser = argparse.ArgumentParser()
parser.add_argument("sdbatch")
parser.add_argument("--grids", type=int, default=20)
parser.add_argument("--seed", type=int, default=1)
options = parser.parse_args()
sdbatch = os.path.abspath(options.sdbatch)
dice = random.Random(options.seed)

AXES = {
    "seed": [1, 2, 3],
    "prompt": ["a red fish", "a [red:blue:0.6] fish", "a [red:green:0.6] fish", "a [red|blue] star", "a (red:1.2) fish"],
    "negative_prompt": ["", "a star", "[a star:noise:0.5]"],
    "steps": [6, 9],
    "cfg_scale": [1, 4, 7],
    "sampler_name": ["Euler a", "DPM++ 2M", "Heun", "DPM++ SDE", "UniPC", "DDIM", "LCM", "DPM adaptive", "Restart"],
    "scheduler": ["karras", "automatic"],
    "clip_skip": [1, 2],
    "eta": [0.5, 1],
    "s_min_uncond": [0, 3],
    "skip_early_cond": [0, 0.3],
    "cfg_rescale": [0, 0.7],
    "apg_eta": [1, 0],
    "apg_momentum": [0, -0.5],
    "guidance_interval": [[0, 1], [0.2, 0.8], [0, 0.5], [0, 0.8]],
    "feature_forecast": [1, 2, 3],
    "feature_cache": [1, 2],
    "token_merging_ratio": [0, 0.5],
    "tiling": [False, True],
    "vae": ["none", None],
    "subseed_strength": [0, 0.3],
    "precision": ["fp32", "bf16", "int8"],
    "denoising_strength": [0.4, 0.7],
    "hr_upscaler": ["Latent", "Lanczos", "Latent (nearest)"],
    "hr_second_pass_steps": [2, 5],
    "hr_scale": [1.25, 1.5],
    "hr_cfg": [0, 3],
    "hr_prompt": ["", "a blue star", "a [blue:red:1.5] star", "a [blue:green:1.5] star"],
    "hr_sampler_name": [None, "Euler"],
    "hr_cfg_rescale": [None, 0, 0.4],
    "hr_apg_momentum": [None, 0, 0.3],
    "hr_guidance_interval": [None, [0, 1], [0.3, 1]],
    "hr_feature_forecast": [0, 1, 2],
    "img2img_extra_noise": [0, 0.2],
}
OF_SECOND_PASS = ("denoising_strength", "img2img_extra_noise")


def write(path, recipe):
    with open(path, "w") as file:
        json.dump(recipe, file)


def start(folder, *arguments):
    return subprocess.Popen(
        [sdbatch, "run", *arguments, "--no-sheet", "--quiet"], cwd=folder,
        env=dict(os.environ, XDG_CACHE_HOME=folder + "/cache"),
    )  # fmt: skip


def jobs(folder):
    with open(folder + "/manifest.json") as file:
        return json.load(file)["jobs"]


def grid():
    base = dict(
        model="demo", prompt="a red fish", width=64, height=64, steps=6, seed=7, subseed=5,
        sampler_name=dice.choice(AXES["sampler_name"]),
    )  # fmt: skip
    has_second = dice.random() < 0.6
    if has_second:
        base.update(enable_hr=True, hr_scale=1.5, hr_second_pass_steps=2, denoising_strength=0.5)
    names = [n for n in AXES if has_second or not (n.startswith("hr_") or n in OF_SECOND_PASS)]
    for name in dice.sample(names, 3):
        if name != "prompt":
            base[name] = dice.choice(AXES[name])
    axes = {n: dice.sample(AXES[n], min(len(AXES[n]), dice.choice((2, 2, 3)))) for n in dice.sample(names, dice.choice((2, 3)))}
    for name in axes:
        base.pop(name, None)
    return base, axes


failures = 0
for number in range(options.grids):
    base, axes = grid()
    way = ("at once", "killed", "shards")[number % 3]
    with tempfile.TemporaryDirectory() as folder:
        write(folder + "/recipe.yaml", dict(base, grid=axes, output="run"))
        plan = subprocess.run(
            [sdbatch, "plan", "recipe.yaml", "--json"], cwd=folder, capture_output=True, text=True,
            env=dict(os.environ, XDG_CACHE_HOME=folder + "/cache"),
        )  # fmt: skip
        promised = json.loads(plan.stdout)["estimate"]["steps_to_make"]
        kills = 0
        if way == "killed":
            every = dice.choice(("0", "30s"))
            for _ in range(6):
                child = start(folder, "recipe.yaml", "--no-reuse", "--checkpoint-every", every)
                time.sleep(dice.uniform(0.3, 2.5))
                if child.poll() is None:
                    child.send_signal(signal.SIGKILL)
                    kills += 1
                child.wait()
        if way == "shards":
            count = dice.choice((2, 3))
            parts = dice.sample(range(count), count)
            children = []
            for part in parts:
                children.append(start(folder, "recipe.yaml", "--no-reuse", "--shard", f"{part}/{count}"))
                if dice.random() < 0.5:
                    children[-1].wait()
            for child in children:
                child.wait()
        code = start(folder, "recipe.yaml", "--no-reuse").wait()
        found = jobs(folder + "/run")
        wrong = [] if code == 0 else [f"exit code {code}"]
        for cell, values in enumerate(itertools.product(*axes.values())):
            alone = dict(base, **dict(zip(axes, values)), output=f"alone{cell}")
            write(folder + "/cell.yaml", alone)
            start(folder, "cell.yaml", "--no-reuse").wait()
            one = jobs(folder + f"/alone{cell}")[0]
            if (one["id"], one["sha256"]) != (found[cell]["id"], found[cell]["sha256"]):
                wrong.append(f"cell {cell} {dict(zip(axes, values))}")
        left = os.listdir(folder + "/run/checkpoints")
        if left:
            wrong.append(f"{len(left)} checkpoints left")
        taken = ""
        if way == "at once":
            lines = [line.split("\t") for line in open(folder + "/run/trace.tsv").read().splitlines()]
            rows = [dict(zip(lines[0], line)) for line in lines[1:]]
            steps = sum(int(row["steps"]) - int(row["steps_shared"]) for row in rows)
            alone_steps = sum(int(row["steps"]) for row in rows)
            taken = f", {steps} of {alone_steps} steps, {promised} promised"
        print(
            f"{number}: {way}{f', {kills} kills' if kills else ''}: {len(found)} cells of {', '.join(axes)}{taken}: "
            + ("; ".join(wrong) or "equal"),
            flush=True,
        )
        if wrong:
            failures += 1
            print(json.dumps(dict(base, grid=axes)), flush=True)
sys.exit(1 if failures else 0)
