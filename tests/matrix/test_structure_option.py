"""`--structure`: its forms, and the profile that it makes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.configuration.files import configuration_of
from suite.configuration.values import NOTHING
from suite.gate.options import options_of
from suite.matrix.profiles import load_profile, profile_of, with_structures
from suite.matrix.structure_option import level_of, words_of
from suite.records import StepmarkError
from suite.registry import LEVEL_NAME


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("resnet18", ("resnet18",)),
        ("residual_*, seed_cnn", ("residual_*", "seed_cnn")),
        ("net.py:make_model", ("make_model={here}/net.py:make_model",)),
        ("sub/net.py:Net,resnet18", ("net={here}/sub/net.py:Net", "resnet18")),
        ("package.models:ResNet", ("resnet=package.models:ResNet",)),
        ("wide=net.py:Nets.make", ("wide={here}/net.py:Nets.make",)),
        ("/a, b/net.py:make", ("make=/a, b/net.py:make",)),
        ("/a=b/net.py:make", ("make=/a=b/net.py:make",)),
        ("../net.py:modèle", ("mod_le={above}/net.py:modèle",)),
    ],
)
def test_a_callable_gets_the_name_of_a_level_and_an_absolute_path(text, words, tmp_path, monkeypatch):
    here = tmp_path / "my folder"
    here.mkdir()
    monkeypatch.chdir(here)
    expected = tuple(word.format(here=here, above=tmp_path) for word in words)
    assert words_of(text) == expected
    assert words_of(",".join(expected)) == expected, "as the command of a page has it"


@pytest.mark.parametrize("value", ['"net.py:make,seed_cnn"', '["net.py:make", "seed_cnn"]'])
@pytest.mark.parametrize("table", ["", "[run]\n"])
def test_a_configuration_names_structures_from_its_folder_for_each_profile(tmp_path, monkeypatch, table, value):
    file = tmp_path / "stepmark.toml"
    file.write_text(f"{table}structure = {value}\n")
    below = tmp_path / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    configuration = configuration_of(file)
    profile = profile_of(configuration.values_of("run"), configuration)
    assert profile.structures == (f"make={tmp_path}/net.py:make", "seed_cnn")
    assert profile.levels["structures"] == ["make", "seed_cnn"]
    typed = configuration.values_of("run", {"structure": "net.py:make"})
    assert profile_of(typed, configuration).structures == (f"make={below}/net.py:make",)


def test_structures_of_a_configuration_that_have_another_form_are_refused_by_its_key(tmp_path):
    file = tmp_path / "stepmark.toml"
    file.write_text('[gate]\nstructure = "net.py:"\n')
    with pytest.raises(StepmarkError) as refused:
        options_of({"baseline": "rev:main"}, configuration_of(file))
    assert str(refused.value).startswith(f"gate.structure of {file} is 'net.py:'; allowed: a registered name, ")


@pytest.mark.parametrize("text", ["", "net.py", "a/net.py", "net.py:", ":make", "net.py:1", "A B=net.py:", "a,,b"])
def test_another_form_is_refused_with_what_is_allowed(text):
    with pytest.raises(StepmarkError, match=r"^--structure is '.*'; allowed: a registered name, FILE.py:CALLABLE or "):
        words_of(text)


@given(st.text(max_size=30))
def test_any_text_is_words_or_one_sentence_and_any_name_a_level(text):
    try:
        words = words_of(text)
    except StepmarkError as error:
        assert str(error).startswith("--structure is ")  # noqa: PT017 - either is right
    else:
        assert words_of(",".join(words)) == words or "," in text
    if text.isidentifier():
        assert LEVEL_NAME.fullmatch(level_of(text))


def test_structures_replace_those_of_a_profile_and_keep_its_plug_ins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text('[mine]\nplugins = ["my_levels"]\nstructures = ["tiny"]\nbatch_sizes = [4]\n')
    texts = {"profile": "mine", "profiles": "mine.toml"}
    own = profile_of(NOTHING.values_of("run", {**texts, "structure": "net.py:make,seed_cnn"}), NOTHING)
    assert own.levels["structures"] == ["make", "seed_cnn"]
    assert own.plugins == ("my_levels", f"make={tmp_path}/net.py:make")
    assert own.sizes == {"batch_sizes": [4]}
    assert with_structures(load_profile("mine", "mine.toml"), own.structures) == own, "as a resumed run makes it"
    assert profile_of(NOTHING.values_of("run", texts), NOTHING).structures == ()
