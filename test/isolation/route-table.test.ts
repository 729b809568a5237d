import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { expect } from 'chai';
import { routeTable } from '../../src/app.ts';
import { isReserved } from '../../src/apps/reserved-names.ts';
import { loadConfig } from '../../src/config/load.ts';
import { answering, type Route, routesNamed, routesOf } from '../../src/http/route-table.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';

const named = (routes: readonly Route[]): string[] =>
  routes.map(({ method, path }) => `${method} ${path}`).toSorted();

describe('the route table', function () {
  this.timeout(180_000);
  let latchkey: TestLatchkey;
  let routes: readonly Route[];

  before(async () => {
    latchkey = await startTestLatchkey();
    const env = {
      LATCHKEY_ENV: 'development',
      BASE_URL: latchkey.baseUrl,
      ADMIN_API_KEY: 'another-admin-key-0123456789-0123456789',
      ENCRYPTION_KEYS: randomBytes(32).toString('base64url'),
    };
    routes = routeTable(loadConfig({ cwd: tmpdir(), env }));
  });
  after(() => latchkey.stop());

  it('is the same for a program that runs and for one that was only read', () => {
    expect(named(routes)).to.deep.equal(named(latchkey.latchkey.routes));
    expect(named(routes)).to.include.members([
      'GET /healthz',
      'GET /auth/:app_id/authorize/:uid',
      'POST /auth/:app_id/interaction/:uid/magic-link/:secret',
      'DELETE /api/v1/apps/:app_id/users/:user_id',
      'GET /dev/inbox',
      'GET /assets/:file',
    ]);
  });

  it('leaves no name of a route to be given to an app', () => {
    const first = routes.flatMap(({ path }) => {
      const [, one = '', two = '', three = ''] = path.split('/');
      return one === 'auth' && two === ':app_id' ? [one, three] : [one];
    });
    const names = new Set(first.filter(Boolean).map((name) => name.replace(/^\.|\..*$/g, '')));
    expect([...names].filter((name) => !isReserved(name))).to.deep.equal([]);
  });

  it('can not be had of a surface that does not say what it answers', () => {
    expect(() => routesOf(async () => {})).to.throw('without a route table');
    const table = routesNamed(['GET /here']);
    expect(routesOf(answering(async () => {}, table))).to.equal(table);
  });
});
