# A container of mua-decode, for CPU and for CUDA:
#
#   docker build -t mua-decode .
#   docker build -t mua-decode:cuda --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130 .
#   mkdir -p runs && docker run --rm --user "$(id -u)" -v "$PWD/runs:/decode/runs" mua-decode train experiment=demo
#   ... --gpus all ... mua-decode:cuda train experiment=demo trainer=gpu
#
# The wheels of torch for CUDA bring its libraries; of NVIDIA the host needs the driver and the
# container toolkit alone.
ARG PYTHON=3.12
FROM python:${PYTHON}-slim AS build
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml hatch_build.py README.md LICENSE CHANGELOG.md ./
COPY conf conf
COPY benchmarks benchmarks
COPY mua_decode mua_decode
# An image is built on one machine and runs on others: the kernel for the processor family at large.
ARG KERNEL_ARCH=portable
ENV MUA_DECODE_BUILD_KERNEL=1 MUA_DECODE_KERNEL_ARCH=${KERNEL_ARCH}
RUN pip wheel --quiet --no-deps --wheel-dir /wheels .

FROM python:${PYTHON}-slim
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_ROOT_USER_ACTION=ignore
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends libgl1 libglib2.0-0 libgomp1 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /wheels /wheels
# torch from its own index, the range of versions from the wheel; everything else from PyPI.
RUN pip install --no-cache-dir --prefer-binary --index-url "${TORCH_INDEX}" "torch>=2.9,<2.14" \
    && pip install --no-cache-dir --prefer-binary /wheels/*.whl \
    && rm -rf /wheels
RUN useradd --create-home --uid 1000 decoder && install -d -o decoder /decode /decode/runs
USER decoder
WORKDIR /decode
# Writable for whatever user it is run as.
ENV MPLCONFIGDIR=/tmp/matplotlib MUA_DECODE_CACHE=/tmp/mua_decode
ENTRYPOINT ["mua-decode"]
