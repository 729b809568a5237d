/**
 * A MaxMind DB file with a few IPv4 networks, for tests: https://maxmind.github.io/MaxMind-DB/, as much of it as a
 * reader of places needs (24-bit records, maps, strings and numbers).
 */
export function mmdb(networks: Record<string, object>): Buffer {
  const data: Buffer[] = [];
  let dataLength = 0;
  // Node 0 is the root; a record is undefined, a node's number, or an offset into the data.
  type Leaf = { offset: number };
  const nodes: [number | Leaf | undefined, number | Leaf | undefined][] = [[undefined, undefined]];
  for (const [network, entry] of Object.entries(networks)) {
    const leaf: Leaf = { offset: dataLength };
    const encoded = encode(entry);
    data.push(encoded);
    dataLength += encoded.length;
    const [address, prefix] = network.split('/') as [string, string];
    const bits = address
      .split('.')
      .map((part) => Number(part).toString(2).padStart(8, '0'))
      .join('')
      .slice(0, Number(prefix));
    let at = 0;
    for (const [i, bit] of [...bits].entries()) {
      const side = Number(bit) as 0 | 1;
      if (i === bits.length - 1) {
        nodes[at]![side] = leaf;
        break;
      }
      const next = nodes[at]![side];
      if (typeof next === 'number') at = next;
      else {
        nodes.push([undefined, undefined]);
        nodes[at]![side] = nodes.length - 1;
        at = nodes.length - 1;
      }
    }
  }
  const tree = Buffer.alloc(nodes.length * 6);
  nodes.forEach((records, i) =>
    records.forEach((record, side) => {
      const value =
        record === undefined
          ? nodes.length
          : typeof record === 'number'
            ? record
            : nodes.length + 16 + record.offset;
      tree.writeUIntBE(value, i * 6 + side * 3, 3);
    }),
  );
  const metadata = encode({
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: 1_700_000_000,
    database_type: 'Test-City',
    description: { en: 'a test' },
    ip_version: 4,
    languages: ['en', 'de'],
    node_count: nodes.length,
    record_size: 24,
  });
  return Buffer.concat([
    tree,
    Buffer.alloc(16),
    ...data,
    Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1'),
    metadata,
  ]);
}

function encode(value: unknown): Buffer {
  if (typeof value === 'string') {
    const text = Buffer.from(value);
    return Buffer.concat([control(2, text.length), text]);
  }
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return Buffer.concat([control(6, 4), bytes]);
  }
  if (Array.isArray(value)) return Buffer.concat([control(11, value.length), ...value.map(encode)]);
  const entries = Object.entries(value as object);
  return Buffer.concat([
    control(7, entries.length),
    ...entries.flatMap(([key, inner]) => [encode(key), encode(inner)]),
  ]);
}

/** Type and size; sizes from 29 on take a byte more, types above 7 too. */
function control(type: number, size: number): Buffer {
  const small = Math.min(size, 29);
  const first = type <= 7 ? [(type << 5) | small] : [small, type - 7];
  return Buffer.from(size < 29 ? first : [...first, size - 29]);
}
