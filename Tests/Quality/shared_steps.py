"""Times grids whose cells have steps in common against the same cells made one by one: what "What is shared" in Speed.md says.

  python shared_steps.py SDBATCH MODEL [--size N] [--rounds N]

MODEL is `demo` or a diffusers folder; its own VAE serves as three, by three names.
"""

import argparse
import itertools
import json
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time

parser = argparse.ArgumentParser()
parser.add_argument("sdbatch")
parser.add_argument("model")
parser.add_argument("--size", type=int, default=128)
parser.add_argument("--rounds", type=int, default=1)
options = parser.parse_args()
sdbatch = os.path.abspath(options.sdbatch)
here = os.path.dirname(os.path.abspath(__file__))
demo = os.path.join(here, "..", "..", "Sources", "DemoModel", "Resources", "demo")
model = "demo" if options.model == "demo" else os.path.abspath(options.model)
files = demo if model == "demo" else model
base = dict(
    model=model, prompt="a red fish", width=options.size, height=options.size, steps=20, seed=1,
    sampler_name="DPM++ 2M",
)  # fmt: skip
hires = dict(enable_hr=True, hr_scale=1.5, hr_second_pass_steps=6)


def grids(folder):
    vaes = []
    for number in range(3):
        # Another name is not another VAE: only other content is. A comment in the configuration changes nothing else.
        path = f"{folder}/vae{number}"
        shutil.copytree(files + "/vae", path)
        config = json.load(open(path + "/config.json"))
        config["_name_or_path"] = f"copy {number}"
        json.dump(config, open(path + "/config.json", "w"))
        vaes.append(path)
    second = folder + "/second"
    shutil.copytree(files, second)
    config = json.load(open(second + "/unet/config.json"))
    config["_name_or_path"] = "second"
    json.dump(config, open(second + "/unet/config.json", "w"))
    return {
        "4 upscalers x 3 strengths, 20 + 6 steps": (
            dict(base, **hires),
            dict(
                hr_upscaler=["Latent", "Latent (nearest)", "Lanczos", "Nearest"], denoising_strength=[0.3, 0.5, 0.7]
            ),
        ),
        "3 VAEs x 8 seeds": (base, dict(vae=vaes, seed=list(range(1, 9)))),
        "refiner_switch_at at 5 values": (
            dict(base, refiner_checkpoint=second),
            dict(refiner_switch_at=[0.5, 0.6, 0.7, 0.8, 0.9]),
        ),
        "6 prompts edited at 0.8": (base, dict(prompt=[f"a red fish [:and {x}:0.8]" for x in ("a star", "a circle", "a cross", "a boat", "a house", "a tree")])),
    }  # fmt: skip


def run(folder, recipe):
    with open(folder + "/recipe.yaml", "w") as file:
        json.dump(recipe, file)
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime, time.time()
    subprocess.run(
        [sdbatch, "run", folder + "/recipe.yaml", "--no-sheet", "--quiet", "--no-reuse"], check=True,
        env=dict(os.environ, XDG_CACHE_HOME=folder + "/cache"),
    )  # fmt: skip
    wall, user = time.time() - started, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    lines = [line.split("\t") for line in open(recipe["output"] + "/trace.tsv").read().splitlines()]
    rows = [dict(zip(lines[0], line)) for line in lines[1:]]
    with open(recipe["output"] + "/manifest.json") as file:
        digests = [job["sha256"] for job in json.load(file)["jobs"]]
    steps = sum(int(row["steps"]) - int(row["steps_shared"]) for row in rows)
    return wall, user, steps, sum(int(row["steps"]) for row in rows), digests


print("| grid | steps of cells | steps taken | wall s: grid, cells alone | ratio | user s: grid, cells alone | ratio | bytes |")
print("|---|---|---|---|---|---|---|---|")
with tempfile.TemporaryDirectory() as work:
    for title, (settings, axes) in grids(work).items():
        together, apart = [], []
        for round in range(options.rounds):
            with tempfile.TemporaryDirectory() as folder:
                # Both sides start cold: the first run of a model hashes it.
                run(folder, dict(base, steps=1, output=folder + "/warm"))
                whole = run(folder, dict(settings, grid=axes, output=folder + "/grid"))
                cells = [
                    run(folder, dict(settings, **dict(zip(axes, values)), output=f"{folder}/cell{number}"))
                    for number, values in enumerate(itertools.product(*axes.values()))
                ]
                together.append(whole)
                apart.append((sum(cell[0] for cell in cells), sum(cell[1] for cell in cells)))
                same = whole[4] == [digest for cell in cells for digest in cell[4]]
        wall, user = (statistics.median(entry[i] for entry in together) for i in (0, 1))
        alone_wall, alone_user = (statistics.median(entry[i] for entry in apart) for i in (0, 1))
        print(
            f"| {title} | {whole[3]} | {whole[2]} | {wall:.1f}, {alone_wall:.1f} | {wall / alone_wall:.2f} | "
            f"{user:.1f}, {alone_user:.1f} | {user / alone_user:.2f} | {'equal' if same else 'DIFFER'} |",
            flush=True,
        )
