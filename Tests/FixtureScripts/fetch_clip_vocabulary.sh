#!/bin/sh
# Puts CLIP's vocabulary where sdbatch and its tests look for it. Does nothing if it is there already.
#
#   Tests/Fixtures/fetch_clip_vocabulary.sh [PYTHON]
#
# The file is taken out of the PyPI package open_clip_torch, which pip downloads; nothing is installed.
set -eu

python=${1:-python3}
folder=${XDG_DATA_HOME:-$HOME/.local/share}/sdbatch/clip
file=$folder/bpe_simple_vocab_16e6.txt.gz
[ -s "$file" ] && exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$work" open_clip_torch
mkdir -p "$folder"
"$python" - "$work" "$file" <<'PYTHON'
import glob, hashlib, os, sys, zipfile

work, target = sys.argv[1:]
with zipfile.ZipFile(glob.glob(work + "/open_clip_torch-*.whl")[0]) as wheel:
    name = next(n for n in wheel.namelist() if n.endswith("/bpe_simple_vocab_16e6.txt.gz"))
    data = wheel.read(name)
digest = hashlib.sha256(data).hexdigest()
if digest != "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a":
    sys.exit(f"{name}: not the file of openai/CLIP: SHA-256 {digest}")
# renamed into place, so that an interrupted run leaves nothing half written
with open(target + ".part", "wb") as part:
    part.write(data)
os.replace(target + ".part", target)
PYTHON
echo "$file"
