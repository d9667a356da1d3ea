"""Writes the fixtures of text clean-up: the results of ftfy and of the webui's two tokenizers for texts.

  python make_text_repair.py bpe_simple_vocab_16e6.txt.gz OPEN_CLIP_TOKENIZER

OPEN_CLIP_TOKENIZER is `open_clip/tokenizer.py` of open_clip_torch 2.20.0. This needs packages of its own, those of the webui
1.10 (requirements_webui.txt), and Python 3.10: its versions of Unicode decide. Run it after make_tokenization.py, which
writes the texts and vocabularies.

Tokenization/repair.json.gz  texts, each with what ftfy makes of it; texts with what html.unescape makes of them
Tokenization/strings.json    ids of its texts in the small, the shuffled and CLIP's own vocabulary, and for OpenCLIP
Tokenization/sweep.json      checksums of the small vocabulary's ids over blocks of 4096 code points, for both
"""
import gzip, html, json, os, random, re, struct, sys, tempfile, types, zlib

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
import ftfy
import ftfy.bad_codecs
from ftfy import badness, chardata
from transformers import CLIPTokenizer

from fixture_paths import fixtures

bpe, open_clip_source = sys.argv[1:3]
out = fixtures("Tokenization")
rng = random.Random(20261129)

# ---------- texts ----------
SENTENCES = [
    "Café déjà vu à la mode", "L'été, où sont les œufs ?", "El niño comió 12 jalapeños ¿por qué?", "Ünïcödé straße größer",
    "Привет, мир! Это кошка.", "Ёжик в тумане — №5", "Καλημέρα κόσμε, ΟΔΥΣΣΕΎΣ", "你好，世界！一只猫", "こんにちは世界。ﾊﾝｶｸ", "안녕하세요 세계",
    "مرحبا بالعالم", "שלום עולם", "สวัสดีชาวโลก", "नमस्ते दुनिया", "Zażółć gęślą jaźń", "Příliš žluťoučký kůň", "Árvíztűrő tükörfúrógép",
    "İstanbul'da ışık", "Đặng Trần Côn", "ąčęėįšųūž Lietuva", "“curly” ‘quotes’ — and… ellipsis", "don’t stop • bullet ™ © ®",
    "ＦＵＬＬ　ｗｉｄｔｈ，ｔｅｘｔ", "ﬁne ﬂow ĳs ǆ", "😀 👍🏽 👨‍👩‍👧 🏳️‍🌈", "masterpiece, best quality, 1girl, (red hair:1.2)", "naïve façade; coöperate",
    "¡Hola! ¿Qué tal? 50 € £10 ¥", "½ cup × 2 ÷ 3 ± 1°", "║ ╔═╗ ▒▓ box │ ─", "√±∂ ≈° ‚Äî ‚Ä¢", "âme, être, çà et là", "Ã la mode Ã  s",
    "Â£5 Â© voilÃ le", "ò_ó Ù_Ú", "a&b;c &amp; d", "a red fish, a blue star <lora:x:1>", "Ő Ű Ö Ü", "ГўВЂВ™ вЂ™", "β€™ ΞΒ", "ā€œ",
]
CURATED = [
    "", "&amp;amp;amp;lt;", "&amp;" + "amp;" * 40 + "eacute;", "1 < 2 &amp; 3\n&eacute;", "&eacute;\n<b>&eacute;", "&EACUTE;", "&#59;", "&#x1F600;", "&#xD800;", "&#128;",
    "\x1b[31;1mred\x1b[0m", "\ufeffa\ufeff", "a\r\nb\rc\u2028d\u2029e\x85f", "\x00a\x0bb\x0cc\x1cd\x7f", "Ã©À\n", "Ã©í \x80í°\n", "\u0149 \u02bcn", "\uff07\uff02\uff0c\u3000",
    "\uff76\uff9e \uffa1\uffe6\uffe3", "\u0345 \u03b1\u0345",
]
POOLS = [re.findall(f"[{v}]", "".join(map(chr, range(0x10000)))) for v in [*badness.MOJIBAKE_CATEGORIES.values(), *chardata.UTF8_CLUES.values()]]
ENCODINGS = [*chardata.CHARMAP_ENCODINGS, "cp1256", "koi8-r", "shift-jis", "gbk"]
NAMES = sorted(html.entities.html5)


def cesu8(text):
    """UTF-8 of UTF-16, with Java's NUL."""
    result = b""
    for character in text:
        code = ord(character)
        if code == 0: result += b"\xc0\x80"
        elif code < 0x10000: result += character.encode()
        else:
            for unit in (0xD800 + (code - 0x10000 >> 10), 0xDC00 + (code - 0x10000 & 0x3FF)):
                result += bytes([0xE0 | unit >> 12, 0x80 | unit >> 6 & 63, 0x80 | unit & 63])
    return result


def mojibake(text):
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        data = bytearray(cesu8(text) if rng.random() < 0.2 else text.encode("utf-8", "ignore"))
        if rng.random() < 0.15: data = data.replace(b"\xa0", b" ")
        if rng.random() < 0.1 and data: data[rng.randrange(len(data))] = rng.choice([0x1A, 0x3F, 0x20, 0xA0, 0x85, rng.randrange(256)])
        if rng.random() < 0.1: data = data[: rng.randrange(len(data) + 1)]
        text = bytes(data).decode(rng.choice(ENCODINGS), rng.choice(["replace", "ignore"]))
    return text


def scalar():
    code = rng.choice([rng.randrange(0x100), rng.randrange(0x500), rng.randrange(0x2000, 0x2600), rng.randrange(0xFF00, 0x10000), rng.randrange(0xFB00, 0xFB50), rng.randrange(0x110000)])
    return "" if 0xD800 <= code < 0xE000 else chr(code)


def entity():
    if rng.random() < 0.5:
        name = rng.choice(NAMES)
        return "&" + rng.choice([name, name, name, name.upper(), name.lower(), name.rstrip(";") + rng.choice(["", "x", ";;"]), "amp;" * rng.randrange(1, 6) + name])
    return rng.choice(["&#%d;", "&#x%x;", "&#X%X;", "&#%d", "&#x%x", "&#0%dz;"]) % rng.choice([rng.randrange(0x300), rng.randrange(0x11000), rng.randrange(0x120000), 0x3B, 0x26])


def some_text():
    kind = rng.random()
    if kind < 0.3: text = mojibake(rng.choice(SENTENCES))
    elif kind < 0.4: text = "".join(scalar() for _ in range(rng.randrange(1, 20)))
    elif kind < 0.65: text = "".join(rng.choice(rng.choice(POOLS)) if rng.random() < 0.8 else rng.choice(" aZ.,?\n\t°1") for _ in range(rng.randrange(1, 12)))
    elif kind < 0.75: text = "".join(rng.choice([entity, entity, lambda: " red", lambda: "<", lambda: "&"])() for _ in range(rng.randrange(1, 6)))
    elif kind < 0.85: text = "".join(rng.choice(["\x1b[", "31;1", "m", "\x1b", "[", "\r\n", "\r", "\u2028", "\x85", "\ufeff", "\0", "\x1a", "\x7f", "\u206a", "a", "é", "٣", ";", "\x0b", "\x0c"]) for _ in range(rng.randrange(1, 12)))
    else: text = " ".join(rng.choice([lambda: mojibake(rng.choice(SENTENCES)), lambda: rng.choice(SENTENCES), entity])() for _ in range(rng.randrange(2, 4)))
    return text


texts = CURATED + SENTENCES + [some_text() for _ in range(4000)]
pages = CURATED[:12] + [f"&{n}" for n in NAMES] + ["".join(rng.choice([entity, lambda: "x", lambda: "&"])() for _ in range(4)) for _ in range(400)]
document = dict(repaired=[[t, ftfy.fix_text(t)] for t in texts], unescaped=[[t, html.unescape(t)] for t in pages])
with open(f"{out}/repair.json.gz", "wb") as f:
    f.write(gzip.compress(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(), 9, mtime=0))

# ---------- tokenizers ----------
sys.modules["torch"] = types.ModuleType("torch")
sys.modules["torch"].LongTensor = sys.modules["torch"].Tensor = object
open_clip = types.ModuleType("open_clip_tokenizer")
open_clip.__file__ = open_clip_source
exec(open(open_clip_source).read().replace("_tokenizer = SimpleTokenizer()", ""), open_clip.__dict__)


def slow(folder):
    tokenizer = CLIPTokenizer(f"{folder}/vocab.json", f"{folder}/merges.txt")
    assert tokenizer.fix_text is ftfy.fix_text
    # As from_pretrained does.
    tokenizer.sanitize_special_tokens()
    return tokenizer


def clip(tokenizer): return lambda text: tokenizer(text, truncation=False, add_special_tokens=False)["input_ids"]


def merged_from_the_left(tokenizer):
    """The same with merges as the `tokenizers` library does them: a pair that a merge creates is available at once."""
    def bpe(token):
        if token in ("<|startoftext|>", "<|endoftext|>"): return token
        word = [*token[:-1], token[-1] + "</w>"]
        while len(word) > 1:
            rank, index = min((tokenizer.bpe_ranks.get(p, 1e9), i) for i, p in enumerate(zip(word, word[1:])))
            if rank == 1e9: break
            word[index:index + 2] = [word[index] + word[index + 1]]
        return " ".join(word)
    tokenizer.bpe = bpe
    return tokenizer


def openclip(folder):
    """OpenCLIP's tokenizer with the vocabulary of a folder."""
    tokenizer = open_clip.SimpleTokenizer(bpe)
    vocabulary = json.load(open(f"{folder}/vocab.json"))
    merges = [tuple(line.split()) for line in open(f"{folder}/merges.txt").read().split("\n")[1:] if line]
    tokenizer.encoder = {**vocabulary, "<start_of_text>": vocabulary["<|startoftext|>"], "<end_of_text>": vocabulary["<|endoftext|>"]}
    tokenizer.bpe_ranks = dict(zip(merges, range(len(merges))))
    return tokenizer.encode


small = clip(slow(f"{out}/small"))
again = clip(merged_from_the_left(slow(f"{out}/small")))
shuffled = clip(merged_from_the_left(slow(f"{out}/shuffled")))
of_openclip = openclip(f"{out}/small")
with tempfile.TemporaryDirectory() as work:
    lines = gzip.open(bpe).read().decode().split("\n")[1 : 49152 - 256 - 2 + 1]
    alphabet = list(open_clip.bytes_to_unicode().values())
    tokens = alphabet + [a + "</w>" for a in alphabet] + ["".join(l.split()) for l in lines] + ["<|startoftext|>", "<|endoftext|>"]
    json.dump({t: i for i, t in enumerate(tokens)}, open(work + "/vocab.json", "w"))
    open(work + "/merges.txt", "w").write("#version: 0.2\n" + "\n".join(lines) + "\n")
    full = clip(slow(work))


def dump(name, rows):
    with open(f"{out}/{name}", "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(r, separators=(",", ":")) for r in rows) + "\n]\n")


more = ["don\u2019t", "red\uff0cblue", "\uff41\uff4e\uff49\uff4d\uff45 girl", "\u201ccat\u201d", "&lt;b&gt; &amp;amp; &copy", "<start_of_text>a<end_of_text>", "x<END_OF_TEXT>", "<\u017ftartoftext>", "cafÃ© <|endoftext|>Ã©", "ΟΔΟΣ ΟΔΟΣ. Σ"]
rows = []
known = [row["text"] for row in json.load(open(f"{out}/strings.json"))]
for text in known + [t for t in more if t not in known]:
    assert small(text) == again(text)
    rows.append(dict(text=text, small=small(text), shuffled=shuffled(text), full=full(text), openCLIP=of_openclip(text)))
dump("strings.json", rows)


def checksum(ids, check): return zlib.crc32(struct.pack(f"<{len(ids) + 1}i", len(ids), *ids), check)


# every code point that could be special: planes 0 to 3, the tags, the very last
sweep = []
for start in [*range(0, 0x40000, 0x1000), 0xE0000, 0x10F000]:
    checks = [0, 0]
    for code in range(start, start + 0x1000):
        if 0xD800 <= code < 0xE000: continue
        c = chr(code)
        for i, ids in enumerate((small, of_openclip)): checks[i] = checksum(ids(f"a{c}b {c}{c}1'{c}s"), checks[i])
    sweep.append(dict(start=start, crc32=checks[0], openCLIP=checks[1]))
dump("sweep.json", sweep)
