"""Writes the trained model for release: in float16, without the paths of the machine that trained it.

    python export.py FOLDER ../Resources/demo
"""

import json
import pathlib
import shutil
import sys

from safetensors.torch import load_file, save_file

source, target = map(pathlib.Path, sys.argv[1:])
for part in ("text_encoder", "unet", "vae", "scheduler", "tokenizer"):
    (target / part).mkdir(parents=True, exist_ok=True)
    for path in sorted((source / part).iterdir()):
        if path.suffix == ".safetensors":
            tensors = {name: tensor.half().contiguous() for name, tensor in load_file(path).items()}
            save_file(tensors, target / part / path.name, metadata={"format": "pt"})
        elif path.suffix == ".json" and part != "tokenizer":
            config = json.loads(path.read_text())
            config.pop("_name_or_path", None)
            (target / part / path.name).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
        else:
            shutil.copy(path, target / part / path.name)
size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
print(f"{size / 1e6:.1f} MB")
