import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import {
  authorizationRequest,
  discover,
  makeApp,
  makeUser,
  signedIn,
  signInByPassword,
  type TestClient,
} from '../support/sign-in.ts';
import { call, introspect, refresh, userinfo } from '../support/token-calls.ts';

const PROFILE = {
  name: 'Ada Lovelace',
  given_name: 'Ada',
  family_name: 'Lovelace',
  middle_name: 'King',
  nickname: 'Countess',
  preferred_username: 'ada',
  profile: 'https://ada.example.com/',
  picture: 'https://ada.example.com/portrait.png',
  website: 'https://ada.example.com/blog',
  gender: 'female',
  birthdate: '1815-12-10',
  zoneinfo: 'Europe/London',
  address: { formatted: '12 St James’s Square\nLondon', locality: 'London', country: 'GB' },
};
const METADATA = {
  plan: { name: 'gold', seats: 5 },
  roles: ['admin', 'billing'],
  suspended: false,
  large: 'x'.repeat(5000),
};

for (const driver of drivers) {
  describe(`claims, on ${driver}`, () => {
    let latchkey: TestLatchkey;
    let shop: TestClient;
    let sub: string;

    before(async () => {
      latchkey = await startTestLatchkey({ driver });
      shop = await makeApp(latchkey, 'shop');
      sub = await makeUser(latchkey, 'shop', 'ada@example.com', {
        phone: '+442079460000',
        locale: 'en-GB',
        profile: PROFILE,
        metadata: METADATA,
      });
    });
    after(() => latchkey.stop());

    const set = async (custom_claims: unknown): Promise<{ status: number; body: any }> =>
      latchkey.admin('PATCH', '/apps/shop', { settings: { custom_claims } });
    const signIn = (scope: string, kind: 'own' | 'shared' = 'own') =>
      signedIn(latchkey, shop, { email: 'ada@example.com', kind, parameters: { scope } });

    for (const kind of ['own', 'shared'] as const) {
      it(`gives each standard scope its claims at userinfo, and none of them in the ID token (${kind} issuer)`, async () => {
        const all = await signIn('openid profile email phone address', kind);
        const { body } = await userinfo(all.configuration, all.tokens.access_token);
        expect(body.updated_at).to.be.closeTo(Date.now() / 1000, 600);
        expect(body).to.deep.equal({
          ...PROFILE,
          sub,
          app_id: 'shop',
          locale: 'en-GB',
          email: 'ada@example.com',
          email_verified: true,
          phone_number: '+442079460000',
          phone_number_verified: false,
          updated_at: body.updated_at,
        });
        expect(decodeJwt(all.tokens.id_token!)).not.to.have.any.keys(
          'name',
          'email',
          'address',
          'phone_number',
        );
        expect(decodeJwt(all.tokens.access_token)).not.to.have.any.keys('name', 'email', 'address');
        for (const [scope, names] of Object.entries({
          openid: [],
          email: ['email', 'email_verified'],
          phone: ['phone_number', 'phone_number_verified'],
          address: ['address'],
        })) {
          const { configuration, tokens } = await signIn(`openid ${scope}`, kind);
          const answer = await userinfo(configuration, tokens.access_token);
          expect(Object.keys(answer.body), scope).to.have.members(['sub', 'app_id', ...names]);
        }
      });
    }

    it('puts claims of the app where it wants them, and only with their scope', async () => {
      await latchkey.admin('PATCH', '/apps/shop/clients/shop', { scopes: ['plan'] });
      const saved = await set([
        { name: 'roles', from: 'metadata.roles', in: ['id_token', 'userinfo', 'access_token'] },
        {
          name: 'https://shop.example/plan',
          from: 'metadata.plan.name',
          scope: 'plan',
          in: ['userinfo', 'id_token'],
        },
        { name: 'seats', from: 'metadata.plan.seats', scope: 'plan', in: ['access_token'] },
        { name: 'suspended', from: 'metadata.suspended', scope: 'profile' },
        { name: 'town', from: 'profile.address.locality', in: ['userinfo'] },
        { name: 'missing', from: 'metadata.plan.colour' },
        { name: 'inherited', from: 'metadata.constructor.name' },
        { name: 'large', from: 'metadata.large' },
      ]);
      expect(saved.status).to.equal(200);
      expect(saved.body.settings.custom_claims[3]).to.deep.equal({
        name: 'suspended',
        from: 'metadata.suspended',
        scope: 'profile',
        in: ['id_token', 'userinfo'],
      });
      const without = await claimsAfter('openid offline_access');
      expect(without).to.deep.equal({
        id: { roles: METADATA.roles },
        access: { roles: METADATA.roles },
        info: { roles: METADATA.roles, town: 'London' },
        seen: { roles: METADATA.roles },
      });
      const withScopes = await claimsAfter('openid profile plan offline_access');
      const plan = { 'https://shop.example/plan': 'gold' };
      expect(withScopes).to.deep.equal({
        id: { roles: METADATA.roles, suspended: false, ...plan },
        access: { roles: METADATA.roles, seats: 5 },
        info: { roles: METADATA.roles, suspended: false, town: 'London', ...plan },
        seen: { roles: METADATA.roles, seats: 5 },
      });
    });

    /** The app's own claims in each place, the same after a refresh. */
    async function claimsAfter(scope: string) {
      const { configuration, tokens } = await signIn(scope);
      const renewed = await refresh(configuration, shop, tokens.refresh_token!);
      const id = pick(decodeJwt(tokens.id_token!));
      const access = pick(decodeJwt(tokens.access_token));
      expect(pick(decodeJwt(renewed.body.id_token))).to.deep.equal(id);
      expect(pick(decodeJwt(renewed.body.access_token))).to.deep.equal(access);
      const info = pick((await userinfo(configuration, tokens.access_token)).body);
      const seen = pick((await introspect(configuration, shop, tokens.access_token)).body);
      return { id, access, info, seen };
    }

    it('publishes scopes and claims of the app at its own issuer and nowhere else', async () => {
      const published = (path: string) => call(`${latchkey.baseUrl}${path}/.well-known/openid-configuration`);
      const own = (await published('/auth/shop')).body;
      expect(own.scopes_supported).to.include.members(['openid', 'email', 'plan']);
      expect(own.claims_supported).to.include.members(['email', 'roles', 'https://shop.example/plan']);
      expect((await published('')).text).not.to.match(/plan|roles/);
      await makeApp(latchkey, 'other');
      expect((await published('/auth/other')).text).not.to.match(/plan|roles/);
    });

    it('keeps names that are the protocol’s, and names that are none, out of the settings', async () => {
      const names = [
        'iss',
        'sub',
        'aud',
        'exp',
        'nbf',
        'iat',
        'jti',
        'azp',
        'nonce',
        'auth_time',
        'acr',
        'amr',
        'sid',
      ];
      names.push('at_hash', 'c_hash', 's_hash', 'app_id', 'client_id', 'scope', 'cnf', 'act', 'gid', 'email');
      names.push(
        'email_verified',
        'name',
        '__proto__',
        'constructor',
        'toString',
        '',
        'a b',
        '1st',
        'x'.repeat(200),
      );
      for (const name of names) {
        const { status, body } = await set([{ name, from: 'metadata.roles' }]);
        expect([status, body.code, body.field], name).to.deep.equal([
          400,
          'request.invalid',
          'settings.custom_claims.0.name',
        ]);
      }
    });

    it('refuses sources, scopes and places that there are none of', async () => {
      const claim = { name: 'roles', from: 'metadata.roles' };
      for (const wrong of [
        { from: 'email' },
        { from: 'metadata' },
        { from: 'metadata..x' },
        { from: 'password.hash' },
        { scope: 'two scopes' },
        { scope: '' },
        { in: [] },
        { in: ['cookie'] },
        { colour: 'red' },
      ])
        expect((await set([{ ...claim, ...wrong }])).status, JSON.stringify(wrong)).to.equal(400);
      expect((await set([claim, claim])).status).to.equal(400);
      expect((await set([])).status).to.equal(200);
      const { tokens } = await signIn('openid');
      expect(decodeJwt(tokens.id_token!)).not.to.have.property('roles');
    });

    it('gives a scope with claims to clients that list it and refuses it to others', async () => {
      await set([{ name: 'roles', from: 'metadata.roles', scope: 'staff', in: ['id_token', 'userinfo'] }]);
      const configuration = await discover(latchkey, shop, 'own');
      const request = await authorizationRequest(configuration, { scope: 'openid staff' });
      const page = await signInByPassword(latchkey.agent(), request, 'ada@example.com');
      expect(new URL(page.url).searchParams.get('error')).to.equal('invalid_scope');
      await latchkey.admin('PATCH', '/apps/shop/clients/shop', { scopes: ['staff'] });
      const { tokens } = await signIn('openid staff');
      expect(decodeJwt(tokens.id_token!)['roles']).to.deep.equal(METADATA.roles);
    });
  });
}

const OWN = [
  'roles',
  'https://shop.example/plan',
  'seats',
  'suspended',
  'town',
  'missing',
  'inherited',
  'large',
];
const pick = (claims: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(claims).filter(([name]) => OWN.includes(name)));
