"""The native backend: C++ compiled on first use for the CPU it runs on."""

from frustration.engine.native.backend import NativeBackend, native_available

__all__ = ["NativeBackend", "native_available"]
