"""A block of a network that ONNX Runtime computes."""

from __future__ import annotations

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from ..model_card import ModelError


class OnnxBlock(nn.Module):
    """Stands where the block stood in its network; without gradients.

    Tensors go in and out without a copy: on the CPU as NumPy arrays, on a GPU by their addresses.

    Parameters
    ----------
    model
        ONNX model of real tensors (batch, channels, height, width) float32, with one result.
    device
        Where tensors come from, and go to. For a GPU the CUDA provider computes; where it cannot start the CPU does,
        and ``provider`` says so.
    threads
        Processor threads; None: as many as torch has.
    """

    def __init__(self, model: bytes, device: torch.device, threads: int | None = None) -> None:
        super().__init__()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or torch.get_num_threads()
        # between two runs torch computes with threads of its own: waiting ones must not take its processors
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        wanted: list[str | tuple[str, dict[str, str]]] = ["CPUExecutionProvider"]
        if device.type == "cuda":
            wanted.insert(0, ("CUDAExecutionProvider", {"device_id": str(device.index or 0)}))
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=wanted)
        except Exception as error:  # its errors have no common base
            raise ModelError(f"ONNX Runtime cannot load a block: {error}") from error
        self._names = [node.name for node in self._session.get_inputs()]
        self._on_gpu = self._session.get_providers()[0] == "CUDAExecutionProvider"
        self.provider = f"ONNX Runtime {onnxruntime.__version__} {self._session.get_providers()[0]}"
        if device.type == "cuda" and not self._on_gpu:
            self.provider += ", as CUDAExecutionProvider could not start"

    def forward(self, *inputs: Tensor) -> Tensor:
        """Compute: (batch, channels, height, width) float32 on the device of the inputs."""
        inputs = tuple(x.float().contiguous() for x in inputs)
        if self._on_gpu:
            return self._bound(inputs)
        feeds = {name: x.cpu().numpy() for name, x in zip(self._names, inputs, strict=True)}
        return torch.from_numpy(self._session.run(None, feeds)[0]).to(inputs[0].device)

    def _bound(self, inputs: tuple[Tensor, ...]) -> Tensor:
        device = inputs[0].device
        binding = self._session.io_binding()
        place = ("cuda", device.index or 0, np.float32)
        sizes: dict[str, int] = {}
        for node, x in zip(self._session.get_inputs(), inputs, strict=True):
            binding.bind_input(node.name, *place, tuple(x.shape), x.data_ptr())
            sizes |= dict(zip(node.shape, x.shape, strict=True))
        (result,) = self._session.get_outputs()
        shape = tuple(n if isinstance(n, int) else sizes[n] for n in result.shape)
        image = torch.empty(shape, device=device)
        binding.bind_output(result.name, *place, shape, image.data_ptr())
        torch.cuda.current_stream(device).synchronize()  # ONNX Runtime computes on a stream of its own
        self._session.run_with_iobinding(binding)
        return image
