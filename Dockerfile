# Three images from one build: docker build --target bridge|worker|tools .
FROM debian:trixie-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev cmake ninja-build pkg-config libcivetweb-dev libjson-c-dev \
    libssl-dev librabbitmq-dev libhiredis-dev libcurl4-openssl-dev libsqlite3-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cmake --preset release && cmake --build --preset release \
 && strip --strip-debug build/release/bridge/dropbridge build/release/workers/dropworker build/release/tools/dropctl

FROM debian:trixie-slim AS base
RUN useradd --uid 10001 --home-dir /var/lib/dropbridge --create-home --shell /usr/sbin/nologin dropbridge
WORKDIR /var/lib/dropbridge

FROM base AS bridge
RUN apt-get update \
 && apt-get install -y --no-install-recommends libcivetweb1 libjson-c5 libssl3t64 librabbitmq4 libsqlite3-0 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/build/release/bridge/dropbridge /usr/local/bin/
USER dropbridge
EXPOSE 8080
ENTRYPOINT ["dropbridge"]

FROM base AS worker
RUN apt-get update \
 && apt-get install -y --no-install-recommends libcivetweb1 libjson-c5 libssl3t64 librabbitmq4 libhiredis1.1.0 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/build/release/workers/dropworker /usr/local/bin/
USER dropbridge
ENTRYPOINT ["dropworker"]

FROM base AS tools
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libcivetweb1 libcurl4t64 libjson-c5 libssl3t64 librabbitmq4 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/build/release/tools/dropctl /usr/local/bin/
USER dropbridge
ENTRYPOINT ["dropctl"]
