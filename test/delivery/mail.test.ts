import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { expect } from 'chai';
import { Secret } from '../../src/config/secret.ts';
import { createInbox } from '../../src/delivery/inbox.ts';
import { GiveUp } from '../../src/delivery/jobs/job.ts';
import { enqueueMail, MAIL, mailHandler, type MailOrder } from '../../src/delivery/mail.ts';
import type { MailMessage, MailTransport } from '../../src/delivery/message.ts';
import { smtpTransport } from '../../src/delivery/smtp.ts';
import { createAssets } from '../../src/http/assets.ts';
import { createViews } from '../../src/http/views.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { insertBareApp, testDatabase, type TestDatabase } from '../support/stores.ts';
import { change, jobRows, rootKeys, sampleWorker } from './sample-worker.ts';

const viewsDir = new URL('../../views', import.meta.url).pathname;

describe('mail', () => {
  let database: TestDatabase;
  before(async () => {
    database = await testDatabase();
    await insertBareApp(database, 'wolf');
  });
  after(() => database.end());
  afterEach(() => change(database, 'delete from jobs'));

  const order: MailOrder = {
    appId: 'wolf',
    to: 'mara@example.com',
    template: 'magic-link',
    model: { url: 'http://localhost:3000/auth/wolf/link/canary', expires_minutes: 10 },
    locale: 'de',
    expiresInSeconds: 600,
  };
  const enqueue = (changes: Partial<MailOrder> = {}) =>
    database.db.transaction('wolf', (tx) =>
      enqueueMail(tx, { rootKeys, wake: () => {} }, { ...order, ...changes }),
    );

  function sender(transport: MailTransport, isThere = true) {
    const metrics = createMetrics();
    const views = createViews({ viewsDir, assets: createAssets(`${viewsDir}/assets`) });
    const worker = sampleWorker(database, { metrics });
    const appOf = async () => (isThere ? { app_id: 'wolf', name: 'Wolf Banana' } : undefined);
    worker.register(MAIL, mailHandler({ views, transport, metrics, host: 'id.example.com', appOf }));
    return { worker, metrics };
  }

  it('arrives in the language of its reader, under the name of the app', async () => {
    const inbox = createInbox();
    await enqueue();
    await sender(inbox.transport).worker.runDue();
    const [message] = inbox.messages();
    expect(message).to.include({ channel: 'mail', to: 'mara@example.com' });
    expect(message!.subject).to.include('Wolf Banana');
    expect(message!.text).to.include('http://localhost:3000/auth/wolf/link/canary');
    expect(message!.html).to.include('lang="de"');
    expect(message!.sent_at).to.match(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  it('that is to be discarded costs the same row and reaches nobody', async () => {
    const inbox = createInbox();
    await enqueue({ discard: true });
    await enqueue();
    const rows = await jobRows(database);
    expect(rows.map((row) => row.kind)).to.deep.equal([MAIL, MAIL]);
    expect(Math.abs(rows[0]!.payload.length - rows[1]!.payload.length)).to.be.lessThan(4);
    await sender(inbox.transport).worker.runDue();
    expect(inbox.messages()).to.have.length(1);
  });

  it('of an app that is gone is not sent', async () => {
    const sent: MailMessage[] = [];
    await enqueue();
    const { worker } = sender(
      { send: async (message) => void sent.push(message), close: async () => {} },
      false,
    );
    await worker.runDue();
    expect(await jobRows(database)).to.deep.equal([]);
    expect(sent).to.deep.equal([]);
  });

  it('bears the same Message-ID at every attempt', async () => {
    const ids: string[] = [];
    const transport: MailTransport = {
      send: async (message) => {
        ids.push(message.messageId);
        if (ids.length === 1) throw new Error('the acknowledgement was lost');
      },
      close: async () => {},
    };
    await enqueue();
    const { worker, metrics } = sender(transport);
    await worker.runDue();
    await change(database, 'update jobs set run_at = now()');
    await worker.runDue();
    expect(ids).to.have.length(2);
    expect(ids[0])
      .to.equal(ids[1])
      .and.to.match(/^<job_[0-9a-f]{32}@id\.example\.com>$/);
    const text = await metrics.text();
    expect(text)
      .to.include('latchkey_mails_total{result="retried"} 1')
      .and.to.include('latchkey_mails_total{result="sent"} 1');
  });

  it('fills the inbox newest first, two hundred at most', async () => {
    const inbox = createInbox();
    for (let i = 0; i < 205; i++)
      await inbox.transport.send({
        messageId: '',
        appId: 'wolf',
        fromName: 'W',
        to: `${i}@x`,
        subject: '',
        text: '',
        html: '',
      });
    expect(inbox.messages()).to.have.length(200);
    expect(inbox.messages()[0]!.to).to.equal('204@x');
    expect(inbox.message(inbox.messages()[7]!.id)?.to).to.equal('197@x');
  });
});

describe('SMTP', () => {
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    for (const server of servers.splice(0)) server.close();
  });

  /** Just enough of RFC 5321; `rcpt` is the answer to RCPT TO. */
  async function smtpServer(rcpt = '250 ok'): Promise<{ url: Secret; received: string[] }> {
    const received: string[] = [];
    const server = createServer((socket) => {
      sockets.add(socket);
      let inData = false;
      socket.write('220 test\r\n');
      socket.setEncoding('utf8').on('data', (text: string) => {
        for (const line of text.split('\r\n').slice(0, -1)) {
          received.push(line);
          if (inData) {
            if (line === '.') {
              inData = false;
              socket.write('250 taken\r\n');
            }
          } else if (line === 'DATA') {
            inData = true;
            socket.write('354 go\r\n');
          } else socket.write(line.startsWith('RCPT') ? `${rcpt}\r\n` : '250 ok\r\n');
        }
      });
      socket.on('error', () => {});
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { url: new Secret(`smtp://127.0.0.1:${(server.address() as AddressInfo).port}`), received };
  }

  const message: MailMessage = {
    messageId: '<job_1@id.example.com>',
    appId: 'wolf',
    fromName: 'Wolf, "Banana" <evil@example.com>',
    to: 'mara@example.com',
    subject: 'Hello',
    html: '<p>Hi</p>',
    text: 'Hi',
  };

  it('sends one mail to one recipient from our address, whatever the app is called', async () => {
    const { url, received } = await smtpServer();
    const transport = smtpTransport({ url, mailFrom: 'no-reply@id.example.com' });
    await transport.send(message);
    await transport.close();
    expect(received.filter((line) => /^(MAIL|RCPT)/.test(line))).to.deep.equal([
      'MAIL FROM:<no-reply@id.example.com>',
      'RCPT TO:<mara@example.com>',
    ]);
    const text = received.join('\n');
    expect(text)
      .to.include('Message-ID: <job_1@id.example.com>')
      .and.to.include('Auto-Submitted: auto-generated')
      .and.to.match(/^To: mara@example.com$/m);
    expect(text).to.match(/^From: .*<no-reply@id\.example\.com>$/m);
  });

  it('gives up a mail the server will never take, and keeps one it may take later', async () => {
    for (const [answer, permanent] of [
      ['550 no such user', true],
      ['450 try later', false],
    ] as const) {
      const { url } = await smtpServer(answer);
      const transport = smtpTransport({ url, mailFrom: 'no-reply@id.example.com' });
      const error = await transport.send(message).catch((cause: unknown) => cause);
      expect(error).to.be.instanceOf(Error);
      expect(error instanceof GiveUp, answer).to.equal(permanent);
      await transport.close();
    }
  });

  it('does not wait for a server that says nothing', async function () {
    this.timeout(9000);
    const server = createServer((socket) => void sockets.add(socket));
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const transport = smtpTransport({
      url: new Secret(`smtp://127.0.0.1:${(server.address() as AddressInfo).port}`),
      mailFrom: 'a@b.example',
    });
    const begun = Date.now();
    expect(await transport.send(message).catch((cause: unknown) => cause)).to.be.instanceOf(Error);
    expect(Date.now() - begun).to.be.lessThan(7000);
    await transport.close();
  });
});
