import { createServer, type AddressInfo, type Socket } from 'node:net';

export type SunkMail = { to: string; messageId: string; text: string; at: number };

export type MailSink = {
  readonly port: number;
  mails: SunkMail[];
  /** 'ok'; 'down': connections are reset; 'slow': the server takes half a minute to greet. */
  setMood(mood: 'ok' | 'down' | 'slow'): void;
  stop(): Promise<void>;
};

/** A mail server that takes everything (RFC 5321 as far as a client of ours speaks it). */
export async function startMailSink(): Promise<MailSink> {
  const mails: SunkMail[] = [];
  let mood: 'ok' | 'down' | 'slow' = 'ok';
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    if (mood === 'down') socket.resetAndDestroy();
    else if (mood === 'slow') setTimeout(() => converse(socket, mails), 30_000).unref();
    else converse(socket, mails);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const dropAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    mails,
    setMood(next) {
      mood = next;
      // Connections that the sender keeps would not notice.
      if (next !== 'ok') dropAll();
    },
    stop: () =>
      new Promise((resolve) => {
        dropAll();
        server.close(() => resolve());
      }),
  };
}

function converse(socket: Socket, mails: SunkMail[]): void {
  let to = '';
  let unread = '';
  let body: string[] | undefined;
  const say = (line: string): void => void (socket.destroyed || socket.write(`${line}\r\n`));
  const hear = (line: string): void => {
    if (body) {
      if (line !== '.') return void body.push(line);
      mails.push(read(to, body.join('\n')));
      body = undefined;
      return say('250 taken');
    }
    const verb = line.slice(0, 4).toUpperCase();
    if (verb === 'RCPT') to = /<([^>]*)>/.exec(line)?.[1] ?? '';
    if (verb === 'DATA') {
      body = [];
      return say('354 go on');
    }
    if (verb === 'QUIT') {
      say('221 bye');
      return void socket.end();
    }
    say(verb === 'EHLO' ? '250 sink' : '250 ok');
  };
  socket.on('data', (piece) => {
    const lines = (unread + piece.toString('latin1')).split('\r\n');
    unread = lines.pop()!;
    for (const line of lines) hear(line);
  });
  say('220 sink');
}

function read(to: string, raw: string): SunkMail {
  // Quoted-printable (RFC 2045 §6.7): soft line breaks go, bytes come back.
  const text = raw
    .replaceAll('=\n', '')
    .replace(/=([0-9A-F]{2})/g, (_, byte: string) => String.fromCharCode(Number.parseInt(byte, 16)));
  return { to, text, messageId: /^Message-ID: *(\S+)/im.exec(raw)?.[1] ?? '', at: performance.now() };
}

/** The link of a mail with one. */
export const linkOf = (mail: SunkMail): string | undefined =>
  /https?:\/\/[^\s"<>]+\/magic-link\/[A-Za-z0-9_-]+/.exec(mail.text)?.[0];
