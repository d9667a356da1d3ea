"""The four networks of face restoration as plain functions of a state dictionary; widths and depths are read off the shapes.

Written from their papers and from the contents of their files. They were compared with facexlib 0.3.0 and spandrel 0.3.4 over random
weights of full size.
"""
import math
import torch
import torch.nn.functional as F


def count(sd, prefix):
    """How many consecutive indices follow the prefix."""
    n = 0
    while any(k.startswith(f"{prefix}.{n}.") for k in sd):
        n += 1
    return n


def conv(sd, n, x, stride=1, pad=None):
    w = sd[n + ".weight"]
    return F.conv2d(x, w, sd.get(n + ".bias"), stride, (w.shape[-1] // 2) if pad is None else pad)


# ---------------------------------------------------------------- RetinaFace

def bn(sd, n, x):
    return F.batch_norm(x, sd[n + ".running_mean"], sd[n + ".running_var"], sd[n + ".weight"], sd[n + ".bias"], False, 0, 1e-5)


def retinaface(sd, x, taps=None):
    """x: 1x3xHxW of BGR minus (104,117,123). Returns boxes [n,4], scores [n,2] after softmax, landmarks [n,10]."""
    y = F.relu(bn(sd, "body.bn1", conv(sd, "body.conv1", x, 2, 3)))
    y = F.max_pool2d(y, 3, 2, 1)
    stages = []
    for s in range(1, 5):
        for b in range(count(sd, f"body.layer{s}")):
            n = f"body.layer{s}.{b}"
            stride = 2 if (b == 0 and s > 1) else 1
            z = F.relu(bn(sd, n + ".bn1", conv(sd, n + ".conv1", y)))
            z = F.relu(bn(sd, n + ".bn2", conv(sd, n + ".conv2", z, stride)))
            z = bn(sd, n + ".bn3", conv(sd, n + ".conv3", z))
            if n + ".downsample.0.weight" in sd:
                y = bn(sd, n + ".downsample.1", conv(sd, n + ".downsample.0", y, stride))
            y = F.relu(y + z)
        if s > 1:
            stages.append(y)
    out = sd["fpn.output1.0.weight"].shape[0]
    slope = 0.1 if out <= 64 else 0.0

    def cb(n, v, act):
        v = bn(sd, n + ".1", conv(sd, n + ".0", v))
        return F.leaky_relu(v, slope) if act else v

    o = [cb(f"fpn.output{i + 1}", stages[i], True) for i in range(3)]
    o[1] = cb("fpn.merge2", o[1] + F.interpolate(o[2], size=o[1].shape[2:], mode="nearest"), True)
    o[0] = cb("fpn.merge1", o[0] + F.interpolate(o[1], size=o[0].shape[2:], mode="nearest"), True)
    feats = []
    for i in range(3):
        p, v = f"ssh{i + 1}", o[i]
        a = cb(p + ".conv3X3", v, False)
        t = cb(p + ".conv5X5_1", v, True)
        b = cb(p + ".conv5X5_2", t, False)
        c = cb(p + ".conv7x7_3", cb(p + ".conv7X7_2", t, True), False)
        feats.append(F.relu(torch.cat([a, b, c], 1)))
    if taps is not None:
        taps.update(stages=stages, fpn=o, features=feats)

    def heads(name, k):
        return torch.cat([conv(sd, f"{name}.{i}.conv1x1", f).permute(0, 2, 3, 1).reshape(-1, k) for i, f in enumerate(feats)])

    return heads("BboxHead", 4), torch.softmax(heads("ClassHead", 2), -1), heads("LandmarkHead", 10)


# ---------------------------------------------------------------- ParseNet

def pconv(sd, n, x, stride=1, up=False, act=False):
    if up:
        x = F.interpolate(x, scale_factor=2, mode="nearest")
    x = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), sd[n + ".conv2d.weight"], sd.get(n + ".conv2d.bias"), stride)
    if n + ".norm.norm.weight" in sd:
        x = bn(sd, n + ".norm.norm", x)
    return F.leaky_relu(x, 0.2) if act else x


def parsenet(sd, x):
    """x: 1x3x512x512 RGB in -1...1. Returns the 19 class maps."""
    def block(n, v, kind):
        up, down = kind == "up", kind == "down"
        s = v
        if n + ".shortcut_func.conv2d.weight" in sd:
            s = pconv(sd, n + ".shortcut_func", v, 2 if down else 1, up)
        r = pconv(sd, n + ".conv1", v, 1, up, True)
        return s + pconv(sd, n + ".conv2", r, 2 if down else 1)

    y = pconv(sd, "encoder.0", x)
    for i in range(1, count(sd, "encoder")):
        y = block(f"encoder.{i}", y, "down")
    r = y
    for i in range(count(sd, "body")):
        r = block(f"body.{i}", r, "none")
    y = y + r
    for i in range(count(sd, "decoder")):
        y = block(f"decoder.{i}", y, "up")
    return pconv(sd, "out_mask_conv", y)


# ---------------------------------------------------------------- CodeFormer

def gn(sd, n, x):
    return F.group_norm(x, 32, sd[n + ".weight"], sd[n + ".bias"], 1e-6)


def vres(sd, n, x):
    y = conv(sd, n + ".conv1", F.silu(gn(sd, n + ".norm1", x)))
    y = conv(sd, n + ".conv2", F.silu(gn(sd, n + ".norm2", y)))
    return y + (conv(sd, n + ".conv_out", x) if n + ".conv_out.weight" in sd else x)


def vattn(sd, n, x):
    h = gn(sd, n + ".norm", x)
    b, c, H, W = h.shape
    q, k, v = (conv(sd, f"{n}.{t}", h).reshape(c, H * W) for t in "qkv")
    a = torch.softmax((q.t() @ k) * c ** -0.5, 1)          # rows: queries
    return x + conv(sd, n + ".proj_out", (v @ a.t()).reshape(1, c, H, W))


def vblock(sd, n, x, generator):
    if n + ".norm1.weight" in sd:
        return vres(sd, n, x)
    if n + ".q.weight" in sd:
        return vattn(sd, n, x)
    if n + ".conv.weight" in sd:
        if generator:
            return conv(sd, n + ".conv", F.interpolate(x, scale_factor=2, mode="nearest"))
        return conv(sd, n + ".conv", F.pad(x, (0, 1, 0, 1)), 2, 0)
    if sd[n + ".weight"].dim() == 1:
        return gn(sd, n, x)
    return conv(sd, n, x)


def codeformer(sd, x, w=0.5, heads=8, taps=None):
    """x: 1x3x512x512 RGB in -1...1. Returns the restored face in the same form."""
    taps = {} if taps is None else taps
    enc_at = {5: "256", 8: "128", 11: "64", 14: "32"}
    gen_at = {9: "32", 12: "64", 15: "128", 18: "256"}
    kept = {}
    for i in range(count(sd, "encoder.blocks")):
        x = vblock(sd, f"encoder.blocks.{i}", x, False)
        if i in enc_at:
            kept[enc_at[i]] = x
    lq = x
    taps["lq_feat"] = lq
    c = lq.shape[1]
    t = F.linear(lq.reshape(c, -1).t(), sd["feat_emb.weight"], sd["feat_emb.bias"])     # tokens x dim
    pos = sd["position_emb"]
    d = t.shape[1]
    for i in range(count(sd, "ft_layers")):
        n = f"ft_layers.{i}"
        u = F.layer_norm(t, (d,), sd[n + ".norm1.weight"], sd[n + ".norm1.bias"], 1e-5)
        wi, bi = sd[n + ".self_attn.in_proj_weight"], sd[n + ".self_attn.in_proj_bias"]
        q = F.linear(u + pos, wi[:d], bi[:d])
        k = F.linear(u + pos, wi[d:2 * d], bi[d:2 * d])
        v = F.linear(u, wi[2 * d:], bi[2 * d:])
        q, k, v = (m.reshape(-1, heads, d // heads).transpose(0, 1) for m in (q, k, v))
        a = torch.softmax(q @ k.transpose(1, 2) / math.sqrt(d // heads), -1) @ v
        a = a.transpose(0, 1).reshape(-1, d)
        t = t + F.linear(a, sd[n + ".self_attn.out_proj.weight"], sd[n + ".self_attn.out_proj.bias"])
        u = F.layer_norm(t, (d,), sd[n + ".norm2.weight"], sd[n + ".norm2.bias"], 1e-5)
        u = F.gelu(F.linear(u, sd[n + ".linear1.weight"], sd[n + ".linear1.bias"]))
        t = t + F.linear(u, sd[n + ".linear2.weight"], sd[n + ".linear2.bias"])
    t = F.layer_norm(t, (d,), sd["idx_pred_layer.0.weight"], sd["idx_pred_layer.0.bias"], 1e-5)
    logits = F.linear(t, sd["idx_pred_layer.1.weight"])
    taps["logits"] = logits
    index = logits.argmax(1)
    taps["index"] = index
    quant = sd["quantize.embedding.weight"][index].t().reshape(1, c, *lq.shape[2:])

    def stats(f):
        f = f.reshape(f.shape[1], -1)
        return f.mean(1)[None, :, None, None], (f.var(1, unbiased=True) + 1e-5).sqrt()[None, :, None, None]

    qm, qs = stats(quant)
    lm, ls = stats(lq)
    x = (quant - qm) / qs * ls + lm
    taps["quant"] = x
    for i in range(count(sd, "generator.blocks")):
        x = vblock(sd, f"generator.blocks.{i}", x, True)
        if i in gen_at and w > 0:
            n = "fuse_convs_dict." + gen_at[i]
            e = vres(sd, n + ".encode_enc", torch.cat([kept[gen_at[i]], x], 1))
            two = lambda m: conv(sd, m + ".2", F.leaky_relu(conv(sd, m + ".0", e), 0.2))
            x = x + w * (x * two(n + ".scale") + two(n + ".shift"))
            taps["fuse" + gen_at[i]] = x
    return x


# ---------------------------------------------------------------- GFPGAN (clean)

def half(x):
    return F.avg_pool2d(x, 2)                      # what bilinear 0.5 without corner alignment amounts to


def twice(x):
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def modulated(sd, n, x, style, demodulate):
    s = F.linear(style, sd[n + ".modulation.weight"], sd[n + ".modulation.bias"])
    w = sd[n + ".weight"][0] * s.reshape(1, -1, 1, 1)
    if demodulate:
        w = w * torch.rsqrt(w.pow(2).sum((1, 2, 3), keepdim=True) + 1e-8)
    return F.conv2d(x, w, None, 1, w.shape[-1] // 2)


def gfpgan(sd, x, noise=None, taps=None):
    """x: 1x3x512x512 RGB in -1...1. noise: None for the noise in the file, otherwise a list of maps."""
    act = lambda v: F.leaky_relu(v, 0.2)

    def res(n, v, scale):
        r = act(conv(sd, n + ".conv2", scale(act(conv(sd, n + ".conv1", v)))))
        return r + conv(sd, n + ".skip", scale(v))

    levels = count(sd, "conv_body_down")
    f = act(conv(sd, "conv_body_first", x))
    skips = []
    for i in range(levels):
        f = res(f"conv_body_down.{i}", f, half)
        skips.insert(0, f)
    f = act(conv(sd, "final_conv", f))
    dim = sd["stylegan_decoder.style_conv1.modulated_conv.modulation.weight"].shape[1]
    style = F.linear(f.reshape(1, -1), sd["final_linear.weight"], sd["final_linear.bias"]).reshape(-1, dim)
    scales, shifts = [], []
    for i in range(levels):
        f = res(f"conv_body_up.{i}", f + skips[i], twice)
        two = lambda m: conv(sd, m + ".2", act(conv(sd, m + ".0", f)))
        scales.append(two(f"condition_scale.{i}"))
        shifts.append(two(f"condition_shift.{i}"))
    if taps is not None:
        taps.update(style=style, scales=scales, shifts=shifts)
    p = "stylegan_decoder."
    if noise is None:
        noise = [sd[f"{p}noises.noise{i}"] for i in range(2 * levels + 1)]

    def sconv(n, v, k, z):
        v = modulated(sd, n + ".modulated_conv", v, style[k], True) * 2 ** 0.5
        return act(v + sd[n + ".weight"] * z + sd[n + ".bias"])

    def rgb(n, v, k):
        return modulated(sd, n + ".modulated_conv", v, style[k], False) + sd[n + ".bias"]

    v = sconv(p + "style_conv1", sd[p + "constant_input.weight"], 0, noise[0])
    skip = rgb(p + "to_rgb1", v, 1)
    for i in range(levels):
        k = 2 * i + 1
        v = sconv(f"{p}style_convs.{2 * i}", twice(v), k, noise[k])
        a, b = v.chunk(2, 1)
        v = torch.cat([a, b * scales[i] + shifts[i]], 1)
        v = sconv(f"{p}style_convs.{2 * i + 1}", v, k + 1, noise[k + 1])
        skip = rgb(f"{p}to_rgbs.{i}", v, k + 2) + twice(skip)
    return skip
