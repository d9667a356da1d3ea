"""Writes the fixtures of PromptContextTests: prompts as inputs of Stable Diffusion 3, Flux.1, Z-Image and FLUX.2 klein.

  python make_prompt_contexts.py

PromptContexts/{clip_l,clip_g,t5,qwen3}.weights   random text encoders, in float32 (see random_weights.py)
PromptContexts/rows.safetensors   for each case some rows of the context, the sum of each row, and the pooled encoding
PromptContexts/cases.json         for each case the family, the prompt, the ids, and which rows there are

Vocabularies are those of Tokenization/small and Tokenizers. Made with torch 2.13.0, transformers 5.24.0, tokenizers 0.23.3.
"""

import gzip
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer, Qwen3Config, Qwen3Model, T5Config, T5EncoderModel

from fixture_paths import fixtures
from random_weights import read_list, write_list
from webui_reference import attention, chunks

torch.set_grad_enabled(False)
torch.manual_seed(9)
out = Path(fixtures("PromptContexts"))


def tokenizer(name):
    return Tokenizer.from_str(gzip.open(f"{fixtures('Tokenizers')}/{name}/tokenizer.json.gz").read().decode())


clip_tokenizer = CLIPTokenizer.from_pretrained(fixtures("Tokenization") + "/small")
t5_tokenizer, qwen_tokenizer = tokenizer("t5"), tokenizer("qwen")


def make(name, model, seed, rename):
    for key, p in model.named_parameters():
        if p.ndim == 1: p.copy_(torch.randn_like(p) * 0.2 + (1 if "norm" in key and "bias" not in key else 0))
        elif "relative_attention_bias" in key or "embed" in key or "shared" in key: p.copy_(torch.randn_like(p))
        else: p.copy_(torch.randn_like(p) * 1.2 / p.shape[1] ** 0.5)
    state = {k: v for k, v in model.state_dict().items() if "encoder.embed_tokens" not in k and "position_ids" not in k}
    write_list(out / f"{name}.weights", seed, {rename(k): v for k, v in state.items()}, "F32")
    tensors = read_list(out / f"{name}.weights")
    model.load_state_dict({k: tensors[rename(k)] for k in state}, strict=False)
    return model.eval()


def clip(width, activation, projection):
    config = CLIPTextConfig(vocab_size=len(clip_tokenizer.get_vocab()), hidden_size=width, intermediate_size=96, num_hidden_layers=3, num_attention_heads=width // 64,
                            max_position_embeddings=77, hidden_act=activation, projection_dim=width, bos_token_id=0, eos_token_id=clip_tokenizer.get_vocab()["<|endoftext|>"])
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config)


def published(key): return key if key.startswith(("text_model.", "text_projection")) else "text_model." + key


clip_l = make("clip_l", clip(64, "quick_gelu", False), 81, published)
clip_g = make("clip_g", clip(128, "gelu", True), 82, published)
WIDTH = 224
t5 = T5EncoderModel(T5Config(vocab_size=t5_tokenizer.get_vocab_size(), d_model=WIDTH, d_kv=16, d_ff=96, num_layers=2, num_heads=4, feed_forward_proj="gated-gelu", dropout_rate=0.0))
t5 = make("t5", t5, 83, lambda k: k)
t5.encoder.embed_tokens.weight = t5.shared.weight
qwen = Qwen3Model(Qwen3Config(vocab_size=qwen_tokenizer.get_vocab_size(), hidden_size=32, intermediate_size=48, num_hidden_layers=29, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
                              rope_parameters={"rope_type": "default", "rope_theta": 1000000.0}))
qwen = make("qwen3", qwen, 84, lambda k: "model." + k)
END = clip_tokenizer.get_vocab()["<|endoftext|>"]


def weighted(z, weights):
    mean = z.mean()
    z = z * torch.tensor(weights)[None, :, None]
    return z * (mean / z.mean())


def t5_tokens(text):
    ids, weights = [], []
    for run, weight in attention(text):
        if run == "BREAK" and weight == -1: continue
        more = t5_tokenizer.encode(run, add_special_tokens=False).ids
        ids += more
        weights += [weight] * len(more)
    return ids, weights


def sd3(text, has_t5):
    parts, pooled, all_chunks = [], None, chunks(clip_tokenizer, text)
    for ids, weights in all_chunks:
        end = ids.index(END)
        l = clip_l(torch.tensor([ids]), output_hidden_states=True)
        g = clip_g(torch.tensor([ids[:end + 1] + [0] * (76 - end)]), output_hidden_states=True)
        z = torch.cat([l.hidden_states[-2], g.hidden_states[-2]], -1)
        parts.append(weighted(torch.nn.functional.pad(z, (0, WIDTH - z.shape[-1])), weights))
        if pooled is None: pooled = torch.cat([l.pooler_output, g.text_embeds], -1)
    n = 77 * len(all_chunks)
    ids = (t5_tokens(text)[0] + [1] + [0] * n)[:n]
    parts.append(t5(torch.tensor([ids])).last_hidden_state if has_t5 else torch.zeros(1, n, WIDTH))
    return ids if has_t5 else [], torch.cat(parts, 1)[0], pooled[0]


def flux(text):
    ids, weights = t5_tokens(text)
    ids, weights = ids + [1], weights + [1.0]
    n = max(256, len(ids))
    ids, weights = ids + [0] * (n - len(ids)), weights + [1.0] * (n - len(weights))
    pooled = clip_l(torch.tensor([chunks(clip_tokenizer, text)[0][0]])).pooler_output
    return ids, weighted(t5(torch.tensor([ids])).last_hidden_state, weights)[0], pooled[0]


def zimage(text):
    ids = qwen_tokenizer.encode(f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n").ids[:512]
    return ids, qwen(torch.tensor([ids]), output_hidden_states=True).hidden_states[-2][0], None


def klein(text):
    ids = qwen_tokenizer.encode(f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n").ids
    n = len(ids)
    ids = ids + [qwen_tokenizer.token_to_id("<|endoftext|>")] * (512 - n)
    mask = torch.tensor([[1] * n + [0] * (len(ids) - n)])
    h = qwen(torch.tensor([ids]), attention_mask=mask, output_hidden_states=True).hidden_states
    return ids, torch.cat([h[i] for i in (9, 18, 27)], -1)[0], None


LONG = ", ".join(f"a red fox and {n} golden (castle:{1 + n / 40:.2f}) in the snow" for n in range(14))
DAMAGED = "zürich at night — 東京 🌃 it's ﬁne, ＡＢＣ don’t, &eacute; cafÃ©"
cases, rows = [], {}
for name, family, text in [
    ("sd3", "sd3", "a (red:1.4) fox in the [snow], oil painting"), ("sd3-empty", "sd3", ""), ("sd3-break", "sd3", "a red fox BREAK (in the snow:1.2), <extra_id_3> ünï"),
    ("sd3-long", "sd3", LONG), ("sd3-no-t5", "sd3-no-t5", "a (red:1.4) fox"), ("flux", "flux", "a (red:1.4) fox in the [snow], oil painting"), ("flux-empty", "flux", ""),
    ("flux-long", "flux", LONG + " BREAK " + LONG), ("z", "zimage", "a (red:1.4) fox in the snow, 雪"), ("z-empty", "zimage", ""), ("z-long", "zimage", LONG), ("klein", "klein", "a (red:1.4) fox <think> in the snow"),
    ("klein-empty", "klein", ""), ("klein-long", "klein", LONG + LONG), ("sd3-damaged", "sd3", DAMAGED), ("flux-damaged", "flux", DAMAGED),
]:
    make_context = {"sd3": lambda t: sd3(t, True), "sd3-no-t5": lambda t: sd3(t, False), "flux": flux, "zimage": zimage, "klein": klein}[family]
    ids, context, pooled = make_context(text)
    n = len(context)
    chosen = sorted({0, 1, 3, 9, 20, 75, 76, 77, 78, 100, 153, 154, 160, 255, n // 2, n - 2, n - 1} & set(range(n)))
    rows[f"{name}.rows"], rows[f"{name}.sums"] = context[chosen].contiguous(), context.double().sum(-1).float()
    if pooled is not None: rows[f"{name}.pooled"] = pooled.contiguous()
    cases.append({"name": name, "family": family, "prompt": text, "ids": ids, "rows": chosen})
    print(name, len(ids), tuple(context.shape), round(context.std().item(), 2))
save_file(rows, out / "rows.safetensors")
(out / "cases.json").write_text(json.dumps(cases, ensure_ascii=False, indent=1))
