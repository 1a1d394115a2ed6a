"""What a compression did, layer by layer."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LayerReport:
    """One tensor of a compressed file.

    Attributes:
        name: As in the state dictionary.
        num_weights: Number of its values.
        original_bytes: Its bytes in its own dtype.
        payload_bytes: Bytes of its payload in the file.
        kept_fraction: Share of its values that are not zero.
        num_levels: How many different symbols occur; ``None`` if it is stored as it is.
        entropy_bits: Bits of all its symbols, each coded on its own by their
            frequencies; ``None`` if it is stored as it is.
    """

    name: str
    num_weights: int
    original_bytes: int
    payload_bytes: int
    kept_fraction: float
    num_levels: int | None
    entropy_bits: float | None

    @property
    def bits_per_weight(self) -> float:
        """Bits of the payload per value, zeros included."""
        return 8 * self.payload_bytes / self.num_weights if self.num_weights else 0.0


@dataclass(frozen=True)
class CompressionReport:
    """A compressed file beside what it was made from.

    Attributes:
        layers: One per tensor, in the file's order.
        file_bytes: Size of the file on the disk: everything counts.
        original_bytes: Bytes of all values in their own dtypes.
    """

    layers: tuple[LayerReport, ...]
    file_bytes: int
    original_bytes: int

    @property
    def compression_ratio(self) -> float:
        """Bytes before over bytes of the file; larger is better."""
        return self.original_bytes / self.file_bytes

    @property
    def table_bytes(self) -> int:
        """Bytes of header, names, shapes and quantizers."""
        return self.file_bytes - sum(layer.payload_bytes for layer in self.layers)

    def __str__(self) -> str:
        """The report as a table in plain text."""
        width = max([len(layer.name) for layer in self.layers] + [len("all")])
        lines = [
            f"{'tensor':{width}}  {'weights':>11}  {'kept':>7}  {'levels':>6}  "
            f"{'entropy':>7}  {'bits/w':>7}  {'bytes':>10}"
        ]
        for layer in self.layers:
            levels = "stored" if layer.num_levels is None else str(layer.num_levels)
            entropy = (
                ""
                if layer.entropy_bits is None or not layer.num_weights
                else f"{layer.entropy_bits / layer.num_weights:.4f}"
            )
            lines.append(
                f"{layer.name:{width}}  {layer.num_weights:>11,}  "
                f"{layer.kept_fraction:>7.2%}  {levels:>6}  {entropy:>7}  "
                f"{layer.bits_per_weight:>7.4f}  {layer.payload_bytes:>10,}"
            )
        lines.append(
            f"{self.file_bytes:,} bytes, of which {self.table_bytes:,} header and "
            f"table, from {self.original_bytes:,}: {self.compression_ratio:.1f}x"
        )
        return "\n".join(lines)
