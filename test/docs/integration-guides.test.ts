import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { integrationGuides } from '../../tools/integration-guides.ts';
import { clients } from '../interop/clients.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

describe('the integration guides', () => {
  it('show the very programs that the interoperability suite runs', () => {
    for (const [path, { is, shouldBe }] of integrationGuides())
      expect(is, `${path} is stale: npm run docs:integrate`).to.equal(shouldBe);
  });

  it('exist for every client, and say when its program last passed', () => {
    const guides = integrationGuides();
    for (const { name } of clients) {
      const guide = guides.get(join('docs', 'integrate', `${name}.md`));
      expect(guide, name).not.to.equal(undefined);
      expect(guide!.is, name).to.match(/^Last passed: \d{4}-\d\d-\d\d, with \S+ \S+ and Latchkey \S+\.$/m);
      expect(guide!.is, name).to.match(new RegExp(`<!-- program: test/interop/clients/${name}`));
    }
    expect(existsSync(join(root, 'docs', 'integrate', 'README.md'))).to.equal(true);
  });
});
