import { once } from 'node:events';
import type { Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { expect } from 'chai';
import Koa from 'koa';
import { afterAnswer, answers } from '../../src/http/after-answer.ts';

describe('what is left for the time after an answer', () => {
  const happened: string[] = [];
  let tell: () => void;
  let done: Promise<void>;
  let arrived: () => void;
  let hold: Promise<void>;
  const koa = new Koa();
  koa.use(answers({ requestTimeout: 60 }));
  koa.use(async (ctx) => {
    afterAnswer(() => {
      happened.push('work');
      tell();
    });
    ctx.res.once('finish', () => happened.push('answer'));
    arrived();
    await hold;
    // Long enough for work that was begun at once to be seen.
    for (let i = 0; i < 100; i += 1) await setImmediate();
    happened.push('page');
    ctx.body = 'hello';
  });
  let server: Server;
  let port: number;
  before(async () => {
    server = koa.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  });
  beforeEach(() => {
    happened.length = 0;
    done = new Promise((resolve) => (tell = resolve));
    hold = Promise.resolve();
    arrived = () => {};
  });
  after(() => server.close());

  it('is done when the answer is out', async () => {
    await (await fetch(`http://127.0.0.1:${port}/`)).text();
    await done;
    expect(happened).to.deep.equal(['page', 'answer', 'work']);
  });

  it('is done when the client has gone', async () => {
    let release!: () => void;
    hold = new Promise((resolve) => (release = resolve));
    const isThere = new Promise<void>((resolve) => (arrived = resolve));
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    await isThere;
    socket.destroy();
    await done;
    expect(happened).to.deep.equal(['work']);
    release();
  });

  it('is done at once where there is no request', () => {
    afterAnswer(() => happened.push('work'));
    expect(happened).to.deep.equal(['work']);
  });
});
