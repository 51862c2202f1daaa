# docker build -t vdb . && docker run -p 6379:6379 -v vdb:/data vdb
FROM debian:12 AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
        gcc libc6-dev make libuv1-dev libjemalloc-dev libxxhash-dev libhiredis-dev \
        libcurl4-openssl-dev libssl-dev libroaring-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /vdb
COPY Makefile ./
COPY src src
COPY tests tests
RUN make -j"$(nproc)" all

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
        libuv1 libjemalloc2 libxxhash0 libhiredis0.14 libroaring0 libcurl4 libssl3 ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /data --create-home vdb
COPY --from=build /vdb/build/vdb-server /vdb/build/vdb /usr/local/bin/
USER vdb
WORKDIR /data
VOLUME /data
EXPOSE 6379
# Inside a container loopback reaches nobody, and protected mode would refuse the others: publish
# the port where only you can reach it, or add --requirepass.
ENTRYPOINT ["vdb-server", "--dir", "/data", "--bind", "0.0.0.0", "--protected-mode", "no"]
