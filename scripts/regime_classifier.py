"""The original project's regime functions where it kept them; the code is in `frustration.original`."""

from frustration.original.regime_classifier import (
    calculate_summary_metrics,
    classify_regime,
    get_all_regime_classifications,
    parse_trial_data,
)

__all__ = [
    "calculate_summary_metrics",
    "classify_regime",
    "get_all_regime_classifications",
    "parse_trial_data",
]
