import { IncomingMessage } from 'node:http';
import { FrequencyCache } from '../kernel/frequency-cache.ts';

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
  const issuer = addressOf(narrowed.issuerUrl);
  const request = new IncomingMessage(original.socket) as IncomingMessage & { baseUrl: string };
  request.method = original.method ?? 'GET';
  request.url = narrowed.path;
  request.httpVersion = original.httpVersion;
  request.httpVersionMajor = original.httpVersionMajor;
  request.httpVersionMinor = original.httpVersionMinor;
  request.baseUrl = issuer.mountPath;
  request.headers = { host: issuer.host, 'x-forwarded-proto': issuer.scheme };
  for (const name of PASSED) {
    const value = original.headers[name];
    if (typeof value === 'string') request.headers[name] = value;
  }
  if (narrowed.cookies) request.headers.cookie = narrowed.cookies;
  if (narrowed.body) {
    const body = Buffer.from(narrowed.body);
    // Whatever it said of itself, it was found to be this, and UTF-8.
    request.headers['content-type'] = 'application/x-www-form-urlencoded';
    request.headers['content-length'] = String(body.length);
    // All that the library does with the stream is to iterate over it.
    Object.assign(request, { iterator: () => [body] });
  } else {
    delete request.headers['content-type'];
  }
  // All of it is here.
  request.complete = true;
  return request;
}

type Address = { host: string; scheme: string; mountPath: string };

const addresses = new FrequencyCache<Address>(5000);

function addressOf(issuerUrl: string): Address {
  let address = addresses.get(issuerUrl);
  if (!address) {
    const { host, protocol, pathname } = new URL(issuerUrl);
    address = { host, scheme: protocol.slice(0, -1), mountPath: pathname === '/' ? '' : pathname };
    addresses.set(issuerUrl, address);
  }
  return address;
}
