"""Makes torch.safetensors, a file written by the format's own library from PyTorch tensors.

Run with a Python that has PyTorch and safetensors: python3 make.py. With a path it reads that file instead, and prints
what it holds: python3 make.py FILE.
"""
import sys, torch
from safetensors import safe_open
from safetensors.torch import save_file

if len(sys.argv) > 1:
    with safe_open(sys.argv[1], "pt") as f:
        print(f.metadata())
        for name in f.keys():
            t = f.get_tensor(name)
            print(name, t.dtype, list(t.shape), t.reshape(-1).tolist()[:8])
else:
    count = torch.arange(6).reshape(2, 3)
    tensors = {
        "layer.weight": (count.double() / 7 - 0.3).float(),
        "layer.bias": torch.tensor([0.1, float("inf"), -0.0]),
        "half": (count / 4 - 0.5).half(),
        "brain": (count - 2.5).bfloat16(),
        "double": count.double() / 3,
        "ids": count * 1000,
        "small": count.to(torch.uint8),
        "signed": (count - 3).to(torch.int8),
        "short": (count - 3).to(torch.int16),
        "int": (count - 3).to(torch.int32),
        "mask": count % 2 == 0,
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 4),
        "größe": torch.ones(1),
    }
    save_file(tensors, "torch.safetensors", {"step": "12", "made by": "PyTorch"})
