"""Random weights that are not stored: a list of tensors, and a generator that Swift has too (Tests/TestSupport/RandomWeights.swift).

A list NAME.weights describes NAME.safetensors, without its numbers:

    seed 31
    dtype F16
    metadata format pt                      (only if the file has metadata)
    conv_in.weight 64x4x3x3 0.0962 0        name, shape (- for a single number), standard deviation, mean

Each number is a sum of the four 16-bit parts of one output of SplitMix64, whose seed is a hash of the list's seed and the tensor's
name. Sums of integers, one product and one sum in double precision: no function of a math library, so both languages agree
in every bit. The distribution is nearly normal, and no number is more than 3.5 standard deviations from the mean.

  python random_weights.py

writes RandomWeights/digests.json, the SHA-256 of some tensors of each list as Float32.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch

from fixture_paths import fixtures

MASK = (1 << 64) - 1
# The standard deviation of the sum of four independent integers from 0 to 65535.
DEVIATION = 37837.227
DTYPES = {"F16": np.float16, "F32": np.float32}


def hashed(text):
    """FNV-1a of 64 bits."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


def numbers(seed, name, shape, spread, centre, dtype):
    """The numbers of one tensor."""
    with np.errstate(over="ignore"):
        z = np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z += np.uint64(hashed(f"{seed}/{name}"))
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    total = sum(((z >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.int64) for shift in (0, 16, 32, 48)) - 131070
    values = total.astype(np.float64) * (spread / DEVIATION) + centre
    return values.astype(np.float32).astype(DTYPES[dtype]).reshape(shape)


def write_list(path, seed, tensors, dtype="F16", metadata=None):
    """Writes the list of tensors with the same magnitudes as these."""
    lines = [f"seed {seed}", f"dtype {dtype}"]
    lines += [f"metadata {key} {value}" for key, value in (metadata or {}).items()]
    for name, tensor in sorted(tensors.items()):
        values = tensor.detach().double()
        spread = values.std(correction=0).item()
        mean = values.mean().item()
        # A mean close enough to 0 to be chance counts as 0.
        centre = 0 if abs(mean) < 4 * spread / values.numel() ** 0.5 else mean
        shape = "x".join(map(str, tensor.shape)) or "-"
        lines.append(f"{name} {shape} {spread:.3g} {centre:.3g}")
    text = "\n".join(lines) + "\n"
    # An unchanged list is not written, so scripts can run at the same time.
    if not Path(path).exists() or Path(path).read_text() != text:
        Path(path).write_text(text)


def read_list(path):
    """The tensors of a list, by name."""
    settings, tensors = {}, {}
    for line in open(path):
        words = line.split()
        if words[0] in ("seed", "dtype"):
            settings[words[0]] = words[1]
        elif words[0] != "metadata":
            shape = [] if words[1] == "-" else [int(n) for n in words[1].split("x")]
            values = numbers(settings["seed"], words[0], shape, float(words[2]), float(words[3]), settings["dtype"])
            tensors[words[0]] = torch.from_numpy(values)
    return tensors


@torch.no_grad()
def fill(networks, named, tensors):
    """Loads tensors of a file into the networks.

    named: Makes the tensors of the file, by name, from the networks: renamed, transposed or joined.
    """
    # Every number of the networks is replaced with its index, so that the file shows where each one goes.
    state = [t for network in networks for t in network.state_dict().values()]
    values = torch.cat([t.flatten() for t in state])
    assert values.dtype == torch.float32 and len(values) < 1 << 24
    put(state, torch.arange(1.0, len(values) + 1))
    for name, indices in named().items():
        indices, new = indices.flatten(), tensors[name].float().flatten()
        # Constants that are in none of the networks are 0, or not whole numbers.
        known = (indices > 0) & (indices == indices.round())
        values[indices[known].long() - 1] = new[known]
    put(state, values)


def put(state, values):
    for tensor, part in zip(state, values.split([t.numel() for t in state])):
        tensor.copy_(part.reshape(tensor.shape))


def main():
    """Writes the digests of some tensors, which Swift compares with its own."""
    models = Path(fixtures("Models"))
    digests = {}
    for path in sorted(models.glob("**/*.weights")):
        tensors = read_list(path)
        names = list(tensors)
        digests[str(path.relative_to(models).with_suffix(".safetensors"))] = {
            name: hashlib.sha256(tensors[name].float().numpy().astype("<f4").tobytes()).hexdigest()
            for name in {names[0]: 0, names[len(names) // 2]: 0, names[-1]: 0}
        }
    with open(fixtures("RandomWeights") + "/digests.json", "w") as file:
        json.dump(digests, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
