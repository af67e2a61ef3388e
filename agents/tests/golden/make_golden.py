"""Golden values for DQN, computed by PyTorch on the CPU in the plainest form.

    .venv/bin/python agents/tests/golden/make_golden.py

writes dqn.json beside this file. `src/dqn/golden.rs` compares. Weights, frames and the batch are filled by the formulas
below in both languages, so that only results are stored. Observations of 36x36 leave one pixel of the last convolution, so
that flattening has no order.
"""

import json
import math
import pathlib

import torch
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
B, A, OBS_SHAPE = 4, 3, (4, 36, 36)
CONVS = [("torso.conv1", (32, 4, 8, 8)), ("torso.conv2", (64, 32, 4, 4)), ("torso.conv3", (64, 64, 3, 3))]
PLAIN = [("torso.fc", (512, 64)), ("q", (A, 512))]
DUELING = [
    ("value.hidden", (512, 64)),
    ("value.out", (1, 512)),
    ("advantage.hidden", (512, 64)),
    ("advantage.out", (A, 512)),
]


def wave(shape, scale, phase):
    """scale * sin(1.7 i + (i^2 mod 1009) + phase), i the index in row-major order: no two rows alike."""
    n = math.prod(shape)
    values = [scale * math.sin(1.7 * i + i * i % 1009 + phase) for i in range(n)]
    return torch.tensor(values, dtype=torch.float32).reshape(shape)


def frames(offset):
    """Bright and dark patches: image b, channel c, row y, column x is bright if (b + 2) (y // 6) + x // 9 + c + offset
    divides by 3."""
    b, c, y, x = torch.meshgrid(*[torch.arange(n) for n in (B, *OBS_SHAPE)], indexing="ij")
    bright = ((b + 2) * (y // 6) + x // 9 + c + offset) % 3 == 0
    return torch.where(bright, 250 - 40 * b, 3 * x).to(torch.uint8)


def parameters(dueling, phase):
    """Name -> weight and bias of each layer; layer i has the phase 0.1 i more than the first."""
    params = {}
    for i, (name, shape) in enumerate(CONVS + (DUELING if dueling else PLAIN)):
        scale = 2.0 / math.sqrt(math.prod(shape[1:]))
        params[name + ".weight"] = wave(shape, scale, phase + 0.1 * i).requires_grad_()
        params[name + ".bias"] = wave(shape[:1], 0.1, phase + 0.5 + 0.1 * i).requires_grad_()
    return params


def q_values(params, dueling, obs):
    def linear(name, x):
        return F.linear(x, params[name + ".weight"], params[name + ".bias"])

    x = obs.float() / 255
    for (name, _), stride in zip(CONVS, [4, 2, 1]):
        x = F.relu(F.conv2d(x, params[name + ".weight"], params[name + ".bias"], stride))
    x = x.flatten(1)
    if not dueling:
        return linear("q", F.relu(linear("torso.fc", x)))
    if x.requires_grad:
        x.register_hook(lambda grad: grad / math.sqrt(2))
    value = linear("value.out", F.relu(linear("value.hidden", x)))
    advantage = linear("advantage.out", F.relu(linear("advantage.hidden", x)))
    return value + advantage - advantage.mean(1, keepdim=True)


def case(double, dueling, loss_name):
    online, target = parameters(dueling, 0.0), parameters(dueling, 3.1)
    action = torch.tensor([0, 2, 1, 1])
    reward = torch.tensor([1.0, -1.0, 0.0, 2.5])
    discount = torch.tensor([0.0, 0.99, 0.970299, 0.99])  # the first is the last of its return, the third one of 3 steps
    weight = torch.tensor([1.0, 0.25, 0.5, 0.75])
    with torch.no_grad():
        q_target_t = q_values(target, dueling, frames(1))
        q_t = q_values(online, dueling, frames(1))
        chosen = (q_t if double else q_target_t).argmax(1)
        y = reward + discount * q_target_t[torch.arange(B), chosen]
    q = q_values(online, dueling, frames(0))[torch.arange(B), action]
    each = {"huber": F.smooth_l1_loss, "mse": F.mse_loss}[loss_name](q, y, reduction="none")
    loss = (weight * each).mean()
    loss.backward()
    grads = []
    for name, p in online.items():
        g = p.grad.flatten()
        stride = max(1, g.numel() // 16)
        grads.append({"name": name, "norm": g.double().norm().item(), "stride": stride, "sample": g[::stride].tolist()})
    return {
        "loss": loss.item(),
        "td_errors": (y - q).tolist(),
        "q_mean": q.mean().item(),
        "q_t": q_t.flatten().tolist(),
        "grads": grads,
    }


def main():
    cases = {}
    for loss_name in ["huber", "mse"]:
        for name, double, dueling in [
            ("plain", False, False),
            ("double", True, False),
            ("dueling", False, True),
            ("double_dueling", True, True),
        ]:
            cases[f"{name}_{loss_name}"] = case(double, dueling, loss_name)
    (HERE / "dqn.json").write_text(json.dumps(cases) + "\n")


if __name__ == "__main__":
    main()
