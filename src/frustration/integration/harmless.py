"""What scripts do with a network or an optimizer without keeping or changing it: a closed list of names."""

from __future__ import annotations

import re

from frustration.integration.words import words

READS = words(
    "print len type id str repr format isinstance hasattr callable bool sum any all max min next enumerate "
    "summary info watch log add_graph count_parameters "
    "clip_grad_norm_ clip_grad_value_ clip_grad_norm get_total_norm backward step unscale_ update "
    "scale_loss accumulate no_sync autocast init_weights weights_init load_state_dict save dump "
    "set_optimizer get_state_dict dumps tensor add_histogram add_scalar add_image __init__"
)
"""Functions that keep nothing of what they are given, and change no layers."""
PICKLES = frozenset({"torch.save", "pickle.dump", "pickle.dumps", "joblib.dump", "dill.dump"})
"""Functions that write an object as it is."""
PASSES = words(
    "list tuple dict set filter sorted reversed chain zip map iter getattr deref unwrap_model unwrap "
    "de_parallel partial"
)
"""Functions whose result still has what they are given in it."""
_READS = re.compile(
    r"print|count|num_?el|n_?params|num_?param|size|flops|macs|profile|summar|log|plot|show|draw|visuali|"
    r"describe|report|write|save|eval|valid|test|infer|predict|sample|generate|translate|accuracy|load|resume|restore",
)
CHANGED = re.compile(
    r"prun|quant|qat|fuse|merge|freeze|add_|insert|replace|swap|resize|expand|shrink|hook|parametri|"
    r"compile|reinit|set_submodule|delete|share_memory|half|tie_"
)
TENSOR_FIELDS = re.compile(
    r"weight|bias|grad|data|shape|device|dtype|requires_grad|training|config|in_features|out_features|"
    r"(in|out)_channels|num_\w+|n_\w+|\w*_size|name|__\w+__|\w*dim\w*|\w*classes|fp16|hparams|epoch|loss\w*|criterion"
)


def keeps_nothing(name: str, kind: str) -> bool:
    """Whether a function only reads what it is given, by its name."""
    if name in READS or kind == "weights":
        return True
    if CHANGED.search(name.lower()):
        return False
    if kind == "optimizer":
        return re.search(r"train|fit|epoch|step|^get_|scal|save|load|resume", name) is not None
    return _READS.search(name.lower()) is not None and (kind == "parameters" or not name[:1].isupper())
