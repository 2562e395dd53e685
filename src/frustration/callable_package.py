"""A package that is also the function of its name: `frustration.study("quickstart")`."""

from __future__ import annotations

import importlib
import sys
import types
from typing import Any


class CallablePackage(types.ModuleType):
    """A call goes to the function of this name in `frustration.api`."""

    def __call__(self, *args: Any, **settings: Any) -> Any:
        name = self.__name__.rpartition(".")[2]
        return getattr(importlib.import_module("frustration.api"), name)(*args, **settings)


def make_callable(package: str) -> None:
    """For packages that importing puts in place of the functions of their names."""
    sys.modules[package].__class__ = CallablePackage
