"""Writes the results of the Python package `dynamicprompts` for many templates: Prompts/dynamic.json.

  python make_dynamic_prompts.py

For each template: all prompts in their order, the first ones that are taken in order, and those drawn with seeds from 0 on.
The draws are sdbatch's (SplitMix64), which the package gets as its random number generator, so that both have to agree.
If a list has no entry for a mode, the package cannot do it, or takes too long.
"""

import json
import random
import signal
import tempfile
import warnings
from pathlib import Path

from dynamicprompts.enums import SamplingMethod
from dynamicprompts.sampling_context import SamplingContext
from dynamicprompts.wildcards import WildcardManager
from fixture_paths import fixtures

MOST = 300
MASK = 2**64 - 1

FILES = {
    "season.txt": "# four of them\nsummer\nautumn\n\nwinter\n  spring  \n",
    "leaves.txt": "red\n{gold|brown} and dry\nred\n",
    "colours-cold.txt": "blue\ngreen\n",
    "colours-warm.txt": "red\nyellow\n",
    "people/asia.txt": "Thai\nIndian\n",
    "people/africa.txt": "Zimbabwean\nNamibian\nBasotho\n",
    "people_of_the_world.txt": "__people/asia__\n__people/africa__\n",
    "season_clothes.txt": "In ${season}, I wear ${season} shirts and ${season} trousers\n",
    "season_default.txt": "In ${season:summer}, I wear ${season:summer} shirts\n",
    "starwars.txt": "yoda\ndarth vader\njabba the hutt\n",
    "material.txt": "wood\nplastic\n",
    "studio-shot.txt": "product studio shot, on a white background\n",
    "deep/tree.yaml": (
        "# a tree\nclothing:\n  - T-shirt\n  - Pants\n  - Shoes\nartists:\n  finnish:\n    - Akseli Gallen-Kallela\n"
        "    - Eero Järnefelt\n  dutch:\n    - Piet Mondrian\n    - Vincent van Gogh\n  1234: 5678  # ignored\n  flurp: 12345\n"
    ),
    "weights.yaml": "fruit:\n  - 3::apple\n  - pear\n  - {text: plum, weight: 2}\n  - {content: fig, weight: 1.5}\n",
    "tree.json": '{"stones": {"dark": ["basalt", "slate"], "light": ["marble"]}, "single": "one text"}',
    "flat.json": '["flat one", "flat two"]',
}

TEMPLATES = """I {love|hate} {New York|Chicago} in {June|July|August}
{summer|autumn|winter|spring} is coming
{0.5::summer|0.1::autumn|0.3::winter|0.1::spring} is coming
My favourite ice-cream flavours are {2$$chocolate|vanilla|strawberry}
My favourite ice-cream flavours are {2$$ and $$chocolate|vanilla|strawberry}
My favourite ice-cream flavours are {1-2$$ and $$chocolate|vanilla|strawberry}
{-2$$chocolate|vanilla|strawberry}
{1-$$chocolate|vanilla|strawberry}
{4$$chocolate|vanilla|strawberry}
{2$$ and $$A|B|C}
__season__ is coming
My favourite seasons are {2$$__season__}
The colour of my shirt is __colours*__
__people_of_the_world__
__people/**__ and __**/finnish__
__clothing__
__deep/clothing__ by __deep/artists/*__
__stones/dark__, __stones/*__, __single__, __flat__
__leaves__
__fruit__
__season_clothes(season=winter)__
${season={summer|autumn|winter|spring}} __season_clothes__
__season_default__
__season_default(season={autumn|spring})__
${season=__season__} and In ${season}, I wear ${season} shirts
In ${season:summer}, I wear ${season:summer} trousers
${person={blond|redhead}, {green|blue} eyes}A ${person} man and a ${person} woman
Funko pop __starwars__ figurine, made of __material__, __studio-shot__
Funko pop {2$$ and $$__starwars__} figurine, made of {wood|plastic|metal|stone}, product studio shot
A {house|apartment|lodge|cottage} in {summer|winter} by {2$$artist1|artist2|artist3}
A diamond ring set on a {{rose|yellow|white} gold|platinum} band.
{a|a|b}
{a||b}x{|y}
{}x{ }y{a| }z
{ a b | c}{ 2$$ d | e | f }
{0.5:: a |2::b}{.5::c|1.::d}{0::e|f}
{0-1$$a|b}{0$$a|b}
{3-1$$a|b|c}
{2$$;$$a|b|c}{2$$|$$a|b|c}
{2$$a|{b|c}} {1-2$$, $$d|{e|f}|{g|h} i}
{2$$a|a|b}
{2$$a||b}
{a|{b|{c|{d|e}}}} {x|y|z}
{a:b|c::d|e:f:g}
%{before...after$${a|b}} %{[…]$$c} %{d$$e}
{${x:q}|r} ${x:{s|t}}
${x= {a|b} }[${x}]${ y = c }${ y }
(a:1.2) [a:b:0.5] ((c)) [d] \\(e\\) <lora:x:0.5> <lora:{a|b}:1> BREAK f AND g:0.7
a | b } c, a::b, 50 - 60
a__colours-cold__b__people/asia____people/asia__
{__season__|z}{1-2$$, $$__people/*__|z}
{!a|b} __!season__
{aé|ü😀} ﬁ""".split("\n") + ["Funko pop\n  {2$$ and $$\n  yoda\n    |darth vader\n    |jabba\n  }\n  made of\n  {\n    wood\n    |stone\n  }, x"]


class Draws:
    """sdbatch's generator, as the package's `random.Random`."""

    def __init__(self, seed):
        self.state = self.mixed(seed & MASK)

    @staticmethod
    def mixed(x):
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
        return x ^ (x >> 31)

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        return self.mixed(self.state)

    def below(self, count):
        return self.next() * count >> 64

    def randint(self, a, b):
        return a if a == b else a + self.below(b - a + 1)

    def choice(self, values):
        return values[self.below(len(values))]

    def choices(self, values, weights=None, cum_weights=None, k=1):
        # A wildcard asks for ten at once, and one prompt uses one of them.
        sums, total = [], 0.0
        for weight in weights or []:
            total += weight
            sums.append(total)
        sums = [float(s) for s in cum_weights] if cum_weights else sums
        wanted = (self.next() >> 11) * 2.0**-53 * sums[-1]
        return [next(v for v, s in zip(values, sums) if s > wanted)]


WORDS = ["a", "b", "c", "red fish", "(x:1.1)", "[y:z:0.5]", "é", ""]


def nested(rand, depth):
    kind = rand.randint(0, 8) if depth else rand.randint(0, 1)
    if kind <= 1:
        return rand.choice(WORDS)
    if kind == 2:
        return rand.choice(["__season__", "__colours*__", "__leaves__", "__people/asia__", "__season_default(season=x)__"])
    if kind == 3:
        return nested(rand, depth - 1) + rand.choice([" ", ", ", ""]) + nested(rand, depth - 1)
    options = list(dict.fromkeys(nested(rand, depth - 1) for _ in range(rand.randint(1, 3))))
    bounds = rand.choice(["", "", "", "2$$", "1-2$$ and $$", "-2$$;$$", "2-$$", "3$$ $$"])
    # The package takes a single option whatever the bounds are, and ignores the parameters of a single wildcard.
    if len(options) == 1:
        bounds = ""
        options = [option.replace("__", "") for option in options]
    # If it takes several options, it removes the first equal weight instead of the option's own.
    if not bounds and rand.random() < 0.4:
        options = [rand.choice(["2::", "0.25::", "1::"]) + o for o in options]
    return "{" + bounds + "|".join(options) + "}"


def alarm(*_):
    raise TimeoutError


def made(wildcards, method, template, count, rand=None):
    signal.alarm(5)
    try:
        context = SamplingContext(default_sampling_method=method, wildcard_manager=wildcards, rand=rand or Draws(0))
        return [str(text) for text in context.sample_prompts(template, count)]
    except (TimeoutError, NotImplementedError, RuntimeError):
        return None
    finally:
        signal.alarm(0)


def case(wildcards, template):
    every = made(wildcards, SamplingMethod.COMBINATORIAL, template, MOST + 1)
    if every is not None:
        # The package repeats list entries by their weights, and repeats equal prompts that have different sources.
        every = list(dict.fromkeys(every)) if len(every) <= MOST else None
    # sdbatch is different: it merges equal options, and takes each entry once, in order.
    takes_others = template in ("{2$$a|a|b}", "__fruit__")
    drawn = [made(wildcards, SamplingMethod.RANDOM, template, 1, Draws(seed)) for seed in range(12)]
    return {
        "template": template, "combinatorial": every, "cyclical": None if takes_others else made(wildcards, SamplingMethod.CYCLICAL, template, 12),
        "random": None if None in drawn or template == "{2$$a|a|b}" else [texts[0] for texts in drawn],
    }  # fmt: skip


def main():
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, alarm)
    rand = random.Random(25)
    with tempfile.TemporaryDirectory() as folder:
        for name, text in FILES.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        wildcards = WildcardManager(Path(folder))
        cases = [case(wildcards, template) for template in TEMPLATES]
        while len(cases) < len(TEMPLATES) + 120:
            template = nested(rand, 3)
            if "{" in template:
                cases.append(case(wildcards, template))
    Path(fixtures("Prompts"), "dynamic.json").write_text(
        json.dumps({"files": FILES, "cases": cases}, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
