"""The OpenCV 4 functions that face restoration uses, in plain numpy: fixed-point affine warp, Lanczos resize, blur, similarity fit.

Compared with OpenCV 4.10: equal bytes, and 2e-13 for the blur.
"""
import math
import numpy as np

TEMPLATE = np.array([[192.98138, 239.94708], [318.90277, 240.1936], [256.63416, 314.01935],
                     [201.26117, 371.41043], [313.08905, 371.15118]])


def lanczos4(x):
    """The eight weights at fraction x, in single precision as in OpenCV."""
    r = math.sqrt(0.5)
    turn = [(1, 0), (-r, -r), (0, 1), (r, -r), (-1, 0), (r, r), (0, -1), (-r, r)]
    x = np.float32(x)
    y0 = -(float(x) + 3) * math.pi * 0.25
    s0, c0 = math.sin(y0), math.cos(y0)
    w = np.zeros(8, np.float32)
    total = np.float32(0)
    for i in range(8):
        t = np.float32(np.float32(x + np.float32(3)) - np.float32(i))
        if abs(t) >= 1e-6:
            y = -float(t) * math.pi * 0.25
            w[i] = np.float32((turn[i][0] * s0 + turn[i][1] * c0) / (y * y))
        else:
            w[i] = np.float32(1e30)
        total = np.float32(total + w[i])
    inv = np.float32(1) / total
    return (w * inv).astype(np.float32)


def axis(n_out, n_in):
    """Indices (clamped) and 11-bit weights of one axis."""
    scale = 1.0 / (n_out / n_in)
    idx = np.zeros((n_out, 8), np.int64)
    wts = np.zeros((n_out, 8), np.int64)
    for d in range(n_out):
        f = np.float32((d + 0.5) * scale - 0.5)
        s = math.floor(f)
        c = lanczos4(np.float32(f - np.float32(s)))
        idx[d] = np.clip(np.arange(s - 3, s + 5), 0, n_in - 1)
        wts[d] = np.rint((c * np.float32(2048)).astype(np.float64)).astype(np.int64)
    return idx, wts


def resize_lanczos(img, w, h):
    """uint8 HxWxC to h x w."""
    H, W, C = img.shape
    if (w, h) == (W, H):
        return img.copy()
    xi, xw = axis(w, W)
    yi, yw = axis(h, H)
    a = img.astype(np.int64)
    hor = np.zeros((H, w, C), np.int64)
    for k in range(8):
        hor += a[:, xi[:, k]] * xw[:, k][None, :, None]
    out = np.zeros((h, w, C), np.int64)
    for k in range(8):
        out += hor[yi[:, k]] * yw[:, k][:, None, None]
    return np.clip((out + (1 << 21)) >> 22, 0, 255).astype(np.uint8)


def invert(m):
    d = m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0]
    d = 1.0 / d if d != 0 else 0.0
    a11, a22 = m[1, 1] * d, m[0, 0] * d
    a12, a21 = m[0, 1] * -d, m[1, 0] * -d
    return np.array([[a11, a12, -a11 * m[0, 2] - a12 * m[1, 2]], [a21, a22, -a21 * m[0, 2] - a22 * m[1, 2]]])


def warp(img, m, w, h, border):
    """img HxWxC uint8 (fixed point) or float64 (float weights); m maps source to output, as cv2.warpAffine takes it."""
    H, W = img.shape[:2]
    i = invert(np.asarray(m, np.float64))
    rnd = lambda v: np.rint(v).astype(np.int64)
    xs, ys = np.arange(w, dtype=np.float64), np.arange(h, dtype=np.float64)
    ax, bx = rnd(i[0, 0] * xs * 1024), rnd(i[1, 0] * xs * 1024)
    X = (rnd((i[0, 1] * ys + i[0, 2]) * 1024) + 16)[:, None] + ax[None]
    Y = (rnd((i[1, 1] * ys + i[1, 2]) * 1024) + 16)[:, None] + bx[None]
    X >>= 5
    Y >>= 5
    sx, sy, fx, fy = X >> 5, Y >> 5, X & 31, Y & 31
    border = np.asarray(border)

    def tap(dx, dy):
        x, y = sx + dx, sy + dy
        ok = (x >= 0) & (x < W) & (y >= 0) & (y < H)
        v = img[np.clip(y, 0, H - 1), np.clip(x, 0, W - 1)]
        return np.where(ok[..., None], v, border)

    if img.dtype == np.uint8:
        t = [tap(0, 0).astype(np.int64), tap(1, 0).astype(np.int64), tap(0, 1).astype(np.int64), tap(1, 1).astype(np.int64)]
        ws = [(32 - fx) * (32 - fy), fx * (32 - fy), (32 - fx) * fy, fx * fy]
        s = sum(a * (b * 32)[..., None] for a, b in zip(t, ws))
        return np.clip((s + (1 << 14)) >> 15, 0, 255).astype(np.uint8)
    f = lambda a, b: (a.astype(np.float32) / 32 * (b.astype(np.float32) / 32)).astype(np.float64)[..., None]
    return (tap(0, 0) * f(32 - fx, 32 - fy) + tap(1, 0) * f(fx, 32 - fy)
            + tap(0, 1) * f(32 - fx, fy) + tap(1, 1) * f(fx, fy))


def blur(mask, size=101, sigma=11.0):
    """Separable Gaussian of a float64 plane; the border mirrors without repeating the edge."""
    x = np.arange(size) - (size - 1) / 2
    k = np.exp(-x * x / (2 * sigma * sigma))
    k /= k.sum()
    r = size // 2

    def rows(a):
        p = np.pad(a, ((0, 0), (r, r)), mode="reflect")
        out = p[:, r:r + a.shape[1]] * k[r]
        for j in range(1, r + 1):
            out = out + (p[:, r - j:r - j + a.shape[1]] + p[:, r + j:r + j + a.shape[1]]) * k[r + j]
        return out

    return rows(rows(mask).T).T.copy()


class MWC:
    """OpenCV's generator: multiply with carry."""
    def __init__(self):
        self.s = 0xFFFFFFFFFFFFFFFF

    def below(self, n):
        self.s = ((self.s & 0xFFFFFFFF) * 4164903690 + (self.s >> 32)) & 0xFFFFFFFFFFFFFFFF
        return (self.s & 0xFFFFFFFF) % n


def least_squares(p, q):
    """The similarity (a -b tx / b a ty) that maps p closest to q, in closed form and double precision."""
    pc, qc = p.mean(0), q.mean(0)
    u, v = p - pc, q - qc
    n = (u * u).sum()
    a = (u * v).sum() / n
    b = (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]).sum() / n
    return np.array([[a, -b, qc[0] - a * pc[0] + b * pc[1]], [b, a, qc[1] - b * pc[0] - a * pc[1]]])


def similarity(landmarks, detail=None):
    """Least median of squares over 13 fixed pairs, then least squares over the inliers."""
    p = np.asarray(landmarks, np.float32)
    q = TEMPLATE.astype(np.float32)
    rng = MWC()
    best, best_median = None, np.inf
    pairs = []
    for _ in range(13):
        i = rng.below(5)
        j = rng.below(5)
        while j == i:
            j = rng.below(5)
        pairs.append((i, j))
        pd, qd = p.astype(np.float64), q.astype(np.float64)
        dx, dy = pd[i] - pd[j]
        DX, DY = qd[i] - qd[j]
        n = dx * dx + dy * dy
        if n == 0:
            continue
        a, b = (DX * dx + DY * dy) / n, (DY * dx - DX * dy) / n
        m = np.array([[a, -b, qd[i, 0] - a * pd[i, 0] + b * pd[i, 1]], [b, a, qd[i, 1] - b * pd[i, 0] - a * pd[i, 1]]])
        f = m.astype(np.float32)
        ex = f[0, 0] * p[:, 0] + f[0, 1] * p[:, 1] + f[0, 2] - q[:, 0]
        ey = f[1, 0] * p[:, 0] + f[1, 1] * p[:, 1] + f[1, 2] - q[:, 1]
        e = ex * ex + ey * ey
        med = float(np.sort(e)[2])
        if med < best_median:
            best_median, best = med, e
    sigma = max(2.5 * 1.4826 * (1 + 5 / 3) * math.sqrt(best_median), 0.001)
    keep = best <= sigma * sigma
    if detail is not None:
        detail.update(pairs=pairs, median=best_median, inliers=keep.tolist())
    return least_squares(p[keep].astype(np.float64), q[keep].astype(np.float64))
