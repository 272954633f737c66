import logging
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from helpers.checkpoints.read.unpickle import INERT_NAMES, InertValue, load_torch_file
from helpers.core.errors import RefusedInput
from tests.support.checkpoint_samples import Touch, mmengine_entries


def test_mmengine_checkpoint_is_read_with_its_history_inert(mmengine_file, state_dict):
    content = load_torch_file(mmengine_file)
    assert list(content["state_dict"]) == list(state_dict)
    assert content["meta"]["iter"] == 3672
    assert type(content["message_hub"]["log_scalars"]["loss"]) is InertValue


def test_numpy_values_become_inert(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"w": torch.ones(2), "lr": np.float64(0.5), "a": np.arange(3), "o": np.array([{}], object)}, path)
    content = load_torch_file(path)
    assert [type(content[name]) for name in ("lr", "a", "o")] == [InertValue] * 3


def test_both_module_names_of_numpy_are_known(tmp_path):
    """A file written under numpy 1 names numpy.core; one under numpy 2 numpy._core."""
    new, old = tmp_path / "new.pth", tmp_path / "old.pth"
    torch.save({"w": torch.ones(2), "lr": np.float64(0.5), "a": np.arange(3)}, new)
    with zipfile.ZipFile(new) as source, zipfile.ZipFile(old, "w") as target:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename.endswith("data.pkl"):
                assert b"numpy._core.multiarray" in data
                data = data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
            target.writestr(entry.filename.replace("new/", "old/"), data)
    content = load_torch_file(old)
    assert type(content["lr"]) is type(content["a"]) is InertValue


def test_no_real_function_is_ever_allowed():
    """Every allowed name is bound to the inert class: calling it, with any argument, does nothing."""
    assert "builtins.getattr" in INERT_NAMES
    inert = InertValue(torch, "load")
    inert.__setstate__({"x": 1})
    assert not hasattr(inert, "x")


@pytest.mark.parametrize("entry", ["message_hub", "optimizer", "meta", "state_dict", "top"])
@pytest.mark.parametrize("zipped", [True, False])
def test_payload_in_any_entry_is_refused_and_not_run(tmp_path, state_dict, entry, zipped):
    marker, path = tmp_path / "ran", tmp_path / "iter_1.pth"
    content = mmengine_entries(state_dict)
    (content if entry == "top" else content[entry])["x"] = Touch(marker)
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(RefusedInput) as refusal:
        load_torch_file(path)
    assert "system" in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert not marker.exists()


def test_the_payload_of_these_tests_does_run_when_loaded_unsafely(tmp_path):
    """So that the test above can fail."""
    marker = tmp_path / "ran"
    pickle.loads(pickle.dumps(Touch(marker)))
    assert marker.exists()


class _ThroughGetattr:
    def __init__(self, *arguments) -> None:
        self.arguments = arguments

    def __reduce__(self):
        return getattr, self.arguments


def test_getattr_gives_an_inert_value_that_cannot_be_called(tmp_path):
    plain, called = tmp_path / "a.pth", tmp_path / "b.pth"
    torch.save({"w": torch.ones(1), "x": _ThroughGetattr(OrderedDict, "fromkeys")}, plain)
    assert type(load_torch_file(plain)["x"]) is InertValue

    # GLOBAL getattr, its result called by hand, since pickle refuses to write such a thing.
    code = (
        b"\x80\x02}X\x01\x00\x00\x00xcbuiltins\ngetattr\nccollections\nOrderedDict\n"
        b"X\x08\x00\x00\x00fromkeys\x86RX\x02\x00\x00\x00ab\x85Rs."
    )
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(called, "w") as target:
        for entry in source.namelist():
            target.writestr(entry, code if entry.endswith("data.pkl") else source.read(entry))
    with pytest.raises(RefusedInput, match="nothing was run"):
        load_torch_file(called)


class _Custom:
    pass


def test_names_allowed_elsewhere_in_the_process_do_not_count(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"w": torch.ones(1), "x": _Custom()}, path)
    with torch.serialization.safe_globals([_Custom]):
        assert type(torch.load(path, weights_only=True)["x"]) is _Custom
        with pytest.raises(RefusedInput, match="_Custom"):
            load_torch_file(path)
        assert _Custom in torch.serialization.get_safe_globals()


def test_allow_list_is_restored_after_a_refusal(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"x": _Custom()}, path)
    before = set(torch.serialization.get_safe_globals())
    with pytest.raises(RefusedInput):
        load_torch_file(path)
    assert set(torch.serialization.get_safe_globals()) == before
    assert not any(isinstance(entry, tuple) and entry[0] is InertValue for entry in before)


def test_all_wanted_names_are_listed(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"x": _Custom(), "y": Touch(tmp_path / "ran")}, path)
    with pytest.raises(RefusedInput, match=r"posix\.system.*_Custom"):
        load_torch_file(path)


def test_a_name_that_torch_refuses_is_told_alone(mmengine_file, monkeypatch):
    def failing(*_arguments, **_options):
        raise RuntimeError("Unsupported global: GLOBAL os.getcwd was not an allowed global by default")

    monkeypatch.setattr(torch, "load", failing)
    with pytest.raises(RefusedInput, match=r"wants to run code or build objects on loading: os\.getcwd\. Expected"):
        load_torch_file(mmengine_file)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("zipped", [True, False])
def test_truncated_file(tmp_path, kept, zipped):
    path = tmp_path / "iter_1.pth"
    torch.save({"w": torch.ones(1000)}, path, _use_new_zipfile_serialization=zipped)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(RefusedInput, match="truncated") as refusal:
        load_torch_file(path)
    assert str(path) in str(refusal.value)


def test_plain_pickle_is_refused(tmp_path):
    path = tmp_path / "a.pth"
    path.write_bytes(pickle.dumps({"w": 1}))
    with pytest.raises(RefusedInput, match="cannot be read as a torch checkpoint"):
        load_torch_file(path)


def test_legacy_file_is_read_with_a_warning(tmp_path, caplog):
    path = tmp_path / "a.pth"
    torch.save({"w": torch.arange(3.0)}, path, _use_new_zipfile_serialization=False)
    with caplog.at_level(logging.WARNING):
        assert load_torch_file(path)["w"].tolist() == [0, 1, 2]
    assert "cannot be memory-mapped" in caplog.text


def test_a_file_that_is_no_dict(tmp_path):
    path = tmp_path / "a.pth"
    torch.save([torch.ones(1)], path)
    with pytest.raises(RefusedInput, match="holds a list; expected a dict"):
        load_torch_file(path)


def test_names_that_a_load_brings_into_the_process_stay(mmengine_file, monkeypatch):
    load = torch.load

    def importing(*arguments, **options):
        torch.serialization.add_safe_globals([_Custom])
        return load(*arguments, **options)

    monkeypatch.setattr(torch, "load", importing)
    before = torch.serialization.get_safe_globals()
    try:
        load_torch_file(mmengine_file)
        assert set(torch.serialization.get_safe_globals()) == {*before, _Custom}
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError(f"\n{'x' * 300}\nsecond line"), "(" + "x" * 200 + ")"),
        (EOFError(), "(EOFError)"),
    ],
)
def test_of_a_long_reason_the_beginning_is_given(mmengine_file, monkeypatch, error, reason):
    def failing(*_arguments, **_options):
        raise error

    monkeypatch.setattr(torch, "load", failing)
    with pytest.raises(RefusedInput) as refusal:
        load_torch_file(mmengine_file)
    assert reason in str(refusal.value)


def test_a_pickle_that_is_none_within_a_whole_zip_is_refused(tmp_path):
    good, bad = tmp_path / "a.pth", tmp_path / "b.pth"
    torch.save({"w": torch.ones(1)}, good)
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(bad, "w") as target:
        for entry in source.namelist():
            target.writestr(entry, b"no pickle" if entry.endswith("data.pkl") else source.read(entry))
    with pytest.raises(RefusedInput, match="b.pth cannot be read as a torch checkpoint"):
        load_torch_file(bad)


@pytest.mark.parametrize("step", ["get_unsafe_globals_in_checkpoint", "load"])
def test_a_fault_at_either_step_is_told_with_the_file(mmengine_file, monkeypatch, step):
    def failing(*_arguments, **_options):
        raise IndexError("pop from empty list")

    monkeypatch.setattr(torch if step == "load" else torch.serialization, step, failing)
    with pytest.raises(RefusedInput, match=r"iter_3672.pth cannot be read as a torch checkpoint \(pop from empty"):
        load_torch_file(mmengine_file)


def test_a_file_of_safetensors_is_told_as_such(tmp_path):
    save_file({"w": torch.ones(1)}, tmp_path / "a.pth")
    with pytest.raises(RefusedInput, match="a.pth is a safetensors file; expected a file written by torch.save"):
        load_torch_file(tmp_path / "a.pth")


def test_names_apart_from_tensors_are_those_of_mmengines_checkpoints():
    arrays = [f"numpy.{core}.multiarray.{name}" for name in ("_reconstruct", "scalar") for core in ("core", "_core")]
    assert set(INERT_NAMES) == {
        "mmengine.logging.history_buffer.HistoryBuffer", "builtins.getattr", "numpy.ndarray", "numpy.dtype", *arrays
    }  # fmt: skip
