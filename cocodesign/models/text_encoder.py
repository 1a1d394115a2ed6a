"""MiniLM: sentences as vectors whose cosine says how close their meanings are.

The network is the encoder of BERT (Devlin et al. 2019, arXiv:1810.04805) with 6 layers
of 384 units, distilled (Wang et al. 2020, arXiv:2002.10957) and tuned on a billion
pairs of sentences. A sentence's vector is the mean over its tokens, scaled to length 1.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from cocodesign.errors import DataFormatError

NUM_LAYERS, WIDTH, NUM_HEADS, INNER_WIDTH = 6, 384, 12, 1536
NUM_TOKENS, MAX_POSITIONS = 30522, 512
_MAX_LENGTH = 256  # what the network was tuned with
_NORM_EPS = 1e-12
_BATCH_SIZE = 64


class TextEncoder:
    """Turns texts into vectors of length one.

    Args:
        folder: Holds ``model.safetensors`` and ``tokenizer.json``.
        device: Where the network computes.

    Raises:
        DataFormatError: If a file is missing or does not hold MiniLM-L6.
    """

    def __init__(self, folder: Path, *, device: torch.device | str = "cpu") -> None:
        from tokenizers import Tokenizer  # here: trainings on a cluster do without it

        self._network = _load_network(folder / "model.safetensors").to(device).eval()
        vocabulary = folder / "tokenizer.json"
        if not vocabulary.is_file():
            raise DataFormatError(f"{vocabulary} is missing: fetch the encoder's files")
        self._tokenizer = Tokenizer.from_file(str(vocabulary))
        self._tokenizer.enable_truncation(_MAX_LENGTH)
        self._tokenizer.no_padding()
        self._device = torch.device(device)

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> Float[Tensor, "texts 384"]:
        """Return one vector per text.

        Args:
            texts: Words, phrases or sentences; beyond 256 tokens a text is cut.

        Returns:
            Vectors of length one, on the CPU: their products are cosines.
        """
        encodings = self._tokenizer.encode_batch(list(texts))
        # Texts of similar length together need the least padding.
        order = sorted(range(len(texts)), key=lambda at: len(encodings[at].ids))
        vectors = torch.empty(len(texts), WIDTH)
        for start in range(0, len(order), _BATCH_SIZE):
            batch = order[start : start + _BATCH_SIZE]
            rows = [torch.tensor(encodings[at].ids) for at in batch]
            tokens = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)
            vectors[batch] = self._network(tokens.to(self._device)).cpu()
        return vectors


class SentenceNetwork(nn.Module):
    """Tokens to the vector of their sentence."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(NUM_TOKENS, WIDTH)
        self.positions = nn.Embedding(MAX_POSITIONS, WIDTH)
        self.token_type = nn.Parameter(torch.zeros(WIDTH))
        self.norm = nn.LayerNorm(WIDTH, _NORM_EPS)
        self.layers = nn.ModuleList(_Layer() for _ in range(NUM_LAYERS))

    def forward(
        self, tokens: Int[Tensor, "batch length"]
    ) -> Float[Tensor, "batch 384"]:
        """Return the normalised mean of the tokens' vectors.

        Args:
            tokens: Indices into the vocabulary; -1 pads.

        Returns:
            One vector of length one per row.
        """
        real = tokens >= 0
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.words(tokens.clamp(min=0)) + self.positions(places) + self.token_type
        x = self.norm(x)
        for layer in self.layers:
            x = layer(x, real)
        weights = real[..., None].to(x.dtype)
        return functional.normalize((x * weights).sum(1) / weights.sum(1), dim=1)


class _Layer(nn.Module):
    """Self-attention, then two dense layers, each added and normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key = nn.Linear(WIDTH, WIDTH)
        self.value = nn.Linear(WIDTH, WIDTH)
        self.attended = nn.Linear(WIDTH, WIDTH)
        self.attended_norm = nn.LayerNorm(WIDTH, _NORM_EPS)
        self.inner = nn.Linear(WIDTH, INNER_WIDTH)
        self.outer = nn.Linear(INNER_WIDTH, WIDTH)
        self.outer_norm = nn.LayerNorm(WIDTH, _NORM_EPS)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        query, key, value = (
            projection(x).unflatten(2, (NUM_HEADS, -1)).transpose(1, 2)
            for projection in (self.query, self.key, self.value)
        )
        attended = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=real[:, None, None]
        )
        attended = attended.transpose(1, 2).flatten(2)
        x = self.attended_norm(x + self.attended(attended))
        return self.outer_norm(x + self.outer(functional.gelu(self.inner(x))))


# Our names, and what they are called in the published file.
_RENAMED = {
    "words.weight": "embeddings.word_embeddings.weight",
    "positions.weight": "embeddings.position_embeddings.weight",
    "norm": "embeddings.LayerNorm",
}
_RENAMED_IN_LAYER = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attended": "attention.output.dense",
    "attended_norm": "attention.output.LayerNorm",
    "inner": "intermediate.dense",
    "outer": "output.dense",
    "outer_norm": "output.LayerNorm",
}


def _load_network(path: Path) -> SentenceNetwork:
    network = SentenceNetwork()
    try:
        stored = load_file(path)
        state = {
            name: stored[_stored_name(name)]
            for name in network.state_dict()
            if name != "token_type"
        }
        # Every token here is of the first type: one row of the table is enough.
        state["token_type"] = stored["embeddings.token_type_embeddings.weight"][0]
        network.load_state_dict(state)
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        raise DataFormatError(
            f"{path} does not hold the weights of MiniLM-L6: {error}"
        ) from error
    return network


def _stored_name(name: str) -> str:
    if name.startswith("layers."):
        _, number, part, kind = name.split(".")
        return f"encoder.layer.{number}.{_RENAMED_IN_LAYER[part]}.{kind}"
    if name in _RENAMED:
        return _RENAMED[name]
    part, _, kind = name.rpartition(".")
    return f"{_RENAMED[part]}.{kind}"
