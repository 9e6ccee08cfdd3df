# One image for both roles: `node lib/main/api.js` (the default) and `node lib/main/worker.js`; `node lib/main/migrate.js` migrates.
# Nothing of it runs as root, and nothing writes outside /data and /tmp.
# By digest where one is given: deploy/pin-images.sh looks it up.
ARG NODE_IMAGE=node:22.21.1-bookworm-slim
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No package needs its install script: docs/operations.md says why.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY src ./src
COPY console ./console
COPY client ./client
RUN npm run build && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM ${NODE_IMAGE}
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 DATA_DIR=/data AGENTS_DIR=/app/agents
WORKDIR /app
# The Temporal SDK's native part reads the system's certificates, which the slim image lacks. The newest ones: they are data.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
  && install -d -o node -g node /data
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/lib ./lib
COPY --from=build /app/console/dist ./console/dist
# A tool's sample data, which the compiler does not copy.
COPY src/tools/examples/data ./src/tools/examples/data
COPY agents ./agents
# node, as a number: from a name Kubernetes cannot tell that it is not root.
USER 1000:1000
EXPOSE 8080
# Longer than the drain's own limit, 24 s: compose sets stop_grace_period.
STOPSIGNAL SIGTERM
CMD ["node", "lib/main/api.js"]
