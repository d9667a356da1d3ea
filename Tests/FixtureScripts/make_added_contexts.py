"""Writes the fixture of AddedTokenContextTests: prompts with added tokens as the CLIPs of Stable Diffusion 3 and Flux.1 get them.

  python make_added_contexts.py

PromptContexts/added/{clip_l,clip_g}.weights   random text encoders with rows for the added tokens, in float32
PromptContexts/added/{clip_l,clip_g}.json      their config.json
PromptContexts/added/rows.safetensors          for each case the context of both CLIPs and their pooled encoding, and CLIP-L's for Flux.1
PromptContexts/added/cases.json                for each case the tokenizers and whether the configuration names the end token

A folder's tokenizers are those of Tokenization/small and Tokenization/added. Made with torch 2.15.0, transformers 5.24.0,
tokenizers 0.23.3.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer

from fixture_paths import fixtures
from random_weights import read_list, write_list
from webui_reference import chunks

torch.set_grad_enabled(False)
torch.manual_seed(12)
out = Path(fixtures("PromptContexts")) / "added"
out.mkdir(parents=True, exist_ok=True)
tokenizers = {name: CLIPTokenizer.from_pretrained(fixtures("Tokenization") + "/" + name) for name in ("small", "added/plain", "added/config")}
vocabulary = tokenizers["small"].get_vocab()
END = vocabulary["<|endoftext|>"]


def make(name, seed, width, activation):
    config = CLIPTextConfig(vocab_size=len(vocabulary) + 5, hidden_size=width, intermediate_size=96, num_hidden_layers=3, num_attention_heads=width // 64,
                            max_position_embeddings=77, hidden_act=activation, projection_dim=width, bos_token_id=0, eos_token_id=END)
    model = CLIPTextModelWithProjection(config)
    for key, p in model.named_parameters():
        if p.ndim == 1: p.copy_(torch.randn_like(p) * 0.2 + (1 if "norm" in key and "bias" not in key else 0))
        elif "embed" in key: p.copy_(torch.randn_like(p))
        else: p.copy_(torch.randn_like(p) * 1.2 / p.shape[1] ** 0.5)
    state = {k: v for k, v in model.state_dict().items() if "position_ids" not in k}
    write_list(out / f"{name}.weights", seed, state, "F32")
    tensors = read_list(out / f"{name}.weights")
    model.load_state_dict({k: tensors[k] for k in state}, strict=False)
    values = {"model_type": "clip_text_model"} | {k: getattr(config, k) for k in (
        "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings", "hidden_act", "projection_dim", "eos_token_id")}
    (out / f"{name}.json").write_text(json.dumps(values, indent=1) + "\n")
    return model.eval()


clip_l, clip_g = make("clip_l", 91, 64, "quick_gelu"), make("clip_g", 92, 128, "gelu")


def weighted(z, weights):
    weighted = z * weights
    return weighted * (z.mean() / weighted.mean())


def sd3(text, left, right):
    l_chunks, g_chunks = chunks(left, text), chunks(right, text)
    length = max(len(l_chunks), len(g_chunks))
    l_chunks += (length - len(l_chunks)) * chunks(left, "")
    g_chunks += (length - len(g_chunks)) * chunks(right, "")
    parts, pooled = [], None
    for (l_ids, l_weights), (g_ids, g_weights) in zip(l_chunks, g_chunks):
        end = g_ids.index(END)
        l = clip_l(torch.tensor([l_ids]), output_hidden_states=True)
        g = clip_g(torch.tensor([g_ids[:end + 1] + [0] * (76 - end)]), output_hidden_states=True)
        halves = [(l.hidden_states[-2], l_weights), (g.hidden_states[-2], g_weights)]
        z = torch.cat([h for h, _ in halves], -1)
        parts.append(weighted(z, torch.cat([torch.tensor(w)[None, :, None].expand_as(h) for h, w in halves], -1)))
        if pooled is None: pooled = (torch.cat([l.text_embeds, g.text_embeds], -1), clip_l.text_model(torch.tensor([l_ids])).pooler_output)
    return torch.cat(parts, 1)[0], *[p[0] for p in pooled]


LONG = ", ".join(f"a (<cat-toy>:1.{n}) in my  style and sks {n}" for n in range(1, 10))
cases, rows = [], {}
for left, right in [("added/config", "added/config"), ("added/plain", "added/plain"), ("added/config", "small"), ("small", "added/plain")]:
    for eos in (END, 2):
        # In old files the number is 2, which means the token with the highest id.
        clip_l.text_model.eos_token_id = clip_g.text_model.eos_token_id = eos
        for prompt in ["a red fish", "a (<cat-toy>:1.3) and <Dog> with [sks]", "<bird>", LONG]:
            if eos == 2 and (prompt == LONG or left != right or left == "added/plain"): continue
            name = str(len(cases))
            context, pooled, plain = sd3(prompt, tokenizers[left], tokenizers[right])
            chosen = sorted({0, 1, 3, 5, 76, 77, 100, 153} & set(range(len(context))))
            rows[f"{name}.rows"], rows[f"{name}.pooled"] = context[chosen].contiguous(), pooled.contiguous()
            rows[f"{name}.flux"] = plain.contiguous()
            rows[f"{name}.sums"] = context.double().sum(-1).float()
            cases.append({"name": name, "left": left, "right": right, "end": eos, "prompt": prompt, "rows": chosen})
            print(name, left, right, eos, tuple(context.shape), round(context.std().item(), 3))
save_file(rows, out / "rows.safetensors")
(out / "rows.safetensors").chmod(0o644)
(out / "cases.json").write_text(json.dumps(cases, ensure_ascii=False, indent=1))
