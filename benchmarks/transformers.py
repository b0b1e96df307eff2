#!/usr/bin/env python3
"""Single-example gradients of a small GPT or ViT to their spectrum, ours and in PyTorch, in turn.

usage: transformers.py PROGRAM [gpt|vit] [--T 1000] [--d 128] [--layers 4] [--heads 4] [--L 64] [--rounds 3] [--threads 2]
                       [--memory 1.4GB] [--ours]

PROGRAM is target/release/gradspectra. PyTorch's way is vmap of grad, one product, eigvalsh. Parameters and inputs are random: the
time does not depend on them. --ours leaves PyTorch out. Needs torch and numpy.
"""
import argparse, json, os, resource, statistics, subprocess, sys, tempfile, time
from pathlib import Path

import numpy as np

VOCABULARY = 65
CLASSES = 10


def toml(a):
    if a.kind == "gpt":
        model = f'{{ kind = "gpt", layers = {a.layers}, heads = {a.heads}, width = {a.d} }}'
        data = f'{{ kind = "tokens", inputs = "x.npy", targets = "y.npy", vocabulary = {VOCABULARY} }}'
    else:
        model = f'{{ kind = "vit", patch = 4, layers = {a.layers}, heads = {a.heads}, width = {a.d} }}'
        data = '{ inputs = "x.npy", labels = "y.npy" }'
    return f"""title = "bench"
[[row]]
id = "row"
data-set = {data}
model = {model}
initialisation = "transformer"
iterations = {a.T}
analysis = {{ kind = "spectrum", matrix = "covariance", top = {a.T // 5} }}
"""


def inputs(a):
    random = np.random.default_rng(1)
    if a.kind == "gpt":
        return [random.integers(VOCABULARY, size=(a.T, a.L)) for _ in range(2)]
    return random.standard_normal((a.T, 3, 32, 32), dtype=np.float32), np.arange(a.T) % CLASSES


def ours(a):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "bench.toml").write_text(toml(a))
        for name, values in zip("xy", inputs(a)):
            np.save(Path(folder, name + ".npy"), values)
        command = [a.program, "run", "bench.toml", "--quiet", "--out", "out", "--threads", str(a.threads)]
        command += ["--memory", a.memory] if a.memory else []
        begun = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)
        seconds = time.perf_counter() - begun
        timings = json.loads(Path(folder, "out/bench/row/seed-1.timings.json").read_text())
    return {"gradients": timings["examples"], "Gram": timings["gradients"], "all": seconds,
            "GB": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6 if a.ours else timings["peak-memory"] / 1e9}


def theirs(a):
    command = [sys.executable, __file__, *sys.argv[1:], "--peer"]
    begun = time.perf_counter()
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {**json.loads(output), "all": time.perf_counter() - begun}


def peer(a):
    import torch
    from torch import nn
    from torch.func import functional_call, grad, vmap
    from torch.nn import functional as F

    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    gpt = a.kind == "gpt"

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.ln_1, self.ln_2 = nn.LayerNorm(a.d), nn.LayerNorm(a.d)
            self.qkv, self.out = nn.Linear(a.d, 3 * a.d), nn.Linear(a.d, a.d)
            self.fc, self.proj = nn.Linear(a.d, 4 * a.d), nn.Linear(4 * a.d, a.d)

        def forward(self, x):
            batch, length, width = x.shape
            heads = (part.view(batch, length, a.heads, -1).transpose(1, 2) for part in self.qkv(self.ln_1(x)).chunk(3, -1))
            q, k, v = heads
            scores = q @ k.transpose(-1, -2) / (width // a.heads) ** 0.5
            if gpt:
                scores = scores.masked_fill(torch.ones(length, length, dtype=torch.bool).triu(1), float("-inf"))
            x = x + self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, width))
            return x + self.proj(F.gelu(self.fc(self.ln_2(x))))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(VOCABULARY, a.d) if gpt else nn.Conv2d(3, a.d, 4, 4)
            self.positions = nn.Parameter(0.02 * torch.randn(a.L if gpt else 65, a.d))
            self.blocks = nn.Sequential(*(Block() for _ in range(a.layers)))
            self.norm = nn.LayerNorm(a.d)
            if not gpt:
                self.token, self.head = nn.Parameter(torch.zeros(1, 1, a.d)), nn.Linear(a.d, CLASSES)

        def forward(self, x):
            x = self.embed(x)
            if not gpt:
                x = torch.cat([self.token.expand(len(x), -1, -1), x.flatten(2).transpose(1, 2)], 1)
            x = self.norm(self.blocks(x + self.positions))
            return x @ self.embed.weight.T if gpt else self.head(x[:, 0])

    net = Net()
    parameters = {name: value.detach() for name, value in net.named_parameters()}
    x, y = (torch.from_numpy(values) for values in inputs(a))

    def loss(parameters, x, y):
        logits = functional_call(net, parameters, x[None])
        return F.cross_entropy(logits.flatten(0, 1), y) if gpt else F.cross_entropy(logits, y[None])

    clock = [time.perf_counter()]
    gradient, chunk = vmap(grad(loss), in_dims=(None, 0, 0)), 25
    gradients = torch.empty(a.T, sum(value.numel() for value in parameters.values()))
    for start in range(0, a.T, chunk):
        found = gradient(parameters, x[start:start + chunk], y[start:start + chunk])
        torch.cat([found[name].flatten(1) for name in parameters], 1, out=gradients[start:start + chunk])
    clock.append(time.perf_counter())
    gram = (gradients @ gradients.T).double()
    clock.append(time.perf_counter())
    means = gram.mean(0)
    torch.linalg.eigvalsh(gram - means - means[:, None] + means.mean())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({"gradients": clock[1] - clock[0], "Gram": clock[2] - clock[1], "GB": peak}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("kind", nargs="?", choices=["gpt", "vit"], default="gpt")
    for name, default in (("T", 1000), ("d", 128), ("layers", 4), ("heads", 4), ("L", 64), ("rounds", 3), ("threads", os.cpu_count())):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--memory", default="1.4GB")
    parser.add_argument("--ours", action="store_true")
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    a = parser.parse_args()
    a.program = str(Path(a.program).resolve())
    if a.peer:
        return peer(a)
    sides = [("ours", ours)] + ([] if a.ours else [("PyTorch", theirs)])
    rounds = [{name: run(a) for name, run in sides} for _ in range(a.rounds)]
    print(f"{a.kind}, T = {a.T}, d = {a.d}, {a.layers} blocks, B = 1; each round")
    for step in ("gradients", "Gram", "all", "GB"):
        columns = [f"{name} " + ", ".join(f"{found[name][step]:.2f}" for found in rounds) for name, _ in sides]
        print(f"{step:<10} " + "   ".join(columns))
    if not a.ours:
        ratios = [found["ours"]["all"] / found["PyTorch"]["all"] for found in rounds]
        print(f"ours takes {min(ratios):.2f} to {max(ratios):.2f} of PyTorch's time, median {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
