#!/usr/bin/env python3
"""One row of Table 5 (LeNet on MNIST, random parameters, B = 1, T = 5000), ours and in PyTorch, in turn.

usage: row.py PROGRAM MNIST_FOLDER [--rounds 5] [--threads 2]

PROGRAM is target/release/gradspectra; the folder holds the four official gzip files. Needs torch and numpy.
"""
import argparse, gzip, json, os, statistics, subprocess, sys, tempfile, time
from pathlib import Path

STEPS = ["gradients", "Gram matrix", "eigenvalues", "all"]


def ours(arguments):
    with tempfile.TemporaryDirectory() as out:
        command = [arguments.program, "reproduce", "--table", "5", "--rows", "random-b1", "--quiet", "--out", out]
        command += ["--threads", str(arguments.threads), "--data-dir", str(Path(arguments.mnist).resolve().parent)]
        begun = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - begun
        timings = json.loads(Path(out, "table-5/random-b1/seed-1.timings.json").read_text())
    return [timings["examples"], timings["gradients"], timings["eigenvalues"], seconds]


def theirs(arguments):
    command = [sys.executable, __file__, "--peer", "--threads", str(arguments.threads), arguments.program, arguments.mnist]
    begun = time.perf_counter()
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [*json.loads(output), time.perf_counter() - begun]


def peer(arguments):
    import numpy as np
    import torch
    from torch import nn
    from torch.func import functional_call, grad, vmap

    def idx(name, skipped):
        with gzip.open(Path(arguments.mnist, name)) as file:
            return np.frombuffer(file.read(), np.uint8, offset=skipped)

    iterations, top = 5000, 1000
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    images = idx("train-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)[:iterations]
    images = (torch.from_numpy(images.copy()) / 255 - 0.1307) / 0.3081
    labels = torch.from_numpy(idx("train-labels-idx1-ubyte.gz", 8)[:iterations].astype(np.int64))
    net = nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))
    parameters = {name: value.detach() for name, value in net.named_parameters()}

    def loss(parameters, image, label):
        return nn.functional.cross_entropy(functional_call(net, parameters, image[None]), label[None])

    clock = [time.perf_counter()]
    example_gradients = vmap(grad(loss), in_dims=(None, 0, 0))
    chunks = zip(images.split(250), labels.split(250))
    flat = lambda gradients: torch.cat([gradients[name].flatten(1) for name in parameters], dim=1)
    gradients = torch.cat([flat(example_gradients(parameters, *chunk)) for chunk in chunks])
    clock.append(time.perf_counter())
    gram = (gradients @ gradients.T).double()
    clock.append(time.perf_counter())
    means = gram.mean(0)
    eigenvalues = torch.linalg.eigvalsh(gram - means - means[:, None] + means.mean()).flip(0)[:top].numpy()
    clock.append(time.perf_counter())
    logarithms = np.log(eigenvalues / eigenvalues[-1])
    fitted, steps = 1 - np.exp(-np.sort(logarithms) / logarithms.mean()), np.arange(top)
    distance = max(np.abs(fitted - steps / top).max(), np.abs(fitted - (steps + 1) / top).max())
    print(f"s {logarithms.mean():.3f}, d_ks {distance:.4f}", file=sys.stderr)
    print(json.dumps([after - before for before, after in zip(clock, clock[1:])]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("mnist")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        return peer(arguments)
    rounds = [(ours(arguments), theirs(arguments)) for _ in range(arguments.rounds)]
    print(f"{'seconds, each round':<20} {'ours':<40} PyTorch")
    for step, name in enumerate(STEPS):
        columns = [", ".join(f"{side[step]:.2f}" for side in sides) for sides in zip(*rounds)]
        print(f"{name:<20} {columns[0]:<40} {columns[1]}")
    ratios = [theirs[3] / ours[3] for ours, theirs in rounds]
    print(f"PyTorch takes {min(ratios):.1f} to {max(ratios):.1f} times as long, median {statistics.median(ratios):.1f}")


if __name__ == "__main__":
    main()
