"""The tensors of the four files of face restoration with their shapes, small or as published, and random weights in them."""
import math
import torch


class Layout(dict):
    def conv(self, n, i, o, k, bias=True):
        self[n + ".weight"] = (o, i, k, k)
        if bias:
            self[n + ".bias"] = (o,)

    def linear(self, n, i, o, bias=True):
        self[n + ".weight"] = (o, i)
        if bias:
            self[n + ".bias"] = (o,)

    def affine(self, n, c):
        self[n + ".weight"] = (c,)
        self[n + ".bias"] = (c,)

    def bn(self, n, c):
        self.affine(n, c)
        self[n + ".running_mean"] = (c,)
        self[n + ".running_var"] = (c,)
        self[n + ".num_batches_tracked"] = ()


def retinaface(planes=(64, 128, 256, 512), blocks=(3, 4, 6, 3), out=256, anchors=2):
    L = Layout()
    L.conv("body.conv1", 3, planes[0], 7, False)
    L.bn("body.bn1", planes[0])
    cin = planes[0]
    for s, (p, count) in enumerate(zip(planes, blocks), 1):
        for b in range(count):
            n = f"body.layer{s}.{b}"
            L.conv(n + ".conv1", cin, p, 1, False); L.bn(n + ".bn1", p)
            L.conv(n + ".conv2", p, p, 3, False); L.bn(n + ".bn2", p)
            L.conv(n + ".conv3", p, 4 * p, 1, False); L.bn(n + ".bn3", 4 * p)
            if b == 0:
                L.conv(n + ".downsample.0", cin, 4 * p, 1, False); L.bn(n + ".downsample.1", 4 * p)
            cin = 4 * p

    def cb(n, i, o, k):
        L.conv(n + ".0", i, o, k, False); L.bn(n + ".1", o)

    for i in range(3):
        cb(f"fpn.output{i + 1}", 4 * planes[i + 1], out, 1)
    cb("fpn.merge1", out, out, 3)
    cb("fpn.merge2", out, out, 3)
    for i in (1, 2, 3):
        n = f"ssh{i}"
        cb(n + ".conv3X3", out, out // 2, 3)
        cb(n + ".conv5X5_1", out, out // 4, 3); cb(n + ".conv5X5_2", out // 4, out // 4, 3)
        cb(n + ".conv7X7_2", out // 4, out // 4, 3); cb(n + ".conv7x7_3", out // 4, out // 4, 3)
    for name, k in (("ClassHead", 2), ("BboxHead", 4), ("LandmarkHead", 10)):
        for i in range(3):
            L.conv(f"{name}.{i}.conv1x1", out, anchors * k, 1)
    return L


def parsenet(base=64, low=32, high=256, depth=10, classes=19, steps=4):
    L = Layout()
    clip = lambda c: max(low, min(c, high))

    def layer(n, i, o, norm):
        L.conv(n + ".conv2d", i, o, 3, not norm)
        if norm:
            L.bn(n + ".norm.norm", o)

    def block(n, i, o, scaled):
        if scaled or i != o:
            layer(n + ".shortcut_func", i, o, False)
        layer(n + ".conv1", i, o, True)
        layer(n + ".conv2", o, o, True)

    layer("encoder.0", 3, base, False)
    c = base
    for i in range(steps):
        block(f"encoder.{i + 1}", clip(c), clip(2 * c), True)
        c *= 2
    for i in range(depth):
        block(f"body.{i}", clip(c), clip(c), False)
    for i in range(steps):
        block(f"decoder.{i}", clip(c), clip(c // 2), True)
        c //= 2
    layer("out_img_conv", clip(c), 3, False)
    layer("out_mask_conv", clip(c), classes, False)
    return L


def codeformer(nf=64, mult=(1, 2, 2, 4, 4, 8), emb=256, codes=1024, dim=512, layers=9, tokens=256):
    L = Layout()
    L["position_emb"] = (tokens, dim)

    def res(n, i, o):
        L.affine(n + ".norm1", i); L.conv(n + ".conv1", i, o, 3)
        L.affine(n + ".norm2", o); L.conv(n + ".conv2", o, o, 3)
        if i != o:
            L.conv(n + ".conv_out", i, o, 1)

    def attn(n, c):
        L.affine(n + ".norm", c)
        for t in ("q", "k", "v", "proj_out"):
            L.conv(f"{n}.{t}", c, c, 1)

    i = 0
    def name(kind):
        nonlocal i
        i += 1
        return f"{kind}.blocks.{i - 1}"

    last = len(mult) - 1
    L.conv(name("encoder"), 3, nf, 3)
    c = nf
    for l, m in enumerate(mult):
        for _ in range(2):
            res(name("encoder"), c, nf * m); c = nf * m
            if l == last:
                attn(name("encoder"), c)
        if l != last:
            L.conv(name("encoder") + ".conv", c, c, 3)
    res(name("encoder"), c, c); attn(name("encoder"), c); res(name("encoder"), c, c)
    L.affine(name("encoder"), c)
    L.conv(name("encoder"), c, emb, 3)
    L["quantize.embedding.weight"] = (codes, emb)
    i = 0
    L.conv(name("generator"), emb, c, 3)
    res(name("generator"), c, c); attn(name("generator"), c); res(name("generator"), c, c)
    for l in reversed(range(len(mult))):
        for _ in range(2):
            res(name("generator"), c, nf * mult[l]); c = nf * mult[l]
            if l == last:
                attn(name("generator"), c)
        if l != 0:
            L.conv(name("generator") + ".conv", c, c, 3)
    L.affine(name("generator"), c)
    L.conv(name("generator"), c, 3, 3)
    L.linear("feat_emb", emb, dim)
    for k in range(layers):
        n = f"ft_layers.{k}"
        L[n + ".self_attn.in_proj_weight"] = (3 * dim, dim)
        L[n + ".self_attn.in_proj_bias"] = (3 * dim,)
        L.linear(n + ".self_attn.out_proj", dim, dim)
        L.linear(n + ".linear1", dim, 2 * dim); L.linear(n + ".linear2", 2 * dim, dim)
        L.affine(n + ".norm1", dim); L.affine(n + ".norm2", dim)
    L.affine("idx_pred_layer.0", dim)
    L.linear("idx_pred_layer.1", dim, codes, False)
    for size, l in (("32", 4), ("64", 3), ("128", 2), ("256", 1)):
        n, c = f"fuse_convs_dict.{size}", nf * mult[l]
        res(n + ".encode_enc", 2 * c, c)
        for t in ("scale", "shift"):
            L.conv(f"{n}.{t}.0", c, c, 3); L.conv(f"{n}.{t}.2", c, c, 3)
    return L


def gfpgan(style=512, narrow=1.0, mlp=8, levels=7):
    L = Layout()
    full = [int(v * narrow) for v in (512, 512, 512, 512, 512, 256, 128, 64)]           # 4, 8, ..., 512
    unet = [int(v * narrow * 0.5) for v in (512, 512, 512, 512, 512, 256, 128, 64)]

    def res(n, i, o):
        L.conv(n + ".conv1", i, i, 3); L.conv(n + ".conv2", i, o, 3); L.conv(n + ".skip", i, o, 1, False)

    L.conv("conv_body_first", 3, unet[-1], 1)
    for i in range(levels):
        res(f"conv_body_down.{i}", unet[levels - i], unet[levels - i - 1])
    L.conv("final_conv", unet[1], unet[0], 3) if levels == 7 else None
    for i in range(levels):
        res(f"conv_body_up.{i}", unet[i], unet[i + 1])
    for i in range(levels):
        L.conv(f"toRGB.{i}", unet[i + 1], 3, 1)
    L.linear("final_linear", unet[0] * 16, 2 * (levels + 1) * style)
    p = "stylegan_decoder."
    for i in range(mlp):
        L.linear(f"{p}style_mlp.{2 * i + 1}", style, style)
    L[p + "constant_input.weight"] = (1, full[0], 4, 4)

    def mod(n, i, o, k):
        L[n + ".weight"] = (1, o, i, k, k)
        L.linear(n + ".modulation", style, i)

    def sconv(n, i, o):
        L[n + ".weight"] = (1,)
        L[n + ".bias"] = (1, o, 1, 1)
        mod(n + ".modulated_conv", i, o, 3)

    def rgb(n, i):
        L[n + ".bias"] = (1, 3, 1, 1)
        mod(n + ".modulated_conv", i, 3, 1)

    sconv(p + "style_conv1", full[0], full[0])
    rgb(p + "to_rgb1", full[0])
    for i in range(levels):
        sconv(f"{p}style_convs.{2 * i}", full[i], full[i + 1])
        sconv(f"{p}style_convs.{2 * i + 1}", full[i + 1], full[i + 1])
        rgb(f"{p}to_rgbs.{i}", full[i + 1])
    for i in range(2 * levels + 1):
        s = 2 ** ((i + 5) // 2)
        L[f"{p}noises.noise{i}"] = (1, 1, s, s)
    for i in range(levels):
        for t in ("condition_scale", "condition_shift"):
            L.conv(f"{t}.{i}.0", unet[i + 1], unet[i + 1], 3); L.conv(f"{t}.{i}.2", unet[i + 1], unet[i + 1], 3)
    return L


SIZES = {
    "tiny": dict(retinaface=dict(planes=(4, 8, 8, 16), blocks=(2, 2, 2, 2), out=72),
                 parsenet=dict(base=8, low=8, high=16, depth=2),
                 codeformer=dict(nf=32, mult=(1, 1, 1, 1, 2, 2), emb=64, codes=64, dim=64, layers=2),
                 gfpgan=dict(style=32, narrow=1 / 16)),
    "full": dict(retinaface={}, parsenet={}, codeformer={}, gfpgan={}),
}
def fill(layout, seed):
    """Random values that keep activations near one."""
    g = torch.Generator().manual_seed(seed)
    r = lambda s: torch.randn(s, generator=g)
    sd = {}
    for n, s in layout.items():
        if n.endswith("num_batches_tracked"):
            sd[n] = torch.tensor(1000)
        elif n.endswith("running_var"):
            sd[n] = torch.rand(s, generator=g) * 0.5 + 0.75
        elif n.endswith("running_mean"):
            sd[n] = 0.1 * r(s)
        elif "noises." in n or n.endswith("constant_input.weight"):
            sd[n] = r(s)
        elif n.endswith("modulation.bias"):
            sd[n] = 1 + 0.1 * r(s)
        elif len(s) == 1 and n.startswith("stylegan_decoder") and n.endswith(".weight"):
            sd[n] = 0.1 * r(s)                                  # strength of the injected noise
        elif len(s) == 1 and n.endswith(".weight"):
            sd[n] = 1 + 0.1 * r(s)
        elif len(s) <= 1 or (s[0] == 1 and s[-1] == 1 and len(s) == 4):
            sd[n] = 0.05 * r(s)
        elif n == "position_emb":
            sd[n] = 0.5 * r(s)
        elif n == "quantize.embedding.weight":
            sd[n] = r(s)
        else:
            fan = math.prod(s[1:]) if len(s) < 5 else math.prod(s[2:])
            sd[n] = r(s) * math.sqrt(1.4 / fan)
    return sd


def layouts(size):
    return {k: globals()[k](**v) for k, v in SIZES[size].items()}


def weights(size, seed=1):
    return {k: fill(v, seed + i) for i, (k, v) in enumerate(layouts(size).items())}
