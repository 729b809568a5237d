import { isIP } from 'node:net';
import { z } from 'zod';
import { type RedisConfig, type RedisNode, logFormats, logLevels, poolers } from './config.ts';
import { Secret } from './secret.ts';

/** Marks secrets that were generated for development, so that production can refuse them. */
export const developmentMark = 'dev_';

/** A schema over text from a parser that throws an Error with a sentence fit for a fault. */
function parsed<T>(parse: (text: string) => T): z.ZodType<T, string> {
  return z.string().transform((text, ctx) => {
    try {
      return parse(text);
    } catch (error) {
      ctx.addIssue({ code: 'custom', message: (error as Error).message });
      return z.NEVER;
    }
  });
}

const fail = (message: string): never => {
  throw new Error(message);
};

export const baseUrl = parsed((text) => {
  const url = URL.canParse(text) ? new URL(text) : fail('must be an address such as https://id.example.com');
  if (!/^https?:$/.test(url.protocol)) fail('must begin with https:// (or http:// on loopback)');
  if (url.username || url.password) fail('must hold no user name or password');
  // A path would make every issuer, cookie path and link ambiguous; one closing slash is forgiven.
  if (url.pathname !== '/' || url.search || url.hash || /[?#]/.test(text))
    fail('must be an origin, without path, query or fragment');
  if (url.hostname.endsWith('.')) fail('must not end in a dot');
  return url.origin;
});

export function wholeNumber(min: number, max: number) {
  return parsed((text) => {
    const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    return number >= min && number <= max ? number : fail(`must be a whole number from ${min} to ${max}`);
  });
}

export const hostToListenOn = parsed((text) =>
  isIP(text) || /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(text)
    ? text
    : fail('must be an address or a host name, without a port'),
);

export function secretUrl(protocols: readonly string[]) {
  return parsed((text) => {
    const names = protocols.map((name) => `${name}//`).join(' or ');
    const url = URL.canParse(text) ? new URL(text) : fail(`must be a URL that begins with ${names}`);
    if (!protocols.includes(url.protocol)) fail(`must begin with ${names}`);
    return new Secret(text);
  });
}

/** `redis[s]://…`, `redis[s]+sentinel://[user:pass@]host:port,host:port/master-name[/db]`, `redis[s]+cluster://…host:port,host:port`. */
export const redisUrl = parsed((text): RedisConfig => {
  const match = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/]*)@)?([^@/?#]+)(\/[^?#]*)?$/.exec(text);
  if (!match)
    return fail(
      'must be redis://…, rediss://…, redis+sentinel://host:port,…/master or redis+cluster://host:port,…',
    );
  const [, scheme, kind, login = '', hosts = '', path = ''] = match;
  if (kind === undefined)
    return URL.canParse(text) ? { kind: 'single', url: new Secret(text) } : fail('is not a URL');
  const [user, password] = login.split(/:(.*)/s).map((part) => decodeURIComponent(part));
  const shared = {
    nodes: hosts.split(',').map((host) => redisNode(host, kind === 'sentinel' ? 26_379 : 6379)),
    tls: scheme === 'rediss',
    username: user || undefined,
    password: password ? new Secret(password) : undefined,
  };
  if (kind === 'cluster') return { kind, ...shared };
  const [, name, database = '0'] = path.split('/');
  if (!name || !/^\d{1,3}$/.test(database))
    return fail('must name the master of the Sentinels: redis+sentinel://host:port,…/master');
  return { kind: 'sentinel', name, database: Number(database), ...shared };
});

function redisNode(text: string, defaultPort: number): RedisNode {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?$/i.exec(text);
  if (!match?.[1]) return fail('has a host that is not host:port');
  return { host: match[1].replace(/^\[|\]$/g, ''), port: match[2] ? Number(match[2]) : defaultPort };
}

export const mailAddress = parsed((text) =>
  /^[^\s@<>,"]+@[a-z0-9.-]+$/i.test(text)
    ? text
    : fail('must be one plain address, such as no-reply@example.com; the name shown is that of the app'),
);

/** `generated`: the key bears the mark of development. */
export type EncryptionKey = { bytes: Buffer; generated: boolean };

export const encryptionKeys = parsed((text): Secret<EncryptionKey[]> => {
  const keys = text.split(',').map((part) => encryptionKey(part.trim()));
  const distinct = new Set(keys.map((key) => key.bytes.toString('hex')));
  if (distinct.size !== keys.length) fail('holds the same key twice');
  return new Secret(keys);
});

function encryptionKey(text: string): EncryptionKey {
  const generated = text.startsWith(developmentMark);
  const body = generated ? text.slice(developmentMark.length) : text;
  const bytes = /^[0-9a-f]{64}$/i.test(body)
    ? Buffer.from(body, 'hex')
    : /^[A-Za-z0-9_-]{43}=?$|^[A-Za-z0-9+/]{43}=?$/.test(body)
      ? Buffer.from(body, 'base64url')
      : fail(
          'must hold keys of 32 bytes each, as base64 or hex, separated by commas: openssl rand -base64 32',
        );
  // `AAAA…` or `0101…` decodes well and protects nothing.
  if (new Set(bytes).size < 8) fail('holds a key that is not random: openssl rand -base64 32');
  return { bytes, generated };
}

export function secretOfLength(min: number) {
  return parsed((text) => {
    if (text.length < min) fail(`must have at least ${min} characters`);
    if (!/^[\x21-\x7e]+$/.test(text)) fail('must hold printable ASCII without spaces');
    if (new Set(text).size < 8) fail('is not random: openssl rand -base64 32');
    return new Secret(text);
  });
}

export const networks = parsed((text) => {
  const entries = text.split(',').map((part) => part.trim());
  for (const entry of entries) {
    const [address = '', prefix, ...rest] = entry.split('/');
    const family = isIP(address);
    const longest = family === 4 ? 32 : 128;
    const sound =
      family !== 0 &&
      rest.length === 0 &&
      (prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= longest));
    if (!sound) fail(`must hold addresses or CIDRs separated by commas; "${entry}" is neither`);
  }
  return entries;
});

/** `host`, `host:port`, `[::1]:port`: as the URL parser writes them, so that they can be compared with what it found. */
export const outboundHosts = parsed((text) =>
  text.split(',').map((part) => {
    const entry = part.trim();
    const match = /^(\[[0-9a-f:.]+\]|[^\s/@?#\\:[\]*]+)(?::(\d{1,5}))?$/i.exec(entry);
    const host = match && URL.canParse(`http://${match[1]}`) ? new URL(`http://${match[1]}`).hostname : '';
    const bare = host.replace(/\.$/, '');
    const port = match?.[2] === undefined ? undefined : Number(match[2]);
    if (!bare || port === 0 || (port ?? 1) > 65_535)
      fail(`must hold hosts, each host or host:port, separated by commas; "${entry}" is neither`);
    return port === undefined ? bare : `${bare}:${port}`;
  }),
);

/** Ours to read, so none that HTTP itself, the client or the library gives a meaning. */
export const headerName = parsed((text) =>
  /^[a-z][a-z0-9-]{2,60}$/i.test(text) &&
  !/^(authorization|cookie|host|origin|dpop|x-forwarded-.*)$/i.test(text)
    ? text.toLowerCase()
    : fail('must be the name of a header that nothing else uses, such as client-cert'),
);

/** Where a service is; what is asked for is added behind it. */
export const webAddress = parsed((text) => {
  const url = URL.canParse(text) ? new URL(text) : fail('must be an address that begins with https://');
  if (!/^https?:$/.test(url.protocol)) fail('must begin with https://');
  if (url.username || url.password || url.search || url.hash)
    fail('must hold no password, query or fragment');
  return url.href.replace(/\/$/, '');
});

export const directory = parsed((text) => (text.includes('\0') ? fail('is not a path') : text));
export const logLevel = z.enum(logLevels, `must be one of ${logLevels.join(', ')}`);
export const logFormat = z.enum(logFormats, `must be one of ${logFormats.join(', ')}`);
export const environment = z.enum(['development', 'production'], 'must be development or production');
export const pooler = z.enum(poolers, `must be ${poolers.join(' or ')}`);
