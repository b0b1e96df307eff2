"""Seconds of gradients and Gram matrix in PyTorch, for gpu.sh: torch_peer.py lenet|resnet18 eager|compiled cuda|cpu

Inputs are random: the time does not depend on them. Products are in full f32, as ours.
"""

import os
import sys
import time

try:
    import torch
except ImportError:
    sys.exit("torch is not installed")
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

network, mode, device = sys.argv[1:]
if device == "cuda" and not torch.cuda.is_available():
    sys.exit("torch finds no CUDA device")
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
size = {name: int(os.environ[name]) for name in ("LENET_T", "RESNET_T", "RESNET_B", "RESNET_WIDTH")}


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        norm = lambda: nn.BatchNorm2d(outputs, track_running_stats=False)
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), norm()
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), norm()
        around = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), norm())
        self.downsample = around if stride != 1 or inputs != outputs else nn.Identity()

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.downsample(x))


def resnet18(width):
    stages, inputs = [], width
    for stage in range(4):
        outputs = width << stage
        stages += [Block(inputs, outputs, 1 + (stage > 0)), Block(outputs, outputs, 1)]
        inputs = outputs
    first = [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width, track_running_stats=False), nn.ReLU()]
    return nn.Sequential(*first, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))


def lenet():
    pooled = lambda: [nn.ReLU(), nn.MaxPool2d(2)]
    linear = [nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)]
    return nn.Sequential(nn.Conv2d(1, 6, 5), *pooled(), nn.Conv2d(6, 16, 5), *pooled(), nn.Flatten(), *linear)


if network == "lenet":
    net, iterations, shape, chunk = lenet(), size["LENET_T"], (1, 1, 28, 28), 500
else:
    net, iterations, chunk = resnet18(size["RESNET_WIDTH"]), size["RESNET_T"], 2
    shape = (size["RESNET_B"], 3, 32, 32)
net = net.to(device)
parameters = {name: value.detach() for name, value in net.named_parameters()}
inputs = torch.randn(iterations, *shape, device=device)
labels = torch.randint(10, (iterations, shape[0]), device=device)


def loss(parameters, inputs, labels):
    return F.cross_entropy(functional_call(net, parameters, (inputs,)), labels)


gradients = vmap(grad(loss), in_dims=(None, 0, 0))
if mode == "compiled":
    gradients = torch.compile(gradients)


def run():
    parts = []
    for start in range(0, iterations, chunk):
        found = gradients(parameters, inputs[start : start + chunk], labels[start : start + chunk])
        parts.append(torch.cat([value.flatten(1) for value in found.values()], 1))
    matrix = torch.cat(parts)
    return (matrix @ matrix.T).cpu()


run()
start = time.perf_counter()
run()
print(f"{time.perf_counter() - start:.3f}")
