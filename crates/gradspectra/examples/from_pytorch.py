"""Saves gradients and weights of a PyTorch model for gradspectra: python from_pytorch.py FOLDER"""
import sys
from collections import OrderedDict
from pathlib import Path

import numpy
import torch
from safetensors.torch import save_file
from torch.nn import Linear, ReLU, Sequential
from torch.nn.functional import cross_entropy

torch.manual_seed(1)
folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
model = Sequential(OrderedDict(fc1=Linear(10, 4), relu=ReLU(), fc2=Linear(4, 12)))  # gradspectra's fcn, width 4
inputs, labels = torch.randn(1000, 10), torch.randint(12, (1000,))

gradients = []
for _ in range(64):
    batch = torch.randint(1000, (10,))
    loss = cross_entropy(model(inputs[batch]), labels[batch])
    parts = torch.autograd.grad(loss, list(model.parameters()))
    gradients.append(torch.cat([part.flatten() for part in parts]))

numpy.save(folder / "G.npy", torch.stack(gradients).numpy())  # [T, n], a row an iteration
save_file(model.state_dict(), folder / "weights.safetensors")
torch.save(model.state_dict(), folder / "weights.pt")
