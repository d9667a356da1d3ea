"""Writes linear layers with stored weights that products unpack, and PyTorch's results with them.

  python make_stored_linears.py

Made with torch 2.15.0, safetensors 0.8.0, gguf 0.19.0.

Weights/stored/linears.gguf            one matrix of each kind of block
Weights/stored/linears.safetensors     FP8, plain and with each kind of scale, F16 and BF16
Weights/stored/expected.safetensors    x, and for each matrix NAME its product with x in double precision
"""
import gguf, numpy as np, torch
from fixture_paths import fixtures
from gguf.quants import dequantize, quantize
from safetensors.torch import save_file

out = fixtures("Weights/stored")
rng = np.random.default_rng(23)
torch.manual_seed(23)
OUTPUTS, INPUTS, ROWS = 36, 512, 11
T = gguf.GGMLQuantizationType
x = torch.from_numpy(rng.standard_normal((ROWS, INPUTS), dtype=np.float32)).bfloat16().float()
expected = {"x": x}


def expect(name, weights):
    expected[name] = (x.double() @ torch.as_tensor(weights).double().t()).float().contiguous()


writer = gguf.GGUFWriter(f"{out}/linears.gguf", "sd")
HALVES = {T.Q4_K: (0, 2), T.Q5_K: (0, 2), T.Q6_K: (208,)}
for type in (T.Q4_0, T.Q8_0, T.Q4_K, T.Q5_K, T.Q6_K):
    block, size = gguf.GGML_QUANT_SIZES[type]
    if type in HALVES:
        data = rng.integers(0, 256, (OUTPUTS, INPUTS // block, size), dtype=np.uint8)
        for at in HALVES[type]:
            scales = (rng.random((OUTPUTS, INPUTS // block, 1)) * 0.002 - 0.001).astype(np.float16)
            data[:, :, at:at + 2] = scales.view(np.uint8)
        data = data.reshape(OUTPUTS, -1)
    else:
        data = quantize(rng.standard_normal((OUTPUTS, INPUTS), dtype=np.float32) * 0.05, type)
    name = type.name.lower()
    writer.add_tensor(f"{name}.weight", data, raw_dtype=type)
    expect(name, dequantize(data, type))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

weights = torch.randn(OUTPUTS, INPUTS) * 0.5
tensors = {}
for name, dtype in (("fp8", torch.float8_e4m3fn), ("fp8_range", torch.float8_e5m2), ("half", torch.float16), ("bfloat", torch.bfloat16)):
    tensors[f"{name}.weight"] = weights.to(dtype)
    expect(name, weights.to(dtype).float())
fp8 = weights.to(torch.float8_e4m3fn)
for name, scale, ending in (
    ("by_tensor", torch.tensor(0.0123), "scale_weight"),
    ("by_row", torch.rand(OUTPUTS, 1) + 0.1, "weight_scale"),
    ("by_square", torch.rand(1, INPUTS // 128) + 0.1, "weight_scale_inv"),
):
    tensors[f"{name}.weight"] = fp8.clone()
    tensors[f"{name}.{ending}"] = scale
    full = scale.repeat_interleave(128, 1)[:, :INPUTS] if name == "by_square" else scale
    expect(name, fp8.float() * full)
save_file(tensors, f"{out}/linears.safetensors")
save_file(expected, f"{out}/expected.safetensors")
