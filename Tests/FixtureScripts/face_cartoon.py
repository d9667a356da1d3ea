"""A cartoon with two faces, and heads for a random detector that make it find exactly these."""
import math
import numpy as np
import torch
import face_images as io
import face_networks as nets

#        centre x, y, half width of the head, tilt; landmarks follow from them
FACES = [(200.0, 250.0, 105.0, 0.12), (410.0, 130.0, 40.0, -0.2)]


def landmarks(face):
    cx, cy, r, tilt = face
    s = r / 105.0 * 0.95
    p = (io.TEMPLATE - np.array([256.0, 300.0])) * s
    c, n = math.cos(tilt), math.sin(tilt)
    return p @ np.array([[c, n], [-n, c]]) + [cx, cy]


def picture(h=512, w=512):
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    img = np.stack([70 + 60 * x / w, 110 + 40 * y / h, 150 + 30 * np.sin(x / 40) * np.cos(y / 55)], 2)
    for f in FACES:
        cx, cy, r, tilt = f
        c, n = math.cos(tilt), math.sin(tilt)
        u, v = (x - cx) * c + (y - cy) * n, -(x - cx) * n + (y - cy) * c
        oval = lambda a, b, p, q: np.clip(((1 - np.hypot((u - a) / p, (v - b) / q)) * min(p, q)) + 0.5, 0, 1)[..., None]

        def paint(mask, colour):
            nonlocal img
            img = img * (1 - mask) + mask * np.array(colour)

        paint(oval(0, -0.25 * r, 1.15 * r, 1.3 * r), (60, 40, 25))
        paint(oval(0, 0.1 * r, 0.92 * r, 1.2 * r), (224, 178, 150))
        for k in (-1, 1):
            paint(oval(k * 0.55 * r, -0.55 * r, 0.24 * r, 0.14 * r), (250, 250, 250))
            paint(oval(k * 0.55 * r, -0.55 * r, 0.11 * r, 0.12 * r), (50, 90, 140))
            paint(oval(k * 0.55 * r, -0.8 * r, 0.28 * r, 0.05 * r), (70, 45, 30))
        paint(oval(0, 0.12 * r, 0.12 * r, 0.2 * r), (205, 150, 125))
        paint(oval(0, 0.64 * r, 0.5 * r, 0.13 * r), (190, 70, 80))
    return np.clip(img + 0.5, 0, 255).astype(np.uint8)


def heads(sd, rgb):
    """Sets ClassHead, BboxHead and LandmarkHead: level 2 finds the large face twice, level 1 the small one once, a little less sure."""
    bgr = np.ascontiguousarray(rgb[:, :, ::-1])
    scale = min(bgr.shape[:2]) / 640
    small = io.resize_lanczos(bgr, int(bgr.shape[1] / scale), int(bgr.shape[0] / scale))
    h, w = small.shape[:2]
    taps = {}
    x = torch.from_numpy(small.astype(np.float32).transpose(2, 0, 1))[None] - torch.tensor([104., 117., 123.]).reshape(1, 3, 1, 1)
    with torch.no_grad():
        nets.retinaface(sd, x, taps)
    g = torch.Generator().manual_seed(99)
    for level, face, step, sizes, firing in ((1, FACES[1], 16, (64, 128), (0, 1)), (2, FACES[0], 32, (256, 512), (1, 1)), (0, None, 8, (16, 32), (0, 0))):
        f = taps["features"][level][0].double()
        c, gh, gw = f.shape
        cw, cb = torch.zeros(4, c, dtype=torch.double), torch.zeros(4, dtype=torch.double)
        bw = 0.02 * torch.randn(8, c, generator=g).double() / math.sqrt(c)
        lw = 0.02 * torch.randn(20, c, generator=g).double() / math.sqrt(c)
        bb, lb = torch.zeros(8, dtype=torch.double), torch.zeros(20, dtype=torch.double)
        cb[0::2] = 3.0
        cb[1::2] = -3.0
        if face is not None:
            L = landmarks(face) / scale
            i, j = int(face[1] / scale / step), int(face[0] / scale / step)
            F_ = torch.cat([f.reshape(c, -1).t(), torch.ones(gh * gw, 1, dtype=torch.double)], 1)
            y = torch.zeros(gh * gw, dtype=torch.double)
            at = i * gw + j
            y[at] = 1
            wt = torch.full((gh * gw,), 1.0, dtype=torch.double)
            wt[at] = gh * gw
            A = F_.t() @ (F_ * wt[:, None]) + 1e-4 * F_.pow(2).mean() * gh * gw * torch.eye(c + 1, dtype=torch.double)
            d = torch.linalg.solve(A, F_.t() @ (y * wt))
            p = F_ @ d
            rest = p.clone(); rest[at] = -9
            gap = float(p[at] - rest.max())
            k = 16 / gap
            d = d * k
            d[-1] -= k * (float(p[at]) - gap / 2)
            half = np.array([0.95 * face[2], 1.25 * face[2]]) / scale
            cx, cy = face[0] / scale / w, (face[1] + 0.1 * face[2]) / scale / h
            for a, s in enumerate(sizes):
                if not firing[a]:
                    continue
                grow = 1.0 if a == 0 else 1.05
                px, py = (j + 0.5) * step / w, (i + 0.5) * step / h
                cw[2 * a + 1] = d[:-1]
                cb[2 * a] = 0
                cb[2 * a + 1] = d[-1] - (1.0 if (a == 1 and firing[0]) else 0.0) - (0.5 if level == 1 else 0.0)
                v = f[:, i, j]
                want = torch.tensor([(cx - px) / (0.1 * s / w), (cy - py) / (0.1 * s / h),
                                     math.log(2 * half[0] * grow / s) / 0.2, math.log(2 * half[1] * grow / s) / 0.2], dtype=torch.double)
                bb[4 * a:4 * a + 4] = want - bw[4 * a:4 * a + 4] @ v
                lm = torch.tensor(((L - np.array([px * w, py * h])) / (0.1 * s)).reshape(-1), dtype=torch.double)
                lb[10 * a:10 * a + 10] = lm - lw[10 * a:10 * a + 10] @ v
        for name, wv, bv in (("ClassHead", cw, cb), ("BboxHead", bw, bb), ("LandmarkHead", lw, lb)):
            sd[f"{name}.{level}.conv1x1.weight"] = wv.float()[:, :, None, None].contiguous()
            sd[f"{name}.{level}.conv1x1.bias"] = bv.float().contiguous()
    return sd


def crafted(sds):
    heads(sds["retinaface"], picture())
    # Outputs near -1...1, and a modulation near one, as trained networks have.
    c = sds["codeformer"]
    c["generator.blocks.24.weight"] *= 0.35
    for s in ("32", "64", "128", "256"):
        for t in ("scale", "shift"):
            c[f"fuse_convs_dict.{s}.{t}.2.weight"] *= 0.15
    g = sds["gfpgan"]
    for i in range(7):
        g[f"condition_scale.{i}.2.weight"] *= 0.02
        g[f"condition_scale.{i}.2.bias"] += 1
        g[f"condition_shift.{i}.2.weight"] *= 0.02
    for i in range(7):
        for n in (f"conv_body_down.{i}", f"conv_body_up.{i}"):
            for t in ("conv1", "conv2", "skip"):
                g[f"{n}.{t}.weight"] *= 0.7
        g[f"stylegan_decoder.to_rgbs.{i}.modulated_conv.weight"] *= 0.15
    g["stylegan_decoder.to_rgb1.modulated_conv.weight"] *= 0.15
    g["final_linear.weight"] *= 0.2
    return sds


def oval_classes():
    """A class map such as a parser would draw: skin in an oval, hair above, neck below, background around."""
    y, x = np.mgrid[0:512, 0:512]
    m = np.zeros((512, 512), np.int64)
    m[np.hypot((x - 256) / 170, (y - 240) / 200) < 1] = 13
    m[(np.abs(x - 256) < 70) & (y > 400)] = 17
    m[np.hypot((x - 256) / 130, (y - 300) / 165) < 1] = 1
    m[np.hypot((x - 256) / 60, (y - 371) / 18) < 1] = 11
    return m
