import { createPublicKey, verify, type webcrypto } from 'node:crypto';
import { expect } from 'chai';
import { localVault } from '../../src/apps/keys/local-vault.ts';

describe('signatures of keys that are kept here', () => {
  it('by ES256 are R and S of 32 bytes each (RFC 7518 §3.4), also where one of them begins with zeros', async () => {
    const { publicJwk, handle } = await localVault.generate('ES256');
    const signer = localVault.open({ handle, publicJwk, algorithm: 'ES256' } as never);
    const key = createPublicKey({ key: publicJwk as webcrypto.JsonWebKey, format: 'jwk' });
    let short = 0;
    // Each half is short once in 256 times: that none of so many is happens once in 10^14 runs.
    for (let count = 0; short === 0 || count < 1000; count += 1) {
      const data = Buffer.from(`message ${count}`);
      const signature = Buffer.from(await signer.sign(data));
      expect(signature).to.have.length(64);
      if (signature[0] === 0 || signature[32] === 0) short += 1;
      if (count < 100 || signature[0] === 0 || signature[32] === 0)
        expect(verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, signature)).to.equal(true);
    }
  });
});
