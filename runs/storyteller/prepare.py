"""Cuts the texts of the base: what it learns from, what chooses the epoch, what it is tested on.

python prepare.py DATA OUT
"""
import pathlib, sys, textwrap
D, O = map(pathlib.Path, sys.argv[1:])
OLDER = ["edgar-rice-burroughs_a-princess-of-mars","f-scott-fitzgerald_the-beautiful-and-damned","f-scott-fitzgerald_this-side-of-paradise","h-g-wells_short-fiction","h-g-wells_the-history-of-mr-polly","jacob-grimm_wilhelm-grimm_household-tales_margaret-hunt","rudyard-kipling_the-jungle-book","saki_short-fiction","sinclair-lewis_babbitt"]
def read(p): return p.read_text(encoding="utf-8-sig").replace("\r\n", "\n")
def wrap(t, width):
    return "\n\n".join(textwrap.fill(l, width, break_long_words=False, break_on_hyphens=False) for l in t.split("\n") if l.strip()) + "\n"
train, valid = [], []
tests = {"stories": [], "dialogue": []}
def blocks(path, kind):
    keep = []
    for i, b in enumerate(read(path).strip("\n").split("\n\n")):
        (tests[kind] if i % 50 == 49 else valid if i % 50 == 24 and i % 200 == 24 else keep).append(b)
    return "\n\n".join(keep) + "\n\n"
for p in sorted((D/"stories").glob("*.txt")): train.append(blocks(p, "stories"))
for i, p in enumerate(sorted((D/"prose").glob("*.txt"))):
    t = read(p)
    if p.stem == "willa-cather_my-antonia": (O/"test-prose.txt").write_text(t); continue
    if p.stem == "l-frank-baum_the-road-to-oz": valid.append(t); continue
    train.append(wrap(t, 68 + i % 5) if i % 2 else t)
for n in OLDER: train.append(read(D/"prose_older"/f"{n}.txt"))
for p in sorted((D/"gutenberg").glob("*.txt")):
    if p.stem not in ("alice", "sherlock_holmes_adventures"): train.append(read(p))
for n in ("topical_chat", "synthetic_persona_chat", "casino_camping"): train.append(blocks(D/"dialogue"/f"{n}.txt", "dialogue"))
train.append(read(D/"speeches/state_union.txt"))
for i, t in enumerate(train): (O/f"train-{i:02}.txt").write_text(t.strip("\n") + "\n\n")
(O/"valid.txt").write_text("\n\n".join(v.strip("\n") for v in valid) + "\n")
for k, v in tests.items(): (O/f"test-{k}.txt").write_text("\n\n".join(v) + "\n")
print(sum(len(t) for t in train), {k: sum(map(len, v)) for k, v in tests.items()}, sum(map(len, valid)))
