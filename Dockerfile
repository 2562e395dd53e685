# The checkout, set up, in a container; by default it runs the first study.
#
#   docker build -t frustration .                          torch for CPUs, if pip finds it; else with CUDA
#   docker build -t frustration --build-arg TORCH=cuda .   torch with CUDA: run it with --gpus all
#   docker run --user "$(id -u):$(id -g)" -v "$PWD/results:/frustration/results" frustration
#
# A mirror of packages: --build-arg PIP_INDEX_URL=ADDRESS, and PIP_EXTRA_INDEX_URL for builds of torch.
FROM python:3.11-slim

RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ make \
    && rm -rf /var/lib/apt/lists/*

# Any user id may run it: there is no account for it, but a home, and a name for whoever asks.
ENV HOME=/home/any USER=any PIP_NO_CACHE_DIR=1 PATH=/frustration/.venv/bin:$PATH
RUN mkdir -m 1777 /home/any

WORKDIR /frustration
COPY . .

ARG TORCH=auto
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
RUN scripts/bootstrap --torch "$TORCH" --without dev \
    && chmod -R a+rwX .bootstrap results models reproduction /home/any

USER 1000:1000
CMD ["make", "study"]
