import { connect, type Socket } from 'node:net';

export type Answer = { status: number; head: string; body: string };
export type Send = { method?: string; path: string; headers?: Record<string, string>; body?: string };

/** Where requests go, one at a time. */
export type Line = { send(request: Send): Promise<Answer>; close(): void };

/** Servers close what is idle for five seconds and more. */
const IDLE_LIMIT_MS = 2000;

/**
 * One keep-alive connection with one request at a time on it. Written on sockets because a client library would
 * cost as much as the servers measured, on the same cores.
 */
export class Connection implements Line {
  readonly port: number;
  readonly #host: string;
  /** What the last answer took from when its request was written, without what `lost` says was lost here. */
  lastMs = 0;
  readonly #lost: () => number;
  #wrote = 0;
  #lostBefore = 0;
  #socket: Socket | undefined;
  #usedAt = 0;
  #received = '';
  #waiting: { resolve(answer: Answer): void; reject(error: Error): void } | undefined;

  /** `hostPort`: the port that the server is known by, where there is a proxy before it in earnest. */
  constructor(port: number, hostPort = port, lost: () => number = () => 0) {
    this.port = port;
    this.#host = `localhost:${hostPort}`;
    this.#lost = lost;
  }

  async send({ method = 'GET', path, headers = {}, body }: Send): Promise<Answer> {
    // What was idle between two rounds may be closed by the server at this very moment.
    if (performance.now() - this.#usedAt > IDLE_LIMIT_MS) this.close();
    const socket = this.#socket ?? (await this.#open());
    this.#usedAt = performance.now();
    const lines = [`${method} ${path} HTTP/1.1`, `host: ${this.#host}`];
    for (const name in headers) lines.push(`${name}: ${headers[name]}`);
    if (body !== undefined) lines.push(`content-length: ${Buffer.byteLength(body)}`);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#wrote = performance.now();
      this.#lostBefore = this.#lost();
      socket.write(`${lines.join('\r\n')}\r\n\r\n${body ?? ''}`);
    });
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #open(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port: this.port, host: '127.0.0.1', noDelay: true });
      const lost = (error?: Error): void => {
        reject(error ?? new Error('closed'));
        // One that was given up for another has no say.
        if (this.#socket !== socket) return;
        this.#socket = undefined;
        const waiting = this.#waiting;
        this.#waiting = undefined;
        waiting?.reject(error ?? new Error(`connection to port ${this.port} closed before the answer`));
      };
      socket.setEncoding('latin1');
      socket.once('error', lost);
      socket.once('close', () => lost());
      socket.on('data', (text: string) => this.#read(text));
      socket.once('connect', () => {
        this.#socket = socket;
        this.#received = '';
        resolve(socket);
      });
    });
  }

  #read(text: string): void {
    this.#received += text;
    const end = this.#received.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.#received.slice(0, end + 2);
    const rest = this.#received.slice(end + 4);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    let body: string | undefined;
    if (length !== undefined) body = rest.length >= Number(length) ? rest : undefined;
    else if (/\r\ntransfer-encoding: *chunked/i.test(head)) body = unchunk(rest);
    else body = '';
    if (body === undefined) return;
    this.#received = '';
    // The server has said that it will close: the next request opens a new connection.
    if (/\r\nconnection: *close/i.test(head)) this.close();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.lastMs = Math.max(0, performance.now() - this.#wrote - (this.#lost() - this.#lostBefore));
    waiting?.resolve({ status: Number(head.slice(9, 12)), head, body });
  }
}

/** Each request goes to the next of these servers: no two requests of a flow in a row meet the same one. */
class Turns implements Line {
  readonly #lines: readonly Line[];
  #at: number;

  constructor(lines: readonly Line[], first: number) {
    this.#lines = lines;
    this.#at = first;
  }

  send(request: Send): Promise<Answer> {
    this.#at = (this.#at + 1) % this.#lines.length;
    return this.#lines[this.#at]!.send(request);
  }

  close(): void {
    for (const line of this.#lines) line.close();
  }
}

let opened = 0;
/** A line to a target; to one of several instances, each begins at another of them. */
export function lineTo({ port, ports }: { port: number; ports: readonly number[] }): Line {
  const lines = ports.map((each) => new Connection(each, port));
  return lines.length === 1 ? lines[0]! : new Turns(lines, (opened += 1) % lines.length);
}

function unchunk(text: string): string | undefined {
  let body = '';
  for (let at = 0; ; ) {
    const line = text.indexOf('\r\n', at);
    if (line < 0) return undefined;
    const size = Number.parseInt(text.slice(at, line), 16);
    if (size === 0) return text.endsWith('\r\n\r\n') ? body : undefined;
    if (text.length < line + 2 + size + 2) return undefined;
    body += text.slice(line + 2, line + 2 + size);
    at = line + 2 + size + 2;
  }
}

export const headerOf = (answer: Answer, name: string): string | undefined =>
  new RegExp(`\\r\\n${name}: *([^\\r]*)`, 'i').exec(answer.head)?.[1];

type Cookie = { value: string; path: string };

/** A browser: cookies by path, redirects followed by hand. */
export class Browser {
  readonly connection: Line;
  requests = 0;
  readonly #jar = new Map<string, Cookie>();

  constructor(connection: Line) {
    this.connection = connection;
  }

  /** Keeps the cookies whose names match; the person closed the window and comes back. */
  forgetBut(kept: RegExp): void {
    for (const key of this.#jar.keys()) if (!kept.test(key)) this.#jar.delete(key);
  }

  async send(request: Send): Promise<Answer> {
    const path = request.path.split('?', 1)[0]!;
    const cookies: string[] = [];
    for (const [key, cookie] of this.#jar) {
      const fits = cookie.path === '/' || path === cookie.path || path.startsWith(`${cookie.path}/`);
      if (fits) cookies.push(`${key.slice(0, key.indexOf(' '))}=${cookie.value}`);
    }
    const headers = { accept: 'text/html', ...request.headers };
    if (cookies.length > 0) Object.assign(headers, { cookie: cookies.join('; ') });
    this.requests += 1;
    const answer = await this.connection.send({ ...request, headers });
    for (const [, line] of answer.head.matchAll(/\r\nset-cookie: *([^\r]*)/gi)) this.#keep(line!);
    return answer;
  }

  #keep(line: string): void {
    const pair = line.split(';', 1)[0]!;
    const equals = pair.indexOf('=');
    const path = /; *path=([^;]*)/i.exec(line)?.[1] ?? '/';
    const key = `${pair.slice(0, equals)} ${path}`;
    const expires = /; *expires=([^;]*)/i.exec(line)?.[1];
    const gone = /; *max-age=0/i.test(line) || (expires !== undefined && Date.parse(expires) <= Date.now());
    if (gone) this.#jar.delete(key);
    else this.#jar.set(key, { value: pair.slice(equals + 1), path });
  }
}
