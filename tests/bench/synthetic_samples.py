"""The synthetic sample set that the aggregation figures refer to (needs numpy).

N samples over 8 threads, 20 000 distinct stacks of mean depth 35, 3 000 functions (25 % application),
about 2 000 transactions of 40 names at 10**6 samples, 29 % idle, 1 % late passes, 8 % recursion. Deterministic.

    python synthetic_samples.py OUTPUT_FOLDER [N ...]        default N: 1000000

writes stacks.npz (off, flat: root-first frame ids; frame_func, frame_line; owner), funcs.json
(name, file, module, is_application, first line per function) and samples_N.npz (t, wall, thread, stack,
tx, cpu per sample in ns; tx -1 outside transactions; tname: index of each transaction's name).
"""

import json
import os
import sys
import time

import numpy as np

RNG = np.random.default_rng(12345)
NSTACK, NHAND, NTHREAD = 20_000, 40, 8


def make_frames():
    rng = RNG
    words = "get set load save parse build render query fetch apply resolve handle process validate serialize compute merge walk visit update filter map reduce encode decode dispatch execute commit flush read write open close lookup match".split()
    nouns = "user order item cart price token session template cache row table field schema request response header body event job queue task node tree edge graph index page form view model column block chunk stream buffer record message".split()
    mods_app = [
        f"shop.{a}.{b}"
        for a in "api core billing catalog search users reports".split()
        for b in "views models services utils tasks serializers".split()
    ]
    mods_sys = [
        f"{p}.{m}"
        for p in "django.core django.db django.template sqlalchemy.orm sqlalchemy.sql requests urllib3 jinja2 pydantic celery redis json threading concurrent.futures asyncio".split()
        for m in "base utils handlers compiler main decoder session _impl query manager".split()
    ]
    funcs = []
    for i in range(3000):
        app = rng.random() < 0.25
        mod = (mods_app if app else mods_sys)[rng.integers(len(mods_app if app else mods_sys))]
        cls = "".join(
            w.capitalize()
            for w in (
                nouns[rng.integers(len(nouns))],
                "Manager View Compiler Handler Service".split()[rng.integers(5)],
            )
        )
        name = f"{cls}.{words[rng.integers(len(words))]}_{nouns[rng.integers(len(nouns))]}_{i % 97}"
        root = "/srv/app/" if app else "/usr/local/lib/python3.11/site-packages/"
        funcs.append(
            (name, root + mod.replace(".", "/") + ".py", mod, app, int(rng.integers(5, 1500)))
        )
    frames, fmap = [], {}
    # each function has 1..5 call-site lines
    per = []
    for f in range(3000):
        k = int(rng.integers(1, 6))
        ids = []
        for j in range(k):
            ids.append(len(frames))
            frames.append((f, funcs[f][4] + int(rng.integers(0, 60))))
        per.append(ids)
    return funcs, frames, per


def make_stacks(funcs, frames, per):
    rng = RNG
    callees = [rng.integers(0, 3000, size=int(rng.integers(1, 7))) for _ in range(3000)]
    base = [per[f][0] for f in rng.integers(0, 3000, 8)]  # thread bootstrap
    mids = [[per[f][0] for f in rng.integers(0, 3000, 12)] for _ in range(5)]  # middleware chains
    hand = rng.integers(0, 3000, NHAND)
    seen, stacks, owner = {}, [], []
    while len(stacks) < NSTACK - 8:
        h = int(rng.integers(NHAND))
        depth = max(14, int(rng.normal(35, 8)))
        st = list(base) + mids[h % 5]
        f = int(hand[h])
        while len(st) < depth:
            st.append(per[f][int(rng.integers(len(per[f])))])
            r = rng.random()
            if r < 0.06:
                pass  # direct recursion
            elif r < 0.08 and len(st) > 22:
                f = frames[st[-3]][0]  # indirect recursion
            else:
                c = callees[f]
                f = int(c[min(int(rng.zipf(1.6)) - 1, len(c) - 1)])
        t = tuple(st[:depth])
        if t in seen:
            continue
        seen[t] = 1
        stacks.append(t)
        owner.append(h)
    for i in range(8):  # idle stacks (waiting)
        st = list(base) + [per[int(f)][0] for f in RNG.integers(0, 3000, 4)]
        stacks.append(tuple(st))
        owner.append(-1)
    return stacks, np.array(owner)


def make_samples(n, owner, seed=7):
    rng = np.random.default_rng(seed)
    by = {h: np.flatnonzero(owner == h) for h in range(-1, NHAND)}
    ticks = n // NTHREAD
    S = np.empty((ticks, NTHREAD), np.int32)
    TX = np.empty((ticks, NTHREAD), np.int32)
    CPU = np.empty((ticks, NTHREAD), np.int32)
    tname = []
    tid = 0
    dt = rng.normal(10_000_000, 300_000, ticks).astype(np.int64)
    late = rng.random(ticks) < 0.01
    dt[late] += rng.integers(5_000_000, 60_000_000, late.sum())
    T = 1_795_000_000_000_000_000 + np.cumsum(dt)
    for th in range(NTHREAD):
        i = 0
        tx_per_thread = 2000 // NTHREAD
        mean_seg = ticks / (tx_per_thread * 1.4)
        while i < ticks:
            L = max(3, int(rng.lognormal(np.log(mean_seg) - 0.5, 1.0)))
            L = min(L, ticks - i)
            h = int(min(rng.zipf(1.3) - 1, NHAND - 1))
            g = by[h]
            w = 1.0 / np.arange(1, len(g) + 1) ** 1.05
            w /= w.sum()
            nrun = L // 2 + 2
            runs = rng.geometric(0.4, nrun)
            vals = g[rng.choice(len(g), nrun, p=w)]
            seq = np.repeat(vals, runs)
            while len(seq) < L:
                seq = np.concatenate([seq, seq])
            S[i : i + L, th] = seq[:L]
            TX[i : i + L, th] = tid
            tname.append(h)
            tid += 1
            i += L
            L = min(max(1, int(rng.exponential(mean_seg * 0.4))), ticks - i)
            if L > 0:
                S[i : i + L, th] = by[-1][th % 8]
                TX[i : i + L, th] = -1
                i += L
    idle = TX < 0
    CPU[:] = np.where(
        idle, 0, (rng.random(S.shape) < 0.7) * np.minimum(dt, 30_000_000)[:, None] // 2
    )
    thr = np.tile(np.arange(NTHREAD, dtype=np.int16), ticks)
    return dict(
        t=np.repeat(T, NTHREAD),
        wall=np.repeat(dt, NTHREAD),
        thread=thr,
        stack=S.ravel(),
        tx=TX.ravel(),
        cpu=CPU.ravel(),
        tname=np.array(tname, np.int16),
    )


if __name__ == "__main__":
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    t0 = time.time()
    funcs, frames, per = make_frames()
    stacks, owner = make_stacks(funcs, frames, per)
    d = np.array([len(s) for s in stacks])
    print("stacks", len(stacks), "mean depth", round(float(d.mean()), 1), "max", d.max())
    off = np.zeros(len(stacks) + 1, np.int64)
    off[1:] = np.cumsum(d)
    flat = np.fromiter((f for s in stacks for f in s), np.int32, off[-1])
    np.savez(
        os.path.join(out, "stacks.npz"),
        off=off,
        flat=flat,
        owner=owner,
        frame_func=np.array([f for f, _ in frames], np.int32),
        frame_line=np.array([l for _, l in frames], np.int32),
    )
    with open(os.path.join(out, "funcs.json"), "w") as file:
        json.dump(dict(funcs=funcs), file)
    for n in [int(float(a)) for a in sys.argv[2:]] or [10**6]:
        s = make_samples(n, owner)
        unused = np.setdiff1d(np.arange(len(stacks)), np.unique(s["stack"]))
        active = np.flatnonzero(s["tx"] >= 0)
        if len(active) > len(unused):
            s["stack"][RNG.choice(active, len(unused), replace=False)] = unused
        np.savez(os.path.join(out, f"samples_{n}.npz"), **s)
        print(
            n,
            "transactions",
            len(s["tname"]),
            "distinct stacks",
            len(np.unique(s["stack"])),
            "idle share",
            round(float((s["tx"] < 0).mean()), 3),
            f"{time.time() - t0:.1f} s",
        )
