"""A block of a network that ONNX Runtime computes."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
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
        self._model, self._threads = model, threads or torch.get_num_threads()
        providers: list[str | tuple[str, dict[str, str]]] = ["CPUExecutionProvider"]
        if device.type == "cuda":
            providers.insert(0, ("CUDAExecutionProvider", {"device_id": str(device.index or 0)}))
        self._session = _session(model, providers, self._threads)
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
        image = self._on_processor([x.cpu().numpy() for x in inputs])
        return torch.from_numpy(image).to(inputs[0].device)

    def _on_processor(self, inputs: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        """As many images at a time as there are threads, one each; those that are left over with all threads.

        Threads that share an image wait for one another at every layer, and a whole batch does not fit their caches.
        """
        batch = len(inputs[0])
        alone = batch - batch % self._threads if batch > 1 else 0
        images: list[NDArray[np.float32]] = []
        if alone:
            session = self._one_thread
            with ThreadPoolExecutor(self._threads, thread_name_prefix="onnx") as pool:
                images += pool.map(lambda n: self._run(session, (x[n : n + 1] for x in inputs)), range(alone))
        if alone < batch:
            images.append(self._run(self._session, (x[alone:] for x in inputs)))
        return images[0] if len(images) == 1 else np.concatenate(images)

    @cached_property
    def _one_thread(self) -> onnxruntime.InferenceSession:
        """Made when there is a first batch: a session that computes in the thread that calls it."""
        return self._session if self._threads == 1 else _session(self._model, ["CPUExecutionProvider"], 1)

    def _run(self, session: onnxruntime.InferenceSession, inputs: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
        (image,) = session.run(None, dict(zip(self._names, inputs, strict=True)))
        return np.asarray(image)

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


def _session(
    model: bytes, providers: list[str | tuple[str, dict[str, str]]], threads: int
) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # between two runs torch computes with threads of its own: waiting ones must not take its processors
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(model, options, providers=providers)
    except Exception as error:  # its errors have no common base
        raise ModelError(f"ONNX Runtime cannot load a block: {error}") from error
