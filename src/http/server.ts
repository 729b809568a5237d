import { createServer, type RequestListener, type Server } from 'node:http';

/**
 * What a client may ask of a connection (docs/limits.md). Who is too slow is answered 408, whose headers are too large 431;
 * connections beyond `maxConnections` are closed at once.
 */
export function createHttpServer(
  listener: RequestListener,
  { maxConnections }: { maxConnections: number },
): Server {
  const server = createServer(
    {
      headersTimeout: 15_000,
      requestTimeout: 30_000,
      keepAliveTimeout: 10_000,
      maxHeaderSize: 16 * 1024,
      // How often the two limits above are looked after: by Node's own habit only twice a minute.
      connectionsCheckingInterval: 2_000,
    },
    listener,
  );
  server.maxHeadersCount = 100;
  server.maxConnections = maxConnections;
  return server;
}
