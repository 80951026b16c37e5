import torch

from echotrain.models.runtimes.fastest import fastest_runtime, multiplies_bfloat16


def test_the_processor_decides_which_runtime_is_fastest(monkeypatch):
    cpu = torch.device("cpu")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": True})
    assert (multiplies_bfloat16(), fastest_runtime(cpu)) == (True, "bfloat16")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": False})
    assert (multiplies_bfloat16(), fastest_runtime(cpu)) == (False, "onnx")
