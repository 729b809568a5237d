import { expect } from 'chai';
import type { Agent } from '../support/agent.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { fidoU2f, issue, MODEL, packed } from '../support/attestation.ts';
import { addPasskey, answer, Authenticator, type Lies, offered } from '../support/passkeys.ts';
import { begin, isSignedIn, makeApp, makeUser, signInWithPassword } from './people.ts';

describe('what a new passkey says of the device it is on', () => {
  let lk: TestLatchkey;
  let appId: string;
  let agent: Agent;
  before(async () => {
    lk = await startTestLatchkey();
    appId = await makeApp(lk, { passkey_attestation: 'direct' });
    const { email } = await makeUser(lk, appId);
    agent = lk.agent();
    await signInWithPassword(agent, appId, email);
  });
  after(() => lk.stop());

  const ca = issue({ C: 'DE', O: 'Keys', CN: 'Root' }, { isCa: true });
  const key = issue(MODEL, { issuer: ca });
  const chain = [key.certificate, ca.certificate];
  const accept = (settings: object) => lk.admin('PATCH', `/apps/${appId}`, { settings });
  /** 'added', and the passkey signs in; else what the page says. */
  async function add(lies: Lies): Promise<string> {
    const { authenticator, page } = await addPasskey(agent, appId, new Authenticator(agent.origin), lies);
    if (page.url.includes('passkey_added')) {
      const visitor = lk.agent();
      const asked = await begin(visitor, appId);
      const done = await answer(visitor, asked, authenticator.get(offered(asked)));
      return isSignedIn(done) ? 'added' : 'dead';
    }
    expect(page.status).to.equal(400);
    return page.html.includes('does not accept passkeys of that kind') ? 'not allowed' : 'refused';
  }

  it('#62 is taken where its signature holds, by the key of a model or by the passkey itself', async () => {
    await accept({ passkey_attestation: 'direct', passkey_attestation_formats: ['packed', 'fido-u2f'] });
    const said = [
      { format: 'packed', attest: packed({ key, chain }) },
      { format: 'packed', attest: packed() },
      { format: 'fido-u2f', attest: fidoU2f(key) },
    ];
    for (const lies of said) expect(await add(lies), lies.format).to.equal('added');
    const { body } = await lk.admin('GET', `/apps/${appId}/audit-events?limit=200`);
    const added = body.items.filter((event: { type: string }) => event.type === 'passkey.added');
    expect(added.map((event: any) => event.details.format)).to.have.members(['packed', 'packed', 'fido-u2f']);
  });

  it('#62 is refused when it was altered, signed by another key, or its certificate is of no model', async () => {
    await accept({
      passkey_attestation: 'direct',
      passkey_attestation_formats: ['packed', 'fido-u2f', 'none'],
    });
    const other = issue(MODEL, { issuer: ca });
    const isOld = issue(MODEL, { issuer: ca, until: '20210101000000Z' });
    const wrong: Record<string, Lies> = {
      'an altered signature of a model': { format: 'packed', attest: packed({ key, chain }, true) },
      'an altered signature of its own': { format: 'packed', attest: packed(undefined, true) },
      'an altered signature, fido-u2f': { format: 'fido-u2f', attest: fidoU2f(key, true) },
      'the certificate of another key': { format: 'packed', attest: packed({ key: other, chain }) },
      'an expired certificate': {
        format: 'packed',
        attest: packed({ key: isOld, chain: [isOld.certificate, ca.certificate] }),
      },
      'the certificate of an authority': {
        format: 'packed',
        attest: packed({ key: ca, chain: [ca.certificate] }),
      },
      ...Object.fromEntries(
        [
          { ...MODEL, OU: 'Other' },
          { ...MODEL, C: 'Germany' },
          { OU: MODEL.OU!, C: 'DE', O: 'Keys' },
        ].map((subject, i) => {
          const named = issue(subject, { issuer: ca });
          const attest = packed({ key: named, chain: [named.certificate, ca.certificate] });
          return [`a subject that is no model’s (${i})`, { format: 'packed', attest }];
        }),
      ),
      'a model’s number in a fido-u2f': {
        format: 'fido-u2f',
        attest: fidoU2f(key),
        aaguid: 'ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4',
      },
      'packed without anything': { format: 'packed' },
      'none with something': { format: 'none', attest: packed() },
      'an unknown format': { format: 'pack', attest: packed() },
    };
    for (const [what, lies] of Object.entries(wrong)) expect(await add(lies), what).to.equal('refused');
  });

  it('is accepted in the formats that the app names alone, and asked for as it says', async () => {
    const direct = { format: 'packed', attest: packed({ key, chain }) };
    const options = async () =>
      (offered(await agent.open(`/auth/${appId}/account/passkeys/new`)) as any).attestation;
    await accept({ passkey_attestation: 'direct', passkey_attestation_formats: ['fido-u2f'] });
    expect(await options()).to.equal('direct');
    expect(await add(direct)).to.equal('not allowed');
    expect(await add({})).to.equal('not allowed');
    expect(await add({ format: 'fido-u2f', attest: fidoU2f(key) })).to.equal('added');
    await accept({ passkey_attestation: 'enterprise', passkey_attestation_formats: ['packed'] });
    expect(await options()).to.equal('enterprise');
    expect(await add(direct)).to.equal('added');
    expect(await add({ format: 'fido-u2f', attest: fidoU2f(key) })).to.equal('not allowed');
    // Where nothing is asked for, what holds is taken whatever it says, and what does not hold is refused all the same.
    await accept({ passkey_attestation: 'none' });
    expect(await options()).to.equal('none');
    expect(await add({})).to.equal('added');
    expect(await add(direct)).to.equal('added');
    expect(await add({ format: 'packed', attest: packed({ key, chain }, true) })).to.equal('refused');
  });

  it('#62 leads to a maker that the app trusts, where it names some, and to nobody else', async () => {
    const pem = (certificate: Buffer): string =>
      `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
    const asked = {
      passkey_attestation: 'direct',
      passkey_attestation_formats: ['packed', 'fido-u2f', 'none'],
    };
    const trust = (...roots: Buffer[]) => accept({ ...asked, passkey_attestation_roots: roots.map(pem) });
    const say = (signer: typeof key, ...certificates: Buffer[]): Lies => ({
      format: 'packed',
      attest: packed({ key: signer, chain: certificates }),
    });
    const between = issue({ C: 'DE', O: 'Keys', CN: 'Between' }, { issuer: ca, isCa: true });
    const deep = issue(MODEL, { issuer: between });
    const namesake = issue(ca.subject, { isCa: true });
    const forged = issue(MODEL, { issuer: namesake });
    const byModel = issue({ ...MODEL, CN: 'Model 2' }, { issuer: key });
    await trust(namesake.certificate, ca.certificate);
    expect(await add(say(key, key.certificate)), 'its root need not come along').to.equal('added');
    expect(await add(say(key, ...chain))).to.equal('added');
    expect(await add(say(deep, deep.certificate, between.certificate))).to.equal('added');
    expect(await add({ format: 'fido-u2f', attest: fidoU2f(key) })).to.equal('added');
    await trust(ca.certificate);
    const unknown: Record<string, Lies> = {
      'a root of the same name': say(forged, forged.certificate, namesake.certificate),
      'the trusted root behind another’s certificate': say(forged, forged.certificate, ca.certificate),
      'a step left out': say(deep, deep.certificate, ca.certificate),
      'a model that issues': say(byModel, byModel.certificate, ...chain),
      'a passkey for itself': { format: 'packed', attest: packed() },
      nothing: {},
    };
    for (const [what, lies] of Object.entries(unknown)) expect(await add(lies), what).to.equal('not allowed');
    const nobodys = await accept({
      passkey_attestation_roots: ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'],
    });
    expect(nobodys.status).to.equal(400);
    await accept({ ...asked, passkey_attestation_roots: [] });
    expect(await add(say(forged, forged.certificate))).to.equal('added');
  });
});
