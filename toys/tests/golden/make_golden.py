"""Golden values for rlrun-toys, computed by PyTorch on the CPU in the plainest form and in double precision.

    .venv/bin/python toys/tests/golden/make_golden.py

writes nets.json beside this file. `src/golden.rs` compares. Parameters and images are filled by the formula of `wave` in
both languages, rounded to f32, so that only results are stored. TensorFlow's "SAME" is written out: explicit zeros around
the image for a convolution, explicit crops for a transposed one.
"""

import json
import math
import pathlib

import torch
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
LOCATIONS = [(4, 4), (59, 31), (20, 47)]


def wave(shape, scale, phase):
    """scale * sin(1.7 i + phase), i the index in row-major order, rounded to f32."""
    n = math.prod(shape)
    values = [scale * math.sin(1.7 * i + phase) for i in range(n)]
    return torch.tensor(values, dtype=torch.float32).reshape(shape).double()


def fill(shapes):
    """Parameters by name; the phase grows by 0.1 from one to the next."""
    params = {}
    for i, (name, shape) in enumerate(shapes.items()):
        kind = name.split(".")[1]
        if kind == "weight":
            value = wave(shape, 3.0 / math.sqrt(math.prod(shape[1:])), 0.1 * i)
        elif kind == "gamma":
            value = 1.0 + wave(shape, 0.25, 0.1 * i)
        else:
            value = wave(shape, 0.1, 0.1 * i)
        params[name] = value.requires_grad_()
    return params


def conv_shapes(prefix, channels, kernels):
    shapes = {}
    for i, k in enumerate(kernels):
        shapes[f"{prefix}{i + 1}.weight"] = (channels[i + 1], channels[i], k, k)
        shapes[f"{prefix}{i + 1}.bias"] = (channels[i + 1],)
    return shapes


def same_conv(x, params, name, stride=1):
    weight = params[name + ".weight"]
    k, n = weight.shape[2], x.shape[2]
    total = max((math.ceil(n / stride) - 1) * stride + k - n, 0)
    before, after = total // 2, total - total // 2
    x = F.pad(x, (before, after, before, after))
    return F.conv2d(x, weight, params[name + ".bias"], stride)


def same_deconv(x, params, name):
    weight = params[name + ".weight"]
    k, n = weight.shape[2], x.shape[2]
    full = F.conv_transpose2d(x, weight, params[name + ".bias"], 2)
    start = {2: 0, 3: 0, 4: 1, 5: 1}[k]
    return full[:, :, start : start + 2 * n, start : start + 2 * n]


def batch_norm(x, params, name, stats, train):
    gamma, beta = params[name + ".gamma"], params[name + ".beta"]
    return F.batch_norm(x, *stats[name], gamma, beta, train, momentum=0.1, eps=1e-5)


def new_stats(params):
    """Running mean and variance for every batch normalisation, neither 0 nor 1."""
    stats = {}
    for name, gamma in params.items():
        if name.endswith(".gamma"):
            stats[name.split(".")[0]] = (wave(gamma.shape, 0.2, 0.3), 1.0 + wave(gamma.shape, 0.5, 0.6))
    return stats


def rounded(tensor):
    return [float(f"{x:.8g}") for x in tensor.flatten().tolist()]


def sample(tensor, n):
    flat = tensor.detach().flatten()
    stride = (flat.numel() // n) | 1  # odd: every tap of a kernel has its turn
    return {"stride": stride, "norm": flat.norm().item(), "sample": rounded(flat[::stride])}


def record(out, params, stats=None):
    """The output, the gradients of sum(output * wave), and the running statistics after the pass."""
    (out * wave(out.shape, 1.0, 0.9)).sum().backward()
    result = {"out": sample(out, 24), "grads": {name: sample(p.grad, 5) for name, p in params.items()}}
    if stats:
        result["stats"] = {name: [sample(s, 4) for s in pair] for name, pair in stats.items()}
    return result


def deconv_painter(filter_size, train):
    channels = [2, 64, 64, 64, 32, 32, 1]
    shapes = {}
    for i in range(6):
        shapes[f"deconv{i + 1}.weight"] = (channels[i], channels[i + 1], filter_size, filter_size)
        shapes[f"deconv{i + 1}.bias"] = (channels[i + 1],)
        if i < 5:
            shapes[f"bn{i + 1}.gamma"] = (channels[i + 1],)
            shapes[f"bn{i + 1}.beta"] = (channels[i + 1],)
    params = fill(shapes)
    stats = new_stats(params)
    x = torch.tensor(LOCATIONS, dtype=torch.double).reshape(-1, 2, 1, 1)
    for i in range(5):
        x = same_deconv(x, params, f"deconv{i + 1}")
        x = F.relu(batch_norm(x, params, f"bn{i + 1}", stats, train))
    x = same_deconv(x, params, "deconv6")
    return record(x.flatten(1), params, stats)


def pooled_regressor():
    shapes = conv_shapes("conv", [1, 16, 16, 16, 16], [3] * 4)
    shapes |= {"dense1.weight": (64, 1024), "dense1.bias": (64,), "dense2.weight": (2, 64), "dense2.bias": (2,)}
    params = fill(shapes)
    x = wave((2, 1, 64, 64), 1.0, 0.4)
    for i in range(3):
        x = F.max_pool2d(F.relu(same_conv(x, params, f"conv{i + 1}")), 2)
    x = F.relu(same_conv(x, params, "conv4"))
    x = x.permute(0, 2, 3, 1).flatten(1)  # row, column, channel
    x = F.relu(F.linear(x, params["dense1.weight"], params["dense1.bias"]))
    return record(F.linear(x, params["dense2.weight"], params["dense2.bias"]), params)


def fully_conv_regressor(train):
    shapes = conv_shapes("conv", [1] + [16] * 8 + [2], [5, 1, 3, 3, 3, 3, 1, 3, 3])
    shapes |= {"bn1.gamma": (16,), "bn1.beta": (16,), "bn2.gamma": (16,), "bn2.beta": (16,)}
    params = fill(shapes)
    stats = new_stats(params)
    x = wave((2, 1, 64, 64), 1.0, 0.4)
    x = F.relu(same_conv(x, params, "conv1", 2))
    x = F.relu(same_conv(x, params, "conv2"))
    x = batch_norm(x, params, "bn1", stats, train)
    x = F.relu(same_conv(x, params, "conv3"))
    x = F.relu(same_conv(x, params, "conv4", 2))
    x = F.relu(batch_norm(same_conv(x, params, "conv5", 2), params, "bn2", stats, train))
    x = F.relu(same_conv(x, params, "conv6", 2))
    x = F.relu(same_conv(x, params, "conv7"))
    x = F.relu(same_conv(x, params, "conv8", 2))
    x = F.relu(same_conv(x, params, "conv9"))
    return record(x.mean((2, 3)), params, stats)


def coord_regressor():
    params = fill(conv_shapes("conv", [3, 8, 8, 8, 8, 2], [1, 1, 1, 3, 3]))
    with torch.no_grad():
        params["conv1.weight"][:, 0] *= 20  # or the pixel would not reach the maximum
    x = torch.zeros(len(LOCATIONS), 3, 64, 64, dtype=torch.double)
    for i, (column, row) in enumerate(LOCATIONS):
        x[i, 0, row, column] = 1.0
    ramp = torch.linspace(-1, 1, 64, dtype=torch.double)
    x[:, 1] = ramp.reshape(1, 1, 64)
    x[:, 2] = ramp.reshape(1, 64, 1)
    for i in range(5):
        x = same_conv(x, params, f"conv{i + 1}")
    return record(x.flatten(2).max(2).values, params)


def painter(filter_size):
    params = fill(conv_shapes("paint", [1, 8, 8, 16, 16, 1], [filter_size] * 5))
    x = wave((2, 1, 64, 64), 1.0, 0.4)
    for i in range(4):
        x = F.relu(same_conv(x, params, f"paint{i + 1}"))
    return record(same_conv(x, params, "paint5").flatten(1), params)


def main():
    nets = {}
    for filter_size in (2, 3, 4):
        nets[f"deconv_painter_{filter_size}_train"] = deconv_painter(filter_size, True)
        nets[f"deconv_painter_{filter_size}_eval"] = deconv_painter(filter_size, False)
    nets["pooled_regressor"] = pooled_regressor()
    nets["fully_conv_regressor_train"] = fully_conv_regressor(True)
    nets["fully_conv_regressor_eval"] = fully_conv_regressor(False)
    nets["coord_regressor"] = coord_regressor()
    for filter_size in (1, 3):
        nets[f"painter_{filter_size}"] = painter(filter_size)
    (HERE / "nets.json").write_text(json.dumps(nets) + "\n")


if __name__ == "__main__":
    main()
