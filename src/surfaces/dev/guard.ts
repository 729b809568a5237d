import type { Context } from 'koa';
import type { Config } from '../../config/config.ts';
import { isLoopbackAddress, peerAddress } from '../../http/client-address.ts';

export type DevConfig = Pick<Config, 'environment' | 'isLoopback' | 'baseUrl'>;

/**
 * Whether /dev/* exists for this request. The peer is that of the connection, whatever a proxy says; the Host
 * must be ours, or a page of any site could read the inbox through a name that resolves to 127.0.0.1 (DNS rebinding).
 */
export function isDevelopmentRequest(ctx: Context, config: DevConfig): boolean {
  return (
    config.environment === 'development' &&
    config.isLoopback &&
    isLoopbackAddress(peerAddress(ctx)) &&
    // What a tunnel or a proxy on this machine passes on is somebody else's.
    ctx.get('x-forwarded-for') === '' &&
    ctx.get('forwarded') === '' &&
    ctx.get('host').toLowerCase() === new URL(config.baseUrl).host
  );
}
