# Both images can be replaced, by a mirror's or by ones of your own: Debian with glibc 2.38 or newer (uWebSockets.js needs it; Alpine's musl
# does not do), and in BASE_IMAGE also Node 24, 22 or 20, with npm. Both must be of the same Debian release.
ARG BASE_IMAGE=node:24-trixie-slim
ARG RUNTIME_IMAGE=debian:trixie-slim

FROM ${BASE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
# No package of ours needs its install script, and one that begins to should be noticed.
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json LICENSE ./
COPY src src
RUN npm run -s build && npm prune --omit=dev --ignore-scripts
RUN node src/packages/prune-image.mjs
# What is left, as CycloneDX: for whoever must know which packages an image has.
RUN npm sbom --package-lock-only --sbom-format=cyclonedx | node src/packages/image-sbom.mjs > sbom.cdx.json

# Without npm, yarn and headers: a server has no use for them.
FROM ${RUNTIME_IMAGE}
COPY --from=build /usr/local/bin/node /usr/local/bin/node
WORKDIR /app
COPY LICENSE ./
COPY --from=build /app/package.json /app/sbom.cdx.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
# Fails the build, not the first start, when Node or uWebSockets.js does not load in this image.
RUN ["node", "--input-type=module", "-e", "const { loadUws } = await import('/app/dist/transport/uws.js'); console.log((await loadUws()).source)"]

# What it was built from; given by whoever builds (src/OPERATING.md). Behind all that takes long, since they change each time.
ARG VERSION=""
ARG REVISION=""
ARG SOURCE=""
LABEL org.opencontainers.image.title="Stentor" \
      org.opencontainers.image.description="Broadcast engine: NATS in, MessagePack over WebSockets out" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"

ENV NODE_ENV=production
# By number, so that Kubernetes' runAsNonRoot can check it. Nobody owns a file here: the root file system may be read-only, and nothing is written.
USER 65532:65532
EXPOSE 8080 9090
# Node is process 1 and hears SIGTERM itself: it drains, then exits. The grace period must be longer than hub.drainTimeoutMs (20 s).
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 CMD ["node", "/app/dist/cli/main.js", "health"]
ENTRYPOINT ["node", "/app/dist/cli/main.js"]
CMD ["serve"]
