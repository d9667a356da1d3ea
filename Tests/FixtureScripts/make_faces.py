"""Writes small random networks of face restoration, and PyTorch's results for faces with them, stage by stage.

  python make_faces.py

Faces/*.weights: the networks. Faces/heads.safetensors: tensors that replace some of the detector's, so that it finds the two
faces of the cartoon. Faces/networks.safetensors: what each network makes of random numbers. Faces/*.png and pictures.json: what
the whole makes of the cartoon.
Made with torch 2.15.0, numpy 2.4.
"""

import json
import os

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

import face_cartoon as cartoon
import face_images as io
import face_networks as nets
import face_pipeline as pipeline
import face_weights
from fixture_paths import fixtures
from random_weights import numbers, read_list, write_list

out = fixtures("Faces")
torch.set_num_threads(1)
HEADS = ("ClassHead.", "BboxHead.", "LandmarkHead.")
# Every third pixel of every third row of the images is kept.
STEP = 3


def weights():
    """The networks as Python and Swift generate them."""
    made = cartoon.crafted(face_weights.weights("tiny"))
    sds = {}
    for kind, sd in made.items():
        path = f"{out}/{kind}.weights"
        write_list(path, f"20-{kind}", {k: v for k, v in sd.items() if not k.endswith("num_batches_tracked")}, "F32")
        sds[kind] = read_list(path)
    cartoon.heads(sds["retinaface"], cartoon.picture())
    save_file({k: v for k, v in sds["retinaface"].items() if k.startswith(HEADS)}, f"{out}/heads.safetensors")
    return sds


def inputs(name, *shape, spread=0.4):
    return torch.from_numpy(numbers("20-inputs", name, shape, spread, 0, "F32"))[None]


@torch.no_grad()
def networks(sds):
    """The networks alone, with random inputs."""
    made = {}
    # Odd sides at every level.
    taps = {}
    boxes, scores, landmarks = nets.retinaface(sds["retinaface"], inputs("photo", 3, 90, 150, spread=60), taps)
    made.update(boxes=boxes, scores=scores[:, 1].contiguous(), landmarks=landmarks)
    made["classes"] = nets.parsenet(sds["parsenet"], inputs("face-part", 3, 32, 48)).contiguous()
    face = inputs("face", 3, 512, 512)
    for weight in (0, 0.5, 1):
        taps = {}
        drawn = nets.codeformer(sds["codeformer"], face, weight, taps=taps)
        made[f"codeformer-{weight}"] = drawn[:, :, ::8, ::8].contiguous()
    made["features"] = taps["lq_feat"].contiguous()
    made["codes"] = taps["index"].float()
    made["margins"] = (lambda v: (v[:, -1] - v[:, -2]).contiguous())(taps["logits"].sort(1).values)
    made["gfpgan"] = nets.gfpgan(sds["gfpgan"], face)[:, :, ::8, ::8].contiguous()
    save_file(made, f"{out}/networks.safetensors")
    print({k: (v.min().item(), v.max().item()) for k, v in made.items()})


def image(path, rgb):
    Image.fromarray(rgb).save(f"{out}/{path}", optimize=True)


def pictures(sds):
    """The complete restoration of the cartoon."""
    rgb = cartoon.picture()
    image("cartoon.png", rgb)
    maps = [sds["gfpgan"][f"stylegan_decoder.noises.noise{i}"] for i in range(15)]
    cases = {}
    for name, kw in (("codeformer", dict(w=0.5)), ("plain", dict(w=0.0)), ("gfpgan", dict(model="gfpgan", noise=maps))):
        s = pipeline.restore(rgb, sds, **kw)
        image(f"{name}.png", s["result"][::STEP, ::STEP])
        case = {"faces": len(s["faces"]), "landmarks": [np.asarray(l).ravel().tolist() for l in s["landmarks"]],
                "scores": s["scores"].tolist(), "matrices": [f["matrix"].ravel().tolist() for f in s["faces"]]}
        if name == "codeformer":
            for i, f in enumerate(s["faces"]):
                image(f"crop{i}.png", np.ascontiguousarray(f["crop"][::STEP, ::STEP, ::-1]))
                image(f"restored{i}.png", np.ascontiguousarray(f["restored"][::STEP, ::STEP, ::-1]))
                image(f"mask{i}.png", np.rint(f["mask"][::STEP, ::STEP] * 255).astype(np.uint8))
        cases[name] = case
        print(name, case["faces"], "faces;", int((s["result"] != rgb).any(2).sum()), "pixels changed")
    with open(f"{out}/pictures.json", "w") as file:
        json.dump(cases, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    os.makedirs(out, exist_ok=True)
    made = weights()
    networks(made)
    pictures(made)
