"""Writes the fixtures of QwenTokenizerTests and T5TokenizerTests: small vocabularies, difficult texts, and their ids.

  python make_tokenizers.py [COUNT [FOLDER]]

The ids are those of `tokenizers` for every `tokenizer.json` and of SentencePiece for every `spiece.model`. With a COUNT of
100000 and another FOLDER, SDBATCH_TEST_TOKENIZERS=FOLDER makes the tests read that instead. Made with Python 3.11.7,
tokenizers 0.23.3, sentencepiece 0.2.3, transformers 5.24.0.

Tokenizers/strings.json.gz     the texts
Tokenizers/qwen/               byte-level BPE with Qwen's pattern and added tokens, as tokenizer.json and as vocab.json + merges.txt
Tokenizers/qwen-flags/         the same with added tokens that include spaces, are single words, or are searched in normalised text
Tokenizers/t5/                 a trained unigram model: spiece.model and tokenizer.json as published
Tokenizers/t5-ties/            a unigram model without a map of characters, with random pieces whose sums are often equal, or almost;
                               also with the steps that transformers 5 saves (saved.json), and with one blank at the start (first.json)
Tokenizers/clip/                ids by transformers' CLIPTokenizer, with the vocabulary of Tokenization/small
Tokenizers/classes.json.gz     for every scalar of Unicode whether the library takes it for a letter, a number or white space, and whether its
                               normaliser sorts it among combining marks: as ranges, both ends included
Tokenizers/*/ids*.json.gz      the ids of each text, in the order of the texts
"""
import gzip, io, json, os, random, re, sys, tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as protobuf
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, trainers
from tokenizers.models import BPE, Unigram
from transformers import CLIPTokenizer

from fixture_paths import fixtures

count = int(sys.argv[1]) if len(sys.argv) > 1 else 2500
out = sys.argv[2] if len(sys.argv) > 2 else fixtures("Tokenizers")
is_large = count > 10000
rng = random.Random(20261129)

QWEN_SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>"]
THOUGHTS = ["<think>", "</think>"]


def write(name, data):
    path = os.path.join(out, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if isinstance(data, str): data = data.encode()
    if name.endswith(".gz"):
        buffer = io.BytesIO()
        with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as f: f.write(data)
        data = buffer.getvalue()
    open(path, "wb").write(data)


def dump(name, value): write(name, json.dumps(value, ensure_ascii=False, separators=(",", ":")))


# ---------- texts ----------
COLOURS = "red blue green yellow white black golden silver purple orange".split()
THINGS = "fish star boat tree house cat dog castle lake mountain river forest city bird flower garden 2024 3d 8k".split()
STYLES = "oil painting,watercolour,photograph,digital art,highly detailed,masterpiece,best quality".split(",")
FOREIGN = ["ein roter Fuchs im Schnee, Öl auf Leinwand, Straße", "un café déjà vu à l'été", "красная лиса в снегу", "雪の中の赤い狐", "눈 속의 붉은 여우",
           "ثعلب أحمر في الثلج", "बर्फ में लाल लोमड़ी", "μια κόκκινη αλεπού", "con cáo đỏ trong tuyết", "שועל אדום בשלג", "หมาจิ้งจอกสีแดง"]


def caption():
    if rng.random() < 0.25: return rng.choice(FOREIGN)
    return (f"a {rng.choice(COLOURS)} {rng.choice(THINGS)} and the {rng.choice(COLOURS)} {rng.choice(THINGS)}, "
            f"{rng.choice(STYLES)}, it's the {rng.choice(THINGS)}'s, they'll {rng.choice(THINGS)} ({rng.choice(STYLES)}:1.2)")


BLOCKS = [(0x20, 0x7F), (0x20, 0x7F), (0xA0, 0x250), (0x250, 0x370), (0x300, 0x370), (0x370, 0x400), (0x400, 0x530), (0x590, 0x600), (0x600, 0x700),
          (0x900, 0x980), (0x980, 0xA00), (0xD00, 0xD80), (0xE00, 0xE80), (0xF00, 0xFFF), (0x1100, 0x1200), (0x1780, 0x1800), (0x1AB0, 0x1B00),
          (0x1E00, 0x2000), (0x2000, 0x2070), (0x2070, 0x2100), (0x2100, 0x2200), (0x2460, 0x2600), (0x2580, 0x25A0), (0x2E80, 0x3000), (0x3000, 0x3100),
          (0x3130, 0x3190), (0x3200, 0x3400), (0x4E00, 0xA000), (0xA960, 0xA980), (0xAC00, 0xD7B0), (0xD7B0, 0xD800), (0xE000, 0xE100), (0xF900, 0xFB00),
          (0xFB00, 0xFB50), (0xFE00, 0xFE10), (0xFE20, 0xFE30), (0xFE70, 0xFF00), (0xFF00, 0xFFF0), (0xFFF0, 0x10000), (0x10900, 0x10A00), (0x11000, 0x11100),
          (0x1D100, 0x1D200), (0x1D400, 0x1D800), (0x1E800, 0x1E950), (0x1F100, 0x1F200), (0x1F1E6, 0x1F200), (0x1F300, 0x1F700), (0x1F900, 0x1FB00),
          (0x20000, 0x20100), (0x2F800, 0x2FA20), (0xE0000, 0xE0200), (0x10FF00, 0x110000)]
PIECES = ["'s", "'S", "'ſ", "'t", "'RE", "'Ve", "'m", "'LL", "'d", "'", "’s", " ", "  ", "   ", "\t", "\n", "\r\n", "\r", "\n\n", " \n ", "\u00a0", "\u3000", "\u2028", "\u0085",
          "\u200b", "\u200d", "\ufeff", "\u00ad", "\ufe0f", "\u20e3", "▁", "▁▁", " ▁", "\x00", "\x01", "\x1f", "\x7f", "\u0301", "e\u0301", "A\u030a\u0327", "\u0344", "\u0f73", "\u1112\u1161\u11ab",
          "\uac00\u11a8", "ﬁ", "ﬃ", "Ａ", "ｱﾞ", "ｶ\u3099", "㍿", "½", "Ⅷ", "①", "²", "٣", "𝟘", "👩‍👩‍👧", "👍🏽", "🇩🇪", "1️⃣", "क्ष", "क्\u200dष", "น้ำ", "ß", "İ", "ı", "ǅ",
          "<pad>", "</s>", "<unk>", "<extra_id_0>", "<extra_id_99>", "<extra_id_100>", "＜pad＞", "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<think>", "</think>", "<|im_start", "<THINK>",
          "(", ")", ":1.3", "BREAK", "...", "!!!", "--", "°", "€", "™", "\u2126", "\u212b", "\u1fbd", "\ufdfa", "\U0001f3f4\U000e0067\U000e007f", "\U000e0001", "\uffff", "\ufffe", "\ud7ff", "\ue000"]


def scalar():
    if rng.random() < 0.15:
        while True:
            c = rng.randrange(0x110000)
            if not 0xD800 <= c < 0xE000: return chr(c)
    low, high = rng.choice(BLOCKS)
    return chr(rng.randrange(low, high))


def text():
    kind = rng.random()
    if kind < 0.15: return caption()
    if kind < 0.3:
        words = caption().split(" ")
        for _ in range(rng.randrange(1, 4)): words.insert(rng.randrange(len(words) + 1), rng.choice(PIECES) + rng.choice(["", scalar()]))
        return rng.choice([" ", "", "  "]).join(words)
    if kind < 0.5: return "".join(rng.choice(PIECES) for _ in range(rng.randrange(0, 12)))
    if kind < 0.7: return "".join(scalar() for _ in range(rng.randrange(1, 16)))
    if kind < 0.85:
        low, high = rng.choice(BLOCKS)
        return "".join(chr(rng.randrange(low, high)) for _ in range(rng.randrange(1, 24)))
    parts = [caption()[rng.randrange(10):][:rng.randrange(1, 30)], rng.choice(PIECES), scalar(), rng.choice(FOREIGN)[:rng.randrange(1, 12)], rng.choice(PIECES), scalar()]
    rng.shuffle(parts)
    return "".join(parts)


texts = ["", " ", "  ", "▁", " a ", "a red fox in the snow"] + [text() for _ in range(count)]
dump("strings.json.gz", texts)
corpus = [caption() for _ in range(4000)]


# ---------- Unicode ----------
def ranges(condition):
    found = []
    for c in range(0x110000):
        if not 0xD800 <= c < 0xE000 and condition(chr(c)):
            if found and found[-1][1] == c - 1: found[-1][1] = c
            else: found.append([c, c])
    return found


def matches(pattern):
    split = pre_tokenizers.Split(Regex(pattern), "removed")
    return lambda x: len(split.pre_tokenize_str("!" + x + "!")) == 2


nfc = normalizers.NFC()
# U+0345 has the highest class of all marks, U+0334 the lowest.
dump("classes.json.gz", {"letters": ranges(matches(r"\p{L}")), "numbers": ranges(matches(r"\p{N}")), "spaces": ranges(matches(r"\s")),
                         "sorted": ranges(lambda x: nfc.normalize_str("q\u0345" + x) != "q\u0345" + nfc.normalize_str(x)),
                         "changed": ranges(lambda x: nfc.normalize_str(x) != x)})


# ---------- Qwen ----------
def qwen(name, size, added):
    t = Tokenizer(BPE(unk_token=None, byte_fallback=False))
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN_SPLIT), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=size, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False))
    t.add_special_tokens([a for a in added if a.special])
    t.add_tokens([a for a in added if not a.special])
    saved = t.to_str()
    write(f"{name}/tokenizer.json.gz", saved)
    dump(f"{name}/ids.json.gz", [t.encode(x).ids for x in texts])
    return t, json.loads(saved)


t, saved = qwen("qwen", 600, [AddedToken(x, normalized=False, special=True) for x in SPECIALS] + [AddedToken(x, normalized=False, special=False) for x in THOUGHTS])
write("qwen/vocab.json", json.dumps(saved["model"]["vocab"], ensure_ascii=False))
write("qwen/merges.txt", "".join(" ".join(m) + "\n" for m in saved["model"]["merges"]))
write("qwen/tokenizer_config.json", json.dumps({"added_tokens_decoder": {str(a["id"]): {"content": a["content"], "special": a["special"]} for a in saved["added_tokens"]}}))
qwen("qwen-flags", 320, [AddedToken("<|im_start|>", normalized=False, special=True, lstrip=True), AddedToken("<|im_end|>", normalized=False, special=True, rstrip=True),
                         AddedToken("<think>", normalized=False, single_word=True), AddedToken("fox", normalized=True, special=False), AddedToken("\u00e9", normalized=True, special=False),
                         AddedToken("</think>", normalized=False, lstrip=True, rstrip=True, single_word=True)])


# ---------- CLIP, as the tokenizers in the folders of Stable Diffusion 3 and Flux.1 read text ----------
clip = CLIPTokenizer.from_pretrained(fixtures("Tokenization") + "/small")
dump("clip/ids.json.gz", [clip(x, add_special_tokens=False).input_ids for x in texts])


# ---------- T5 ----------
def special_split(pattern, encode, ids):
    """SentencePiece knows no added tokens: cut the text at them first, as transformers did with it."""
    def run(x):
        result = []
        for part in re.split(pattern, x):
            if part in ids: result.append(ids[part])
            elif part: result += encode(part)
        return result
    return run


def t5(name, model):
    extra = 100
    write(f"{name}/spiece.model.gz", model.SerializeToString())
    vocab = [(x.piece, 0.0 if i < 3 else x.score) for i, x in enumerate(model.pieces)] + [(f"<extra_id_{i}>", 0.0) for i in range(extra - 1, -1, -1)]
    specials = ["<pad>", "</s>", "<unk>"] + [f"<extra_id_{i}>" for i in range(extra - 1, -1, -1)]
    map_ = model.normalizer_spec.precompiled_charsmap
    steps = [normalizers.Precompiled(map_)] if map_ else []

    def make(normalizer, cut, strip):
        t = Tokenizer(Unigram(vocab, unk_id=2, byte_fallback=False))
        t.normalizer = normalizer
        t.pre_tokenizer = cut
        t.add_special_tokens([AddedToken(x, normalized=False, special=True, lstrip=strip, rstrip=strip) for x in specials])
        return t

    metaspace = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    published = make(normalizers.Sequence(steps + [normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "▁")]), metaspace, False)
    saved = make(normalizers.Sequence(steps), pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace]), True)
    first = make(normalizers.Sequence(steps), pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first"), False)
    for stem, t in (("tokenizer", published),) if map_ and not is_large else (("tokenizer", published), ("saved", saved), ("first", first)):
        write(f"{name}/{stem}.json.gz", t.to_str())
        dump(f"{name}/ids-{stem}.json.gz", [t.encode(x, add_special_tokens=False).ids for x in texts])
    sp = sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())
    ids = {x: len(model.pieces) + extra - 1 - int(x[10:-1]) if "extra" in x else specials.index(x) for x in specials}
    run = special_split("(" + "|".join(map(re.escape, specials)) + ")", sp.encode, ids)
    dump(f"{name}/ids-spiece.json.gz", [run(x) for x in texts])


with tempfile.TemporaryDirectory() as folder:
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus), model_prefix=folder + "/spiece", vocab_size=420, model_type="unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
        character_coverage=0.9995, normalization_rule_name="nmt_nfkc", hard_vocab_limit=False, num_threads=1, minloglevel=2)
    model = protobuf.ModelProto()
    model.ParseFromString(open(folder + "/spiece.model", "rb").read())
t5("t5", model)
model.normalizer_spec.precompiled_charsmap = b""
for piece in model.pieces[3:]: piece.score = -rng.randrange(4, 20) * rng.choice([0.25, 0.1, 1 / 3, 1.0])
known = {p.piece for p in model.pieces}
for _ in range(500):
    line = "▁" + rng.choice(corpus).replace(" ", "▁")
    start = rng.randrange(len(line) - 2)
    piece = line[start:start + rng.randrange(2, 6)]
    if "▁" in piece[1:] or piece in known: continue
    known.add(piece)
    model.pieces.add(piece=piece, score=-rng.randrange(4, 40) * rng.choice([0.25, 0.1, 1 / 3, 1.0]))
# Unknown and unused pieces are not found in text.
model.pieces.add(piece="▁fox", score=-0.1, type=5)
t5("t5-ties", model)
