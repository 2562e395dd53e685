"""Settings of Lightning's and transformers' Trainer: those that do not matter for growth are listed here.

The lists are closed: every other setting and callback of a script is told, with the step that it may touch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from frustration.integration.account import uses
from frustration.integration.flow import Flow
from frustration.integration.framework import Framework
from frustration.integration.looks import unexplained
from frustration.integration.source import Script, last
from frustration.integration.steps import Step
from frustration.integration.words import words

LIGHTNING = words(
    "accelerator accumulate_grad_batches barebones benchmark callbacks check_val_every_n_epoch "
    "default_root_dir detect_anomaly deterministic enable_checkpointing enable_model_summary "
    "enable_progress_bar fast_dev_run gradient_clip_algorithm gradient_clip_val inference_mode "
    "limit_predict_batches limit_test_batches limit_train_batches limit_val_batches log_every_n_steps "
    "logger max_epochs min_epochs num_sanity_val_steps overfit_batches precision profiler "
    "progress_bar_refresh_rate val_check_interval"
)
TRANSFORMERS = words(
    "output_dir overwrite_output_dir do_train do_eval do_predict eval_strategy evaluation_strategy "
    "eval_steps eval_delay per_device_train_batch_size per_device_eval_batch_size "
    "gradient_accumulation_steps eval_accumulation_steps learning_rate weight_decay adam_beta1 adam_beta2 "
    "adam_epsilon max_grad_norm num_train_epochs logging_dir logging_strategy logging_steps "
    "logging_first_step log_level save_strategy save_steps save_total_limit save_only_model seed "
    "data_seed bf16 fp16 tf32 bf16_full_eval fp16_full_eval dataloader_num_workers dataloader_drop_last "
    "dataloader_pin_memory run_name report_to remove_unused_columns label_names load_best_model_at_end "
    "metric_for_best_model greater_is_better disable_tqdm push_to_hub hub_model_id hub_strategy hub_token "
    "predict_with_generate generation_max_length generation_num_beams group_by_length "
    "label_smoothing_factor optim use_cpu no_cuda prediction_loss_only include_inputs_for_metrics "
    "skip_memory_metrics auto_find_batch_size use_mps_device"
)
CALLBACKS = words(
    "ModelCheckpoint LearningRateMonitor RichProgressBar TQDMProgressBar ProgressBar EarlyStopping "
    "ModelSummary RichModelSummary DeviceStatsMonitor GrowthCallback RatchetCallback TensorBoardCallback "
    "WandbCallback ProgressCallback PrinterCallback EarlyStoppingCallback RichProgressBarTheme "
    "TrainerCallback Callback"
)
_ONE = frozenset({"1", '"1"', "'1'", "[0]", '"auto"', "'auto'", "None"})
_PROCESSES = re.compile(
    r"devices|num_nodes|strategy|gpus|sync_batchnorm|local_rank|ddp|deepspeed|fsdp|plugins|tpu"
)
_LENGTH = re.compile(r"max_|min_|time|steps|warmup")


def settings(work: Framework, making: list[cst.Call], harmless: frozenset[str]) -> Iterator[Step]:
    """The settings in these calls that may matter."""
    script = work.script
    for call in making:
        for argument in call.args:
            name = argument.keyword.value if argument.keyword else ""
            if argument.star == "**":
                look = "whether it sets several processes, a number of steps, or an end of its own"
                yield unexplained(script, argument, "end", look)
            if not name or name in harmless:
                continue
            value = script.code(argument.value)
            if _PROCESSES.search(name):
                if value in _ONE and not (name == "devices" and "auto" in value):
                    continue
                look = (
                    "whether this starts several processes: each needs a save_name of its own, without RANK "
                    "in the environment, and DDP has to find unused parameters"
                )
                yield unexplained(script, argument, "parallel", look)
            elif _LENGTH.search(name):
                look = "whether it ends the training, or plans a schedule for a length"
                yield unexplained(script, argument, "scheduler" if "warmup" in name else "end", look)
            elif "schedule" in name:
                look = "whether this schedule is planned for a number of steps: there are many more now"
                yield unexplained(script, argument, "scheduler", look)
            else:
                yield unexplained(script, argument, "model", "what this does with the network")
    yield from _callbacks(script)


def _callbacks(script: Script) -> Iterator[Step]:
    """Callbacks that are not known, from a package or of the script's own."""
    own = {n for n, c in script.classes.items() if any("Callback" in script.code(b.value) for b in c.bases)}
    for call, name in script.calls():
        kind = last(name)
        foreign = ".callbacks" in name or kind.endswith("Callback")
        if kind[:1].isupper() and (foreign or kind in own) and kind not in CALLBACKS:
            look = f"whether {kind} changes or copies the network, or ends the training"
            yield unexplained(script, call, "rebuild", look)


def beside_trainer(
    work: Framework, name: str, place: cst.CSTNode, made: cst.CSTNode | None
) -> Iterator[Step]:
    """Uses of the network beside the trainer that nothing explains."""
    flow = Flow(work.script)
    flow.follow((flow.places.place(work.script, place, name), "network"))
    for step in uses(flow, work.script, made, library=False):
        if not re.match(r"`[\w.]*(Trainer|fit|validate|test|predict|tune)\(", step.reason):
            yield step
