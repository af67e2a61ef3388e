"""Golden values for rlrun-nn, computed by PyTorch on the CPU in the plainest form.

    .venv/bin/python nn/tests/golden/make_golden.py

writes torso.json and optim.json beside this file. `src/golden.rs` compares. Weights, frames and gradients are filled by
the formulas below in both languages, so that only results are stored. The torso here divides the pixels by 255, appends
the coordinates to the image and flattens [C, H, W]; the crate does none of the three.
"""

import json
import math
import pathlib

import torch
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
OBS_SHAPE = (2, 4, 44, 52)  # -> 10x12 -> 4x5 -> 2x3


def wave(shape, scale, phase):
    """scale * sin(1.7 i + phase), i the index in row-major order."""
    n = math.prod(shape)
    values = [scale * math.sin(1.7 * i + phase) for i in range(n)]
    return torch.tensor(values, dtype=torch.float32).reshape(shape)


def frames():
    """Bytes (7919 i + 31 (i // 52)) mod 256."""
    n = math.prod(OBS_SHAPE)
    values = [(7919 * i + 31 * (i // 52)) % 256 for i in range(n)]
    return torch.tensor(values, dtype=torch.uint8).reshape(OBS_SHAPE)


def with_coords(x, radius):
    n, _, h, w = x.shape
    xx = torch.linspace(-1, 1, w).reshape(1, 1, 1, w).expand(n, 1, h, w)
    yy = torch.linspace(-1, 1, h).reshape(1, 1, h, 1).expand(n, 1, h, w)
    channels = [x, xx, yy] + ([torch.sqrt(xx**2 + yy**2)] if radius else [])
    return torch.cat(channels, 1)


def torso(coord_layers, radius):
    """Features, gradients of sum(features * wave) for one kind of torso; coord_layers is 0, 1 or 3."""
    d = 3 if radius else 2
    channels = [OBS_SHAPE[1], 32, 64]
    c_in = [c + (d if i < coord_layers else 0) for i, c in enumerate(channels)]
    shapes = [(32, c_in[0], 8, 8), (64, c_in[1], 4, 4), (64, c_in[2], 3, 3), (512, 64 * 2 * 3)]
    params = []
    for i, shape in enumerate(shapes):
        scale = 2.0 / math.sqrt(math.prod(shape[1:]))
        params += [wave(shape, scale, 0.1 * i), wave(shape[:1], 0.1, 0.5 + 0.1 * i)]
    params = [p.requires_grad_() for p in params]
    x = frames().float() / 255
    for i, stride in enumerate([4, 2, 1]):
        if i < coord_layers:
            x = with_coords(x, radius)
        x = F.relu(F.conv2d(x, params[2 * i], params[2 * i + 1], stride))
    features = F.relu(F.linear(x.flatten(1), params[6], params[7]))
    (features * wave(features.shape, 1.0, 0.9)).sum().backward()
    grads = []
    for p in params:
        g = p.grad.flatten()
        stride = max(1, g.numel() // 64)
        grads.append({"norm": g.double().norm().item(), "stride": stride, "sample": g[::stride].tolist()})
    return {"features": features.detach()[:, ::4].flatten().tolist(), "grads": grads}


def optim_inputs():
    """The weight the optimizers start from, and its gradient at each of five steps."""
    return wave((3, 4), 1.0, 0.2), [wave((3, 4), 3.0 / (step + 1), float(step)) for step in range(5)]


def rms_prop_tf(lr, decay, epsilon):
    """tf.train.RMSPropOptimizer, written out: epsilon in the root, mean square from 1."""
    w, grads = optim_inputs()
    ms = torch.ones_like(w)
    steps = []
    for g in grads:
        ms = ms + (g * g - ms) * (1 - decay)
        w = w - lr * g * torch.rsqrt(ms + epsilon)
        steps.append({"weight": w.flatten().tolist(), "mean_square": ms.flatten().tolist()})
    return steps


def rms_prop_centered(lr, decay, epsilon):
    """DeepMind's form of Graves 2013, written out: epsilon in the root, both means from 0, no momentum."""
    w, grads = optim_inputs()
    m, ms = torch.zeros_like(w), torch.zeros_like(w)
    steps = []
    for g in grads:
        m = decay * m + (1 - decay) * g
        ms = decay * ms + (1 - decay) * g * g
        w = w - lr * g / torch.sqrt(ms - m * m + epsilon)
        steps.append({"weight": w.flatten().tolist(), "mean": m.flatten().tolist(), "mean_square": ms.flatten().tolist()})
    return steps


def adam(lr, betas, epsilon):
    w, grads = optim_inputs()
    w.requires_grad_()
    optimizer = torch.optim.Adam([w], lr=lr, betas=betas, eps=epsilon)
    steps = []
    for g in grads:
        w.grad = g.clone()
        optimizer.step()
        steps.append({"weight": w.detach().flatten().tolist()})
    return steps


def adam_tf(lr, betas, epsilon):
    """tf.train.AdamOptimizer, written out: epsilon is added to the uncorrected root."""
    w, grads = optim_inputs()
    m, v = torch.zeros_like(w), torch.zeros_like(w)
    steps = []
    for t, g in enumerate(grads, start=1):
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g * g
        lr_t = lr * math.sqrt(1 - betas[1] ** t) / (1 - betas[0] ** t)
        w = w - lr_t * m / (torch.sqrt(v) + epsilon)
        steps.append({"weight": w.flatten().tolist()})
    return steps


def clip(max_norm):
    _, grads = optim_inputs()
    params = [torch.zeros_like(g) for g in grads]
    for p, g in zip(params, grads):
        p.grad = g.clone()
    norm = torch.nn.utils.clip_grad_norm_(params, max_norm).item()
    return {"max_norm": max_norm, "norm": norm, "grads": [p.grad.flatten().tolist() for p in params]}


def main():
    torsos = {
        "conv": torso(0, False),
        "coordconv_first": torso(1, False),
        "coordconv_first_radius": torso(1, True),
        "coordconv_all_radius": torso(3, True),
    }
    optim = {
        "rms_prop_tf": rms_prop_tf(lr=0.05, decay=0.99, epsilon=1e-5),
        "rms_prop_centered": rms_prop_centered(lr=0.05, decay=0.95, epsilon=0.01),
        "adam": adam(lr=0.05, betas=(0.9, 0.999), epsilon=1e-8),
        "adam_tf": adam_tf(lr=0.05, betas=(0.9, 0.99), epsilon=0.1),
        "clip": [clip(0.5), clip(1000.0)],
    }
    for name, values in [("torso.json", torsos), ("optim.json", optim)]:
        (HERE / name).write_text(json.dumps(values) + "\n")


if __name__ == "__main__":
    main()
