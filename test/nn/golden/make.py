"""Makes pytorch.json: what PyTorch says of modules, losses, optimizers and schedules, forward and gradients, in f64.

Each is there in two configurations at least. What PyTorch lacks is written out with its operations. Run with a Python that has PyTorch (Debian's python3-torch 1.13): python3 make.py > pytorch.json
"""
import itertools, json, torch
from torch import nn
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
r = lambda t: {"shape": list(t.shape), "data": [float(f"{v:.12g}") for v in t.detach().double().reshape(-1).tolist()]} | (
    {} if t.is_floating_point() else {"dtype": "bool" if t.dtype == torch.bool else "i32"}
)


def case(f, inputs, parameters):
    """The output of f, and the gradients of sum(output * weights) to inputs and parameters."""
    for x in inputs:
        if x.is_floating_point():
            x.requires_grad_(True)
    y = f(*inputs)
    assert y.isfinite().all()
    seed = torch.cos(torch.arange(y.numel())).reshape(y.shape)
    leaves = [x for x in inputs if x.is_floating_point()] + list(parameters.values())
    grads = torch.autograd.grad((y * seed).sum(), leaves)
    return {
        "inputs": [r(x) for x in inputs],
        "parameters": {k: r(v) for k, v in parameters.items()},
        "output": r(y),
        "gradients": [r(g) for g in grads],
    }


def module(m, *inputs, f=None):
    for p in m.parameters():
        p.data = torch.randn(p.shape) * 0.5
    return case(f or m, inputs, dict(m.named_parameters()))


def plain(f, *inputs, **weights):
    """A case of a function written out here, with its parameters by name."""
    parameters = {k: v.requires_grad_(True) for k, v in weights.items()}
    return case(lambda *xs: f(*xs, **parameters), list(inputs), parameters)


n = torch.randn
ids = torch.tensor([[0, 2, 3], [2, 2, 1]])
evaluated = lambda m: m.eval()


def counted(m):
    """A batch norm with running statistics that are not the first ones."""
    m.running_mean.copy_(torch.tensor([0.5, -1.0, 2.0][: m.num_features]))
    m.running_var.copy_(torch.tensor([0.5, 3.0, 1.5][: m.num_features]))
    return m.eval()


def rms(x, weight=None, eps=1e-5, axes=(-1,)):
    y = x * torch.rsqrt(x.square().mean(axes, keepdim=True) + eps)
    return y if weight is None else y * weight


def rotary(x, positions, theta=10000.0):
    size = x.shape[-1]
    angle = positions[..., None] * theta ** (-torch.arange(0, size, 2) / size)
    angle = torch.cat([angle, angle], -1)
    turned = torch.cat([-x[..., size // 2 :], x[..., : size // 2]], -1)
    return x * angle.cos() + turned * angle.sin()


def slopes(heads):
    assert heads & (heads - 1) == 0
    return 2.0 ** (-8 * torch.arange(1, heads + 1) / heads)


def attend(x, context, w, heads, kv, mask=None, offset=None, turn=None):
    """Attention written out: x [N, T, size], w the named projections; mask [T, S], true where a query may look."""
    split = lambda t, h: t.reshape(t.shape[0], t.shape[1], h, -1).transpose(1, 2)
    project = lambda t, name: F.linear(t, w[f"{name}_weight"], w.get(f"{name}_bias"))
    q, k, v = split(project(x, "q"), heads), split(project(context, "k"), kv), split(project(context, "v"), kv)
    if turn:
        q, k = turn(q), turn(k)
    k, v = (t.repeat_interleave(heads // kv, 1) for t in (k, v))
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    scores = scores if offset is None else scores + offset
    scores = scores if mask is None else scores.masked_fill(~mask, float("-inf"))
    y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(x.shape[0], x.shape[1], -1)
    return project(y, "o")


def projections(size, inner, kv, context, bias):
    shapes = {"q": (inner, size), "k": (kv, context), "v": (kv, context), "o": (size, inner)}
    w = {f"{k}_weight": n(*s) * 0.5 for k, s in shapes.items()}
    return w | ({f"{k}_bias": n(s[0]) * 0.5 for k, s in shapes.items()} if bias else {})


def attention(x, context=None, heads=2, kv=None, bias=True, size=None, **options):
    head, kv = size or x.shape[-1] // heads, kv or heads
    given = [x] if context is None else [x, context]
    w = projections(x.shape[-1], heads * head, kv * head, given[-1].shape[-1], bias)
    return plain(lambda *xs, **w: attend(xs[0], xs[-1], w, heads, kv, **options), *given, **w)


def mamba(x, size, states, taps, expand, rank):
    """Gu & Dao 2023 as published: in_proj, causal conv, selective scan with softplus steps, gate, out_proj."""
    inner = size * expand
    w = dict(
        in_proj_weight=n(2 * inner, size) * 0.5, conv1d_weight=n(inner, 1, taps) * 0.5, conv1d_bias=n(inner) * 0.5,
        x_proj_weight=n(rank + 2 * states, inner) * 0.5, dt_proj_weight=n(inner, rank) * 0.5, dt_proj_bias=n(inner) * 0.5,
        a_log=n(inner, states) * 0.5, d=n(inner) * 0.5, out_proj_weight=n(size, inner) * 0.5,
    )

    def run(x, in_proj_weight, conv1d_weight, conv1d_bias, x_proj_weight, dt_proj_weight, dt_proj_bias, a_log, d, out_proj_weight):
        u, z = (x @ in_proj_weight.T).split(inner, -1)
        u = F.conv1d(F.pad(u.transpose(1, 2), (taps - 1, 0)), conv1d_weight, conv1d_bias, groups=inner)
        u = F.silu(u.transpose(1, 2))
        dt, B, C = (u @ x_proj_weight.T).split([rank, states, states], -1)
        delta = F.softplus(dt @ dt_proj_weight.T + dt_proj_bias)
        h, A, ys = 0, -a_log.exp(), []
        for t in range(x.shape[1]):
            h = torch.exp(delta[:, t, :, None] * A) * h + (delta[:, t] * u[:, t])[..., None] * B[:, t, None, :]
            ys.append((h * C[:, t, None, :]).sum(-1) + d * u[:, t])
        return (torch.stack(ys, 1) * F.silu(z)) @ out_proj_weight.T

    return plain(run, x, **w)


causal = lambda t: torch.ones(t, t).tril().bool()
near = lambda t, w: (torch.arange(t)[:, None] - torch.arange(t)[None]).abs() < w
pairs = torch.tensor([[True, False], [True, True], [False, True]])
modules = {
    "linear": module(nn.Linear(3, 2), n(2, 3)),
    "linear, no bias": module(nn.Linear(2, 3, bias=False), n(2, 2, 2)),
    "bilinear": module(nn.Bilinear(3, 2, 2), n(2, 3), n(2, 2)),
    "bilinear, no bias": module(nn.Bilinear(2, 3, 1, bias=False), n(2, 2, 2), n(2, 2, 3)),
    "embedding": module(nn.Embedding(4, 2), ids),
    "conv1d": module(nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2), n(2, 4, 7)),
    "conv1d, no bias": module(nn.Conv1d(2, 3, 2, bias=False), n(1, 2, 4)),
    "conv2d": module(nn.Conv2d(2, 3, (3, 2), stride=(1, 2), padding=(1, 0)), n(1, 2, 4, 5)),
    "conv2d, depthwise": module(nn.Conv2d(3, 3, 3, padding=1, groups=3), n(2, 3, 3, 4)),
    "convTranspose1d": module(nn.ConvTranspose1d(4, 2, 3, stride=2, padding=1, output_padding=1, groups=2), n(1, 4, 3)),
    "convTranspose1d, no bias": module(nn.ConvTranspose1d(2, 2, 2, dilation=2, bias=False), n(2, 2, 3)),
    "convTranspose2d": module(nn.ConvTranspose2d(2, 3, (2, 3), stride=2, dilation=(1, 2)), n(1, 2, 2, 2)),
    "convTranspose2d, padding": module(nn.ConvTranspose2d(2, 2, 3, stride=(2, 1), padding=1, groups=2), n(1, 2, 3, 2)),
    "batchNorm1d": module(nn.BatchNorm1d(3), n(4, 3)),
    "batchNorm1d, sequence": module(nn.BatchNorm1d(2, eps=0.1, affine=False), n(2, 2, 3)),
    "batchNorm1d, evaluation": module(counted(nn.BatchNorm1d(3)), n(4, 3)),
    "batchNorm2d": module(nn.BatchNorm2d(2), n(2, 2, 3, 2)),
    "batchNorm2d, evaluation": module(counted(nn.BatchNorm2d(2)), n(2, 2, 1, 2)),
    "layerNorm": module(nn.LayerNorm([2, 3]), n(2, 2, 3)),
    "layerNorm, plain": module(nn.LayerNorm(4, eps=0.1, elementwise_affine=False), n(3, 4)),
    "rmsNorm": plain(rms, n(2, 4), weight=n(4)),
    "rmsNorm, plain": plain(lambda x: rms(x, eps=0.1, axes=(-2, -1)), n(2, 3, 2)),
    "groupNorm": module(nn.GroupNorm(2, 4), n(2, 4, 3)),
    "groupNorm, plain": module(nn.GroupNorm(3, 3, eps=0.1, affine=False), n(2, 3, 2, 2)),
    "instanceNorm1d": module(nn.InstanceNorm1d(2), n(2, 2, 4)),
    "instanceNorm1d, affine": module(nn.InstanceNorm1d(2, eps=0.1, affine=True), n(1, 2, 3)),
    "instanceNorm2d": module(nn.InstanceNorm2d(2, affine=True), n(1, 2, 2, 3)),
    "instanceNorm2d, plain": module(nn.InstanceNorm2d(3), n(2, 3, 2, 2)),
    "prelu": module(nn.PReLU(3), n(2, 3)),
    "prelu, one": module(nn.PReLU(), n(2, 3, 2)),
    "maxPool1d": module(nn.MaxPool1d(2), n(2, 2, 5)),
    "maxPool1d, dilated": module(nn.MaxPool1d(2, stride=1, padding=1, dilation=2), n(1, 2, 4)),
    "maxPool2d": module(nn.MaxPool2d(2, stride=1, padding=1), n(1, 2, 3, 3)),
    "maxPool2d, plain": module(nn.MaxPool2d((2, 1)), n(1, 2, 4, 3)),
    "avgPool1d": module(nn.AvgPool1d(2, stride=1), n(2, 2, 4)),
    "avgPool1d, padding": module(nn.AvgPool1d(3, padding=1), n(1, 2, 6)),
    "avgPool2d": module(nn.AvgPool2d(2, padding=1, count_include_pad=False), n(1, 2, 3, 3)),
    "avgPool2d, padding": module(nn.AvgPool2d((2, 3), stride=(1, 2), padding=(0, 1)), n(1, 2, 3, 4)),
    "adaptiveAvgPool1d": module(nn.AdaptiveAvgPool1d(3), n(1, 2, 5)),
    "adaptiveAvgPool1d, all": module(nn.AdaptiveAvgPool1d(1), n(2, 2, 3)),
    "adaptiveAvgPool2d": module(nn.AdaptiveAvgPool2d((2, 3)), n(1, 2, 5, 4)),
    "adaptiveAvgPool2d, all": module(nn.AdaptiveAvgPool2d(1), n(2, 2, 2, 3)),
    "layerScale": plain(lambda x, gamma: x * gamma, n(2, 3), gamma=n(3)),
    "layerScale, sequence": plain(lambda x, gamma: x * gamma, n(2, 2, 2), gamma=n(2)),
    "dropout, evaluation": module(evaluated(nn.Dropout(0.5)), n(2, 3)),
    "dropout, none": module(nn.Dropout(0.0), n(2, 2)),
    "dropPath, evaluation": module(nn.Identity(), n(2, 3)),
    "dropPath, none": module(nn.Identity(), n(3, 2)),
    "identity": module(nn.Identity(), n(2)),
    "feedForward": plain(
        lambda x, up_proj_weight, up_proj_bias, down_proj_weight, down_proj_bias: F.linear(
            F.gelu(F.linear(x, up_proj_weight, up_proj_bias)), down_proj_weight, down_proj_bias),
        n(2, 3), up_proj_weight=n(4, 3), up_proj_bias=n(4), down_proj_weight=n(3, 4), down_proj_bias=n(3)),
    "feedForward, relu": plain(
        lambda x, up_proj_weight, down_proj_weight: F.linear(F.relu(F.linear(x, up_proj_weight)), down_proj_weight),
        n(2, 2, 2), up_proj_weight=n(3, 2), down_proj_weight=n(2, 3)),
    "gatedFeedForward": plain(
        lambda x, gate_proj_weight, up_proj_weight, down_proj_weight: (F.silu(x @ gate_proj_weight.T) * (x @ up_proj_weight.T)) @ down_proj_weight.T,
        n(2, 3), gate_proj_weight=n(4, 3), up_proj_weight=n(4, 3), down_proj_weight=n(3, 4)),
    "gatedFeedForward, gelu": plain(
        lambda x, gate_proj_weight, up_proj_weight, down_proj_weight: (F.gelu(x @ gate_proj_weight.T) * (x @ up_proj_weight.T)) @ down_proj_weight.T,
        n(1, 2, 2), gate_proj_weight=n(3, 2), up_proj_weight=n(3, 2), down_proj_weight=n(2, 3)),
    "learnedPositions": plain(lambda x, weight: x + weight[:2], n(2, 2, 3), weight=n(4, 3)),
    "learnedPositions, given": plain(lambda x, weight: x + weight[[3, 1]], n(1, 2, 2), weight=n(4, 2)),
    "rotary": plain(lambda x: rotary(x, torch.arange(3)), n(2, 3, 4)),
    "rotary, far": plain(lambda x: rotary(x, torch.tensor([7, 100003]), 1e6), n(1, 2, 6)),
    "sinusoidalPositions": plain(lambda x: x + torch.stack([(p := torch.arange(3)[:, None] * 10000 ** (-torch.arange(0, 4, 2) / 4)).sin(), p.cos()], -1).reshape(3, 4), n(2, 3, 4)),
    "sinusoidalPositions, given": plain(lambda x: x + torch.stack([(p := torch.tensor([[5], [900]]) * 10000 ** (-torch.arange(0, 2, 2) / 2)).sin(), p.cos()], -1).reshape(2, 2), n(1, 2, 2)),
    "attention, causal": attention(n(2, 3, 4), mask=causal(3)),
    "attention, grouped": attention(n(1, 3, 4), heads=4, kv=2, size=2, bias=False),
    "attention, rotary": attention(n(1, 3, 4), heads=1, mask=causal(3), turn=lambda t: rotary(t, torch.arange(3))),
    "attention, window": attention(n(1, 4, 2), heads=1, mask=near(4, 2)),
    "attention, alibi": attention(n(1, 3, 4), mask=causal(3), offset=-slopes(2)[:, None, None] * (torch.arange(3)[:, None] - torch.arange(3)[None]).abs()),
    "attention, context": attention(n(2, 3, 4), n(2, 2, 3), mask=pairs),
}
class SixthSigmoid(nn.Module):
    """nn.Hardsigmoid, whose gradient has a sixth with the digits of an f32 in PyTorch 1.13."""

    forward = staticmethod(lambda x: (x / 6 + 0.5).clamp(0, 1))


activations = {
    "relu": [nn.ReLU()], "silu": [nn.SiLU()], "tanh": [nn.Tanh()], "sigmoid": [nn.Sigmoid()], "softplus": [nn.Softplus()],
    "mish": [nn.Mish()], "logSigmoid": [nn.LogSigmoid()], "hardsigmoid": [SixthSigmoid()], "hardswish": [nn.Hardswish()],
    "selu": [nn.SELU()], "gelu": [nn.GELU(), nn.GELU(approximate="tanh")], "elu": [nn.ELU(), nn.ELU(0.3)],
    "leakyRelu": [nn.LeakyReLU(), nn.LeakyReLU(0.3)], "hardtanh": [nn.Hardtanh(), nn.Hardtanh(-0.5, 2)],
    "softmax": [nn.Softmax(-1), nn.Softmax(0)], "logSoftmax": [nn.LogSoftmax(-1), nn.LogSoftmax(0)], "glu": [nn.GLU()],
}
for name, variants in activations.items():
    modules[name] = module(variants[0], n(2, 4) * 3)
    # An activation without options: a second shape, small numbers.
    modules[f"{name}, second"] = module(variants[-1], n(3, 2) * 0.5)
for name, gate in {"reglu": F.relu, "geglu": F.gelu, "swiglu": F.silu}.items():
    modules[name] = plain(lambda x, gate=gate: x[..., :2] * gate(x[..., 2:]), n(2, 4))
    modules[f"{name}, second"] = plain(lambda x, gate=gate: x[..., :1] * gate(x[..., 1:]), n(3, 2, 2))
for name, kind in {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}.items():
    net = kind(2, 3, num_layers=2, bidirectional=True, batch_first=True)
    modules[name] = module(net, n(2, 3, 2), f=lambda x, net=net: net(x)[0])
    net = kind(3, 2, batch_first=True, bias=False)
    modules[f"{name}, no bias"] = module(net, n(1, 4, 3), f=lambda x, net=net: net(x)[0])
net = nn.RNN(2, 2, batch_first=True, nonlinearity="relu")
modules["rnn, relu"] = module(net, n(2, 3, 2), f=lambda x, net=net: net(x)[0])
table = nn.Embedding(4, 3)
modules["embedding, padding"] = module(table, ids, f=lambda i: F.embedding(i, table.weight) * (i != 2)[..., None])
modules["mamba"] = mamba(n(2, 4, 2), 2, states=3, taps=3, expand=2, rank=1)
modules["mamba, wide"] = mamba(n(1, 5, 3), 3, states=2, taps=4, expand=1, rank=2)


def apart(given):
    """A case with the projections of queries, keys and values, one matrix in PyTorch, as three."""
    floats = len(given["gradients"]) - len(given["parameters"])
    parameters, gradients = {}, given["gradients"][:floats]
    for (name, value), gradient in zip(given["parameters"].items(), given["gradients"][floats:]):
        thirds = [""] if "in_proj" not in name else ["q", "k", "v"]
        for i, third in enumerate(thirds):
            part = lambda v: {"shape": [v["shape"][0] // len(thirds)] + v["shape"][1:], "data": v["data"][i * (k := len(v["data"]) // len(thirds)) : (i + 1) * k]}
            parameters[name.replace("in_proj_", f"{third}Proj.")] = part(value)
            gradients.append(part(gradient))
    return given | {"parameters": parameters, "gradients": gradients}


for order, first in {"pre": True, "post": False}.items():
    encoder = nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, batch_first=True, norm_first=first, activation="gelu")
    modules[f"transformer, {order}"] = apart(module(encoder, n(2, 3, 4)))
decoder = nn.TransformerDecoderLayer(4, 2, 5, dropout=0.0, batch_first=True, norm_first=True)
modules["transformer, decoder"] = apart(module(decoder, n(1, 3, 4), n(1, 2, 4)))


def bound(x, y):
    """Scale-invariant SDR in dB, means taken off, 1e-8 added to energies."""
    x, y = x - x.mean(-1, keepdim=True), y - y.mean(-1, keepdim=True)
    s = y * (x * y).sum(-1, keepdim=True) / (y.square().sum(-1, keepdim=True) + 1e-8)
    return 10 * torch.log10((s.square().sum(-1) + 1e-8) / ((s - x).square().sum(-1) + 1e-8))


def pit(x, y):
    """Minus the SI-SDR of the better of all orders."""
    orders = [torch.stack([bound(x[:, i], y[:, j]) for i, j in enumerate(o)]).mean(0) for o in itertools.permutations(range(x.shape[1]))]
    return -torch.stack(orders).amax(0).mean()


t = torch.tensor([0, 2, -100, 1])
w = torch.tensor([0.5, 1.0, 2.0])
alike = torch.tensor([True, False, False])
sign = torch.where(alike, 1, -1)
soft = lambda *s: torch.softmax(n(*s), -1).detach()
logs = lambda *s: torch.log_softmax(n(*s), -1).detach()
losses = {
    "crossEntropy": case(lambda x: F.cross_entropy(x, t), [n(4, 3)], {}),
    "crossEntropyAll": case(lambda x: F.cross_entropy(x, t, weight=w, label_smoothing=0.2), [n(4, 3)], {}),
    "crossEntropySum": case(lambda x: F.cross_entropy(x, t, weight=w, label_smoothing=0.1, reduction="sum"), [n(4, 3)], {}),
    "crossEntropySoft": case(lambda x, p: F.cross_entropy(x, p, weight=w, label_smoothing=0.1), [n(4, 3), soft(4, 3)], {}),
    "binaryCrossEntropy": case(lambda x, y: F.binary_cross_entropy_with_logits(x, y), [n(5), torch.rand(5)], {}),
    "binaryCrossEntropyWeighted": case(lambda x, y: F.binary_cross_entropy_with_logits(x, y, pos_weight=torch.tensor(3.0)), [n(5), torch.rand(5)], {}),
    "mse": case(F.mse_loss, [n(2, 3), n(2, 3)], {}),
    "mseMasked": case(lambda x, y: F.mse_loss(x[[0, 2]], y[[0, 2]]), [n(3), n(3)], {}),
    "l1": case(F.l1_loss, [n(2, 3), n(2, 3)], {}),
    "l1Sum": case(lambda x, y: F.l1_loss(x, y, reduction="sum"), [n(2, 3), n(2, 3)], {}),
    "huber": case(lambda x, y: F.huber_loss(x, y, delta=0.7), [n(2, 3), n(2, 3)], {}),
    "huberNone": case(lambda x, y: F.huber_loss(x, y, reduction="none"), [n(2, 3) * 2, n(2, 3)], {}),
    "smoothL1": case(lambda x, y: F.smooth_l1_loss(x, y, beta=0.7), [n(2, 3), n(2, 3)], {}),
    "smoothL1Sum": case(lambda x, y: F.smooth_l1_loss(x, y, reduction="sum"), [n(2, 3), n(2, 3)], {}),
    "kl": case(lambda p, q: F.kl_div(q, p, reduction="batchmean", log_target=True), [logs(2, 3), logs(2, 3)], {}),
    "klSum": case(lambda p, q: F.kl_div(q, p, reduction="sum", log_target=True), [logs(3, 2), logs(3, 2)], {}),
    "cosine": case(F.cosine_similarity, [n(2, 3), n(2, 3)], {}),
    "cosineAxis0": case(lambda x, y: F.cosine_similarity(x, y, dim=0), [n(2, 3), n(2, 3)], {}),
    "cosineEmbedding": case(lambda x, y: F.cosine_embedding_loss(x, y, sign, margin=-0.5), [n(3, 4), n(3, 4)], {}),
    "cosineEmbeddingSum": case(lambda x, y: F.cosine_embedding_loss(x, y, sign, reduction="sum"), [n(3, 2), n(3, 2)], {}),
    "siSdr": case(bound, [n(2, 5), n(2, 5)], {}),
    "siSdrOne": case(bound, [n(4), n(4)], {}),
    "pit2": case(pit, [n(2, 2, 5), n(2, 2, 5)], {}),
    "pit3": case(pit, [n(2, 3, 4), n(2, 3, 4)], {}),
}


def trajectory(make, steps=6, before=None, schedule=None):
    p = nn.Parameter(torch.tensor([0.5, -1.0, 2.0]))
    o = make([p])
    s = schedule(o) if schedule else None
    path = []
    for _ in range(steps):
        o.zero_grad()
        (p.sin() + torch.tensor([1.0, 2.0, 3.0]) * p**2).sum().backward()
        if before:
            before([p])
        o.step()
        if s:
            s.step()
        path.append(p.tolist())
    return path


class Lion(torch.optim.Optimizer):
    """Chen et al. 2023, algorithm 2."""

    def __init__(self, params, lr, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            (b1, b2), lr = group["betas"], group["lr"]
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                p.sub_(lr * ((b1 * m + (1 - b1) * p.grad).sign() + group["decay"] * p))
                m.mul_(b2).add_(p.grad, alpha=1 - b2)


O = torch.optim
L = O.lr_scheduler
U = nn.utils
optimizers = {
    "sgd": trajectory(lambda p: O.SGD(p, 0.02, momentum=0.9, weight_decay=0.1)),
    "sgd, plain": trajectory(lambda p: O.SGD(p, 0.1)),
    "nesterov": trajectory(lambda p: O.SGD(p, 0.02, momentum=0.8, nesterov=True)),
    "adam": trajectory(lambda p: O.Adam(p, 0.1, weight_decay=0.2)),
    "adam, plain": trajectory(lambda p: O.Adam(p, 0.05, betas=(0.5, 0.9), eps=1e-3)),
    "adamw": trajectory(lambda p: O.AdamW(p, 0.1, weight_decay=0.2, betas=(0.8, 0.95))),
    "adamw, plain": trajectory(lambda p: O.AdamW(p, 0.05)),
    "rmsprop": trajectory(lambda p: O.RMSprop(p, 0.02)),
    "rmspropAll": trajectory(lambda p: O.RMSprop(p, 0.02, alpha=0.8, momentum=0.5, centered=True, weight_decay=0.1)),
    "adagrad": trajectory(lambda p: O.Adagrad(p, 0.3, lr_decay=0.1, weight_decay=0.1)),
    "adagrad, plain": trajectory(lambda p: O.Adagrad(p, 0.5)),
    "lion": trajectory(lambda p: Lion(p, 0.05)),
    "lion, decay": trajectory(lambda p: Lion(p, 0.02, betas=(0.8, 0.9), weight_decay=0.3)),
    "clipped norm": trajectory(lambda p: O.SGD(p, 0.1, momentum=0.5), before=lambda p: U.clip_grad_norm_(p, 2.0)),
    "clipped norm, rarely": trajectory(lambda p: O.Adam(p, 0.1), before=lambda p: U.clip_grad_norm_(p, 9.0)),
    "clipped value": trajectory(lambda p: O.SGD(p, 0.1), before=lambda p: U.clip_grad_value_(p, 1.5)),
    "clipped value, rarely": trajectory(lambda p: O.RMSprop(p, 0.1), before=lambda p: U.clip_grad_value_(p, 6.0)),
    "scheduled": trajectory(lambda p: O.AdamW(p, 0.2), schedule=lambda o: L.CosineAnnealingLR(o, 5)),
}

# Which rows of a table of 40 each step looks up: repeated ones too.
lookups = [[3, 7, 3], [0, 39], [7, 7, 7, 7], [12], [3, 0, 39, 3]]


def table_path(make):
    """A table [40, 2] after each step down the squares of looked-up rows times their place."""
    e = nn.Embedding.from_pretrained(torch.sin(torch.arange(80.0)).reshape(40, 2), freeze=False, sparse=True)
    o = make(list(e.parameters()))
    path = []
    for ids in lookups:
        o.zero_grad()
        rows = e(torch.tensor(ids))
        (rows**2 * torch.arange(1.0, len(ids) + 1)[:, None]).sum().backward()
        o.step()
        path.append(e.weight.detach().reshape(-1).tolist())
    return path


tables = {
    "lookups": lookups,
    "sgd": table_path(lambda p: O.SGD(p, 0.1)),
    "sparse adam": table_path(lambda p: O.SparseAdam(p, 0.1)),
    "sparse adam, betas": table_path(lambda p: O.SparseAdam(p, 0.05, betas=(0.5, 0.8), eps=1e-3)),
}


def rates(schedule, lr=0.5, steps=12):
    o = O.SGD([nn.Parameter(torch.zeros(1))], lr)
    s = schedule(o)
    found = []
    for _ in range(steps):
        found.append(o.param_groups[0]["lr"])
        o.step()
        s.step()
    return found


schedules = {
    "constant": rates(lambda o: L.ConstantLR(o, 1.0)),
    "constant, 0.2": rates(lambda o: L.ConstantLR(o, 1.0), lr=0.2),
    "cosine": rates(lambda o: L.CosineAnnealingLR(o, 11, eta_min=0.1)),
    "cosine, to 0": rates(lambda o: L.CosineAnnealingLR(o, 12), lr=2.0),
    "step": rates(lambda o: L.StepLR(o, 4, gamma=0.3)),
    "step, each": rates(lambda o: L.StepLR(o, 1)),
    "exponential": rates(lambda o: L.ExponentialLR(o, 0.8)),
    "exponential, slow": rates(lambda o: L.ExponentialLR(o, 0.99), lr=3.0),
    "linear": rates(lambda o: L.LinearLR(o, 1.0, 0.2, 8)),
    "linear, up": rates(lambda o: L.LinearLR(o, 0.1, 1.0, 20)),
    "oneCycle": rates(lambda o: L.OneCycleLR(o, 0.5, total_steps=20, cycle_momentum=False)),
    "oneCycle, all": rates(lambda o: L.OneCycleLR(o, 2.0, total_steps=12, pct_start=0.5, div_factor=4, final_div_factor=10, cycle_momentum=False)),
    "warmup, cosine": rates(lambda o: L.SequentialLR(o, [L.LinearLR(o, 0.2, 1.0, 4), L.CosineAnnealingLR(o, 7)], [4]), steps=11),
    "warmup, constant": rates(lambda o: L.LinearLR(o, 0.25, 1.0, 3)),
}
print(json.dumps({"modules": modules, "losses": losses, "optimizers": optimizers, "tables": tables, "schedules": schedules}, separators=(",", ":")))
