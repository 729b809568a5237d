import { deflateSync } from 'node:zlib';
import { expect } from 'chai';
import { chunk, SIGNATURE } from '../../src/apps/logo/chunks.ts';
import { decodePng } from '../../src/apps/logo/decode.ts';
import { encodeLogo } from '../../src/apps/logo/encode.ts';
import { mailAppOf } from '../../src/oidc/page-app.ts';
import type { AppSnapshot } from '../../src/apps/app.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { begin, makeApp } from '../sign-in/people.ts';

const ADMIN = { authorization: 'Bearer test-admin-key-0123456789-0123456789-abcdef' };

type Shape = { width: number; height: number; depth?: number; color?: number; interlace?: number };

function headerOf({ width, height, depth = 8, color = 6, interlace = 0 }: Shape): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, color, 0, 0, interlace], 8);
  return header;
}

/** A PNG of these chunks, as another program could have written it. */
function png(shape: Shape, rows: Buffer, more: { before?: Buffer[]; after?: Buffer } = {}): Buffer {
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', headerOf(shape)),
    ...(more.before ?? []),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
    more.after ?? Buffer.alloc(0),
  ]);
}

/** Rows of one colour, unfiltered. */
const plainRows = (width: number, height: number, pixel: number[]): Buffer =>
  Buffer.concat(Array.from({ length: height }, () => Buffer.from([0, ...Array(width).fill(pixel).flat()])));

const square = (side = 32, pixel = [200, 30, 40, 255]): Buffer =>
  png({ width: side, height: side }, plainRows(side, side, pixel));

const why = (file: Buffer): Promise<string> =>
  decodePng(file).then(
    () => 'accepted',
    (error: Error) => error.message,
  );

describe('the pictures that logos are made of', () => {
  it('are read in every kind of colour and at every depth', async () => {
    const side = 16;
    const grey = await decodePng(
      png(
        { width: side, height: side, color: 0, depth: 1 },
        Buffer.concat(Array(side).fill(Buffer.from([0, 0xaa, 0xaa]))),
      ),
    );
    expect([...grey.rgba.subarray(0, 8)]).to.deep.equal([255, 255, 255, 255, 0, 0, 0, 255]);
    const deep = Buffer.concat(
      Array(side).fill(Buffer.from([0, ...Array(side).fill([0xff, 0xff, 0, 0, 0x80, 0]).flat()])),
    );
    const rgb16 = await decodePng(png({ width: side, height: side, color: 2, depth: 16 }, deep));
    expect([...rgb16.rgba.subarray(0, 4)]).to.deep.equal([255, 0, 128, 255]);
    const both = plainRows(side, side, [90, 17]);
    const greyAlpha = await decodePng(png({ width: side, height: side, color: 4 }, both));
    expect([...greyAlpha.rgba.subarray(0, 4)]).to.deep.equal([90, 90, 90, 17]);
    const palette = [chunk('PLTE', Buffer.from([1, 2, 3, 9, 8, 7])), chunk('tRNS', Buffer.from([0, 128]))];
    const nibbles = Buffer.concat(Array(side).fill(Buffer.from([0, ...Array(8).fill(0x10)])));
    const drawn = await decodePng(
      png({ width: side, height: side, color: 3, depth: 4 }, nibbles, { before: palette }),
    );
    expect([...drawn.rgba.subarray(0, 8)]).to.deep.equal([9, 8, 7, 128, 1, 2, 3, 0]);
  });

  it('are undone from every filter', async () => {
    const side = 16;
    const pixels = Array.from({ length: side * side * 4 }, (_, i) => (i * 7 + (i >> 5) * 31) & 255);
    const at = (y: number, x: number): number => (y < 0 || x < 0 ? 0 : pixels[y * side * 4 + x]!);
    const paeth = (a: number, b: number, c: number): number => {
      const [pa, pb, pc] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
      return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
    };
    const rows = Array.from({ length: side }, (_, y) => [
      y % 5,
      ...Array.from({ length: side * 4 }, (__, x) => {
        const [a, b, c] = [at(y, x - 4), at(y - 1, x), x < 4 ? 0 : at(y - 1, x - 4)];
        const guess = [0, a, b, (a + b) >> 1, paeth(a, b, c)][y % 5]!;
        return (at(y, x) - guess) & 255;
      }),
    ]);
    const picture = await decodePng(png({ width: side, height: side }, Buffer.from(rows.flat())));
    expect([...picture.rgba]).to.deep.equal(pixels);
  });

  it('are refused when they are something else, and the refusal says what', async () => {
    expect(await why(Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0]))).to.include('JPEG');
    expect(await why(Buffer.from('RIFF\0\0\0\0WEBPVP8 ', 'latin1'))).to.include('WebP');
    expect(await why(Buffer.from('GIF89a..........'))).to.include('GIF');
    expect(await why(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'))).to.include('SVG');
    expect(await why(Buffer.from('MZ..............'))).to.include('no PNG');
    expect(await why(Buffer.alloc(0))).to.include('no PNG');
  });

  it('are refused when they are cut off, changed, or hide something behind their end', async () => {
    const good = square();
    expect(await why(good)).to.equal('accepted');
    for (const length of [9, 20, good.length - 13, good.length - 1])
      expect(await why(good.subarray(0, length)), `${length}`).to.match(/ends early/);
    const changed = Buffer.from(good);
    changed[good.length - 20]! ^= 1;
    expect(await why(changed)).to.include('checksum');
    expect(
      await why(
        png({ width: 32, height: 32 }, plainRows(32, 32, [0, 0, 0, 0]), { after: Buffer.from('<script>') }),
      ),
    ).to.include('after its end');
    const critical = [chunk('EVIL', Buffer.from('x'))];
    expect(
      await why(png({ width: 32, height: 32 }, plainRows(32, 32, [0, 0, 0, 0]), { before: critical })),
    ).to.include('unknown');
  });

  it('are refused when they are too small, too large, interlaced, or more than their header says', async () => {
    expect(await why(png({ width: 15, height: 16 }, plainRows(15, 16, [0, 0, 0, 0])))).to.include('15 × 16');
    expect(await why(png({ width: 1025, height: 16 }, Buffer.alloc(1)))).to.include('1025 × 16');
    expect(await why(png({ width: 2 ** 31 - 1, height: 2 ** 31 - 1 }, Buffer.alloc(1)))).to.include(
      'each side',
    );
    expect(
      await why(png({ width: 32, height: 32, interlace: 1 }, plainRows(32, 32, [0, 0, 0, 0]))),
    ).to.include('interlaced');
    expect(await why(png({ width: 32, height: 32, depth: 3 }, Buffer.alloc(1)))).to.include('malformed');
    // A bomb: a few kB that become 32 MB.
    const bomb = png({ width: 32, height: 32 }, Buffer.alloc(32 * 1024 * 1024));
    expect(bomb.length).to.be.below(256 * 1024);
    expect(await why(bomb)).to.include('do not fit');
    expect(await why(png({ width: 32, height: 32 }, plainRows(32, 31, [0, 0, 0, 0])))).to.include(
      'do not fit',
    );
  });

  it('become small ones of ours that hold nothing but pixels', async () => {
    const text = chunk('tEXt', Buffer.from('Comment\0<script>alert(1)</script>'));
    const profile = chunk('iCCP', deflateSync(Buffer.from('a profile')));
    const file = png({ width: 400, height: 400 }, plainRows(400, 400, [10, 20, 30, 255]), {
      before: [text, profile],
    });
    const logo = await encodeLogo(await decodePng(file));
    expect(logo).to.include({ width: 192, height: 192 });
    expect(logo.png.toString('latin1')).to.not.match(/tEXt|iCCP|script/);
    const again = await decodePng(logo.png);
    expect([...again.rgba.subarray(0, 4)]).to.deep.equal([10, 20, 30, 255]);
  });

  it('stay within what a page may weigh, even when they are nothing but noise', async () => {
    const { randomBytes } = await import('node:crypto');
    for (const [width, height] of [
      [512, 512],
      [700, 175],
      [1024, 16],
      [16, 1024],
    ] as const) {
      const logo = await encodeLogo({ width, height, rgba: randomBytes(width * height * 4) });
      expect(logo.png.length, `${width} × ${height}`).to.be.at.most(17_000);
      expect(Math.min(logo.width, logo.height), `${width} × ${height}`).to.be.at.least(1);
    }
  });
});

describe('the logo of an app', () => {
  let lk: TestLatchkey;
  let appId: string;
  before(async function () {
    this.timeout(180_000);
    lk = await startTestLatchkey();
    appId = await makeApp(lk);
  });
  after(() => lk.stop());

  const put = (body: Buffer, headers: Record<string, string> = {}, app = appId) =>
    fetch(`${lk.baseUrl}/api/v1/apps/${app}/logo`, {
      method: 'PUT',
      headers: { ...ADMIN, 'content-type': 'image/png', ...headers },
      body: new Uint8Array(body),
    });
  const signIn = async () => (await begin(lk.agent(), appId)).html;

  it('is shown on the pages from the next request on, bears the name, and goes when it is taken away', async () => {
    expect(await signIn()).to.not.include('<img');
    const answer = await put(square(64));
    expect(answer.status).to.equal(200);
    const { url, width, height } = (await answer.json()) as { url: string; width: number; height: number };
    expect([width, height]).to.deep.equal([64, 64]);
    expect(await signIn()).to.include(`<img src="${url}" width="64" height="64" alt="Corner Shop">`);
    expect((await lk.admin('GET', `/apps/${appId}`)).body.logo).to.deep.equal({ url, width, height });

    const { status } = await lk.admin('DELETE', `/apps/${appId}/logo`);
    expect(status).to.equal(204);
    expect(await signIn()).to.not.include('<img');
    expect((await fetch(lk.baseUrl + url)).status).to.equal(404);
    expect((await lk.admin('DELETE', `/apps/${appId}/logo`)).body.code).to.equal('logo.not_found');
    const trail = await lk.admin('GET', `/apps/${appId}/audit-events`);
    const types = trail.body.items.map((one: { type: string }) => one.type);
    expect(types).to.include.members(['app.logo_set', 'app.logo_deleted']);
  });

  it('is served to everybody under an address made of what it holds, to be kept for ever, as a picture and nothing else', async () => {
    const { url: first } = (await (await put(square(32, [1, 2, 3, 255]))).json()) as { url: string };
    const served = await fetch(lk.baseUrl + first);
    expect(served.status).to.equal(200);
    expect(Object.fromEntries(served.headers)).to.include({
      'content-type': 'image/png',
      'cache-control': 'public, max-age=31536000, immutable',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
    });
    expect(served.headers.get('set-cookie')).to.equal(null);
    expect((await decodePng(Buffer.from(await served.arrayBuffer()))).width).to.equal(32);
    const { url: second } = (await (await put(square(32, [3, 2, 1, 255]))).json()) as { url: string };
    expect(second).to.not.equal(first);
    expect((await fetch(lk.baseUrl + first)).status).to.equal(404);
    const other = await makeApp(lk);
    expect((await fetch(lk.baseUrl + second.replace(appId, other))).status).to.equal(404);
  });

  it('is taken as a PNG of at most 256 kB from an operator, and as nothing else', async () => {
    const code = async (answer: Response) => [
      answer.status,
      ((await answer.json()) as { code: string }).code,
    ];
    expect(await code(await put(square(), { authorization: 'Bearer no' }))).to.deep.equal([
      401,
      'request.unauthenticated',
    ]);
    expect(await code(await put(square(), { 'content-type': 'image/svg+xml' }))).to.deep.equal([
      415,
      'request.unsupported_media_type',
    ]);
    expect(await code(await put(square(), { 'content-type': 'image/jpeg' }))).to.deep.equal([
      415,
      'request.unsupported_media_type',
    ]);
    expect(await code(await put(Buffer.alloc(256 * 1024 + 1)))).to.deep.equal([413, 'request.too_large']);
    expect(await code(await put(Buffer.from('{}')))).to.deep.equal([400, 'logo.invalid']);
    expect(await code(await put(square(), {}, 'nobody-here'))).to.deep.equal([404, 'apps.not_found']);
    const keyed = { 'idempotency-key': 'logo-1' };
    const [one, two] = [await put(square(), keyed), await put(square(), keyed)];
    expect(await one.json()).to.deep.equal(await two.json());
    expect(two.headers.get('idempotency-replayed')).to.equal('true');
  });

  it('is gone with the app', async () => {
    const doomed = await makeApp(lk);
    const { url } = (await (await put(square(), {}, doomed)).json()) as { url: string };
    await lk.admin('DELETE', `/apps/${doomed}?confirm=${doomed}`);
    expect((await fetch(lk.baseUrl + url)).status).to.equal(404);
  });

  it('is in mails by its https address, and where there is none the letter stands in', () => {
    const logo = { digest: 'abc', width: 64, height: 64 };
    const snapshot = {
      app: { appId: 'shop', name: 'Shop', settings: { accent_color: null }, logo },
      domain: undefined,
    } as unknown as Pick<AppSnapshot, 'app' | 'domain'>;
    expect(mailAppOf('https://id.example', snapshot).logo?.url).to.equal(
      'https://id.example/auth/shop/logo/abc.png',
    );
    expect(mailAppOf('http://localhost:3000', snapshot).logo).to.equal(undefined);
  });
});
