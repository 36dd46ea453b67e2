"""Multiply-accumulates by operator: against hand counts and torch's counter."""

import pytest
import torch
import torch.nn.functional as F
from sparsebench.bench.measurement.flops import WITHOUT_WEIGHT, macs, speedup
from sparsebench.bench.models import factory as models
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

COLOUR = (3, 32, 32)


def counted_by_torch(model: nn.Module, shape: tuple[int, ...]) -> int:
    """In operators that torch's counter knows; it does not know the fused kernel of attention on a CPU."""
    with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        model.eval()(torch.zeros(1, *shape))
    return int(counter.get_total_flops()) // 2


@pytest.mark.parametrize(
    ("name", "shape", "attention"),
    [
        ("mobilenetv2_050", COLOUR, 0),
        ("convnext_atto", COLOUR, 0),
        ("tf_efficientnet_cc_b0_4e", COLOUR, 0),
        # 2, 2, 6 and 2 blocks of 3 to 24 heads on 16², 8², 4² and 2² tokens, in windows of at most 8²
        (
            "swinv2_tiny_window8_256",
            (3, 64, 64),
            2 * 32 * (2 * 3 * 256 * 64 + 2 * 6 * 64 * 64 + 6 * 12 * 16 * 16 + 2 * 24 * 4 * 4),
        ),
        ("vit_tiny_patch16_224", COLOUR, 12 * 3 * 2 * 5**2 * 64),  # 12 blocks, 3 heads, 4 patches and a token
        ("eva02_tiny_patch14_224", (3, 28, 28), 12 * 3 * 2 * 5**2 * 64),
        ("beit_base_patch16_224", COLOUR, 12 * 12 * 2 * 5**2 * 64),
    ],
)
def test_all_products_of_a_network_are_counted(
    name: str, shape: tuple[int, int, int], attention: int
) -> None:
    net = models.create(name, shape, 10)
    found = macs(net, shape)
    assert sum(found.values()) == counted_by_torch(net, shape)
    if name != "tf_efficientnet_cc_b0_4e":  # whose kernels are mixed
        assert found.get(WITHOUT_WEIGHT, 0) == attention
        layers = (nn.Linear, nn.Conv2d)
        named = {f"{n}.weight" for n, m in net.named_modules() if isinstance(m, layers)}
        assert set(found) - {WITHOUT_WEIGHT} == named


def test_attention_is_counted_dense_in_the_speed_up() -> None:
    """A ViT-Tiny with patch 4, all weights at 1 %: the products of 65² pairs in 36 heads remain."""
    net = models.create("vit_tiny_patch16_224", COLOUR, 10, patch_size=4)
    cost = macs(net, COLOUR)
    products = 12 * 3 * 2 * 65**2 * 64
    assert cost[WITHOUT_WEIGHT] == products
    dense = sum(cost.values())
    found = speedup(cost, dict.fromkeys(set(cost) - {WITHOUT_WEIGHT}, 0.01))
    assert found == pytest.approx(dense / (products + 0.01 * (dense - products)))
    assert found < 17


class Operators(nn.Module):
    """A network of operators that are no modules' calls."""

    def __init__(self) -> None:
        super().__init__()
        self.w, self.k = nn.Parameter(torch.randn(6, 4)), nn.Parameter(torch.randn(4, 2, 3))

    def forward(self, x: Tensor) -> Tensor:
        x = x @ self.w.T  # 5·4·6
        x = torch.einsum("bnc,cd->bnd", x, self.w)  # 5·6·4
        x = F.conv_transpose1d(x.mT, self.k, stride=2).mT  # 5 places of 4·2·3, on to 2 channels at 11
        return torch.baddbmm(x.new_zeros(()), x, x.mT)  # 11·2·11, of activations


def test_functional_products_belong_to_the_parameter_that_is_their_operand() -> None:
    assert macs(Operators(), (5, 4)) == {"w": 240, "k": 120, WITHOUT_WEIGHT: 242}
    assert counted_by_torch(Operators(), (5, 4)) == 602


@pytest.mark.parametrize(("kind", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
def test_a_recurrent_matrix_is_applied_at_each_step(kind: type[nn.RNNBase], gates: int) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = kind(4, 5, 2, batch_first=True, bidirectional=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.rnn(x)[0]  # type: ignore[no-any-return]

    found = macs(Net(), (7, 4))
    assert found == {f"rnn.{n}": 7 * p.numel() for n, p in Net().rnn.named_parameters() if p.ndim == 2}
    assert sum(found.values()) == 7 * 2 * gates * (5 * 4 + 5 * 5 + 5 * 10 + 5 * 5)


def test_the_fused_attention_of_torch_is_seen_through() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    found = macs(layer, (5, 8))
    assert found == {
        "self_attn.in_proj_weight": 5 * 8 * 24, "self_attn.out_proj.weight": 5 * 8 * 8,
        "linear1.weight": 5 * 8 * 16, "linear2.weight": 5 * 8 * 16, WITHOUT_WEIGHT: 2 * 2 * 5 * 5 * 4,
    }  # fmt: skip
    assert torch.backends.mha.get_fastpath_enabled()


def test_a_kernel_that_is_no_stored_weight_is_dense() -> None:
    net = models.create("nf_resnet26", COLOUR, 10)
    found = macs(net, COLOUR)
    assert set(found) == {WITHOUT_WEIGHT, "head.fc.weight"}
    assert sum(found.values()) == counted_by_torch(net, COLOUR)
