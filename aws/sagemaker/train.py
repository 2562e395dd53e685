"""The entry file for AWS's own estimators and toolkit: `entry_point="train.py"`, with the package beside it.

`sagemaker-launch` does not need it: it uploads the same few lines with the package. Everything that happens
stands in `frustration.cloud`.
"""

import sys

from frustration.cloud.container import main

if __name__ == "__main__":
    sys.exit(main())
