"""Structures are made of what their names and attributes say, listed or not, and train from their smallest image on."""

from itertools import product

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from suite.levels.layers import DensePairs, LayerPair, blocks
from suite.levels.structures import generated, mlp, seed_cnn
from suite.matrix.cases import cases_of
from suite.matrix.profiles import load_profile
from suite.records import StepmarkError
from suite.registry import SHOWN_NAMES, STRUCTURES, StructureRegistry, StructureSpec, load_levels
from tests.fakes.networks import inputs_of, network_of, takes_images

load_levels()

SIZE = 28
BATCH = 2
WORDS = {
    "convolution": "",
    "separable": "_separable",
    "grouped": "_grouped",
    "bottleneck": "_bottleneck",
    "batch": "",
    "none": "_nonorm",
    "group": "_groupnorm",
    "gap": "",
    "fc": "_fc",
}
"""Attribute -> how it stands in a name."""
VISION = [name for name in STRUCTURES if STRUCTURES[name].attributes.get("family") == "torchvision"]
SMALL = [name for name in STRUCTURES if name not in VISION and takes_images(name)]
UNLISTED = [
    "dense_grouped_groupnorm_fc_d16w64",
    "plain_bottleneck_nonorm_d2w16",
    "dense_separable_d2w32",
    "plain_groupnorm_fc_d4w16",
    "seed_cnn_c1l1",
    "seed_cnn_c2l2",
    "seed_cnn_separable_c3l3",
    "seed_cnn_bottleneck_c3l1",
    "mlp_d8w64",
    "mlp_d1w256",
]


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def built(name: str, size: int = SIZE, classes: int = 10) -> nn.Module:
    torch.manual_seed(0)
    return STRUCTURES[name].build(classes, size)


def count(network: nn.Module) -> int:
    return sum(weights.numel() for weights in network.parameters())


def of(network: nn.Module, kind: type) -> list:
    return [module for module in network.modules() if isinstance(module, kind)]


def sides(network: nn.Module) -> list[tuple[int, int]]:
    """(kernel, groups) of every convolution."""
    return [(module.kernel_size[0], module.groups) for module in of(network, nn.Conv2d)]


def assert_trains(network: nn.Module, size: int) -> None:
    """(N, K) in both modes, and a finite gradient in every parameter."""
    network.train()
    logits = network(torch.randn(BATCH, 3, size, size))
    assert logits.shape == (BATCH, 10)
    nn.functional.cross_entropy(logits, torch.tensor([1, 2])).backward()
    assert [label for label, weights in network.named_parameters() if weights.grad is None] == []
    assert all(torch.isfinite(weights.grad).all() for weights in network.parameters())
    network.eval()
    with torch.no_grad():
        assert network(torch.randn(BATCH, 3, size, size)).shape == (BATCH, 10)


def outline(name: str, size: int, classes: int = 10) -> nn.Module:
    """The network without values: shapes alone, which cost no time."""
    try:
        with torch.device("meta"):
            return built(name, size, classes)
    except NotImplementedError:  # a builder that reckons with tensors, as torchvision's of regnets
        return built(name, size, classes).to("meta")


def holds_out(name: str, size: int) -> bool:
    """Whether images of this size go through, and nothing strides over a single pixel."""
    strided: list[int] = []
    try:
        network = outline(name, size).eval()
        for module in of(network, nn.Conv2d):
            if max(module.stride) > 1:
                module.register_forward_pre_hook(lambda _module, given: strided.append(min(given[0].shape[-2:])))
        network(torch.empty(BATCH, 3, size, size, device="meta"))
    except (RuntimeError, UserWarning):  # the latter of a linear layer that is given nothing
        return False
    return 1 not in strided


# Every structure


@pytest.mark.parametrize("name", SMALL + UNLISTED)
def test_a_structure_trains_every_parameter(name):
    assert_trains(built(name), SIZE)


@pytest.mark.parametrize("name", [*SMALL, *UNLISTED, *(pytest.param(name, marks=pytest.mark.slow) for name in VISION)])
def test_a_structure_trains_at_its_smallest_image_size(name):
    size = STRUCTURES[name].min_image_size
    assert_trains(built(name, size), size)
    assert holds_out(name, size)


@pytest.mark.parametrize("name", [n for n in SMALL + UNLISTED + VISION if STRUCTURES[n].min_image_size > 1])
def test_a_structure_fails_or_degenerates_below_its_smallest_image_size(name):
    assert not holds_out(name, STRUCTURES[name].min_image_size - 1)


@pytest.mark.parametrize("name", SMALL + UNLISTED + VISION)
def test_a_structure_names_its_source(name):
    assert "Source:" in STRUCTURES[name].source


# The generated family


@st.composite
def members(draw):
    """Attributes of a member of the generated family."""
    return {
        "family": "generated",
        "depth": draw(st.sampled_from([2, 4, 8, 16])),
        "width": draw(st.sampled_from([16, 32, 64])),
        "layer": draw(st.sampled_from(["convolution", "separable", "grouped", "bottleneck"])),
        "connection": draw(st.sampled_from(["plain", "residual", "dense"])),
        "normalisation": draw(st.sampled_from(["none", "batch", "group"])),
        "head": draw(st.sampled_from(["gap", "fc"])),
    }


def name_of(made_of: dict) -> str:
    words = "".join(WORDS[made_of[key]] for key in ("layer", "normalisation", "head"))
    return f"{made_of['connection']}{words}_d{made_of['depth']}w{made_of['width']}"


LARGEST = {"depth": 16, "width": 64, "connection": "dense", "layer": "grouped", "normalisation": "group", "head": "fc"}


@given(members())
@example({"family": "generated", **LARGEST})
@settings(max_examples=25, deadline=None)
def test_any_member_is_found_by_its_name_and_is_made_of_what_it_says(made_of):
    member = STRUCTURES[name_of(made_of)]
    assert member.name == name_of(made_of)
    assert member.attributes == made_of
    assert STRUCTURES.matching([member.name]) == [member.name]
    size = 8
    network = member.build(10, size)
    assert_trains(network, size)
    stem, *body = sides(network)
    kernels = [kernel for kernel, _ in body]
    assert stem == (3, 1)
    assert kernels.count(3) == made_of["depth"]
    assert {groups for kernel, groups in body if kernel == 3} == {
        {"separable": made_of["width"], "grouped": 4}.get(made_of["layer"], 1)
    }
    joins = made_of["depth"] // 2 if made_of["connection"] == "dense" else 0
    assert kernels.count(1) == joins + made_of["depth"] * {"separable": 1, "bottleneck": 2}.get(made_of["layer"], 0)
    normalised = {"none": nn.Identity, "batch": nn.BatchNorm2d, "group": nn.GroupNorm}[made_of["normalisation"]]
    all_normalisations = len(of(network, nn.BatchNorm2d)) + len(of(network, nn.GroupNorm))
    unnormalised = made_of["depth"] if made_of["layer"] == "separable" else 0  # a normalisation for two convolutions
    assert len(of(network, normalised)) == all_normalisations
    assert all_normalisations == (0 if made_of["normalisation"] == "none" else 1 + len(body) - unnormalised)
    assert len(of(network, nn.Linear)) == {"gap": 1, "fc": 2}[made_of["head"]]
    assert len(of(network, nn.AdaptiveAvgPool2d)) == (made_of["head"] == "gap")
    assert [pair.shortcut for pair in of(network, LayerPair)] == [made_of["connection"] == "residual"] * (
        made_of["depth"] // 2
    )


def test_the_whole_family_has_a_name_each():
    names = {
        name_of({"depth": d, "width": w, "layer": la, "connection": c, "normalisation": n, "head": h})
        for d, w, la, c, n, h in product(
            generated.DEPTHS,
            generated.WIDTHS,
            generated.LAYERS.values(),
            generated.CONNECTIONS,
            generated.NORMALISATIONS.values(),
            generated.HEADS.values(),
        )
    }
    assert len(names) == 4 * 3 * 4 * 3 * 3 * 2
    assert all(STRUCTURES[name].name == name for name in names)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        # stem 3*16*9 + 2*16, layers 16*16*9 + 2*16, head 16*10 + 10
        ("plain_d2w16", 464 + 2 * 2_336 + 170),
        # stem 3*32*9 + 2*32 = 928, layers 32*32*9 + 2*32 = 9,280, head 32*10 + 10 = 330
        ("residual_d4w32", 928 + 4 * 9_280 + 330),
        ("residual_groupnorm_d4w32", 928 + 4 * 9_280 + 330),
        # by channel 32*9, across 32*32, normalisation 2*32
        ("residual_separable_d4w32", 928 + 4 * (288 + 1_024 + 64) + 330),
        # every channel of 32 sees the 8 of its group
        ("residual_grouped_d4w32", 928 + 4 * (32 * 8 * 9 + 64) + 330),
        # 32 -> 8, 8 -> 8, 8 -> 32, normalised each
        ("residual_bottleneck_d4w32", 928 + 4 * (256 + 16 + 576 + 16 + 256 + 64) + 330),
        # a bias for each channel instead of a weight and a bias of its normalisation
        ("plain_nonorm_d4w32", 896 + 4 * 9_248 + 330),
        # 32*7*7 -> 128 -> 10
        ("residual_fc_d4w32", 928 + 4 * 9_280 + 200_832 + 1_290),
        # after the one pair of each half: 64 -> 32
        ("dense_d4w32", 928 + 4 * 9_280 + 2 * (2_048 + 64) + 330),
        # after the two pairs of each half: 32 -> 16 and 48 -> 16
        ("dense_d8w16", 464 + 8 * 2_336 + 2 * (512 + 32 + 768 + 32) + 170),
        ("seed_cnn", 448 + 4_640 + 200_832 + 1_290),
        ("seed_cnn_c2l2", 207_210),
        ("seed_cnn_c1l2", 448 + 16 * 14 * 14 * 128 + 128 + 1_290),
        ("seed_cnn_c3l2", 448 + 4_640 + 18_496 + 64 * 3 * 3 * 128 + 128 + 1_290),
        ("seed_cnn_c2l1", 448 + 4_640 + 32 * 7 * 7 * 10 + 10),
        ("seed_cnn_c2l3", 207_210 + 128 * 128 + 128),
        # in place of 4,640: by channel 16*9, across 16*32 + 32
        ("seed_cnn_separable_c2l2", 207_210 - 4_640 + 144 + 544),
        ("seed_cnn_grouped_c2l2", 207_210 - 4_640 + 32 * 4 * 9 + 32),
        # 16 -> 8, 8 -> 8, 8 -> 32
        ("seed_cnn_bottleneck_c2l2", 207_210 - 4_640 + 136 + 584 + 288),
        ("mlp_d1w64", 2_352 * 64 + 64 + 650),
        ("mlp_d2w128", 2_352 * 128 + 128 + 16_512 + 1_290),
    ],
)
def test_a_structure_has_as_many_parameters_as_by_hand(name, parameters):
    assert count(built(name)) == parameters


@pytest.mark.parametrize("name", [*(n for n in SMALL if n.startswith("residual_")), "residual_grouped_nonorm_fc_d8w16"])
def test_residual_and_plain_differ_in_nothing_but_the_shortcuts(name):
    residual, plain = (built(one) for one in (name, name.replace("residual", "plain")))
    assert str(residual) == str(plain)
    weights, others = residual.state_dict(), plain.state_dict()
    assert list(weights) == list(others)
    assert all(torch.equal(weights[label], others[label]) for label in weights)
    images = torch.randn(BATCH, 3, SIZE, SIZE)
    assert not torch.equal(residual(images), plain(images))
    for pair in of(residual, LayerPair):
        pair.shortcut = False
    assert torch.equal(residual(images), plain(images))


def test_the_parameters_of_the_first_family_stand_where_they_stood():
    body = ("body.0.weight", "body.1.weight", "body.1.bias", "body.3.weight", "body.4.weight", "body.4.bias")
    labels = ["0.weight", "1.weight", "1.bias", *(f"{at}.{label}" for at in (4, 6) for label in body)]
    assert [label for label, _ in built("residual_d4w32").named_parameters()] == [*labels, "9.weight", "9.bias"]


def test_a_shortcut_leads_around_its_block():
    (pair,) = blocks(1, width=16, connection="residual", layer="convolution", normalisation="none")
    for weights in pair.parameters():
        nn.init.zeros_(weights)
    images = torch.rand(BATCH, 16, 5, 5)
    assert torch.equal(pair(images), images)


def test_a_dense_connection_gives_every_pair_all_that_came_before():
    (dense,) = blocks(3, width=16, connection="dense", layer="convolution", normalisation="batch")
    assert isinstance(dense, DensePairs)
    given: list[torch.Tensor] = []
    for transition in dense.transitions:
        transition.register_forward_pre_hook(lambda _module, found: given.append(found[0]))
    images = torch.randn(BATCH, 16, 5, 5)
    assert dense(images).shape == images.shape
    assert [found.shape[1] for found in given] == [32, 48, 64]
    assert all(torch.equal(found[:, :16], images) for found in given)
    assert torch.equal(given[1], given[2][:, :48])


def test_no_pairs_are_no_modules_and_another_connection_is_refused():
    made_of = {"width": 16, "layer": "convolution", "normalisation": "batch"}
    assert [blocks(0, connection=one, **made_of) for one in generated.CONNECTIONS] == [[], [], []]
    with pytest.raises(ValueError, match=r"^connection is 'sparse'; allowed: plain, residual, dense\.$"):
        blocks(1, connection="sparse", **made_of)


# The seed and its variations, and networks without convolutions


@pytest.mark.parametrize(
    ("layer", "depth", "linear_layers"),
    [(layer, c, li) for layer, c, li in product(seed_cnn.LAYERS, (1, 2, 3), (1, 2, 3)) if c > 1 or not layer],
)
def test_a_variation_of_the_seed_is_made_of_what_it_says(layer, depth, linear_layers):
    name = f"seed_cnn{'_' * bool(layer)}{layer}_c{depth}l{linear_layers}"
    facts = STRUCTURES[name].attributes
    assert (facts["depth"], facts["linear_layers"], facts["layer"]) == (depth, linear_layers, layer or "convolution")
    network = built(name)
    assert sum(kernel == 3 for kernel, _ in sides(network)) == len(of(network, nn.MaxPool2d)) == depth
    assert len(of(network, nn.Linear)) == linear_layers
    assert sides(network)[0] == (3, 1)


def test_the_seed_has_two_names_and_one_network():
    seed, same = built("seed_cnn"), built("seed_cnn_c2l2")
    assert str(seed) == str(same)
    assert all(map(torch.equal, seed.parameters(), same.parameters()))
    assert STRUCTURES["seed_cnn"].attributes == STRUCTURES["seed_cnn_c2l2"].attributes


@pytest.mark.parametrize(("depth", "width"), list(product(mlp.DEPTHS, mlp.WIDTHS)))
def test_a_fully_connected_network_is_made_of_what_it_says(depth, width):
    network = built(f"mlp_d{depth}w{width}", size=4)
    assert [layer.out_features for layer in of(network, nn.Linear)] == [width] * depth + [10]
    assert sides(network) == []


# torchvision


@pytest.mark.parametrize("name", VISION)
def test_a_network_of_torchvision_has_as_many_parameters_as_published(name):
    from torchvision import models

    network = outline(name, size=224, classes=1000)
    assert count(network) == models.get_model_weights(name).DEFAULT.meta["num_params"]


@pytest.mark.parametrize("name", VISION)
def test_a_network_of_torchvision_names_its_paper_and_its_implementation(name):
    source = STRUCTURES[name].source.splitlines()[-1]
    assert source.startswith("Source: ")
    assert source.endswith(f"`torchvision.models.{name}`.")


@pytest.mark.parametrize("name", VISION)
def test_the_attributes_of_a_network_of_torchvision_are_those_of_its_modules(name):
    network = outline(name, size=224, classes=1000)
    facts = STRUCTURES[name].attributes
    found = {"batch": of(network, nn.BatchNorm2d), "layer": of(network, nn.LayerNorm)}
    assert [kind for kind, modules in found.items() if modules] == [facts["normalisation"]] * (
        facts["normalisation"] != "none"
    )
    seen = [linear.in_features for linear in of(list(network.children())[-1], nn.Linear)]
    assert (seen[:1] > [4096]) == (facts["head"] == "fc")  # every pixel of the last map, not one for each channel
    convolutions = of(network, nn.Conv2d)
    by_channel = [one for one in convolutions if 1 < one.groups == one.in_channels]
    in_groups = [one for one in convolutions if 1 < one.groups < one.in_channels]
    assert bool(by_channel) == (facts["layer"] == "separable")
    assert bool(in_groups) == (facts["layer"] == "grouped")


# Transformers


@pytest.mark.parametrize(("depth", "width", "heads"), [(1, 64, 2), (2, 64, 4), (4, 128, 8)])
def test_a_transformer_is_made_of_what_it_says(depth, width, heads):
    name = f"transformer_d{depth}w{width}h{heads}"
    network = network_of(name)
    layers = of(network, nn.TransformerEncoderLayer)
    assert len(layers) == depth
    assert {(one.self_attn.embed_dim, one.self_attn.num_heads) for one in layers} == {(width, heads)}
    # attention: 4 w^2 + 4 w; linear layers: 8 w^2 + 5 w; two normalisations: 4 w
    assert count(network) == depth * (12 * width**2 + 13 * width) + 2 * width + 1024 * width + width * 1024 + 1024
    assert STRUCTURES[name].attributes["heads"] == heads


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_a_transformer_predicts_a_token_from_those_before_it_alone(mode):
    network = getattr(network_of("transformer_d2w64h4"), mode)()
    tokens = inputs_of("transformer_d2w64h4", BATCH)
    later = tokens.clone()
    later[:, 40:] = (later[:, 40:] + 1) % 1024
    with torch.no_grad():
        before, after = network(tokens), network(later)
    assert before.shape == (BATCH, 64, 1024)
    assert torch.allclose(before[:, :40], after[:, :40], atol=1e-6)
    assert not torch.allclose(before[:, 40:], after[:, 40:], atol=1e-2)


def test_a_transformer_distinguishes_positions_and_trains_every_parameter():
    network = network_of("transformer_d2w64h4")
    logits = network(torch.zeros(1, 64, dtype=torch.int64))
    assert not torch.allclose(logits[0, 1], logits[0, 2], atol=1e-3)
    tokens = inputs_of("transformer_d2w64h4", BATCH)
    nn.functional.cross_entropy(network(tokens).flatten(0, 1), tokens.flatten()).backward()
    assert all(weights.grad is not None and weights.grad.abs().sum() > 0 for weights in network.parameters())


# Names


@pytest.mark.parametrize("selection", [generated.SELECTION, seed_cnn.SELECTION, mlp.SELECTION])
def test_a_selection_names_members_of_its_family(selection):
    assert set(STRUCTURES) >= selection


def test_members_that_are_not_listed_are_no_part_of_all_structures():
    assert not set(UNLISTED) & set(STRUCTURES)
    assert set(STRUCTURES.matching(["*"])) == set(STRUCTURES)
    assert len(STRUCTURES) == len(list(STRUCTURES)) < 80


def test_a_profile_may_name_a_member_that_is_not_listed(tmp_path):
    file = tmp_path / "profiles.toml"
    file.write_text('[mine]\nstructures = ["mlp_*", "dense_grouped_groupnorm_fc_d16w64", "mlp_d2w128"]\n')
    structures = list(dict.fromkeys(case.structure for case in cases_of(load_profile("mine", file))))
    assert structures == [*STRUCTURES.matching(["mlp_*"]), "dense_grouped_groupnorm_fc_d16w64"]


@pytest.mark.parametrize(
    "name",
    [
        "residual_d6w32",
        "residual_d8w48",
        "residual_d08w32",
        "residual_d8w32_fc",
        "residual_convolution_d8w32",
        "residual_fc_nonorm_d8w32",
        "residual_nonorm_groupnorm_d8w32",
        "separable_d8w32",
        "sparse_d8w32",
        "Residual_d8w32",
        "residual_d8w32\n",
        "seed_cnn_c4l2",
        "seed_cnn_c2",
        "seed_cnn_grouped_c1l2",
        "mlp_d3w128",
        "mlp_d2w100",
        "resnet19",
    ],
)
@pytest.mark.parametrize("ask", [STRUCTURES.__getitem__, lambda name: STRUCTURES.matching([name])])
def test_a_name_that_is_nearly_right_is_refused_in_one_sentence(name, ask):
    with pytest.raises(StepmarkError) as refused:
        ask(name)
    sentence = str(refused.value)
    assert sentence.startswith(f"structure {name!r} is not known; allowed: ")
    assert sentence.endswith(" more.")
    assert sentence.count(",") == SHOWN_NAMES - 1


def test_names_like_the_one_asked_for_are_offered_first():
    with pytest.raises(StepmarkError, match="allowed: residual_separable_d4w32, "):
        STRUCTURES["residual_seperable_d4w32"]


def test_a_name_that_is_not_listed_is_given_once_too():
    structures = StructureRegistry("structure")
    structures.add(StructureSpec("mine", mlp.mlp), listed=False)
    assert list(structures) == []
    for listed in (True, False):
        with pytest.raises(StepmarkError, match=r"^structure 'mine' is registered already; choose another name\.$"):
            structures.add(StructureSpec("mine", mlp.mlp), listed=listed)
    with pytest.raises(StepmarkError, match=r"^structure 'a b': a level's name is made of"):
        structures.add(StructureSpec("a b", mlp.mlp), listed=False)
