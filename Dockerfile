# Built in one image, run in another: no compiler, no pip and no source tree at run time.
#
#   docker build -t mlstudio-bot .
#   docker run --read-only --tmpfs /tmp -v mlstudio:/data --env-file secrets.env \
#     -v "$PWD/config:/etc/mlstudio-bot:ro" mlstudio-bot

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# Every package is known by its hash: what was tested is what is installed.
COPY .ci/requirements.txt .ci/requirements-build.txt ./
# The venv is made at the path where it runs: its scripts name their interpreter.
RUN python -m venv --without-pip /opt/bot \
 && pip --python /opt/bot/bin/python install --no-compile --require-hashes -r requirements.txt \
 && pip install --require-hashes -r requirements-build.txt
COPY pyproject.toml README.md LICENSE ./
COPY bot bot
# Compiled once here, since the running user may not write into it; unchecked, since
# nobody edits the sources behind it either.
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
 && pip --python /opt/bot/bin/python install --no-compile --no-deps /dist/*.whl \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/bot/lib

FROM python:3.13-slim
LABEL org.opencontainers.image.title="mlstudio-bot" \
      org.opencontainers.image.licenses="MIT"
RUN groupadd --gid 10001 bot \
 && useradd --uid 10001 --gid bot --no-create-home --home-dir /data bot \
 && install --directory --owner=bot --group=bot --mode=0700 /data
COPY --from=build /opt/bot /opt/bot
# Proves that it starts, and leaves the standard library compiled as far as it is used.
RUN /opt/bot/bin/mlstudio-bot --version
ENV PATH="/opt/bot/bin:$PATH" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MLSTUDIO_BOT_CONFIG=/etc/mlstudio-bot/mlstudio-bot.toml
USER 10001:10001
# The SQLite database of the default configuration lies in the working directory.
VOLUME /data
WORKDIR /data
STOPSIGNAL SIGTERM
# Needs [server] in the configuration, listening on port 8080. Not urllib: that would
# send even this request through a proxy named in the environment.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 8080, timeout=4); c.request('GET', '/livez'); raise SystemExit(c.getresponse().status != 200)"]
# The exec form: the bot is process 1 and gets SIGTERM itself.
ENTRYPOINT ["mlstudio-bot"]
CMD ["run"]
