import { expect } from 'chai';
import supertest from 'supertest';
import { formBody, jsonBody } from '../../src/http/bodies.ts';
import { sampleServer } from './sample-server.ts';

describe('request bodies', () => {
  const { app } = sampleServer(async (ctx) => {
    ctx.body = JSON.stringify(ctx.path === '/form' ? { ...(await formBody(ctx)) } : await jsonBody(ctx));
  });
  const request = supertest(app.callback());
  const form = (body: string, type = 'application/x-www-form-urlencoded') =>
    request.post('/form').set('accept', 'application/json').set('content-type', type).send(body);
  const json = (body: string, type = 'application/json') =>
    request.post('/json').set('accept', 'application/json').set('content-type', type).send(body);

  it('are read as a form', async () => {
    const answer = await form('a=1&b=%C3%BC+x').expect(200);
    expect(JSON.parse(answer.text)).to.deep.equal({ a: '1', b: 'ü x' });
  });

  it('are read as JSON', async () => {
    const answer = await json('{"a":[1,{"b":null}]}', 'application/json; charset=UTF-8').expect(200);
    expect(JSON.parse(answer.text)).to.deep.equal({ a: [1, { b: null }] });
  });

  it('are refused when a form gives a field twice', async () => {
    const answer = await form('a=1&b=2&a=3').expect(400);
    expect(answer.body).to.include({ code: 'request.duplicate_field', field: 'a' });
  });

  it('may name a form field like a property of every object', async () => {
    const answer = await form('__proto__=x&constructor=y&toString=z').expect(200);
    expect(answer.text).to.include('"constructor":"y"').and.to.include('"toString":"z"');
  });

  it('are refused above one megabyte, announced or not', async () => {
    const big = `a=${'x'.repeat(1024 * 1024)}`;
    expect((await form(big).expect(413)).body.code).to.equal('request.too_large');
    const chunked = request
      .post('/form')
      .set('accept', 'application/json')
      .set('content-type', 'application/x-www-form-urlencoded');
    for (let i = 0; i < 20; i++) chunked.write('x'.repeat(64 * 1024));
    expect((await chunked.expect(413)).body.code).to.equal('request.too_large');
  });

  it('just under one megabyte are read', async () => {
    await form(`a=${'x'.repeat(1024 * 1024 - 2)}`).expect(200);
  });

  for (const [what, type] of [
    ['text', 'text/plain'],
    ['a multipart form', 'multipart/form-data; boundary=x'],
    ['another charset', 'application/x-www-form-urlencoded; charset=utf-7'],
  ] as const) {
    it(`are refused as ${what}`, async () =>
      expect((await form('a=1', type).expect(415)).body.code).to.equal('request.unsupported_media_type'));
  }

  it('are refused with a content coding', async () => {
    await request
      .post('/json')
      .set('accept', 'application/json')
      .set('content-type', 'application/json')
      .set('content-encoding', 'gzip')
      .send('{}')
      .expect(415);
  });

  for (const [what, body] of [
    ['broken', '{"a":'],
    ['empty', ''],
    ['nested too deeply', '['.repeat(40) + ']'.repeat(40)],
    ['after the prototype', '{"a":{"__proto__":{"admin":true}}}'],
    ['after it in disguise', '{"\\u005f_proto__":1}'],
  ] as const) {
    it(`are refused as JSON that is ${what}`, async () => {
      const answer = await json(body);
      expect([400, 415]).to.include(answer.status);
      expect(answer.body.code).to.match(/^request\.(malformed|unsupported_media_type)$/);
    });
  }

  it('are refused when they are not UTF-8', async () => {
    const raw = request
      .post('/form')
      .set('accept', 'application/json')
      .set('content-type', 'application/x-www-form-urlencoded');
    raw.write(Buffer.from([0x61, 0x3d, 0xff, 0xfe]) as unknown as string);
    const answer = await raw;
    expect(answer.status).to.equal(400);
  });
});
