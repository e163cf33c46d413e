"""PyTorch's own way to train the network of `engine.bench.training`, in a process of its own.

PyTorch and TensorFlow in one process may bring two copies of LLVM, which ends it. The process trains once for each line
it is given and answers with the seconds; arguments: units, layers, lanes, steps, symbols, embedding, updates.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Until standard input ends."""
    import torch

    units, layers, batch, steps, symbols, size, updates = map(int, sys.argv[1:] if argv is None else argv)
    embedding, gru = torch.nn.Embedding(symbols, size), torch.nn.GRU(size, units, layers)
    dense = torch.nn.Linear(units, symbols)
    parameters = [*embedding.parameters(), *gru.parameters(), *dense.parameters()]
    optimizer = torch.optim.Adam(parameters)
    ids = torch.randint(symbols, (updates, steps + 1, batch))
    for _ in sys.stdin:
        started = time.perf_counter()
        for chunk in ids:
            optimizer.zero_grad()
            hidden, _ = gru(embedding(chunk[:-1]))
            loss = torch.nn.functional.cross_entropy(dense(hidden).reshape(-1, symbols), chunk[1:].reshape(-1))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)  # as ours is
            optimizer.step()
            loss.item()
        sys.stdout.write(f"{time.perf_counter() - started}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
