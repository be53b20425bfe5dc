"""The measured process of PyTorch: `pytorch.py <threads>`. Speaks the same JSON lines over descriptor 3 as the others."""

import base64
import json
import math
import os
import socket
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

THREADS = int(sys.argv[1])
torch.set_num_threads(THREADS)


def make_input(spec):
    """The same counter-based hash as harness/inputs.ts."""
    u32 = lambda x: x & np.uint64(0xFFFFFFFF)
    index = np.arange(1, math.prod(spec["shape"]) + 1, dtype=np.uint64)
    h = u32(index * np.uint64(0x9E3779B1)) ^ u32(np.uint64((spec["seed"] + 1) * 0x85EBCA77))
    h = u32((h ^ (h >> np.uint64(16))) * np.uint64(0x85EBCA6B))
    h = u32((h ^ (h >> np.uint64(13))) * np.uint64(0xC2B2AE35))
    fraction = ((h ^ (h >> np.uint64(16))) >> np.uint64(8)).astype(np.float64) / 0x1000000
    values = spec["low"] + (spec["high"] - spec["low"]) * fraction
    if spec["dtype"] == "f32":
        return torch.from_numpy(values.astype(np.float32).reshape(spec["shape"]))
    return torch.from_numpy(np.floor(values).astype(np.int64).reshape(spec["shape"]))


class Pure:
    """A function of the inputs; `result` is all it returns."""

    def __init__(self, fn):
        self.run = fn

    def result(self):
        out = self.run()
        out = out if isinstance(out, (tuple, list)) else (out,)
        return torch.cat([t.detach().reshape(-1).float() for t in out])


def unary(fn):
    return lambda x, p: Pure(lambda: fn(x["x"]))


def differentiable(names, fn):
    def build(x, p):
        if not p.get("backward"):
            return Pure(lambda: fn(*[x[n] for n in names]))
        args = [x[n].requires_grad_() for n in names]

        def run():
            y = fn(*args)
            return (y, *torch.autograd.grad(y, args, x["seed"]))

        return Pure(run)

    return build


def rms_norm(x, weight):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5) * weight


def recurrence(a, b):
    """A loop: PyTorch has no such scan."""
    h, out = torch.zeros_like(b[:, 0]), []
    for at, bt in zip(a.unbind(1), b.unbind(1)):
        h = torch.addcmul(bt, at, h)
        out.append(h)
    return torch.stack(out, 1)


def selective_scan(u, delta, A, B, C, D):
    decay = torch.exp(delta.unsqueeze(-1) * A)
    drive = (delta * u).unsqueeze(-1) * B.unsqueeze(2)
    return (recurrence(decay, drive) * C.unsqueeze(2)).sum(-1) + D * u


def matmul(x, p):
    return differentiable(
        ["a", "b"], lambda a, b: (a.mT if p["transposeA"] else a) @ (b.mT if p["transposeB"] else b)
    )(x, p)


def grouped(x, p):
    """A product per expert in a loop."""
    offsets = [int(at) for at in p["offsets"].split(",")]

    def product(rows, w):
        return torch.cat([rows[a:b] @ w[i] for i, (a, b) in enumerate(zip(offsets, offsets[1:]))])

    return differentiable(["x", "w"], product)(x, p)


def chain(x, p):
    def run():
        y = x["x"]
        for _ in range(p["links"]):
            y = torch.addmm(x["b"], y, x["w"])
        return y

    return Pure(run)


def argsort(x, p):
    job = Pure(lambda: torch.argsort(x["x"]))
    job.result = lambda: x["x"][job.run()]
    return job


def global_filter(x, p):
    weight = torch.view_as_complex(x["w"])
    return Pure(lambda: torch.fft.irfft2(torch.fft.rfft2(x["x"], norm="ortho") * weight, norm="ortho"))


class Training:
    """A training step; `result` is the losses of its first three runs."""

    def __init__(self, x, data, make_optimizer, loss):
        batch = {name: x[name] for name in data}
        parameters = {name: t.requires_grad_() for name, t in x.items() if name not in data}
        optimizer = make_optimizer(list(parameters.values()))
        self.losses = []

        def run():
            optimizer.zero_grad(set_to_none=True)
            value = loss(batch, parameters)
            value.backward()
            optimizer.step()
            number = value.item()
            if len(self.losses) < 3:
                self.losses.append(number)

        self.run = run

    def result(self):
        while len(self.losses) < 3:
            self.run()
        return torch.tensor(self.losses)

    def measure(self, steps):
        def resident():
            with open("/proc/self/statm") as f:
                return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024

        for _ in range(100):
            self.run()
        before, start, taken = resident(), time.perf_counter(), 0
        while taken < steps and time.perf_counter() - start < 30:
            self.run()
            taken += 1
        return {"growth": resident() - before, "perStep": 0, "taken": taken}


def sgd(p):
    return lambda parameters: torch.optim.SGD(parameters, lr=p["lr"])


def mlp(x, p):
    def loss(b, w):
        hidden = torch.relu(torch.addmm(w["b1"], b["x"], w["w1"]))
        return F.cross_entropy(torch.addmm(w["b2"], hidden, w["w2"]), b["y"])

    return Training(x, ["x", "y"], sgd(p), loss)


def decoder(x, p):
    width, heads = p["width"], p["heads"]
    visible = torch.ones(p["length"], p["length"], dtype=torch.bool).tril()

    def adam_w(parameters):
        betas = (p["beta1"], p["beta2"])
        return torch.optim.AdamW(parameters, p["lr"], betas, p["eps"], p["weightDecay"])

    def loss(b, w):
        batch, length = b["tokens"].shape
        linear = lambda h, name: torch.addmm(w[f"{name}.b"], h, w[f"{name}.w"])
        norm = lambda h, name: F.layer_norm(h, [width], w[f"{name}.w"], w[f"{name}.b"], p["normEps"])
        h = (F.embedding(b["tokens"], w["tokenTable"]) + w["positionTable"]).view(batch * length, width)
        for i in range(p["layers"]):
            qkv = linear(norm(h, f"{i}.norm1"), f"{i}.qkv").view(batch, length, 3, heads, width // heads)
            q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
            scores = (q @ k.transpose(-1, -2)) * (width // heads) ** -0.5
            scores = scores.masked_fill(~visible, -math.inf)
            mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch * length, width)
            h = h + linear(mixed, f"{i}.out")
            h = h + linear(F.gelu(linear(norm(h, f"{i}.norm2"), f"{i}.up")), f"{i}.down")
        return F.cross_entropy(linear(norm(h, "norm"), "head"), b["targets"].view(-1))

    return Training(x, ["tokens", "targets"], adam_w, loss)


def cnn(x, p):
    def loss(b, w):
        h = F.max_pool2d(torch.relu(F.conv2d(b["x"], w["k1"], w["c1"], padding=1)), 2)
        h = F.max_pool2d(torch.relu(F.conv2d(h, w["k2"], w["c2"], padding=1)), 2)
        return F.cross_entropy(torch.addmm(w["b"], h.flatten(1), w["w"]), b["y"])

    return Training(x, ["x", "y"], sgd(p), loss)


def gru(x, p):
    def loss(b, w):
        h0 = torch.zeros(1, b["x"].shape[1], w["wh"].shape[0])
        weights = [w["wx"].t(), w["wh"].t(), w["bx"], w["bh"]]
        _, last = torch._VF.gru(b["x"], h0, weights, True, 1, 0.0, True, False, False)
        return last.square().mean()

    return Training(x, ["x"], sgd(p), loss)


AXES = {"last": 1, "first": 0, "both": (0, 1)}
BUILDERS = {
    "exp": unary(torch.exp),
    "log": unary(torch.log),
    "tanh": unary(torch.tanh),
    "sigmoid": unary(torch.sigmoid),
    "erf": unary(torch.erf),
    "gelu": unary(F.gelu),
    "silu": unary(F.silu),
    "softmax": differentiable(["x"], lambda x: x.softmax(-1)),
    "logSoftmax": differentiable(["x"], lambda x: x.log_softmax(-1)),
    "layerNorm": differentiable(
        ["x", "weight", "bias"], lambda x, w, b: F.layer_norm(x, w.shape, w, b, 1e-5)
    ),
    "rmsNorm": differentiable(["x", "weight"], rms_norm),
    "sum": lambda x, p: Pure(lambda: x["x"].sum(AXES[p["axes"]])),
    "matmul": matmul,
    "matmulF64": lambda x, p: matmul({name: t.double() for name, t in x.items()}, p),
    "grouped": grouped,
    "conv2d": lambda x, p: differentiable(
        ["x", "kernel"], lambda a, k: F.conv2d(a, k, padding=p["pad"], groups=p["groups"])
    )(x, p),
    "convTranspose2d": differentiable(["x", "kernel"], lambda a, k: F.conv_transpose2d(a, k, stride=2, padding=1)),
    "causalConv1d": differentiable(["x", "kernel"], lambda a, k: F.conv1d(F.pad(a, (3, 0)), k, groups=a.shape[1])),
    "maxPool2d": differentiable(["x"], lambda a: F.max_pool2d(a, 2)),
    "avgPool2d": differentiable(["x"], lambda a: F.avg_pool2d(a, 2)),
    "embedding": lambda x, p: differentiable(["table"], lambda t: F.embedding(x["at"], t))(x, p),
    "multiplyAdd": lambda x, p: Pure(lambda: torch.addcmul(x["b"], x["a"], x["b"])),
    "cumsum": unary(lambda x: x.cumsum(0)),
    "linearRecurrence": differentiable(["a", "b"], recurrence),
    "selectiveScan": differentiable(["u", "delta", "A", "B", "C", "D"], selective_scan),
    "topk": lambda x, p: Pure(lambda: x["x"].topk(p["k"]).values),
    "argsort": argsort,
    "rfft": lambda x, p: Pure(lambda: torch.view_as_real(torch.fft.rfft(x["x"]))),
    "globalFilter": global_filter,
    "searchsorted": lambda x, p: Pure(lambda: torch.searchsorted(x["x"].sort().values, x["values"])),
    "chain": chain,
    "mlp": mlp,
    "decoder": decoder,
    "cnn": cnn,
    "gru": gru,
}


def turn(job, ms):
    start = time.perf_counter()
    job.run()
    batch = max(1, math.ceil(0.0002 / max(time.perf_counter() - start, 1e-7)))
    samples, begin = [], time.perf_counter()
    while not samples or (time.perf_counter() - begin) * 1000 < ms:
        start = time.perf_counter()
        for _ in range(batch):
            job.run()
        samples.append((time.perf_counter() - start) * 1000 / batch)
    return samples


def answer(request, state):
    if request["do"] == "prepare":
        workload = request["workload"]
        if workload["op"] not in BUILDERS:
            return {"is": "unsupported"}
        inputs = {name: make_input(spec) for name, spec in workload["inputs"].items()}
        start = time.perf_counter()
        state["job"] = job = BUILDERS[workload["op"]](inputs, workload["params"])
        state["steps"] = workload["params"].get("steps", 0)
        job.run()
        first = (time.perf_counter() - start) * 1000
        result = job.result().detach().numpy().astype(np.float32)
        return {"is": "ready", "first": first, "result": base64.b64encode(result.tobytes()).decode()}
    if request["do"] == "turn":
        return {"is": "times", "samples": turn(state["job"], request["ms"])}
    if request["do"] == "measure":
        return {"is": "measured", "values": state["job"].measure(state["steps"])}
    state.clear()
    return {"is": "released"}


def blas():
    """Which BLAS this process has loaded: without OpenBLAS, matrix products are many times slower."""
    torch.ones(2, 2) @ torch.ones(2, 2)
    with open("/proc/self/maps") as maps:
        return "OpenBLAS" if "openblas" in maps.read() else "no OpenBLAS"


def main():
    stream = socket.socket(fileno=3).makefile("rw")
    say = lambda reply: (stream.write(json.dumps(reply) + "\n"), stream.flush())
    say({"is": "hello", "version": f"{torch.__version__}, {blas()}, threads {THREADS}"})
    state = {}
    for line in stream:
        try:
            say(answer(json.loads(line), state))
        except Exception as error:  # whatever goes wrong is the answer
            say({"is": "failed", "reason": repr(error)})


main()
