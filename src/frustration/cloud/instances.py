"""Facts that follow from the name of an instance type, and the training image for it."""

from __future__ import annotations

import re

from frustration.cloud.settings import Settings
from frustration.errors import InputError

PYTORCH, PYTHON = "2.9.0", "py312"
"""The newest image of AWS with Python 3.12, which the perforatedai library still needs."""

ACCOUNTS: dict[str, tuple[str, ...]] = {
    "763104351884": (
        *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1"),
        *("eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3"),
        *("ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2"),
    ),
    "626614931356": ("af-south-1",),
    "871362719292": ("ap-east-1",),
    "364406365360": ("ap-northeast-3",),
    "772153158452": ("ap-south-2",),
    "907027046896": ("ap-southeast-3",),
    "457447274322": ("ap-southeast-4",),
    "204538143572": ("ca-west-1",),
    "380420809688": ("eu-central-2",),
    "692866216735": ("eu-south-1",),
    "503227376785": ("eu-south-2",),
    "780543022126": ("il-central-1",),
    "914824155844": ("me-central-1",),
    "217643126080": ("me-south-1",),
    "637423239942": ("mx-central-1",),
}
"""AWS's registries of training images by region, as sagemaker-core 2.27.0 lists them for PyTorch 2.9.0."""

_TYPE = re.compile(r"ml\.(?P<family>[a-z0-9-]+)\.(?P<size>[a-z0-9-]+)")
_SIZES = {"medium": 1, "large": 2, "xlarge": 4}


def is_gpu(instance_type: str) -> bool:
    """Whether CUDA has something to drive: families p and g, but not m7g or c7g with AWS's processors."""
    return re.match(r"(p|g)[0-9]", _parts(instance_type)[0]) is not None


def cores(instance_type: str) -> int:
    """Physical cores. Sizes are counted in virtual CPUs: large is 2, xlarge 4, Nxlarge 4 N.

    On x86 two of them share a core, on AWS's own processors (a "g" after the generation) each is one. A GPU
    instance of one size may have more; the fewest are taken.
    """
    family, size = _parts(instance_type)
    if size in _SIZES:
        virtual = _SIZES[size]
    elif match := re.fullmatch(r"([0-9]+)xlarge", size):
        virtual = 4 * int(match[1])
    else:
        raise InputError(f"how many CPUs {instance_type} has does not follow from its name; give --cores")
    own_processor = re.fullmatch(r"[cmrt][0-9]+g[a-z]*", family) is not None
    return virtual if own_processor else max(1, virtual // 2)


def default_image(region: str, instance_type: str) -> str:
    """AWS's PyTorch image for the region."""
    kind = "gpu" if is_gpu(instance_type) else "cpu"
    for account, regions in ACCOUNTS.items():
        if region in regions:
            return f"{account}.dkr.ecr.{region}.amazonaws.com/pytorch-training:{PYTORCH}-{kind}-{PYTHON}"
    raise InputError(f"no training image is known for the region {region}; set SAGEMAKER_IMAGE")


def image_of(settings: Settings) -> str:
    """What the user chose, what AWS's SDK says ("sdk"), or the image of the table above."""
    if settings.image == "sdk":
        return _sdk_image(settings.region, settings.instance_type)
    return settings.image or default_image(settings.region, settings.instance_type)


def _sdk_image(region: str, instance_type: str) -> str:
    """From the table of the `sagemaker` package, which knows every region and is imported for this only."""
    try:
        from sagemaker.core import image_uris
    except ImportError:
        raise InputError(
            "SAGEMAKER_IMAGE=sdk asks the package sagemaker, version 3 or later, which is not here; "
            "install the extra: poetry install --extras sagemaker"
        ) from None
    try:
        return str(
            image_uris.retrieve(
                "pytorch",
                region,
                version=PYTORCH,
                py_version=PYTHON,
                instance_type=instance_type,
                image_scope="training",
            )
        )
    except ValueError as error:
        raise InputError(f"AWS's SDK knows no image: {error}") from None


def python_of(image: str) -> str:
    """The Python of an image, "3.12", from its tag."""
    match = re.search(r"-py3([0-9]{1,2})(-|$)", image)
    if not match:
        raise InputError(
            f"the Python of the image {image} does not follow from its tag; gather wheels for it yourself "
            f"and give --wheels DIR"
        )
    return f"3.{match[1]}"


def _parts(instance_type: str) -> tuple[str, str]:
    match = _TYPE.fullmatch(instance_type)
    if not match:
        raise InputError(f"an instance type is a name like ml.c5.4xlarge, not {instance_type!r}")
    return match["family"], match["size"]
