"""sagemaker-status: the status of a study in the cloud; in a terminal it keeps watching."""

from __future__ import annotations

import json
import threading
import time

from frustration.commands.arguments import real
from frustration.commands.options import command, option
from frustration.commands.sagemaker_flags import OneCloudStudy, cloud_of
from frustration.terminal.printing import in_terminal, say_all

TERMINAL_SECONDS = 15.0

MORE = """\
In a terminal the view is updated until everything has ended, or Ctrl-C, which does not stop jobs.
In a pipe it is printed once; with --watch, a line whenever something has changed.

Finished trials are those in archives and among checkpoints. Exit code 0: everything is done, or runs;
1: something has failed, was stopped, or has lost its archive (sagemaker-launch STUDY launches it again).

examples:
  sagemaker-status
  sagemaker-status paper-98 --watch 60 | tee progress.txt
  sagemaker-status paper-98 --json"""


class StatusOptions(OneCloudStudy):
    """Show the status of a study in the cloud."""

    command = "sagemaker-status"
    epilog = MORE

    watch: float | None = option(
        "look again after so long (terminal: 15)", read=real(0, above=True), metavar="SECONDS"
    )
    once: bool = option("look once, also in a terminal", False)
    json: bool = option("print JSON; with --watch, an object a line", False)


def _status(options: StatusOptions) -> int:
    from frustration.cloud.status import Watch
    from frustration.terminal.cloud_status import CloudShow, whole
    from frustration.terminal.view import view_of

    cloud = cloud_of(options)
    cloud.say_remarks()
    place = cloud.place(options.study)
    watch = Watch(cloud=cloud, place=place, plan=cloud.plan(place))
    if options.once or (options.watch is None and not in_terminal()):
        snapshot = watch.look()
        if options.json:
            print(json.dumps(snapshot.to_dict(), indent=1))
        else:
            say_all(*whole(snapshot))
        return 1 if snapshot.broken else 0
    view = view_of(CloudShow(), threading.Event(), options.json)
    try:
        view.tell(snapshot := watch.look())
        while snapshot.running:
            time.sleep(options.watch or TERMINAL_SECONDS)
            view.tell(snapshot := watch.look())
    finally:
        view.close()
    return 1 if snapshot.broken else 0


main = command(StatusOptions, _status)
