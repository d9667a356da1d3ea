"""Writes the fixtures of TokenizationTests: the results of Hugging Face's CLIPTokenizer and the reference pipeline.

  python make_tokenization.py REFERENCE bpe_simple_vocab_16e6.txt.gz

REFERENCE is the folder with the reference pipeline `sdref.py` (its `attention` and `chunks` follow the webui). Made
with Python 3.11.7, transformers 5.23.0, tokenizers 0.23.3.

Tokenization/small/      a vocabulary trained on made-up captions; its vocab.json is what its merges.txt alone implies
Tokenization/shuffled/   the same with ids and merges in random order, without a comma and without some bytes
Tokenization/strings.json    texts; make_text_repair.py adds their ids and writes the other files
Prompts/attention.json           prompts with their weighted runs
Tokenization/chunks.json     prompts with their chunks in the small and in CLIP's own vocabulary
"""
import json, os, random, sys, tempfile
from collections import Counter

from fixture_paths import fixtures

reference, bpe = sys.argv[1:3]
out = fixtures("Tokenization")
sys.path.insert(0, reference)
from sdref import ATT, attention, byte_unicode, chunks, make_tokenizer

rng = random.Random(20240607)
BEGIN, END = "<|startoftext|>", "<|endoftext|>"


# ---------- vocabularies ----------
def captions():
    colours = "red blue green yellow white black golden silver purple orange".split()
    things = "fish star boat tree house cat dog castle lake mountain river forest city bird flower garden".split()
    styles = "oil painting,watercolour,photograph,digital art,highly detailed,masterpiece,best quality".split(",")
    for _ in range(3000):
        yield (f"a {rng.choice(colours)} {rng.choice(things)} and the {rng.choice(colours)} {rng.choice(things)} "
               f"on a {rng.choice(colours)} background, {rng.choice(styles)}, it's the {rng.choice(things)}'s, {rng.choice(styles)}")


def train(count):
    """Plain byte-pair training: the most frequent pair first, ties by spelling."""
    words = Counter(w for c in captions() for w in c.replace(",", " , ").replace("'s", " 's").split())
    words = {tuple(w[:-1]) + (w[-1] + "</w>",): n for w, n in words.items()}
    merges = []
    while len(merges) < count:
        pairs = Counter()
        for w, n in words.items():
            for p in zip(w, w[1:]): pairs[p] += n
        if not pairs: break
        a, b = min(pairs, key=lambda p: (-pairs[p], p))
        merges.append((a, b))
        merged = {}
        for w, n in words.items():
            v, i = [], 0
            while i < len(w):
                if i + 1 < len(w) and (w[i], w[i + 1]) == (a, b): v.append(a + b); i += 2
                else: v.append(w[i]); i += 1
            merged[tuple(v)] = n
        words = merged
    # beyond ASCII too: e-acute, a CJK character, an emoji, each as bytes
    table = byte_unicode()
    for text in ("é", "漢", "😀"):
        s = [table[b] for b in text.encode()]
        s[-1] += "</w>"
        while len(s) > 1:
            merges.append((s[0], s[1]))
            s[:2] = [s[0] + s[1]]
    return merges


def write(name, vocabulary, merges):
    folder = f"{out}/{name}"
    os.makedirs(folder, exist_ok=True)
    with open(folder + "/vocab.json", "w") as f: json.dump(vocabulary, f)
    with open(folder + "/merges.txt", "w") as f: f.write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    return make_tokenizer(None, folder)


merges = train(200)
base = list(byte_unicode().values())
tokens = base + [b + "</w>" for b in base] + [a + b for a, b in merges] + [BEGIN, END]
assert len(set(tokens)) == len(tokens)
small = write("small", {t: i for i, t in enumerate(tokens)}, merges)

shuffled_merges = merges[:]
rng.shuffle(shuffled_merges)
missing = {",</w>", "!</w>", "z", "Ġ", "¹</w>", "ħ"}
kept = [t for t in tokens if t not in missing]
assert not any({a, b, a + b} & missing for a, b in merges)
rng.shuffle(kept)
shuffled = write("shuffled", {t: i for i, t in enumerate(kept)}, shuffled_merges)

with tempfile.TemporaryDirectory() as work: full = make_tokenizer(bpe, work + "/full")
assert len(full) == 49408


# ---------- strings ----------
curated = [
    "", " ", "   \t\n ", "a", "A red fish", "a red fish, a blue star", "it's the cat's, isn't it? I'VE we'll they'd y'all're",
    "'s", "''s", "'S'T'RE'VE'M'LL'D", "'sam", "!'s", "a's's", "don\u2019t", "'\u017f", "'\u212a", "x'", "'", "'r e", "'ll'", "' s",
    BEGIN, END, BEGIN + END, "a" + END + "b", "a " + END + " b", END * 3 + "x", "<|STARTOFTEXT|>a", "x<|EndOfText|>", "<|ENDOFTEXT|>!",
    "!<|ENDOFTEXT|>!", "<|ENDOFTEXT|>'s", "<|endoftext|", "<|endoftext", "<|<|endoftext|>|>", "<<|endoftext|>>", "<|endoftext|>'s",
    "<|STARTOFTEXT|><|endoftext|><|ENDOFTEXT|>", "e\u0301" + END + "\u0301", "<|start of text|>", "<|STARTOFTEXT|><|STARTOFTEXT|>",
    "Café", "Cafe\u0301", "CAFE\u0301", "a\u0301\u0323", "a\u0323\u0301", "\uac00\u11a8", "\u1104\u1176", "\u1113\u1175", "\u0f73\u0f73", "\u0f81\u0f75\u0f71", "a\u0f73\u0301", "\u1e9b\u0323", "\u0301a", "\u0344", "\u212b \u2126 \u212a", "o\u0308\u0304",
    "\ufb01\ufb02", "\u2460\u2461 ½ Ⅷ ² ٣ ३ 三 〇 𝟙 𝟘", "1234567890", "12a34", "3.14159", "1,000,000",
    "Σ", "ΑΣ", "ΑΣ.", "ὈΔΥΣΣΕΎΣ", "ΣΣ ςσ", "ß ẞ STRASSE", "İstanbul ISPARTA ıi", "I\u0307", "Ǆǅǆ", "ᾼ ᾳ", "ⰀⰁ", "ᏸ Ꭰ ꭰ", "Ა ა", "𐐀𐐨", "Ⓐ ⅷ Ⅷ",
    "你好世界", "漢字 かな カナ ﾊﾝｶｸ", "か\u3099 が", "한국어", "\u1112\u1161\u11ab", "\u1100\u1161\u11a8\u11a8", "ไทย ภาษา", "हिन्दी", "עברית", "العربية", "ﷺ",
    "தமிழ்", "ខ្មែរ", "བོད་", "😀", "😀😀", "👨\u200d👩\u200d👧\u200d👦", "🏳️\u200d🌈", "👍🏽", "🇫🇷🇩🇪", "1️⃣", "☕️", "\U0001fae8", "🏴\U000e0067\U000e0062\U000e007f",
    "a\u200bb", "a\u200db", "a\u00adb", "\ufeffa", "a\u2060b", "a\u180eb", "a\x00b", "\x00", "a\x1cb\x1d\x1e\x1f", "a\x7fb", "a\x85b", "\x01\x02",
    "a\u00a0b\u1680c\u2000d\u2003e\u2028f\u2029g\u202fh\u205fi\u3000j", "a\tb\r\nc\vd\fe", "\u2028", "\u2000\u2001",
    "\ufffe\uffff", "\ufdd0", "\U0010ffff", "\ue000", "\U000f0000", "\u0378", "\U0001ffff", "a\u0378b", "\ufffd",
    # later than Unicode 9: marks that the reference does not reorder, letters and digits of 10 to 17
    "a\u07fd\u0301", "a\u0301\u07fd", "a\u0898\u0323", "a\u1df9\u0323", "\U000105d2\u0307", "\U00011935\U00011930", "\U00016d67\U00016d67",
    "a\U0001e4ec\u0323b\u0323\u0301", "\u088f\u0890", "\u1c89\u1c8a", "\ua7ce\ua7cf", "\U00010d40\U00010d41", "\U00011de0\U00011de1", "\U00016ea0\U00016ebb",
    "\U0001fac8", "\u20c1", "e\u0301\u1ac1\u0323",
    "{{{masterpiece}}}", "((a))", "a_b__c", "--ar 16:9", "http://example.com/?q=a&b=c", "C:\\x\\y", "a|b", "#tag @user $5 100%", "*_*", ":-) ;) <3 ^^",
    "…—–“”‘’«»", "¿qué? ¡sí!", "naïve façade", "œuvre Æon", "ŁÓDŹ", "Đặng", "Đa\u0323\u0306ng", "ﬀ", "№ ℃ ™ ©", "x²+y²", "H₂O",
    "a" * 300, "A" * 75 + "é" * 80, "!" * 200, "1" * 90, "é" * 40, "漢" * 60, "😀" * 40, "a\u0301" * 50, "ab" * 500, "the" * 333, "z!\u00b9 \u0127z,,, !",
]
pools = [
    "the red fish blue star castle mountain photograph a an and of".split(), list(",.!?;:'\"-_()[]{}<>|/\\@#$%^&*+=~`"), list("0123456789"),
    ["'s", "'T", "'re", "'VE", "'ll", "'D", "'m", "''", "'"], [BEGIN, END, BEGIN.upper(), END.upper(), "<|", "|>", "startoftext"],
    list(" \t\n\r\v\f\x1c\x85\xa0\u1680\u2003\u2028\u3000\u200b\ufeff"), list("\u0300\u0301\u0308\u0323\u0327\u0331\u0345\u05b0\u064b\u0e38\u0f71\u3099\u309a\u0338"),
    list("\u07fd\u0898\u0c3c\u1715\u1ac0\u1df6\u1df9\u20f0\ua82c\U0001e130\U00011d42\U00011930\u0eba"),
    list("ΣςσΑΩΎἈİıIßẞŒÆŁĐÅÖÉñ"), list("漢字仮名你好世界一二三"), list("가각힣\u1100\u1161\u11a8\u1112\u1175\u11c2"), list("ไทยहिन्दीעבריתالعربية"),
    list("😀👍🏽👨👩🏳🇫🇷☕") + ["\u200d", "\ufe0f"], list("½Ⅷ²٣३①𝟙𐐀𐐨"), list("\x00\x01\x1f\x7f\x9f\u00ad\u2060"),
    list("\u0378\ufdd0\uffff\ue000\ufffd\U0010ffff\U000e0041"), list("ﬁﬂﷺK\u212b\u2126\u0344\u0958\u2adc\ufb1d\U0001d15e"),
]


def some_text():
    text = ""
    chosen = rng.sample(pools, rng.randint(1, 6))
    for _ in range(rng.randint(1, 24)):
        if rng.random() < 0.06:
            code = rng.choice([rng.randrange(0x3000), rng.randrange(0x30000), rng.randrange(0x110000)])
            text += "" if 0xD800 <= code < 0xE000 else chr(code)
        else:
            text += rng.choice(rng.choice(chosen))
        if rng.random() < 0.25: text += " "
    return text


texts = curated + [some_text() for _ in range(260)]
# one per line, so that a change is easy to see
def dump(name, rows):
    with open(f"{out}/{name}", "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(r, separators=(",", ":")) for r in rows) + "\n]\n")


dump("strings.json", [dict(text=t) for t in texts])

# ---------- attention ----------
def lone_backslash(text):
    """The reference keeps it, the webui drops it; we follow the webui."""
    return any(m.group(0) == "\\" for m in ATT.finditer(text))


def runs(text):
    try: return dict(prompt=text, runs=[dict(text=t, weight=w) for t, w in attention(text)])
    except ValueError: return dict(prompt=text, runs=None)


parts = ["(", ")", "[", "]", "((", "))", "\\(", "\\)", "\\[", "\\]", "\\\\", ":", ":1.2)", ": 0.5 )", ":-1)", ":+.5)", ":5.)", ":1", "1.3", ")", "a", "red fish", ", ",
         " ", "\n", "BREAK", " BREAK ", "BREAKS", "xBREAK", "_BREAK", "BREAK!", "\u00e9BREAK", "\u0301BREAK", "\u00bdBREAK", "BREAK BREAK", "break", "BREA\u212a", "\x1cBREAK\x85",
         ":\u0661.\u0665)", ":\u00a01.1\u2003)", ":\x1c2\x1f)", ":1.1.1)", ":.)", ":00.700)", "(\u0301a", "👍🏽", "漢", "(x:1.1)", "(y:-1)", "[z]", ":0)", ":1e2)", ":1_0)", ":²)", ":12345678901234567890.5)"]
prompts = ["", "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).", "(a: 1.5 )", "(a:-0.5)", "((a:1.2):1.5)", "[[a]]", "(a [b] c:1.3)", "(a:1.2", "a:1.2)", "\\(a\\)",
           "[a:1.5]", "(a:1.1.1)", "a:1.1.1)", "(BREAK)", "(BREAK:1)", "((BREAK:-1):-1)", "BREAK", "a BREAK", "BREAK a", "a BREAK BREAK b", "(a BREAK b:1.2)"]
while len(prompts) < 420:
    p = "".join(rng.choice(parts) for _ in range(rng.randint(1, 14)))
    if not lone_backslash(p): prompts.append(p)
dump("../Prompts/attention.json", [runs(p) for p in prompts])

# ---------- chunks ----------
words = "red fish blue star castle mountain photograph a an and of background masterpiece quality detailed oil painting zeppelin it's café 漢字 😀 12".split()


def some_prompt():
    text, n, comma = "", rng.choice([5, 40, 90, 160, 240]), rng.choice([0.02, 0.1, 0.3])
    depth = 0
    for _ in range(n):
        r = rng.random()
        if r < comma: text += ", "
        elif r < comma + 0.02 and depth < 3: text += rng.choice(["(", "["]); depth += 1
        elif r < comma + 0.04 and depth: text += rng.choice([")", "]", ":1.3)", ":0.25)"]); depth -= 1
        elif r < comma + 0.045: text += " BREAK "
        elif r < comma + 0.05: text += rng.choice([BEGIN, END, "\\(", "\n"])
        else: text += rng.choice(words) + " "
    return text


def packed(tokenizer, text):
    """Without begin, and without the padding: trailing end tokens and trailing weights of 1."""
    begin, end = (tokenizer.convert_tokens_to_ids(t) for t in (BEGIN, END))
    rows = []
    for chunk, weights in chunks(tokenizer, text):
        assert len(chunk) == len(weights) == 77 and chunk[0] == 49406 and weights[0] == 1
        chunk = [{49406: begin, 49407: end}.get(i, i) for i in chunk[1:]]
        weights = weights[1:]
        while chunk and chunk[-1] == end: chunk.pop()
        while weights and weights[-1] == 1: weights.pop()
        # weights as [how many, which]
        lengths = []
        for w in weights:
            if lengths and lengths[-1][1] == w: lengths[-1][0] += 1
            else: lengths.append([1, w])
        rows.append(dict(ids=chunk, weights=lengths))
    return rows


prompts = ["", "a" + " a" * 74, "a" + " a" * 75, "a BREAK", "BREAK", "BREAK BREAK", "(a BREAK b:1.2)", "(BREAK:1)", "a BREAK (b:1.5), c BREAK"]
prompts += ["a " * n + "," + " a" * (89 - n) for n in (53, 54, 55, 56, 60, 73, 74, 75, 76)] + ["a " * 74 + ",,, a a", "a " * 60 + "," + " a" * 14 + ", a"]
prompts += [some_prompt() for _ in range(44)]
dump("chunks.json", [dict(prompt=p, small=packed(small, p), full=packed(full, p)) for p in prompts])
