"""Writes the fixtures of TextEncoderTests: small random language models, and the states that transformers computes with them.

  python make_text_encoders.py

TextEncoders/qwen3.weights, t5.weights   the models, in float32 (see random_weights.py); names as transformers has them
TextEncoders/qwen3.gguf, t5.gguf         the same in Q8_0 with llama.cpp's names; qwen3.gguf also has a vocabulary
TextEncoders/t5-fp8.safetensors          T5 as ComfyUI scales it to FP8, inside a file of a whole model
TextEncoders/*.json                      what config.json says about the models
TextEncoders/states.safetensors          for each model and text: ids, how many of them are tokens, and states

Made with Python 3.11.7, torch 2.13.0, transformers 5.24.0, gguf 0.19.0.
"""

import json
from pathlib import Path

import gguf
import gguf.quants
import numpy as np
import torch
from safetensors.torch import save_file
from transformers import Qwen3Config, Qwen3Model, T5Config, T5EncoderModel

from fixture_paths import fixtures
from random_weights import read_list, write_list

torch.set_grad_enabled(False)
torch.manual_seed(5)
out = Path(fixtures("TextEncoders"))
states = {}


def enliven(model):
    """Weights with which every part of a layer affects the result."""
    for name, p in model.named_parameters():
        if p.ndim == 1: p.copy_(1 + torch.randn_like(p) * 0.3)
        elif "relative_attention_bias" in name: p.copy_(torch.randn_like(p) * 2)
        elif "SelfAttention.q" in name or "SelfAttention.k" in name: p.copy_(torch.randn_like(p) * 0.7 / p.shape[1] ** 0.5)
        elif "embed" in name or "shared" in name: p.copy_(torch.randn_like(p))
        else: p.copy_(torch.randn_like(p) * 1.2 / p.shape[1] ** 0.5)


def load(model, tensors, prefix):
    missing, unexpected = model.load_state_dict({k[len(prefix):]: v for k, v in tensors.items()}, strict=False)
    assert not unexpected and all("embed_tokens" in k for k in missing), (missing, unexpected)


# ---------- Qwen3 ----------
config = Qwen3Config(vocab_size=96, hidden_size=64, intermediate_size=96, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, head_dim=32,
                     rms_norm_eps=1e-5, rope_parameters={"rope_type": "default", "rope_theta": 5000.0}, max_position_embeddings=512, tie_word_embeddings=True)
qwen = Qwen3Model(config).eval()
enliven(qwen)
write_list(out / "qwen3.weights", 71, {"model." + k: v for k, v in qwen.state_dict().items()}, "F32")
(out / "qwen3.json").write_text(config.to_json_string())
QWEN_TEXTS = {"short": ([3, 17, 17, 88, 2, 41, 9], 7), "filled": ([3, 17, 17, 88, 2, 41, 9] + [95] * 33, 7), "long": ([(7 * i * i + i) % 96 for i in range(70)], 70), "one": ([5], 1)}


def qwen_states(name, tensors):
    load(qwen, tensors, "model.")
    for text, (ids, count) in QWEN_TEXTS.items():
        mask = torch.tensor([[1] * count + [0] * (len(ids) - count)])
        h = qwen(torch.tensor([ids]), attention_mask=mask, output_hidden_states=True).hidden_states
        states[f"{name}.{text}.ids"] = torch.tensor(ids + [count], dtype=torch.float32)
        for layer in (1, 3): states[f"{name}.{text}.{layer}"] = h[layer][0]


tensors = read_list(out / "qwen3.weights")
qwen_states("qwen3", tensors)


def quantized(writer, tensors, renamed):
    """Adds matrices in Q8_0, tables in F16 and norms in F32; returns the numbers that the file has."""
    back = {}
    for name, tensor in tensors.items():
        a, new = tensor.numpy(), renamed(name)
        if new is None: continue
        if a.ndim == 2 and a.shape[1] % 32 == 0 and "embd" not in new:
            q = gguf.quants.quantize(a, gguf.GGMLQuantizationType.Q8_0)
            writer.add_tensor(new, q, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
            back[name] = torch.from_numpy(gguf.quants.dequantize(q, gguf.GGMLQuantizationType.Q8_0).astype(np.float32))
        elif a.ndim == 2:
            writer.add_tensor(new, a.astype(np.float16))
            back[name] = torch.from_numpy(a.astype(np.float16).astype(np.float32))
        else:
            writer.add_tensor(new, a)
            back[name] = tensor
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return back


def llama_qwen(name):
    name = name.removeprefix("model.").replace("layers.", "blk.")
    for a, b in (("embed_tokens", "token_embd"), ("input_layernorm", "attn_norm"), ("post_attention_layernorm", "ffn_norm"), ("self_attn.q_norm", "attn_q_norm"),
                 ("self_attn.k_norm", "attn_k_norm"), ("self_attn.q_proj", "attn_q"), ("self_attn.k_proj", "attn_k"), ("self_attn.v_proj", "attn_v"),
                 ("self_attn.o_proj", "attn_output"), ("mlp.gate_proj", "ffn_gate"), ("mlp.up_proj", "ffn_up"), ("mlp.down_proj", "ffn_down")): name = name.replace(a, b)
    return "output_norm.weight" if name == "norm.weight" else name


tokens = [chr(c) for c in list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256)) + list(range(256, 324))] + ["fo", "fox", "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>"]
writer = gguf.GGUFWriter(str(out / "qwen3.gguf"), "qwen3")
writer.add_tokenizer_model("gpt2")
writer.add_tokenizer_pre("qwen2")
writer.add_token_list(tokens)
writer.add_token_types([1] * 258 + [3, 3, 3, 4])
writer.add_token_merges(["f o", "fo x"])
# The file has no theta and epsilon: the defaults are used, as for published files.
config.rms_norm_eps, config.rope_parameters = 1e-6, {"rope_type": "default", "rope_theta": 1000000.0}
qwen = Qwen3Model(config).eval()
qwen_states("qwen3-gguf", quantized(writer, tensors, llama_qwen))

# ---------- T5 ----------
config = T5Config(vocab_size=80, d_model=64, d_kv=16, d_ff=96, num_layers=3, num_heads=3, feed_forward_proj="gated-gelu", relative_attention_num_buckets=32,
                  relative_attention_max_distance=128, layer_norm_epsilon=1e-6, dropout_rate=0.0)
t5 = T5EncoderModel(config).eval()
enliven(t5)
write_list(out / "t5.weights", 72, {k: v for k, v in t5.state_dict().items() if "embed_tokens" not in k}, "F32")
(out / "t5.json").write_text(config.to_json_string())
T5_TEXTS = {"short": [4, 70, 33, 33, 1], "filled": [4, 70, 33, 33, 1] + [0] * 19, "long": [(5 * i * i + 3 * i) % 79 + 1 for i in range(300)], "one": [1]}


def t5_states(name, tensors):
    load(t5, tensors, "")
    t5.encoder.embed_tokens.weight = t5.shared.weight
    for text, ids in T5_TEXTS.items():
        states[f"{name}.{text}.ids"] = torch.tensor(ids, dtype=torch.float32)
        states[f"{name}.{text}"] = t5(torch.tensor([ids])).last_hidden_state[0]


tensors = read_list(out / "t5.weights")
t5_states("t5", tensors)


def llama_t5(name):
    name = name.replace("encoder.block.", "enc.blk.").replace("encoder.final_layer_norm", "enc.output_norm").replace("shared", "token_embd")
    for a, b in (("layer.0.SelfAttention.relative_attention_bias", "attn_rel_b"), ("layer.0.layer_norm", "attn_norm"), ("layer.1.layer_norm", "ffn_norm"),
                 ("layer.1.DenseReluDense.wi_0", "ffn_gate"), ("layer.1.DenseReluDense.wi_1", "ffn_up"), ("layer.1.DenseReluDense.wo", "ffn_down"),
                 ("layer.0.SelfAttention.", "attn_")): name = name.replace(a, b)
    return name


t5_states("t5-gguf", quantized(gguf.GGUFWriter(str(out / "t5.gguf"), "t5encoder"), tensors, llama_t5))

whole, back = {}, {}
for name, tensor in tensors.items():
    key = "text_encoders.t5xxl.transformer." + name
    if "SelfAttention" in name and tensor.shape[0] != 32 or "DenseReluDense" in name:
        scale = tensor.abs().max() / 448
        q = (tensor / scale).clamp(-448, 448).to(torch.float8_e4m3fn)
        whole[key], whole[key.replace("weight", "scale_weight")], back[name] = q, scale.reshape(1), q.float() * scale
    else:
        whole[key] = tensor.to(torch.bfloat16)
        back[name] = whole[key].float()
whole["text_encoders.t5xxl.transformer.scaled_fp8"] = torch.zeros(2, dtype=torch.float8_e4m3fn)
whole["text_encoders.t5xxl.logit_scale"] = torch.tensor(4.6)
whole["model.diffusion_model.img_in.weight"] = torch.zeros(4, 4)
save_file(whole, out / "t5-fp8.safetensors")
t5_states("t5-fp8", back)

save_file({k: v.contiguous().clone() for k, v in states.items()}, out / "states.safetensors")
print({k: round(v.std().item(), 2) for k, v in states.items() if "ids" not in k})
