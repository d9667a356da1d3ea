"""Makes jobs.json and infotexts.json: identities and infotexts by Python's own json, hashlib and re.

    python make_jobs.py

Written from the description of the formats, not from the Swift code. Any Python 3.11 works; no packages are needed.
"""

import hashlib
import json
import pathlib
import random
import re

from fixture_paths import fixtures

ETA = {"DPM++ SDE", "DPM++ 2M SDE", "DPM++ 3M SDE", "DPM++ 2S a", "Euler a", "DPM2 a"}
CHURN = {"Euler", "Heun", "DPM2"}
NOISE = {"DPM++ SDE", "DPM++ 2M SDE", "DPM++ 3M SDE", "DPM++ 2S a", "DPM2 a"}
OWN = {
    "DPM++ 2M": "karras", "DPM++ SDE": "karras", "DPM++ 2S a": "karras", "DPM2": "karras", "DPM2 a": "karras",
    "DPM++ 2M SDE": "exponential", "DPM++ 3M SDE": "exponential",
    "Euler": None, "Euler a": None, "LMS": None, "Heun": None,
}
LABELS = {"automatic": "Automatic", "uniform": "Uniform", "karras": "Karras", "exponential": "Exponential",
          "polyexponential": "Polyexponential"}
PROMPTS = [
    "", "a red fish", "a cat, (red:1.2) <lora:foo:0.8>", "caf\u00e9", "\u65e5\u672c \u201cquoted\u201d \U0001f41f",
    'say "hi"\\ / \x7f \x01\b\f\t', "two\nlines", "  blanks  \n at the ends\t", "carriage\r\nreturn", "e\u0301 combining",
    "a\n\n\nb", "\n\nfirst lines are empty", "Negative prompt: not really", "x\n  Negative prompt: nor this\n",
    "Steps: 1, Sampler: y, Size: 2x3", "\u00a0\u2003 unicode blanks \u3000",
]


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def job(r, number):
    sampler = r.choice(sorted(OWN))
    parameters = {
        "model": {"name": f"m{number}", "path": f"/models/m{number}.safetensors"},
        "prompt": PROMPTS[number % len(PROMPTS)], "negative_prompt": r.choice(PROMPTS),
        "seed": r.choice([0, 1, 1234, 2**32 - 1, 2**53 + 1, 2**63 - 1]), "steps": r.randint(1, 150),
        "cfg_scale": r.choice([7.0, 7.5, 1.0, 0.1, 1e-05, 1e16, 12.25, 30.0, 0.30000000000000004]),
        "sampler_name": sampler, "scheduler": r.choice(sorted(LABELS)),
        "width": 8 * r.randint(1, 128), "height": 8 * r.randint(1, 128), "rng": r.choice(["nv", "cpu"]),
        "clip_skip": r.choice([1, 1, 2, 3]), "eta": r.choice([1.0, 0.0, 0.67]), "s_churn": r.choice([0.0, 0.0, 5.5]),
        "s_tmin": r.choice([0.0, 0.05]), "s_noise": r.choice([1.0, 1.003]), "precision": r.choice(["auto", "fp32"]),
        "prediction_type": r.choice(["auto", "auto", "epsilon", "v_prediction"]),
    }
    if r.random() < 0.5:
        parameters["s_tmax"] = r.choice([10.0, 14.6])
    names = ["v1-5-pruned-emaonly", "we:ird, name", '"quoted"', "Model", "caf\u00e9"]
    ingredients = {
        "model": {"name": r.choice(names), "path": "/a/b.safetensors", "sha256": digest(f"m{number % 5}"), "family": "sd1"},
        "vocabularySHA256": digest("bpe"), "precision": "fp32", "isa": r.choice(["avx512", "portable"]),
        "numerics": r.randint(1, 3),
    }
    if r.random() < 0.4:
        ingredients["vae"] = {"name": "vae", "path": "/x/y/vae-ft-mse.safetensors", "sha256": digest("v"), "family": "vae"}
    return parameters, ingredients


def identity(p, i):
    sampler = p["sampler_name"]
    schedule = p["scheduler"] if p["scheduler"] != "automatic" else OWN[sampler] or "uniform"
    fields = {key: p[key] for key in (
        "prompt", "negative_prompt", "seed", "steps", "cfg_scale", "sampler_name", "width", "height", "rng", "clip_skip",
        "prediction_type")}
    fields |= {
        "scheduler": schedule, "model": i["model"]["sha256"], "model_family": i["model"]["family"],
        "vae": i["vae"]["sha256"] if "vae" in i else None, "vocabulary": i["vocabularySHA256"],
        "precision": i["precision"], "isa": i["isa"], "numerics": i["numerics"],
    }
    if sampler in ETA:
        fields["eta"] = p["eta"]
    if sampler in CHURN and p["s_churn"] != 0:
        fields |= {"s_churn": p["s_churn"], "s_tmin": p["s_tmin"], "s_tmax": p.get("s_tmax"), "s_noise": p["s_noise"]}
    if sampler in NOISE:
        fields["s_noise"] = p["s_noise"]
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def quote(value):
    text = str(value)
    if "," in text or ":" in text or "\n" in text or (text[:1] == '"' and text[-1:] == '"'):
        return json.dumps(text, ensure_ascii=False)
    return text


def trimmed(prompt):
    lines = [line.strip() for line in prompt.split("\n")]
    return "\n".join("n" + line[1:] if line.startswith("Negative prompt:") else line for line in lines)


def infotext(p, i):
    sampler = p["sampler_name"]
    schedule = p["scheduler"] if p["scheduler"] != "automatic" else OWN[sampler] or "automatic"
    fields = {
        "Steps": p["steps"], "Sampler": sampler, "Schedule type": LABELS[schedule], "CFG scale": p["cfg_scale"],
        "Seed": p["seed"], "Size": f"{p['width']}x{p['height']}", "Model hash": i["model"]["sha256"][:10],
        "Model": i["model"]["name"],
    }
    if "vae" in i:
        fields |= {"VAE hash": i["vae"]["sha256"][:10], "VAE": i["vae"]["path"].split("/")[-1]}
    if p["clip_skip"] > 1:
        fields["Clip skip"] = p["clip_skip"]
    fields["RNG"] = p["rng"].upper()
    if sampler in ETA and p["eta"] != 1:
        fields["Eta"] = p["eta"]
    if sampler in CHURN:
        for key, name, usual in (("Sigma churn", "s_churn", 0), ("Sigma tmin", "s_tmin", 0), ("Sigma tmax", "s_tmax", None)):
            if p.get(name) != usual:
                fields[key] = p[name]
    if sampler in CHURN | NOISE and p["s_noise"] != 1:
        fields["Sigma noise"] = p["s_noise"]
    if p["prediction_type"] != "auto":
        fields["Prediction type"] = p["prediction_type"]
    fields |= {"Precision": i["precision"], "Generator": "sdbatch 1.2.3"}
    line = ", ".join(key if key == str(value) else f"{key}: {quote(value)}" for key, value in fields.items())
    negative = "\nNegative prompt: " + trimmed(p["negative_prompt"]) if p["negative_prompt"] else ""
    return (trimmed(p["prompt"]) + negative + "\n" + line).strip()


ITEM = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
SIDES = re.compile(r"^(\d+)x(\d+)$")


def parse(text):
    *lines, last = text.strip().split("\n")
    if len(ITEM.findall(last)) < 3:
        lines.append(last)
        last = ""
    parts = {False: "", True: ""}
    negative = False
    for line in lines:
        line = line.strip()
        if line.startswith("Negative prompt:"):
            negative = True
            line = line[16:].strip()
        parts[negative] += ("" if parts[negative] == "" else "\n") + line
    settings = {}
    for key, value in ITEM.findall(last):
        if value == "":
            continue
        if value[0] == '"' and value[-1] == '"':
            try:
                value = json.loads(value)
            except ValueError:
                pass
        sides = SIDES.match(value)
        if sides:
            settings[key + "-1"], settings[key + "-2"] = sides.groups()
        else:
            settings[key] = value
    return {"text": text, "prompt": parts[False], "negative": parts[True], "settings": settings}


ODD = [
    "", "\n", "only a prompt", "a\nSteps: 1, Sampler: x", "A: 1, Bb: 2, Cc: 3", "Seed: 3,Size:8x8,Steps:2",
    'Model: we:ird, X: "unterminated, Seed: 5, Size: 8x8', "\u00dcn\u00efk: 4, 2nd: 5, -ab: 6, a-b/c: 7",
    'Steps: 20, Hires prompt: "a, \\"b\\": c\\nd", Version: v1', 'aa: "", bb: , cc: "x", dd: "q" , ee: "',
    'aa: "bad \\q escape", bb: "\\u65e5\\ud83d\\udc1f", dd: "tab\there"',
    "aa: 1, aa: 2, aa: 3, Size: 8x, Size2: x8, Size3: 08x010, Size4: 1x2x3, Size5: \u0663x\u0664",
    "junk ;; aa: 1;2, !! bb : 3, cc: 4,, dd: 5,", 'aa: "x" y, bb: "a"b", cc: "a,b"c, dd: 1', "aa:bb:cc, dd: ee, ff:\u00a0gg",
    "p\nNegative prompt: n1\nNegative prompt: n2\nmore\nSteps: 1, Seed: 2, Size: 3x4",
    "\u00bd\u00b2_: 1, \u0301a: 2, \u0905\u0902b: 3, \u65e5\u672c: 4, aa\tbb: 5", "Steps: 20, Sampler: Euler\r\n\x0b",
    "a\r\nNegative prompt: b\r\nSteps: 1, Seed: 2, RNG: CPU\r\n", "x" * 3000 + ", " + "y z" * 3000 + ", aa: 1, bb: 2, cc: 3",
]


def main(folder):
    r = random.Random(20)
    jobs = []
    for number in range(64):
        p, i = job(r, number)
        canonical = identity(p, i)
        text = infotext(p, i)
        jobs.append({"parameters": p, "ingredients": i, "id": digest(canonical), "canonical": canonical,
                     "infotext": text} | {key: value for key, value in parse(text).items() if key != "text"})
    (folder / "jobs.json").write_text(json.dumps(jobs, indent=0) + "\n")
    (folder / "infotexts.json").write_text(json.dumps([parse(text) for text in ODD], indent=0) + "\n")


main(pathlib.Path(fixtures("Jobs")))
