"""Writes adapters as PEFT saves them, with every setting of adapter_config.json that matters, and the weights that PEFT merges.

  python make_peft_adapters.py

Writes PEFT/NAME/adapter_config.json and adapter_model.safetensors, and PEFT/cases.json with the layers' own weights and, for each
adapter, the weights after merge_and_unload(). The layers have names of a UNet and of a text encoder, and are tiny.
"""

import copy
import json
import os
import shutil

import torch
from peft import LoHaConfig, LoKrConfig, LoraConfig, PeftModel, get_peft_model

from fixture_paths import fixtures

out = fixtures("PEFT")
torch.manual_seed(11)


def tree(layers):
    """A module with these layers at dotted names."""
    root = torch.nn.Module()
    for name, layer in layers.items():
        *parents, last = name.split(".")
        node = root
        for parent in parents:
            if not hasattr(node, parent):
                node.add_module(parent, torch.nn.Module())
            node = getattr(node, parent)
        node.add_module(last, layer)
    return root


block = "down_blocks.0.attentions.0.transformer_blocks.0"
unet = {
    f"{block}.attn1.to_q": torch.nn.Linear(6, 8),
    f"{block}.attn2.to_k": torch.nn.Linear(10, 8, bias=False),
    "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q": torch.nn.Linear(6, 8),
    "down_blocks.0.resnets.0.conv1": torch.nn.Conv2d(4, 6, 3),
}
text = {
    "text_model.encoder.layers.0.self_attn.q_proj": torch.nn.Linear(6, 6),
    "text_model.encoder.layers.1.mlp.fc1": torch.nn.Linear(6, 8),
    "text_model.embeddings.token_embedding": torch.nn.Embedding(12, 6),
}
models = {"unet": tree(unet), "text": tree(text)}
UNET, TEXT = ["to_q", "to_k", "conv1"], ["q_proj", "fc1"]
cases = [
    ("alpha", "unet", LoraConfig(r=4, lora_alpha=16, target_modules=UNET)),
    ("stabilised", "unet", LoraConfig(r=4, lora_alpha=16, use_rslora=True, target_modules=UNET)),
    # Ranks and alphas by the end of a layer's name, by its whole name and by an expression.
    (
        "patterns", "unet",
        LoraConfig(
            r=2, lora_alpha=6, target_modules=UNET,
            rank_pattern={"attn2.to_k": 4, "^down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q": 3},
            alpha_pattern={r"down_blocks\.0\..*\.to_[qk]": 5, "conv1": 1.5, "attn1.to_q": 9},
        ),
    ),
    (
        "stabilised-patterns", "unet",
        LoraConfig(
            r=2, lora_alpha=3, use_rslora=True, target_modules=UNET, rank_pattern={"to_q": 4}, alpha_pattern={"to_k": 8}
        ),
    ),
    ("dora", "unet", LoraConfig(r=3, lora_alpha=7, use_dora=True, use_rslora=True, target_modules=UNET)),
    ("bias", "text", LoraConfig(r=2, lora_alpha=5, lora_bias=True, target_modules=TEXT)),
    ("table", "text", LoraConfig(r=2, lora_alpha=5, target_modules=TEXT + ["token_embedding"])),
    ("loha", "unet", LoHaConfig(r=3, alpha=5, target_modules=UNET, alpha_pattern={"to_k": 2})),
    ("lokr", "unet", LoKrConfig(r=2, alpha=5, target_modules=UNET)),
    # As many ranks as needed to store the second matrix whole.
    ("lokr-whole", "unet", LoKrConfig(r=8, alpha=5, target_modules=UNET, rank_pattern={"to_k": 9})),
]  # fmt: skip

document = {"source": "PEFT", "layers": {}, "cases": []}
for network, model in models.items():
    for name, tensor in model.state_dict().items():
        document["layers"].setdefault(network, {})[name] = {"shape": list(tensor.shape), "values": tensor.flatten().tolist()}

for name, network, config in cases:
    model = get_peft_model(copy.deepcopy(models[network]), config)
    generator = torch.Generator().manual_seed(sum(map(ord, name)))
    for parameter_name, parameter in model.named_parameters():
        if parameter.requires_grad:
            change = torch.randn(parameter.shape, generator=generator) * 0.3
            parameter.data = parameter.data * 1.1 + change if "magnitude" in parameter_name else change
    folder = f"{out}/{name}"
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    if os.path.exists(f"{folder}/README.md"):
        os.remove(f"{folder}/README.md")
    merged = {}
    # Read again, because PEFT sorts patterns when it saves them, and the first that matches counts.
    model = PeftModel.from_pretrained(copy.deepcopy(models[network]), folder)
    for key, tensor in model.merge_and_unload().state_dict().items():
        if not torch.equal(tensor, models[network].state_dict()[key]):
            merged[key] = [round(v, 7) for v in tensor.flatten().tolist()]
    document["cases"].append({"name": name, "network": network, "merged": merged})
    print(name, "changes", sorted(merged))

with open(f"{out}/cases.json", "w") as file:
    json.dump(document, file)
