import { BlockList, isIPv4 } from 'node:net';

/** Not for everyone's use (IANA special-purpose registry, RFC 6890), and addresses that clouds answer to inside. */
const SPECIAL_IPV4 = [
  '0.0.0.0/8', // this network, unspecified
  '10.0.0.0/8',
  '100.64.0.0/10', // carriers; also where Alibaba serves metadata
  '127.0.0.0/8',
  '168.63.129.16/32', // Azure's host, from inside
  '169.254.0.0/16', // link-local: metadata
  '172.16.0.0/12',
  '192.0.0.0/24', // protocol assignments
  '192.0.2.0/24', // documentation
  '192.31.196.0/24', // AS112
  '192.52.193.0/24', // AMT
  '192.88.99.0/24', // 6to4 relays
  '192.168.0.0/16',
  '192.175.48.0/24', // AS112
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, broadcast
];

/** What is not global unicast within 2000::/3; everything outside of that is refused as a whole. */
const SPECIAL_IPV6 = [
  '2001::/23', // protocol assignments, Teredo among them, which hides an IPv4 address
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4, which hides an IPv4 address
  '2620:4f:8000::/48', // AS112
  '3fff::/20', // documentation
];

const special4 = listOf(SPECIAL_IPV4, 'ipv4');
const special6 = listOf(SPECIAL_IPV6, 'ipv6');
const global6 = listOf(['2000::/3'], 'ipv6');
const nat64 = listOf(['64:ff9b::/96'], 'ipv6');

/** Whether an address belongs to the public internet. What is not understood does not. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !special4.check(address, 'ipv4');
  const groups = groupsOf(address);
  if (!groups) return false;
  const plain = groups.map((group) => group.toString(16)).join(':');
  // RFC 6052: how IPv6-only networks see IPv4; worth what the address inside is worth.
  if (nat64.check(plain, 'ipv6')) return isPublicAddress(embedded(groups));
  return global6.check(plain, 'ipv6') && !special6.check(plain, 'ipv6');
}

function embedded(groups: readonly number[]): string {
  const [high = 0, low = 0] = groups.slice(6);
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** The eight groups of an IPv6 address in any spelling; the URL parser knows them all, and no zones (RFC 6874). */
function groupsOf(address: string): number[] | undefined {
  const url = `http://[${address}]/`;
  if (!address.includes(':') || !URL.canParse(url)) return undefined;
  const [head = '', tail] = new URL(url).hostname.slice(1, -1).split('::');
  const numbers = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const [left, right] = [numbers(head), numbers(tail ?? '')];
  return [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
}

function listOf(networks: readonly string[], family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', prefix] = network.split('/');
    list.addSubnet(address, Number(prefix), family);
  }
  return list;
}
