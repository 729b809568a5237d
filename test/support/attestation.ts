import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { type Attested, cbor } from '../../src/surfaces/cli/isolation/authenticator.ts';

const { array, bytes, int, map, text } = cbor;

// As much of DER (X.690) and X.509 (RFC 5280 §4.1) as a certificate of a key takes.
function der(tag: number, ...contents: Buffer[]): Buffer {
  const body = Buffer.concat(contents);
  const { length } = body;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), body]);
}
const sequence = (...parts: Buffer[]): Buffer => der(0x30, ...parts);
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));
const utf8 = (value: string): Buffer => der(0x0c, Buffer.from(value));
const time = (value: string): Buffer => der(0x18, Buffer.from(value));
const ECDSA_SHA256 = sequence(oid('2a8648ce3d040302'));
const NAMES = { C: '550406', O: '55040a', OU: '55040b', CN: '550403' } as const;

type Subject = Partial<Record<keyof typeof NAMES, string>>;
const nameOf = (subject: Subject): Buffer =>
  sequence(
    ...Object.entries(subject).map(([key, value]) =>
      der(0x31, sequence(oid(NAMES[key as keyof Subject]), utf8(value))),
    ),
  );

export type Issued = { certificate: Buffer; privateKey: KeyObject; subject: Subject };

/** A certificate for a new key, by `issuer` or by itself. */
export function issue(
  subject: Subject,
  {
    issuer,
    isCa = false,
    until = '21260101000000Z',
  }: { issuer?: Issued; isCa?: boolean; until?: string } = {},
): Issued {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const constraints = sequence(
    oid('551d13'),
    der(0x01, Buffer.from([0xff])),
    der(0x04, sequence(...(isCa ? [der(0x01, Buffer.from([0xff]))] : []))),
  );
  const toSign = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1, Math.floor(Math.random() * 256)])),
    ECDSA_SHA256,
    nameOf(issuer?.subject ?? subject),
    sequence(time('20200101000000Z'), time(until)),
    nameOf(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(constraints)),
  );
  const signature = sign('sha256', toSign, issuer?.privateKey ?? privateKey);
  const certificate = sequence(toSign, ECDSA_SHA256, der(0x03, Buffer.from([0]), signature));
  return { certificate, privateKey, subject };
}

export const MODEL: Subject = { C: 'DE', O: 'Keys', OU: 'Authenticator Attestation', CN: 'Model 1' };

/** Changes one bit of a signature. */
const altered = (signature: Buffer): Buffer => {
  signature[signature.length - 1]! ^= 1;
  return signature;
};

/** `packed`, signed by the key of a model with its certificates, or by the passkey itself (WebAuthn L3 §8.2). */
export const packed =
  (model?: { key: Issued; chain: Buffer[] }, isAltered = false) =>
  ({ authData, clientDataHash, sign: bySelf }: Attested): Buffer => {
    const data = Buffer.concat([authData, clientDataHash]);
    const signature = model ? sign('sha256', data, model.key.privateKey) : bySelf(data);
    return map([
      [text('alg'), int(-7)],
      [text('sig'), bytes(isAltered ? altered(signature) : signature)],
      ...(model ? [[text('x5c'), array(model.chain.map(bytes))] as [Buffer, Buffer]] : []),
    ]);
  };

/** `fido-u2f`, as keys of before FIDO2 say it (WebAuthn L3 §8.6). */
export const fidoU2f =
  ({ privateKey, certificate }: Issued, isAltered = false) =>
  ({ rpIdHash, clientDataHash, credentialId, point }: Attested): Buffer => {
    const data = Buffer.concat([
      Buffer.from([0]),
      rpIdHash,
      clientDataHash,
      credentialId,
      Buffer.from([4]),
      point,
    ]);
    const signature = sign('sha256', data, privateKey);
    return map([
      [text('x5c'), array([bytes(certificate)])],
      [text('sig'), bytes(isAltered ? altered(signature) : signature)],
    ]);
  };
