"""Compares face restoration at full width with facexlib, spandrel and OpenCV, stage by stage, over random weights.

  python compare_faces.py FOLDER [--case NAME ...] [--seed N]     # makes the files (0.9 GB a seed) and the reference
  SDBATCH_FACE_STAGES=FOLDER swift test --filter DiffusionTests.FaceStageTests
  python compare_faces.py FOLDER --report

It needs facexlib 0.3.0, spandrel 0.3.4, spandrel_extra_arches 0.1.1, OpenCV 4.10 and torchvision on PYTHONPATH. The weights are
either `drawn`, with outputs as wide as those of trained networks, or `fresh`, as the networks' own classes initialise them. The
detector's heads are set so that it finds the faces of a cartoon, which differ with the seed.
"""

import argparse
import json
import os
import time
import warnings

warnings.filterwarnings("ignore")

import cv2
import numpy as np
import torch
from facexlib.detection.retinaface import RetinaFace
from facexlib.parsing.parsenet import ParseNet
from facexlib.utils.face_restoration_helper import FaceRestoreHelper
from PIL import Image
from safetensors.numpy import load_file
from spandrel.architectures.GFPGAN.arch.gfpganv1_clean_arch import GFPGANv1Clean
from spandrel_extra_arches.architectures.CodeFormer import CodeFormer

import face_cartoon as cartoon
import face_weights
from webui_reference import NOISE

DETECTOR, PARSER = "detection_Resnet50_Final.pth", "parsing_parsenet.pth"
# Name: height, width, weights, model, weight, source of noise.
CASES = {
    "codeformer": (512, 512, "drawn", "CodeFormer", 0.5, "nv"),
    "codeformer-wide": (512, 768, "drawn", "CodeFormer", 1.0, "nv"),
    "codeformer-plain": (720, 600, "drawn", "CodeFormer", 0.0, "nv"),
    "codeformer-fresh": (512, 512, "fresh", "CodeFormer", 0.5, "nv"),
    "gfpgan": (512, 512, "drawn", "GFPGAN", 0.5, "nv"),
    "gfpgan-wide": (512, 768, "drawn", "GFPGAN", 0.5, "cpu"),
    "gfpgan-fresh": (512, 512, "fresh", "GFPGAN", 0.5, "cpu"),
}


def classes():
    """The networks as the webui makes them."""
    gfpgan = dict(
        out_size=512, num_style_feat=512, channel_multiplier=2, decoder_load_path=None, fix_decoder=False, num_mlp=8,
        input_is_latent=True, different_w=True, narrow=1, sft_half=True)  # fmt: skip
    return {
        "retinaface": lambda: RetinaFace("resnet50", device=torch.device("cpu")),
        "parsenet": lambda: ParseNet(in_size=512, out_size=512, parsing_ch=19),
        "codeformer": CodeFormer,
        "gfpgan": lambda: GFPGANv1Clean(**gfpgan),
    }


def weights(kind, seed):
    if kind == "drawn":
        return cartoon.crafted(face_weights.weights("full", seed))
    torch.manual_seed(seed)
    sds = {name: make().state_dict() for name, make in classes().items()}
    cartoon.heads(sds["retinaface"], cartoon.picture(*SIZE))
    return sds


SIZE = (512, 512)


def faces(seed, height, width):
    """A large face and a small one, beside each other."""
    random = np.random.default_rng(seed)
    large = random.uniform(80, 120) * min(height, width) / 512
    small = random.uniform(32, 48) * min(height, width) / 512
    return [
        (random.uniform(0.34, 0.42) * width, random.uniform(0.45, 0.6) * height, large, random.uniform(-0.3, 0.3)),
        (random.uniform(0.78, 0.84) * width, random.uniform(0.2, 0.35) * height, small, random.uniform(-0.4, 0.4)),
    ]


def wrapped(name, sd, seed):
    """The tensors as the published files have them."""
    if name == "retinaface":
        return {"module." + k: v for k, v in sd.items()}
    if name == "parsenet":
        return dict(sd)
    if name == "gfpgan" and seed % 2:
        # Some copies have the weights before averaging, too.
        return {"params": {k: torch.zeros_like(v) for k, v in sd.items()}, "params_ema": dict(sd)}
    return {"params_ema": dict(sd)}


def write_models(folder, shared, sds, model, seed):
    """A webui's folder of models; cases of the same weights share the files that do not depend on the picture."""

    def write(name, path, zipped=True, is_shared=True):
        os.makedirs(os.path.dirname(f"{folder}/{path}"), exist_ok=True)
        os.makedirs(shared, exist_ok=True)
        target = f"{shared}/{os.path.basename(path)}" if is_shared else f"{folder}/{path}"
        if not (is_shared and os.path.exists(target)):
            torch.save(wrapped(name, sds[name], seed), target, _use_new_zipfile_serialization=zipped)
        if is_shared and not os.path.lexists(f"{folder}/{path}"):
            os.symlink(os.path.abspath(target), f"{folder}/{path}")

    write("retinaface", f"GFPGAN/{DETECTOR}", zipped=False, is_shared=False)
    write("parsenet", f"GFPGAN/{PARSER}")
    if model == "CodeFormer":
        write("codeformer", "Codeformer/codeformer-v0.1.0.pth")
    else:
        write("gfpgan", "GFPGAN/GFPGANv1.4.pth")


class SeedNoise:
    """Gives the random numbers of a webui's generator to a network that asks for `normal_`."""

    def __init__(self, source, seed):
        self.rng = NOISE[source](seed)

    def __enter__(self):
        self.old = torch.Tensor.normal_
        rng = self.rng
        torch.Tensor.normal_ = lambda self, *a, **k: self.copy_(torch.as_tensor(np.asarray(rng.randn(tuple(self.shape)))))

    def __exit__(self, *_):
        torch.Tensor.normal_ = self.old


def tensor(bgr):
    """As the webui's `bgr_image_to_rgb_tensor` and normalize."""
    x = torch.from_numpy(np.ascontiguousarray((bgr / 255.0)[:, :, ::-1].transpose(2, 0, 1)).astype(np.float32))
    return ((x - 0.5) / 0.5)[None]


def bytes_of(x):
    """As the webui's `rgb_tensor_to_bgr_image`, from -1 to 1, cut."""
    x = x[0].float().clamp_(-1, 1)
    x = (x + 1) / 2
    return (x.numpy().transpose(1, 2, 0)[:, :, ::-1] * 255.0).astype(np.uint8)


@torch.no_grad()
def reference(name, folder, seed):
    global SIZE
    height, width, kind, model, weight, source = CASES[name]
    SIZE = (height, width)
    cartoon.FACES = faces(seed, height, width)
    picture = cartoon.picture
    cartoon.picture.__defaults__ = SIZE
    rgb = picture(height, width)
    sds = weights(kind, seed)
    models = f"{folder}/models"
    write_models(models, f"{folder}/../weights-{kind}-{seed}", sds, model, seed)
    Image.fromarray(rgb).save(f"{folder}/picture.png")
    helper = FaceRestoreHelper(1, use_parse=True, device=torch.device("cpu"), model_rootpath=f"{models}/GFPGAN")
    net = classes()[model.lower()]()
    net.load_state_dict(sds[model.lower()], strict=True)
    net.eval()
    helper.read_image(np.ascontiguousarray(rgb[:, :, ::-1]))
    made, seconds = {}, {}

    original = helper.face_det.forward

    def forward(x):
        start = time.time()
        result = original(x)
        seconds["detector"] = time.time() - start
        made.update(boxes=result[0][0].numpy(), scores=result[1][0, :, 1].numpy(), landmarks=result[2][0].numpy())
        return result

    helper.face_det.forward = forward
    found = helper.get_face_landmarks_5(only_center_face=False, resize=640, eye_dist_threshold=5)
    assert found == 2, found
    helper.align_warp_face()
    made["points"] = np.array(helper.all_landmarks_5, np.float32).reshape(-1)
    # The helper scales the scores with the boxes.
    made["face-scores"] = np.array([f[4] / (min(SIZE) / 640) for f in helper.det_faces], np.float32)
    with SeedNoise(source, seed):
        for i, crop in enumerate(helper.cropped_faces):
            start = time.time()
            if model == "CodeFormer":
                seen = []
                hook = net.encoder.blocks[-1].register_forward_hook(lambda *call: seen.append(call[2]))
                out, logits = net(tensor(crop), weight=weight, adain=True)
                hook.remove()
                order = logits[0].sort(1).values
                made[f"codes{i}"] = logits[0].argmax(1).numpy()
                made[f"margin{i}"] = ((order[:, -1] - order[:, -2]) / logits.std()).numpy()
                made[f"features{i}"] = seen[0][0].permute(1, 2, 0).numpy()
            else:
                out = net(tensor(crop), return_rgb=False)[0]
            seconds[model] = time.time() - start
            made[f"drawn{i}"] = out[0].permute(1, 2, 0).numpy().copy()
            helper.add_restored_face(bytes_of(out))
    masks = []
    blur = cv2.GaussianBlur
    parse = helper.face_parse.forward

    def parsed(x):
        start = time.time()
        result = parse(x)
        seconds["parser"] = time.time() - start
        made[f"classes{len(masks)}"] = result[0][0].permute(1, 2, 0).numpy()
        masks.append(None)
        return result

    def blurred(mask, *rest):
        result = blur(mask, *rest)
        masks[-1] = result
        return result

    helper.face_parse.forward = parsed
    cv2.GaussianBlur = blurred
    helper.get_inverse_affine(None)
    result = helper.paste_faces_to_input_image()
    cv2.GaussianBlur = blur
    for i, (crop, restored, mask) in enumerate(zip(helper.cropped_faces, helper.restored_faces, masks)):
        Image.fromarray(np.ascontiguousarray(crop[:, :, ::-1])).save(f"{folder}/crop{i}.png")
        Image.fromarray(np.ascontiguousarray(restored[:, :, ::-1])).save(f"{folder}/restored{i}.png")
        mask[:10], mask[-10:], mask[:, :10], mask[:, -10:] = 0, 0, 0, 0
        made[f"mask{i}"] = mask / 255.0
        made[f"crop{i}"], made[f"restored{i}"] = crop[:, :, ::-1], restored[:, :, ::-1]
    made["result"] = result[:, :, ::-1]
    made["picture"] = rgb
    np.savez(f"{folder}/reference.npz", **made)
    case = {"model": model, "weight": weight, "seed": seed, "rng": source, "matrices": [m.ravel().tolist() for m in helper.affine_matrices]}
    with open(f"{folder}/case.json", "w") as file:
        json.dump(case, file)
    drawn = made["drawn0"]
    print(
        f"{name}: faces {found}, scores {made['face-scores']}, output {drawn.min():.2f} to {drawn.max():.2f} (deviation {drawn.std():.2f}), "
        f"kept {np.mean([m.mean() for k, m in made.items() if k.startswith('mask')]):.2f}, changed {int((made['result'] != rgb).any(2).sum())} pixels, "
        f"{ {k: round(v, 2) for k, v in seconds.items()} }", flush=True)  # fmt: skip


def off(ours, theirs, step):
    """The share of values that differ by more than a step, and the largest difference in steps."""
    d = np.abs(ours.reshape(-1).astype(np.float64) - theirs.reshape(-1).astype(np.float64)) / step
    return f"{100 * (d > 1).mean():.4f} % off, at most {d.max():.3g}"


def report(name, folder):
    theirs, ours = np.load(f"{folder}/reference.npz"), load_file(f"{folder}/stages.safetensors")
    print(name)
    for key in ("boxes", "scores", "landmarks"):
        a, b = ours[key].reshape(-1), theirs[key].reshape(-1)
        print(f"   {key}: relative difference {np.abs(a - b).max() / np.abs(b).max():.2g}")
    print(f"   points, 1/100 pixel: {off(ours['points'], theirs['points'], 0.01)}; scores {np.abs(ours['face-scores'] - theirs['face-scores']).max():.2g}")
    for i in range(2):
        print(f"  face {i}")
        print(f"   crop by their map: {off(ours[f'crop{i}'], theirs[f'crop{i}'], 1)}; by ours: {off(ours[f'own-crop{i}'], theirs[f'crop{i}'], 1)}")
        if f"codes{i}" in ours:
            same = int((ours[f"codes{i}"] == theirs[f"codes{i}"]).sum())
            a, b = ours[f"features{i}"], theirs[f"features{i}"]
            print(f"   features: relative {np.abs(a - b).max() / np.abs(b).max():.2g}; codes equal {same} of 256, {len(set(theirs[f'codes{i}']))} different, smallest margin {theirs[f'margin{i}'].min():.2g} deviations")
        a, b = (np.clip(v[f"drawn{i}"], -1, 1) for v in (ours, theirs))
        print(f"   drawn, 1/255 of -1...1: {off(a, b, 2 / 255)}; bytes: {off(ours[f'restored{i}'], theirs[f'restored{i}'], 1)}")
        a, b = ours[f"classes{i}"], theirs[f"classes{i}"]
        differ = int((a.argmax(2) != b.argmax(2)).sum())
        print(f"   classes: relative {np.abs(a - b).max() / np.abs(b).max():.2g}, {differ} of 262144 pixels of another class; mask, 1/255: {off(ours[f'mask{i}'], theirs[f'mask{i}'], 1 / 255)}")
    d = ours["result"] != theirs["result"]
    print(f"   result: {off(ours['result'], theirs['result'], 1)}; {100 * d.mean():.3f} % of bytes differ")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--case", action="append")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    o = parser.parse_args()
    torch.set_num_threads(o.threads)
    for name in o.case or list(CASES):
        folder = f"{o.folder}/{name}"
        os.makedirs(folder, exist_ok=True)
        if o.report:
            if os.path.exists(f"{folder}/stages.safetensors"):
                report(name, folder)
        else:
            reference(name, folder, o.seed)


if __name__ == "__main__":
    main()
