import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

/** What a page gives the browser, as far as an authenticator reads it. */
export type Options = {
  challenge: string;
  rpId?: string;
  rp?: { id: string };
  user?: { id: string };
};

/** What may be wrong with an answer; what is not named is as it should be. */
export type Lies = {
  origin?: string;
  rpId?: string;
  type?: string;
  crossOrigin?: boolean;
  flags?: number;
  counter?: number;
  userHandle?: string | undefined;
  challenge?: string;
  credentialId?: string;
  isSignatureBogus?: boolean;
  aaguid?: string;
  format?: string;
  /** The attestation statement (WebAuthn L3 §8), in CBOR; without one it is empty. */
  attest?: (about: Attested) => Buffer;
};

/** What a statement is about. `sign` signs with the key of the passkey itself. */
export type Attested = {
  authData: Buffer;
  clientDataHash: Buffer;
  credentialId: Buffer;
  rpIdHash: Buffer;
  /** x and y of the point. */
  point: Buffer;
  sign(data: Buffer): Buffer;
};

export const flags = { up: 0x01, uv: 0x04, be: 0x08, bs: 0x10, at: 0x40 } as const;
const HONEST = flags.up | flags.uv;

/** A passkey on ES256 without hardware: what a browser would answer, and whatever else somebody could write. */
export class Authenticator {
  readonly credentialId = randomBytes(20).toString('base64url');
  readonly #origin: string;
  readonly #privateKey: KeyObject;
  readonly #publicKey: Buffer;
  readonly #point: Buffer;
  #handle = '';
  /** The last one sent; an authenticator without a counter always says 0. */
  counter = 0;

  constructor(origin: string) {
    this.#origin = origin;
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#privateKey = privateKey;
    const { x, y } = publicKey.export({ format: 'jwk' });
    this.#point = Buffer.concat([Buffer.from(x!, 'base64url'), Buffer.from(y!, 'base64url')]);
    this.#publicKey = map([
      [int(1), int(2)],
      [int(3), int(-7)],
      [int(-1), int(1)],
      [int(-2), bytes(Buffer.from(x!, 'base64url'))],
      [int(-3), bytes(Buffer.from(y!, 'base64url'))],
    ]);
  }

  /** The form field of a registration (WebAuthn L3 §5.1.3), with an attestation of format `none`. */
  create(options: Options, lies: Lies = {}): string {
    this.#handle = options.user!.id;
    const id = Buffer.from(lies.credentialId ?? this.credentialId, 'base64url');
    const length = Buffer.alloc(2);
    length.writeUInt16BE(id.length);
    const aaguid = Buffer.from((lies.aaguid ?? '').replaceAll('-', '').padEnd(32, '0'), 'hex');
    const rpId = lies.rpId ?? options.rp!.id;
    const said = { ...lies, flags: (lies.flags ?? HONEST) | flags.at };
    const authData = Buffer.concat([this.#header(rpId, said), aaguid, length, id, this.#publicKey]);
    const clientDataJSON = this.#clientData('webauthn.create', options, lies);
    const about = {
      authData,
      clientDataHash: sha256(Buffer.from(clientDataJSON, 'base64url')),
      credentialId: id,
      rpIdHash: sha256(rpId),
      point: this.#point,
      sign: (data: Buffer) => sign('sha256', data, this.#privateKey),
    };
    const attestationObject = map([
      [text('fmt'), text(lies.format ?? 'none')],
      [text('attStmt'), lies.attest?.(about) ?? map([])],
      [text('authData'), bytes(authData)],
    ]);
    return this.#field(id.toString('base64url'), {
      clientDataJSON,
      attestationObject: attestationObject.toString('base64url'),
      transports: ['internal'],
    });
  }

  /** The form field of a sign-in (§5.1.4). */
  get(options: Options, lies: Lies = {}): string {
    const authData = this.#header(lies.rpId ?? options.rpId!, lies);
    const clientDataJSON = this.#clientData('webauthn.get', options, lies);
    const hash = createHash('sha256').update(Buffer.from(clientDataJSON, 'base64url')).digest();
    const signature = sign('sha256', Buffer.concat([authData, hash]), this.#privateKey);
    if (lies.isSignatureBogus) signature[signature.length - 1]! ^= 1;
    return this.#field(lies.credentialId ?? this.credentialId, {
      clientDataJSON,
      authenticatorData: authData.toString('base64url'),
      signature: signature.toString('base64url'),
      userHandle: 'userHandle' in lies ? lies.userHandle : this.#handle,
    });
  }

  get handle(): string {
    return this.#handle;
  }

  #header(rpId: string, lies: Lies): Buffer {
    const rest = Buffer.alloc(5);
    rest[0] = lies.flags ?? HONEST;
    rest.writeUInt32BE(lies.counter ?? this.counter, 1);
    return Buffer.concat([createHash('sha256').update(rpId).digest(), rest]);
  }

  #clientData(type: string, { challenge }: Options, lies: Lies): string {
    const said = {
      type: lies.type ?? type,
      challenge: lies.challenge ?? challenge,
      origin: lies.origin ?? this.#origin,
      crossOrigin: lies.crossOrigin ?? false,
    };
    return Buffer.from(JSON.stringify(said)).toString('base64url');
  }

  #field(id: string, response: object): string {
    return JSON.stringify({ id, rawId: id, type: 'public-key', response });
  }
}

const sha256 = (data: string | Buffer): Buffer => createHash('sha256').update(data).digest();

// As much of CBOR as that takes (RFC 8949 §3).
function head(major: number, length: number): Buffer {
  if (length < 24) return Buffer.from([(major << 5) | length]);
  if (length < 256) return Buffer.from([(major << 5) | 24, length]);
  return Buffer.from([(major << 5) | 25, length >> 8, length & 0xff]);
}
const int = (value: number): Buffer => (value < 0 ? head(1, -1 - value) : head(0, value));
const bytes = (value: Buffer): Buffer => Buffer.concat([head(2, value.length), value]);
const text = (value: string): Buffer =>
  Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
const map = (pairs: [Buffer, Buffer][]): Buffer => Buffer.concat([head(5, pairs.length), ...pairs.flat()]);

const array = (items: Buffer[]): Buffer => Buffer.concat([head(4, items.length), ...items]);
export const cbor = { int, bytes, text, map, array };

/** What a page with a button for passkeys gives the browser; undefined for one without. */
export function optionsOn(html: string): Options | undefined {
  const found = /\bdata-options="([^"]*)"/.exec(html)?.[1];
  return found === undefined ? undefined : (JSON.parse(found.replaceAll(/&#34;|&quot;/g, '"')) as Options);
}
