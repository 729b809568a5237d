import { X509Certificate } from 'node:crypto';
import type { Middleware } from 'koa';
import type { Config } from '../config/config.ts';
import { cameThroughTrustedProxy } from './client-address.ts';
import { stateOf } from './request-state.ts';

const MOST_CHARACTERS = 16_384;

/**
 * Takes the client's certificate from the header in which a trusted proxy passes it on. From anyone else the header
 * says nothing: a certificate is public, and whoever could write this header would be any client.
 */
export function clientCertificates({ mtls }: Pick<Config, 'mtls'>): Middleware {
  return async (ctx, next) => {
    if (mtls && cameThroughTrustedProxy(ctx)) {
      const certificate = certificateIn(ctx.get(mtls.certificateHeader));
      const verified = mtls.verifiedHeader !== undefined && ctx.get(mtls.verifiedHeader) === 'SUCCESS';
      if (certificate) stateOf(ctx).clientCertificate = { certificate, verified };
    }
    return next();
  };
}

/** `:base64 of DER:` (RFC 9440 §2.1) or a URL-encoded PEM, as nginx's `$ssl_client_escaped_cert`. */
export function certificateIn(header: string): X509Certificate | undefined {
  if (!header || header.length > MOST_CHARACTERS) return undefined;
  const der = /^:([A-Za-z0-9+/]+={0,2}):$/.exec(header)?.[1];
  try {
    if (der) return new X509Certificate(Buffer.from(der, 'base64'));
    const pem = decodeURIComponent(header);
    // Exactly one: with two, proxy and server could mean different ones.
    const isOne = /^-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*$/.test(pem);
    return isOne ? new X509Certificate(pem) : undefined;
  } catch {
    return undefined;
  }
}
