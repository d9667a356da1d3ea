"""Complete face restoration as webui 1.10.1 does it, without OpenCV: uint8 RGB in, uint8 RGB out; every stage is kept."""
import math
import numpy as np
import torch
import face_images as io
import face_networks as nets

KEEP = [c in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15) for c in range(19)]


def priors(h, w):
    out = []
    for step, sizes in ((8, (16, 32)), (16, (64, 128)), (32, (256, 512))):
        for i in range(math.ceil(h / step)):
            for j in range(math.ceil(w / step)):
                for s in sizes:
                    out.append(((j + 0.5) * step / w, (i + 0.5) * step / h, s / w, s / h))
    return torch.tensor(out, dtype=torch.float32)


def detect(sd, bgr, threshold=0.97, overlap=0.4, keepers=None):
    h, w = bgr.shape[:2]
    x = torch.from_numpy(bgr.astype(np.float32).transpose(2, 0, 1))[None] - torch.tensor([104., 117., 123.]).reshape(1, 3, 1, 1)
    loc, score, lm = nets.retinaface(sd, x)
    score = score[:, 1]
    if keepers is not None:
        keepers.update(loc=loc, score=score, landmarks=lm)
    p = priors(h, w)
    centre = p[:, :2] + loc[:, :2] * 0.1 * p[:, 2:]
    size = p[:, 2:] * torch.exp(loc[:, 2:] * 0.2)
    lo = centre - size / 2
    boxes = torch.cat([lo, size + lo], 1) * torch.tensor([w, h, w, h], dtype=torch.float32)
    pts = torch.cat([p[:, :2] + lm[:, 2 * k:2 * k + 2] * 0.1 * p[:, 2:] for k in range(5)], 1) * torch.tensor([w, h] * 5, dtype=torch.float32)
    pick = (score > threshold).nonzero()[:, 0]
    pick = pick[torch.argsort(score[pick], descending=True)]
    boxes, pts, score = boxes[pick].numpy(), pts[pick].numpy(), score[pick].numpy()
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept = []
    for i in range(len(boxes)):
        for k in kept:
            iw = min(boxes[i, 2], boxes[k, 2]) - max(boxes[i, 0], boxes[k, 0])
            ih = min(boxes[i, 3], boxes[k, 3]) - max(boxes[i, 1], boxes[k, 1])
            inter = max(iw, np.float32(0)) * max(ih, np.float32(0))
            if inter / (area[i] + area[k] - inter) > overlap:
                break
        else:
            kept.append(i)
    return boxes[kept], score[kept], pts[kept]


def tensor(bgr):
    """uint8 BGR to 1x3xHxW RGB in -1...1: divided by 255 in double, then single."""
    x = (bgr[:, :, ::-1] / 255.0).astype(np.float32).transpose(2, 0, 1)
    return ((torch.from_numpy(np.ascontiguousarray(x)) - 0.5) / 0.5)[None]


def bytes_of(t):
    """1x3xHxW RGB in -1...1 to uint8 BGR: clamped and truncated, not rounded."""
    x = (t[0].float().clamp(-1, 1) + 1) / 2
    x = x.numpy().transpose(1, 2, 0)[:, :, ::-1]
    return (x * np.float32(255.0)).astype(np.uint8)


def restore(rgb, sds, model="codeformer", w=0.5, landmarks=None, noise=None, classes=None):
    """classes: a 512x512 class map to use for every face instead of the parser's."""
    bgr = np.ascontiguousarray(rgb[:, :, ::-1])
    H, W = bgr.shape[:2]
    s = {}
    if landmarks is None:
        scale = min(H, W) / 640
        small = io.resize_lanczos(bgr, int(W / scale), int(H / scale))
        s["detection_input"] = small
        boxes, scores, pts = detect(sds["retinaface"], small)
        boxes, pts = boxes * np.float32(scale), pts * np.float32(scale)
        s.update(boxes=boxes, scores=scores)
        landmarks = [p.reshape(5, 2) for p in pts if np.linalg.norm(p[0:2] - p[2:4]) >= 5]
    s["landmarks"] = landmarks
    s["faces"] = []
    canvas = bgr
    faces = []
    for L in landmarks:                                       # all faces are cut and restored before any is pasted
        f = {"matrix": io.similarity(L)}
        f["crop"] = io.warp(bgr, f["matrix"], 512, 512, (135, 133, 132))
        with torch.no_grad():
            f["taps"] = {}
            if model == "codeformer":
                f["output"] = nets.codeformer(sds["codeformer"], tensor(f["crop"]), w, taps=f["taps"])
            else:
                f["output"] = nets.gfpgan(sds["gfpgan"], tensor(f["crop"]), noise, taps=f["taps"])
        f["restored"] = bytes_of(f["output"])
        faces.append(f)
    for f in faces:
        back = io.invert(f["matrix"])
        pasted = io.warp(f["restored"], back, W, H, (0, 0, 0))
        t = (f["restored"].astype(np.float32) / 255.0)[:, :, ::-1].transpose(2, 0, 1)
        t = ((torch.from_numpy(np.ascontiguousarray(t)) - 0.5) / 0.5)[None]
        with torch.no_grad():
            f["classes"] = nets.parsenet(sds["parsenet"], t)[0].argmax(0).numpy() if classes is None else classes
        mask = np.where(np.array(KEEP)[f["classes"]], 255.0, 0.0)
        mask = io.blur(io.blur(mask))
        mask[:10] = 0; mask[-10:] = 0; mask[:, :10] = 0; mask[:, -10:] = 0
        mask = mask / 255.0
        f["mask"] = mask
        m = io.warp(mask[:, :, None], back, W, H, 0.0)
        canvas = m * pasted + (1 - m) * canvas
    s["faces"] = faces
    s["result"] = np.ascontiguousarray(canvas.astype(np.uint8)[:, :, ::-1])
    return s
