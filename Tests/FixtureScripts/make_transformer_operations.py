"""Writes PyTorch's and diffusers' results for the operations of transformers, for Tests/TensorsTests/TransformerOperationTests.swift.

  python make_transformer_operations.py

operations.safetensors, all float32:
  rms.{x,gamma,residual,output,plain}     torch.nn.functional.rms_norm with epsilon 1e-5; output has the residual added
  heads.{x,gamma,output}                  3 heads of 20 numbers, epsilon 1e-6
  pairs.{x,output}                        diffusers' apply_rotary_emb with neighbours; axes of 4, 8 and 8 numbers, theta 10000,
                                          positions in pairs.positions
  halves.{x,output}                       transformers' Qwen3 rotary embedding, theta 1e6, positions 0...8
  gelu.{x,output}                         GELU, tanh
  swiglu.{x,output}, geglu.{x,output}     silu(a) * b, gelu_tanh(a) * b
  scaled.{x,scale,residual,output}        residual + x * scale
"""

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.models.embeddings import apply_rotary_emb, get_1d_rotary_pos_embed
from fixture_paths import fixtures
from safetensors.torch import save_file
from transformers.models.qwen3.modeling_qwen3 import rotate_half

torch.manual_seed(11)
out = {}
x, gamma, residual = torch.randn(9, 37) * 3 + 1, torch.randn(37), torch.randn(9, 37)
plain = F.rms_norm(x, (37,), gamma, 1e-5)
out |= {"rms.x": x, "rms.gamma": gamma, "rms.residual": residual, "rms.plain": plain, "rms.output": residual + plain}

x, gamma = torch.randn(9, 3, 20) * 2, torch.randn(20)
out |= {"heads.x": x, "heads.gamma": gamma, "heads.output": F.rms_norm(x, (20,), gamma, 1e-6)}

positions = torch.tensor([[0, 0, 0], [0, 0, 1], [0, 3, 0], [0, 3, 5], [7, 0, 0], [250, 1, 2], [1, 63, 63], [0, 127, 90], [2, 2, 2]])
parts = [get_1d_rotary_pos_embed(d, positions[:, i].double(), theta=10000, use_real=True, repeat_interleave_real=True, freqs_dtype=torch.float64)
         for i, d in enumerate((4, 8, 8))]
table = tuple(torch.cat([p[i] for p in parts], -1).float() for i in (0, 1))
x = torch.randn(1, 3, 9, 20)
y = apply_rotary_emb(x, table)
out |= {"pairs.x": x[0].transpose(0, 1), "pairs.output": y[0].transpose(0, 1), "pairs.positions": positions.float()}

angles = torch.outer(torch.arange(9).double(), 1e6 ** (-torch.arange(0, 20, 2).double() / 20))
angles = torch.cat([angles, angles], -1)
y = x * angles.cos().float() + rotate_half(x) * angles.sin().float()
out |= {"halves.x": x[0].transpose(0, 1), "halves.output": y[0].transpose(0, 1)}

x = torch.linspace(-12, 12, 9 * 37).reshape(9, 37)
out |= {"gelu.x": x, "gelu.output": F.gelu(x, approximate="tanh")}
x = torch.randn(9, 38) * 4
a, b = x.chunk(2, -1)
out |= {"swiglu.x": x, "swiglu.output": F.silu(a) * b, "geglu.x": x, "geglu.output": F.gelu(a, approximate="tanh") * b}
x, scale, residual = torch.randn(9, 37), torch.randn(37), torch.randn(9, 37)
out |= {"scaled.x": x, "scaled.scale": scale, "scaled.residual": residual, "scaled.output": residual + x * scale}

save_file({k: v.contiguous().clone() for k, v in out.items()}, fixtures("Transformers") + "/operations.safetensors")
