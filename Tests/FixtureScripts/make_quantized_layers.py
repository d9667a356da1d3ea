"""Writes NumPy's results for layers in 8-bit arithmetic, for Tests/TensorsTests/Int8ComputeTests.swift.

  python make_quantized_layers.py

Activations are bfloat16 numbers x, quantised to bytes q = round(x / scale) + zero, which spread the range from the smallest
to the largest of x and 0 over 0...255; weights are floats w, quantised to round(w / scale) from -127 to 127, a scale for each
output. Sums of products are whole numbers, exact in int64. What follows them is in double precision.

layers.safetensors: `NAME.x`, `NAME.weight`, `NAME.bias`, `NAME.residual`, `NAME.output` (rounded to float32), where NAME is
linear, gated, convolution (step 1), halving (step 2) and winograd; x and output with channels last.
"""

import numpy as np
from fixture_paths import fixtures
from safetensors.numpy import save_file

random = np.random.default_rng(6)


def bf16(x):
    """To the nearest bfloat16, to even in the middle, as float32."""
    bits = np.asarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def quantized(x, axes):
    """Bytes, scales and zeros of x; one scale over all of `axes`."""
    low = np.minimum(x.min(axes, keepdims=True), 0).astype(np.float32)
    high = np.maximum(x.max(axes, keepdims=True), 0).astype(np.float32)
    scale = (high / np.float32(255) - low / np.float32(255)).astype(np.float32)
    zero = np.floor(-low / scale + np.float32(0.5)).astype(np.int64)
    q = np.rint(x * (np.float32(1) / scale)).astype(np.int64) + zero
    return np.clip(q, 0, 255), scale.astype(np.float64), zero


def quantized_weights(w):
    """Whole numbers and scales of w, [outputs, ...]."""
    axes = tuple(range(1, w.ndim))
    scale = (np.abs(w).max(axes, keepdims=True) / np.float32(127)).astype(np.float32)
    return np.rint(w * (np.float32(1) / scale)).astype(np.int64), scale.astype(np.float64)


def linear(x, w):
    """x [rows, inputs] times w [outputs, inputs]."""
    q, scale, zero = quantized(x, (1,))
    p, by = quantized_weights(w)
    return ((q - zero) @ p.T) * scale * by[:, 0]


def convolution(x, w, step):
    """x [batch, height, width, inputs], w [outputs, inputs, 3, 3]."""
    q, scale, zero = quantized(x, (1, 2, 3))
    p, by = quantized_weights(w)
    d = np.pad(q - zero, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = (x.shape[1] + step - 1) // step, (x.shape[2] + step - 1) // step
    sums = sum(
        d[:, i : i + step * height : step, j : j + step * width : step][:, :height, :width] @ p[:, :, i, j].T
        for i in range(3)
        for j in range(3)
    )
    return sums * scale * by[:, 0, 0, 0]


def winograd(x, w):
    """The same with step 1 as F(2x2, 3x3); windows are rounded to bfloat16 before they are quantised, tile by tile."""
    window = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], np.float32)
    taps = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float32)
    result = np.array([[1, 1, 1, 0], [0, 1, -1, -1]], np.float64)
    batch, height, width, _ = x.shape
    rows, columns = (height + 1) // 2, (width + 1) // 2
    d = np.pad(x, ((0, 0), (1, 2 * rows - height + 1), (1, 2 * columns - width + 1), (0, 0)))
    u = np.einsum("ij,ocjk,lk->iloc", taps, w, taps).astype(np.float32)
    y = np.zeros((batch, 2 * rows, 2 * columns, w.shape[0]))
    for r in range(rows):
        for c in range(columns):
            part = d[:, 2 * r : 2 * r + 4, 2 * c : 2 * c + 4]
            v = bf16(np.einsum("ij,bjkc,lk->ilbc", window, part, window).astype(np.float32))
            m = np.array([[linear(v[i, j], u[i, j]) for j in range(4)] for i in range(4)])
            y[:, 2 * r : 2 * r + 2, 2 * c : 2 * c + 2] = np.einsum("ij,jkbo,lk->bilo", result, m, result)
    return y[:, :height, :width]


def gelu(x):
    # The erf of Abramowitz & Stegun would be enough; this one is accurate enough and needs no other library.
    from math import erf

    return x * 0.5 * (1 + np.vectorize(erf)(x / np.sqrt(2)))


tensors = {}


def write(name, x, w, output, bias, residual=None):
    tensors.update({f"{name}.x": x, f"{name}.weight": w, f"{name}.bias": bias})
    if residual is not None:
        tensors[f"{name}.residual"] = residual
    tensors[f"{name}.output"] = output.astype(np.float32)


def normal(*shape):
    return random.standard_normal(shape).astype(np.float32)


# Rows of very different size, one of zeros, one without negative numbers; numbers of inputs that are not multiples of four.
x = bf16(normal(19, 37) * np.exp(normal(19, 1)))
x[3] = 0
x[4] = np.abs(x[4])
w, bias, residual = normal(45, 37), normal(45), bf16(normal(19, 45))
x[3, 0] = 2**-10  # Of a row of zeros NumPy's scale would be none.
write("linear", x, w, linear(x, w) + bias + residual, bias, residual)

x, w, bias = bf16(normal(11, 24)), normal(2 * 29, 24), normal(2 * 29)
y = linear(x, w) + bias
write("gated", x, w, y[:, :29] * gelu(y[:, 29:]), bias)

# As after SiLU: few negative numbers; two images of different size.
x = normal(2, 7, 9, 10)
x = bf16(x / (1 + np.exp(-x)) * np.array([1, 3], np.float32).reshape(2, 1, 1, 1))
w, bias = normal(21, 10, 3, 3), normal(21)
for name, step in (("convolution", 1), ("halving", 2)):
    y = convolution(x, w, step) + bias
    residual = bf16(normal(*y.shape))
    write(name, x, w, y + residual, bias, residual)
y = winograd(x, w) + bias
residual = bf16(normal(*y.shape))
write("winograd", x, w, y + residual, bias, residual)

save_file({k: np.ascontiguousarray(t, np.float32) for k, t in tensors.items()}, fixtures("Quantization") + "/layers.safetensors")
