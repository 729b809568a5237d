import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server as NetServer } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import {
  createOutgoing,
  mayBeFetched,
  type Outgoing,
  type OutgoingRequest,
} from '../../src/http/outgoing.ts';
import { OutgoingError, type OutgoingReason } from '../../src/http/outgoing/errors.ts';
import { untrusted } from './untrusted-certificate.ts';

type Running = { server: NetServer; port: number; connections: () => number; requests: IncomingMessage[] };

describe('outgoing requests', () => {
  const running: NetServer[] = [];
  afterEach(() => {
    for (const server of running.splice(0)) {
      (server as Server).closeAllConnections();
      server.close();
    }
  });

  async function listen(answer: RequestListener, tls = false): Promise<Running> {
    const requests: IncomingMessage[] = [];
    const listener: RequestListener = (request, response) => {
      requests.push(request);
      response.on('error', () => {});
      return answer(request, response);
    };
    const server = tls ? createTlsServer(untrusted, listener) : createServer(listener);
    let connections = 0;
    server.on('connection', () => connections++);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    running.push(server);
    return { server, port: (server.address() as AddressInfo).port, connections: () => connections, requests };
  }

  const log: { fields: object; message: string }[] = [];
  const logger = { warn: (fields: object, message: string) => void log.push({ fields, message }) };
  const guarded = (resolve?: (name: string) => string[]): Outgoing =>
    createOutgoing({
      allowedHosts: [],
      log: logger,
      ...(resolve ? { resolve: async (name) => resolve(name) } : {}),
    });
  const allowing = (...allowedHosts: string[]): Outgoing => createOutgoing({ allowedHosts, log: logger });

  async function refusal(outgoing: Outgoing, url: string, init?: OutgoingRequest): Promise<OutgoingReason> {
    try {
      const response = await outgoing(url, init);
      throw new Error(`${url} was answered ${response.status}`);
    } catch (error) {
      if (!(error instanceof OutgoingError)) throw error;
      return error.reason;
    }
  }

  it('#77 never reach this machine or a private network, however the address is spelled', async () => {
    const { port, connections } = await listen((_request, response) => response.end('secret'));
    for (const host of BAD_HOSTS)
      for (const scheme of ['http', 'https']) {
        const url = `${scheme}://${host}:${port}/`;
        expect(await refusal(guarded(), url), url).to.be.oneOf(['blocked', 'invalid_url']);
        expect(mayBeFetched(url, []), url).to.equal(false);
      }
    expect(connections()).to.equal(0);
  });

  it('#77 speak https on the usual ports to the public internet, and nothing else', async () => {
    const outgoing = guarded(() => {
      throw new Error('was asked for');
    });
    for (const url of BAD_URLS)
      expect(await refusal(outgoing, url), url).to.be.oneOf(['blocked', 'invalid_url']);
    for (const url of ['https://rp.example.com/jwks', 'https://rp.example.com:8443/', 'https://8.8.8.8/']) {
      expect(mayBeFetched(url, []), url).to.equal(true);
    }
    expect(await refusal(outgoing, 'https://rp.example.com/')).to.equal('unresolvable');
  });

  it('#77 refuse a name when any of its addresses is not public', async () => {
    const { port, connections } = await listen((_request, response) => response.end('secret'));
    for (const address of BAD_ADDRESSES) {
      for (const answer of [[address], ['3ffe::1', address], [address, '3ffe::1']]) {
        expect(
          await refusal(
            guarded(() => answer),
            `https://rp.example.com:${port}/`,
          ),
          String(answer),
        ).to.equal('blocked');
      }
    }
    expect(connections()).to.equal(0);
  });

  it('#77 ask for a name once and connect to what was looked at (rebinding)', async () => {
    const { port, connections } = await listen((_request, response) => response.end('inside'));
    let asked = 0;
    // The first answer passes the rules, but nobody is there; a second look would find the listener.
    const rebinding = guarded(() => (++asked === 1 ? ['3ffe::1'] : ['127.0.0.1']));
    const reason = await refusal(rebinding, `https://rebind.example.com:${port}/`, { timeoutMs: 500 });
    expect(reason).to.be.oneOf(['unreachable', 'timeout']);
    expect([asked, connections()]).to.deep.equal([1, 0]);
    // The same for a name that is allowed, where the first answer can be reached.
    let again = 0;
    const pinned = createOutgoing({
      allowedHosts: ['hooks.test'],
      log: logger,
      resolve: () => Promise.resolve(++again === 1 ? ['127.0.0.1'] : ['127.0.0.9']),
    });
    const response = await pinned(`http://hooks.test:${port}/`);
    expect([await response.text(), again, connections()]).to.deep.equal(['inside', 1, 1]);
  });

  it('#77 follow no redirect: not to loopback, not anywhere', async () => {
    const inside = await listen((_request, response) => response.end('secret'));
    const outside = await listen((_request, response) =>
      response.writeHead(302, { location: `http://127.0.0.1:${inside.port}/` }).end(),
    );
    const response = await allowing(`localhost:${outside.port}`)(`http://localhost:${outside.port}/`);
    expect(response.status).to.equal(302);
    expect(inside.connections()).to.equal(0);
  });

  it('#77 end when headers or body take too long', async () => {
    const silent = await listen(() => {});
    const slow = await listen((_request, response) => {
      response.writeHead(200);
      const drip = setInterval(() => response.write('.'), 20);
      response.on('close', () => clearInterval(drip));
    });
    for (const { port } of [silent, slow]) {
      const url = `http://localhost:${port}/`;
      expect(await refusal(allowing('localhost'), url, { timeoutMs: 200 })).to.equal('timeout');
    }
    const never = createOutgoing({ allowedHosts: [], log: logger, resolve: () => new Promise(() => {}) });
    expect(await refusal(never, 'https://rp.example.com/', { timeoutMs: 100 })).to.equal('timeout');
    const signal = AbortSignal.abort();
    expect(await refusal(allowing('localhost'), `http://localhost:${slow.port}/`, { signal })).to.equal(
      'aborted',
    );
  });

  it('#77 read no more of a body than allowed, announced or not', async () => {
    const announced = await listen((_request, response) =>
      response.writeHead(200, { 'content-length': String(2 ** 30) }).write('x'),
    );
    let written = 0;
    const endless = await listen((_request, response) => {
      const piece = Buffer.alloc(64 * 1024);
      const more = (): void => {
        while (!response.destroyed && written < 2 ** 30 && response.write(piece)) written += piece.length;
      };
      response.on('drain', more);
      more();
    });
    for (const { port } of [announced, endless])
      expect(await refusal(allowing('localhost'), `http://localhost:${port}/`)).to.equal('too_large');
    expect(written).to.be.below(32 * 2 ** 20);
    const exact = await listen((_request, response) => response.end('x'.repeat(10)));
    const url = `http://localhost:${exact.port}/`;
    expect(await (await allowing('localhost')(url, { maxBytes: 10 })).text()).to.have.length(10);
    expect(await refusal(allowing('localhost'), url, { maxBytes: 9 })).to.equal('too_large');
  });

  it('#77 unpack nothing, and take no flood of headers', async () => {
    const bomb = gzipSync(Buffer.alloc(10 * 2 ** 20));
    const gzip = await listen((_request, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb),
    );
    expect(await refusal(allowing('localhost'), `http://localhost:${gzip.port}/`)).to.equal('malformed');
    expect(gzip.requests[0]?.headers['accept-encoding']).to.equal('identity');
    const flood = await listen((_request, response) => {
      for (let at = 0; at < 200; at++) response.setHeader(`x-${at}`, 'y'.repeat(500));
      response.end();
    });
    expect(await refusal(allowing('localhost'), `http://localhost:${flood.port}/`)).to.equal('too_large');
  });

  it('#77 trust no certificate that nobody vouches for, whatever the environment says', async () => {
    const { port, requests } = await listen((_request, response) => response.end('secret'), true);
    const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    try {
      expect(await refusal(allowing('localhost'), `https://localhost:${port}/`)).to.equal('untrusted');
    } finally {
      if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
      else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
    }
    expect(requests).to.have.length(0);
  });

  it('#77 say why they failed without a word of the answer, the address behind the name, or the path', async () => {
    log.length = 0;
    const { port } = await listen((_request, response) => response.end('canary-body'.repeat(100)));
    const url = `http://localhost:${port}/canary-path?canary-query`;
    await allowing('localhost')(url, { maxBytes: 5 }).catch((error: OutgoingError) => {
      expect(error.message).to.equal('the outgoing request failed: too_large');
      expect([error.reason, error.host]).to.deep.equal(['too_large', `localhost:${port}`]);
    });
    await guarded(() => ['10.9.8.7'])('https://rp.example.com/canary-path').catch((error: Error) =>
      expect(error.message).not.to.include('10.9'),
    );
    expect(log).to.have.length(2);
    expect(JSON.stringify(log)).not.to.match(/canary|10\.9/);
  });

  it('send what was asked for, and no cookie, no proxy and no other length', async () => {
    const bodies: string[] = [];
    const { port, requests } = await listen((request, response) => {
      request.setEncoding('utf8').on('data', (text: string) => bodies.push(text));
      request.on('end', () => response.writeHead(201, { 'x-answer': 'yes' }).end('{"ok":true}'));
    });
    process.env['HTTP_PROXY'] = 'http://127.0.0.1:9';
    const response = await allowing('localhost')(`http://localhost:${port}/a?b=c`, {
      method: 'POST',
      headers: { cookie: 'a=b', host: 'evil.test', 'content-length': '3', 'x-mine': '1' },
      body: new URLSearchParams({ logout_token: 'x y' }),
    });
    delete process.env['HTTP_PROXY'];
    expect([response.status, response.headers.get('x-answer'), await response.json()]).to.deep.equal([
      201,
      'yes',
      { ok: true },
    ]);
    expect(response).to.be.instanceOf(Response);
    expect(bodies).to.deep.equal(['logout_token=x+y']);
    const [{ method, url, headers }] = requests as [IncomingMessage];
    expect([method, url]).to.deep.equal(['POST', '/a?b=c']);
    expect(headers).to.include({
      host: `localhost:${port}`,
      'x-mine': '1',
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': '16',
      'user-agent': 'Latchkey',
    });
    expect(headers).not.to.have.property('cookie');
  });

  it('allow a listed host by name, and with a port only at that port', async () => {
    const { port } = await listen((_request, response) => response.end('here'));
    const url = `http://127.0.0.1:${port}/`;
    expect(await (await allowing('127.0.0.1')(url)).text()).to.equal('here');
    expect(await (await allowing(`127.0.0.1:${port}`)(url)).text()).to.equal('here');
    for (const other of ['localhost', `127.0.0.1:${port === 80 ? 81 : 80}`, `localhost:${port}`])
      expect(await refusal(allowing(other), url), other).to.equal('blocked');
  });
});

/** Written as words, since there are many. */
const words = (text: string): string[] => text.trim().split(/\s+/);

const BAD_ADDRESSES = words(`
  0.0.0.0 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254 169.254.169.254 168.63.129.16 172.16.0.1
  172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1
  224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
  :: ::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::127.0.0.1 ::ffff:0:127.0.0.1 fe80::1 febf::1 fec0::1 fc00::1 fd00:ec2::254
  ff02::1 64:ff9b::7f00:1 64:ff9b::10.0.0.1 64:ff9b:1::1 100::1 2001::1 2001:0:7f00:1:: 2001:db8::1 2002:7f00:1::1
  3fff::1 5f00::1 4000::1
`);

const BAD_HOSTS = [
  ...BAD_ADDRESSES.map((address) => (address.includes(':') ? `[${address}]` : address)),
  ...words(`
    2130706433 0x7f000001 0x7f.1 0177.0.0.1 017700000001 127.1 127.0.1 0 0x0 0x7F.0.0.0x1 127.0.0.1. 127。0。0。1
    １２７.0.0.1 %31%32%37.0.0.1 3232235521 0xa9fea9fe [::FFFF:7F00:1] [0:0:0:0:0:ffff:7f00:0001] [0000::0001]
    [fe80::1%25lo] localhost LOCALHOST localhost. a.localhost localhost.localdomain ｌocalhost loc%61lhost printer.local
    metadata.google.internal metadata.google.internal. router.home.arpa x.onion intranet metadata redis a..b
    rp.example.com@127.0.0.1 user:pass@rp.example.com
  `),
];

const BAD_URLS = [
  '',
  ...words(`
    http://rp.example.com/ ftp://rp.example.com/ file:///etc/passwd gopher://rp.example.com:6379/ data:text/plain,x
    javascript:alert(1) blob:https://rp.example.com/x //rp.example.com/ https: https://user@rp.example.com/
    https://:pass@rp.example.com/ ws://rp.example.com/ unix:/run/x.sock
  `),
  ...[22, 25, 80, 110, 465, 587, 993].map((port) => `https://rp.example.com:${port}/`),
];
