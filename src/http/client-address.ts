import { BlockList, isIP, type Socket } from 'node:net';
import type { Context, Middleware } from 'koa';
import { rememberState, stateOf } from './request-state.ts';

/** Finds the client's address and puts it in `ctx.state.clientAddress`. The first middleware of all. */
export function clientAddresses(trustedProxies: readonly string[]): Middleware {
  const isTrusted = trust(trustedProxies);
  const peers = new WeakMap<Socket, { address: string; isProxy: boolean }>();
  return (ctx, next) => {
    rememberState(ctx);
    const { socket } = ctx.req;
    let peer = peers.get(socket);
    if (!peer) {
      const address = peerAddress(ctx);
      peer = { address, isProxy: isTrusted(address) };
      peers.set(socket, peer);
    }
    ctx.state.isThroughProxy = peer.isProxy;
    ctx.state.clientAddress = peer.isProxy
      ? farthestTrusted(isTrusted, peer.address, ctx.get('x-forwarded-for'))
      : peer.address;
    return next();
  };
}

/** The client's address; forwarded headers count only where TRUSTED_PROXIES names the peer. */
export function clientAddress(ctx: Pick<Context, 'req'>): string {
  return stateOf(ctx).clientAddress;
}

export function cameThroughTrustedProxy(ctx: Pick<Context, 'req'>): boolean {
  return stateOf(ctx).isThroughProxy;
}

/** The other end of the connection, whatever headers say. */
export function peerAddress(ctx: Pick<Context, 'req'>): string {
  return plain(ctx.req.socket.remoteAddress ?? '') ?? '0.0.0.0';
}

export function isLoopbackAddress(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

/** What limits count by: an IPv4 address, or the /64 that one IPv6 subscriber chooses from freely. */
export function networkOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = '', tail = ''] = address.split('%')[0]!.split('::');
  const left = head ? head.split(':') : [];
  const right = tail ? tail.split(':') : [];
  const groups = address.includes('::')
    ? [...left, ...Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right]
    : left;
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

/** From the right, the first hop that is no proxy of ours: what stands left of it anyone can have written. */
function farthestTrusted(isTrusted: (address: string) => boolean, peer: string, header: string): string {
  let known = peer;
  for (const hop of header.split(',').reverse()) {
    const address = plain(hop.trim());
    if (!address) return known;
    known = address;
    if (!isTrusted(address)) return known;
  }
  return known;
}

function trust(networks: readonly string[]): (address: string) => boolean {
  if (networks.length === 0) return () => false;
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', prefix] = network.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return (address) => list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/** Without port, brackets and the IPv4-in-IPv6 form a dual-stack socket reports. undefined: not an address. */
function plain(text: string): string | undefined {
  const bare =
    /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(text)?.[1] ?? text;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)?.[1] ?? bare;
  return isIP(mapped) ? mapped : undefined;
}
