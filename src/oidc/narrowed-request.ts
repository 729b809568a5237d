import { IncomingMessage } from 'node:http';

/** Headers that the library may see as the client sent them. Forwarded headers and the client's Host are not among them. */
const PASSED = [
  'accept',
  'accept-language',
  'authorization',
  'content-type',
  'dpop',
  'origin',
  'user-agent',
  'access-control-request-headers',
  'access-control-request-method',
] as const;

export type Narrowed = {
  original: IncomingMessage;
  /** Of the issuer the request was made at. */
  issuerUrl: string;
  /** Path below the issuer, with its query. */
  path: string;
  cookies: string | undefined;
  body: string | undefined;
};

/**
 * The request as an app's provider sees it: host and scheme are those of the issuer, the mount path is said, not
 * guessed, and of the cookies it gets its own. Whatever else the client sent is not there to be believed.
 */
export function narrowedRequest(narrowed: Narrowed): IncomingMessage {
  const { original } = narrowed;
  const issuer = new URL(narrowed.issuerUrl);
  const request = new IncomingMessage(original.socket) as IncomingMessage & { baseUrl: string };
  request.method = original.method ?? 'GET';
  request.url = narrowed.path;
  request.httpVersion = original.httpVersion;
  request.httpVersionMajor = original.httpVersionMajor;
  request.httpVersionMinor = original.httpVersionMinor;
  request.baseUrl = issuer.pathname === '/' ? '' : issuer.pathname;
  request.headers = { host: issuer.host, 'x-forwarded-proto': issuer.protocol.slice(0, -1) };
  for (const name of PASSED) {
    const value = original.headers[name];
    if (typeof value === 'string') request.headers[name] = value;
  }
  if (narrowed.cookies) request.headers.cookie = narrowed.cookies;
  if (narrowed.body) {
    const body = Buffer.from(narrowed.body);
    request.headers['content-length'] = String(body.length);
    request.push(body);
  } else {
    delete request.headers['content-type'];
  }
  request.push(null);
  // All of it is here; otherwise the end of the stream would count as an aborted upload and close the socket.
  request.complete = true;
  return request;
}
