"""Pretrained networks and their tokenizers: from a folder, or by name from the hub."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from frustration.errors import first_line
from frustration.files import expanded
from frustration.references import ProblemError


@functools.cache
def pretrained(model: str, kind: str) -> Any:
    """What a class of transformers, such as AutoTokenizer, makes of a model: one in the process, not to be
    changed."""
    import transformers

    library: Any = transformers
    library.logging.set_verbosity_error()
    library.logging.disable_progress_bar()
    place = expanded(Path(model))
    try:
        return getattr(library, kind).from_pretrained(str(place) if place.is_dir() else model)
    except (OSError, ValueError) as error:
        raise ProblemError(
            f'the model "{model}" is neither a folder here nor available from the hub: {first_line(error)}'
        ) from None
