"""Writes the fixture of AddedTokenTests: the small vocabulary with added tokens, texts, and the ids that transformers gives them.

Made with Python 3.11, transformers 5.24.0, tokenizers 0.23.3.

Tokenization/added/config/    tokens with flags in tokenizer_config.json
Tokenization/added/plain/     tokens only in added_tokens.json
Tokenization/added/*/ids.json the texts with their ids, without begin and end
"""
import json, os, random, shutil

from transformers import CLIPTokenizer

from fixture_paths import fixtures

rng = random.Random(5)
small = fixtures("Tokenization/small")
top = max(json.load(open(f"{small}/vocab.json")).values()) + 1
PIECES = ["<cat-toy>", "<CAT-TOY>", "<dog>", "<Dog>", "my style", "My  Style", "sks", "SKS", "sksx", "a", " photo of", ",", " ", "  ", "'s", "(", "red fish",
          "<", ">", "|", "<bird>", "<BIRD>", "9", "<|endoftext|>", "!"]
texts = ["".join(rng.choice(PIECES) + rng.choice(["", " "]) for _ in range(rng.randint(1, 9))) for _ in range(400)]


def write(name, files):
    folder = fixtures(f"Tokenization/added/{name}")
    os.makedirs(folder, exist_ok=True)
    for file in ("vocab.json", "merges.txt"): shutil.copy(f"{small}/{file}", folder)
    for file, value in files.items(): json.dump(value, open(f"{folder}/{file}", "w"), indent=1)
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    ids = [tokenizer(text, add_special_tokens=False).input_ids for text in texts]
    json.dump(dict(zip(texts, ids)), open(f"{folder}/ids.json", "w"), separators=(",", ":"))


def token(content, **flags):
    return {"content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False} | flags


write("plain", {
    "added_tokens.json": {"<cat-toy>": top, "<Dog>": top + 1, "my style": top + 2, "sks": top + 3, "<bird>": top + 4},
})
write("config", {
    "tokenizer_config.json": {"added_tokens_decoder": {
        str(top): token("<cat-toy>", normalized=True), str(top + 1): token("<Dog>", special=True),
        str(top + 2): token("my style", normalized=True, lstrip=True), str(top + 3): token("sks", single_word=True),
        str(top + 4): token("<bird>", rstrip=True, special=True)}},
})
