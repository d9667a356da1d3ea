"""Writes small files of tensors in every container, and how PyTorch and gguf read them.

  python make_containers.py

Made with torch 2.15.0, safetensors 0.8.0, gguf 0.19.0.

Weights/containers/NAME.EXT   the file
Weights/containers/NAME.txt   its tensors as they should be read: on each line the name, the shape, and the bits in Float32
"""
import collections, sys
import gguf, numpy as np, torch
from fixture_paths import fixtures
from gguf.quants import dequantize, quantize
from safetensors.torch import save_file

out = fixtures("Weights/containers")
torch.manual_seed(5)
rng = np.random.default_rng(5)


def expect(name, tensors):
    with open(f"{out}/{name}.txt", "w") as f:
        for key, t in tensors.items():
            t = torch.as_tensor(np.asarray(t)) if not isinstance(t, torch.Tensor) else t.detach()
            bits = t.float().contiguous().flatten().numpy().view(np.uint32)
            f.write(" ".join([key, "x".join(map(str, t.shape)) or "-"] + [f"{b:08x}" for b in bits]) + "\n")


# What torch.save writes, in both containers: strides, views, shared storages, types, and a Lightning checkpoint's extras.
class ModelCheckpoint:
    pass


ModelCheckpoint.__module__ = "pytorch_lightning.callbacks.model_checkpoint"
ModelCheckpoint.__qualname__ = "ModelCheckpoint"
module = type(sys)("pytorch_lightning.callbacks.model_checkpoint")
module.ModelCheckpoint = ModelCheckpoint
for name in ("pytorch_lightning", "pytorch_lightning.callbacks"):
    sys.modules[name] = type(sys)(name)
sys.modules["pytorch_lightning.callbacks.model_checkpoint"] = module

base = torch.randn(6, 8)
whole = torch.randn(4, 5, 3, 3)
state = collections.OrderedDict(
    plain=torch.randn(3, 4), half=torch.randn(2, 7).half(), bfloat=torch.randn(5).bfloat16(),
    transposed=base.t(), sliced=base[1:5, 2:7:2], channels_last=whole.contiguous(memory_format=torch.channels_last),
    tied=base, scalar=torch.tensor(0.25), empty=torch.zeros(0, 3), parameter=torch.nn.Parameter(torch.randn(2, 2)),
    half_transposed=torch.randn(3, 5).half().t())
state["model.nested.name"] = torch.randn(2)
others = {"ids": torch.arange(4), "double": torch.ones(2, dtype=torch.float64)}
readable = dict(state)
network = torch.nn.Linear(2, 2)  # Its state dictionary comes with _metadata, set by BUILD.
extras = {
    "epoch": 3, "global_step": 2**40, "pytorch-lightning_version": "1.4.2", "loss": 0.125, "flag": True, "nothing": None,
    "callbacks": {ModelCheckpoint: {"best_model_score": np.float64(0.5), "path": "a/b", "monitor": "loss"}},
    "optimizer_states": [{"state": {0: {"exp_avg": torch.randn(3)}}, "param_groups": [{"betas": (0.9, 0.999)}]}],
    "array": np.arange(3.0), "size": torch.Size([1, 2]), "type": torch.float16, "device": torch.device("cpu"),
    "set": {1, 2}, "bytes": b"abc", "default": collections.defaultdict(list, a=[1])}
whole_state = collections.OrderedDict({**state, **others, **{f"net.{k}": v for k, v in network.state_dict().items()}})
readable.update({f"net.{k}": v for k, v in network.state_dict().items()})
torch.save({"state_dict": whole_state, **extras}, f"{out}/archive.ckpt")
torch.save({"state_dict": whole_state, **extras}, f"{out}/legacy.ckpt", _use_new_zipfile_serialization=False)
torch.save({"state_dict": whole_state, **extras}, f"{out}/archive-protocol4.pt", pickle_protocol=4)
for name in ("archive", "legacy", "archive-protocol4"):
    expect(name, readable)
torch.save({"state_dict": {"state_dict": {"a": state["plain"]}, "lost": torch.ones(1)}, "x": 1}, f"{out}/nested.pt")
expect("nested", {"a": state["plain"]})
torch.save(network.state_dict(), f"{out}/state.bin")
expect("state", network.state_dict())
f8 = {"e4m3": torch.randn(3, 3).to(torch.float8_e4m3fn), "e5m2": torch.randn(4).to(torch.float8_e5m2)}
torch.save({"params_ema": f8}, f"{out}/typed.pth")
expect("typed", {f"params_ema.{k}": v for k, v in f8.items()})
tagged = torch.randn(3)
tagged.note = "an attribute"
torch.save({"tagged": tagged}, f"{out}/tagged.pt")
expect("tagged", {"tagged": tagged})
embedding = {
    "string_to_token": {"*": 265}, "string_to_param": torch.nn.ParameterDict({"*": torch.nn.Parameter(torch.randn(2, 6))}),
    "name": "an embedding", "step": 500, "sd_checkpoint": "0123456789", "sd_checkpoint_name": None}
torch.save(embedding, f"{out}/embedding.pt")
expect("embedding", {"string_to_param.*": embedding["string_to_param"]["*"]})

# Every number of both FP8 types, and scaled weights as ComfyUI writes them.
codes = torch.arange(256, dtype=torch.uint8)
e4m3 = codes.view(torch.float8_e4m3fn)
e5m2 = codes.view(torch.float8_e5m2)
finite4, finite5 = e4m3[e4m3.float().isfinite()], e5m2[e5m2.float().isfinite()]
weight = torch.randn(4, 6).to(torch.float8_e4m3fn)
scale = torch.tensor(0.0123)
rows, kernel = torch.rand(4) / 100, torch.randn(4, 2, 3, 3).to(torch.float8_e5m2)
save_file({
    "e4m3": finite4, "e5m2": finite5, "a.weight": weight, "a.scale_weight": scale, "a.scale_input": torch.tensor(2.0),
    "a.bias": torch.ones(4), "b.weight": weight.clone(), "b.weight_scale": scale.clone().reshape(1),
    "b.comfy_quant": torch.ones(3, dtype=torch.uint8), "c.weight": weight.clone(),
    "d.weight": weight.clone(), "d.weight_scale": rows.reshape(4, 1), "d.input_scale": torch.ones(1),
    "e.weight": kernel, "e.scale_weight": rows.bfloat16(), "f.weight": weight.bfloat16(), "f.scale_weight": scale.clone(),
    "scaled_fp8": torch.zeros(0).to(torch.float8_e4m3fn)}, f"{out}/fp8.safetensors")
expect("fp8", {
    "e4m3": finite4, "e5m2": finite5, "a.weight": weight.float() * scale, "a.bias": torch.ones(4),
    "b.weight": weight.float() * scale, "c.weight": weight,
    "d.weight": weight.float() * rows.reshape(4, 1), "e.weight": kernel.float() * rows.bfloat16().float().reshape(4, 1, 1, 1),
    "f.weight": weight.float() * scale})

# Quantised blocks: made by gguf if it can, otherwise random bytes with finite scales.
T = gguf.GGMLQuantizationType
HALVES = {T.Q2_K: (80, 82), T.Q3_K: (108,), T.Q4_K: (0, 2), T.Q5_K: (0, 2), T.Q6_K: (208,)}
writer = gguf.GGUFWriter(f"{out}/quantised.gguf", "sd")
writer.add_string("general.name", "fixture")
writer.add_uint32("test.number", 7)
writer.add_float32("test.float", 0.5)
writer.add_bool("test.flag", True)
writer.add_array("test.list", ["a", "bc", ""])
writer.add_array("test.numbers", [1, 2, 3])
expected = {}
for type in (T.F32, T.F16, T.BF16, T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q2_K, T.Q3_K, T.Q4_K, T.Q5_K, T.Q6_K):
    name = f"model.{type.name.lower()}.weight"
    block, size = gguf.GGML_QUANT_SIZES[type]
    if type in HALVES:
        data = rng.integers(0, 256, (3, 2 * size), np.uint8)
        for offset in HALVES[type]:
            for row in data:
                for start in (0, size):
                    row[start + offset:start + offset + 2] = np.float16(rng.standard_normal() / 8).reshape(1).view(np.uint8)
        numbers = dequantize(data, type)
        writer.add_tensor(name, data, raw_dtype=type)
    else:
        numbers = rng.standard_normal((3, 2 * block if block > 1 else 5)).astype(np.float32)
        data = quantize(numbers, type) if type not in (T.F32, T.F16) else numbers.astype({T.F32: np.float32, T.F16: np.float16}[type])
        numbers = dequantize(data, type)
        writer.add_tensor(name, data, raw_dtype=type)
    expected[name] = np.asarray(numbers, np.float32)
conv = rng.standard_normal((2, 3, 3, 3)).astype(np.float16)
writer.add_tensor("conv.weight", conv)
expected["conv.weight"] = conv.astype(np.float32)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
expect("quantised", expected)
