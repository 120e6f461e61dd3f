# Three images from one build, and a stage that runs the unit tests:
#     docker build --target bridge|worker|tools|test .
# Packages come before sources, so that a change of the code installs nothing again.
FROM debian:trixie-slim AS compiler
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev cmake ninja-build pkg-config libcivetweb-dev libjson-c-dev \
    libssl-dev librabbitmq-dev libhiredis-dev libcurl4-openssl-dev libsqlite3-dev \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
WORKDIR /src

FROM compiler AS build
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake
COPY common common
COPY bridge bridge
COPY workers workers
COPY tools tools
RUN cmake --preset release && cmake --build --preset release \
 && strip --strip-debug build/release/bridge/dropbridge build/release/bridge/openssl_names/*.so \
    build/release/workers/dropworker build/release/tools/dropctl

# What the three have in common. The kernel does not deliver a signal to process 1 unless the process handles it: with tini
# there, a stop signal works at any moment, and Ctrl-C ends a tool.
FROM debian:trixie-slim AS base
ARG VERSION=0.3.0
LABEL org.opencontainers.image.title="dropbridge" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.base.name="docker.io/library/debian:trixie-slim"
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates tini libcivetweb1 libjson-c5 libssl3t64 librabbitmq4 \
 && apt-get clean && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log \
 && useradd --uid 10001 --no-log-init --home-dir /var/lib/dropbridge --create-home --skel /nowhere \
    --shell /usr/sbin/nologin dropbridge
COPY LICENSE /usr/share/doc/dropbridge/copyright
WORKDIR /var/lib/dropbridge

FROM base AS tools
RUN apt-get update \
 && apt-get install -y --no-install-recommends libcurl4t64 libhiredis1.1.0 \
 && apt-get clean && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log
LABEL org.opencontainers.image.description="The operator's command of dropbridge"
COPY tests/samples /usr/share/dropbridge/samples
COPY --from=build /src/build/release/tools/dropctl /usr/local/bin/
# A library that is missing shows here, not at the first start.
RUN dropctl --version
WORKDIR /usr/share/dropbridge/samples
USER 10001:10001
ENTRYPOINT ["tini", "--", "dropctl"]
CMD ["--help"]

FROM base AS worker
RUN apt-get update \
 && apt-get install -y --no-install-recommends libhiredis1.1.0 \
 && apt-get clean && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log
LABEL org.opencontainers.image.description="Takes Drop Cowboy's events out of RabbitMQ and keeps the live counters in Redis"
COPY --from=build /src/build/release/workers/dropworker /usr/local/bin/
# Without TLS to Redis there is no image.
RUN dropworker --version && REDIS_URL=rediss://redis.example dropworker --check-config
USER 10001:10001
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 CMD ["dropworker", "--health"]
ENTRYPOINT ["tini", "--", "dropworker"]

FROM base AS bridge
RUN apt-get update \
 && apt-get install -y --no-install-recommends libsqlite3-0 \
 && apt-get clean && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log
LABEL org.opencontainers.image.description="Takes Drop Cowboy's webhooks over HTTP, verifies them and puts them into RabbitMQ"
# What TLS needs: OpenSSL under the names by which the HTTP library looks for it (bridge/openssl_names).
COPY --from=build /src/build/release/bridge/openssl_names/libssl.so /src/build/release/bridge/openssl_names/libcrypto.so \
    /usr/local/lib/dropbridge/
COPY --from=build /src/build/release/bridge/dropbridge /usr/local/bin/
# The check loads them: without TLS there is no image.
RUN dropbridge --version \
 && openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=check -keyout /tmp/check.pem -out /tmp/check.crt 2>/dev/null \
 && cat /tmp/check.crt >>/tmp/check.pem \
 && LISTEN=0.0.0.0:8443s TLS_CERT_FILE=/tmp/check.pem WEBHOOK_SECRET=x CALLBACK_SECRET=x dropbridge --check-config \
 && rm /tmp/check.pem /tmp/check.crt
USER 10001:10001
# All that it writes; a volume, so that the root file system can be read-only and the spool outlives the container.
ENV SPOOL_PATH=/var/lib/dropbridge/spool.db
VOLUME /var/lib/dropbridge
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 CMD ["dropbridge", "--health"]
ENTRYPOINT ["tini", "--", "dropbridge"]

FROM compiler AS test
RUN apt-get update \
 && apt-get install -y --no-install-recommends libcmocka-dev \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
COPY . .
RUN cmake --preset dev && cmake --build --preset dev && ctest --preset dev
