"""Makes pytorch.json: what PyTorch says of modules, losses, optimizers and schedules, forward and gradients, in f64.

Run with a Python that has PyTorch (Debian's python3-torch 1.13): python3 make.py > pytorch.json
"""
import json, torch
from torch import nn
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
r = lambda t: {"shape": list(t.shape), "data": [float(f"{v:.13g}") for v in t.detach().double().reshape(-1).tolist()]}


def case(f, inputs, parameters):
    """The output of f, and the gradients of sum(output * weights) to inputs and parameters."""
    for x in inputs:
        if x.is_floating_point():
            x.requires_grad_(True)
    y = f(*inputs)
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


n = torch.randn
modules = {
    "linear": module(nn.Linear(3, 2), n(2, 3)),
    "bilinear": module(nn.Bilinear(3, 2, 2), n(2, 3), n(2, 2)),
    "conv1d": module(nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2), n(2, 4, 7)),
    "conv2d": module(nn.Conv2d(2, 3, (3, 2), stride=(1, 2), padding=(1, 0)), n(1, 2, 4, 5)),
    "convTranspose1d": module(nn.ConvTranspose1d(4, 2, 3, stride=2, padding=1, output_padding=1, groups=2), n(1, 4, 3)),
    "convTranspose2d": module(nn.ConvTranspose2d(2, 3, (2, 3), stride=2, dilation=(1, 2)), n(1, 2, 2, 2)),
    "batchNorm1d": module(nn.BatchNorm1d(3), n(4, 3)),
    "batchNorm2d": module(nn.BatchNorm2d(2), n(2, 2, 3, 2)),
    "layerNorm": module(nn.LayerNorm([2, 3]), n(2, 2, 3)),
    "groupNorm": module(nn.GroupNorm(2, 4), n(2, 4, 3)),
    "instanceNorm2d": module(nn.InstanceNorm2d(2, affine=True), n(1, 2, 2, 3)),
    "prelu": module(nn.PReLU(3), n(2, 3)),
    "gelu": module(nn.GELU(), n(2, 3)),
    "geluTanh": module(nn.GELU(approximate="tanh"), n(2, 3)),
    "mish": module(nn.Mish(), n(2, 3)),
    "hardswish": module(nn.Hardswish(), n(2, 3) * 3),
    "glu": module(nn.GLU(), n(2, 4)),
    "maxPool2d": module(nn.MaxPool2d(2, stride=1, padding=1), n(1, 2, 3, 3)),
    "avgPool2d": module(nn.AvgPool2d(2, padding=1, count_include_pad=False), n(1, 2, 3, 3)),
    "adaptiveAvgPool1d": module(nn.AdaptiveAvgPool1d(3), n(1, 2, 5)),
}
for name, kind in {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}.items():
    net = kind(2, 3, num_layers=2, bidirectional=True, batch_first=True)
    modules[name] = module(net, n(2, 3, 2), f=lambda x, net=net: net(x)[0])



class Attention(nn.Module):
    """nn.MultiheadAttention's function with projections of their own, and a causal mask."""

    def __init__(self):
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(4, 4) for _ in range(4))

    def forward(self, x):
        inner = [self.q_proj, self.k_proj, self.v_proj]
        x = x.transpose(0, 1)
        mask = torch.full((len(x), len(x)), float("-inf")).triu(1)
        y, _ = F.multi_head_attention_forward(
            x, x, x, 4, 2, torch.cat([l.weight for l in inner]), torch.cat([l.bias for l in inner]), None, None, False,
            0.0, self.o_proj.weight, self.o_proj.bias, need_weights=False, attn_mask=mask,
        )
        return y.transpose(0, 1)


modules["attention"] = module(Attention(), n(2, 3, 4))

t = torch.tensor([0, 2, -100, 1])
w = torch.tensor([0.5, 1.0, 2.0])
losses = {
    "crossEntropy": case(lambda x: F.cross_entropy(x, t), [n(4, 3)], {}),
    "crossEntropyAll": case(lambda x: F.cross_entropy(x, t, weight=w, label_smoothing=0.2), [n(4, 3)], {}),
    "crossEntropySum": case(lambda x: F.cross_entropy(x, t, weight=w, label_smoothing=0.1, reduction="sum"), [n(4, 3)], {}),
    "crossEntropySoft": case(lambda x, p: F.cross_entropy(x, p, weight=w, label_smoothing=0.1), [n(4, 3), torch.softmax(n(4, 3), -1).detach()], {}),
    "binaryCrossEntropy": case(lambda x, y: F.binary_cross_entropy_with_logits(x, y), [n(5), torch.rand(5)], {}),
    "binaryCrossEntropyWeighted": case(lambda x, y: F.binary_cross_entropy_with_logits(x, y, pos_weight=torch.tensor(3.0)), [n(5), torch.rand(5)], {}),
    "mse": case(F.mse_loss, [n(2, 3), n(2, 3)], {}),
    "l1": case(F.l1_loss, [n(2, 3), n(2, 3)], {}),
    "huber": case(lambda x, y: F.huber_loss(x, y, delta=0.7), [n(2, 3), n(2, 3)], {}),
    "smoothL1": case(lambda x, y: F.smooth_l1_loss(x, y, beta=0.7), [n(2, 3), n(2, 3)], {}),
    "kl": case(lambda p, q: F.kl_div(q, p, reduction="batchmean", log_target=True), [torch.log_softmax(n(2, 3), -1).detach(), torch.log_softmax(n(2, 3), -1).detach()], {}),
    "cosine": case(F.cosine_similarity, [n(2, 3), n(2, 3)], {}),
}


def trajectory(make, steps=6, schedule=None):
    p = nn.Parameter(torch.tensor([0.5, -1.0, 2.0]))
    o = make([p])
    s = schedule(o) if schedule else None
    path = []
    for _ in range(steps):
        o.zero_grad()
        (p.sin() + torch.tensor([1.0, 2.0, 3.0]) * p**2).sum().backward()
        o.step()
        if s:
            s.step()
        path.append(p.tolist())
    return path


O = torch.optim
optimizers = {
    "sgd": trajectory(lambda p: O.SGD(p, 0.02, momentum=0.9, weight_decay=0.1)),
    "nesterov": trajectory(lambda p: O.SGD(p, 0.02, momentum=0.8, nesterov=True)),
    "adam": trajectory(lambda p: O.Adam(p, 0.1, weight_decay=0.2)),
    "adamw": trajectory(lambda p: O.AdamW(p, 0.1, weight_decay=0.2, betas=(0.8, 0.95))),
    "rmsprop": trajectory(lambda p: O.RMSprop(p, 0.02)),
    "rmspropAll": trajectory(lambda p: O.RMSprop(p, 0.02, alpha=0.8, momentum=0.5, centered=True, weight_decay=0.1)),
    "adagrad": trajectory(lambda p: O.Adagrad(p, 0.3, lr_decay=0.1, weight_decay=0.1)),
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


L = O.lr_scheduler
schedules = {
    "cosine": rates(lambda o: L.CosineAnnealingLR(o, 11, eta_min=0.1)),
    "step": rates(lambda o: L.StepLR(o, 4, gamma=0.3)),
    "exponential": rates(lambda o: L.ExponentialLR(o, 0.8)),
    "linear": rates(lambda o: L.LinearLR(o, 1.0, 0.2, 8)),
    "oneCycle": rates(lambda o: L.OneCycleLR(o, 0.5, total_steps=20, cycle_momentum=False)),
}
print(json.dumps({"modules": modules, "losses": losses, "optimizers": optimizers, "schedules": schedules}, separators=(",", ":")))
