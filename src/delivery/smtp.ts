import { createTransport } from 'nodemailer';
import { isLoopbackHost } from '../config/loopback.ts';
import type { Secret } from '../config/secret.ts';
import { GiveUp } from './jobs/job.ts';
import type { MailMessage, MailTransport } from './message.ts';

const TIMEOUT_MS = 5000;

/** A pool of connections to the mail server. On `smtp:` off loopback STARTTLS is required unless the URL says `?requireTLS=false`. */
export function smtpTransport({ url, mailFrom }: { url: Secret; mailFrom: string }): MailTransport {
  const transport = createTransport({
    ...connectionOf(new URL(url.reveal())),
    pool: true,
    maxConnections: 4,
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    dnsTimeout: TIMEOUT_MS,
    // Messages are ours, but what they hold is not: no content is ever fetched from a path or a URL.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    async send(message) {
      try {
        await transport.sendMail(toNodemailer(message, mailFrom));
      } catch (error) {
        throw isPermanent(error) ? new GiveUp('the mail server refuses this mail', { cause: error }) : error;
      }
    },
    close: () => Promise.resolve(transport.close()),
  };
}

function connectionOf(url: URL) {
  const secure = url.protocol === 'smtps:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const isLocal = isLoopbackHost(host);
  const user = decodeURIComponent(url.username);
  return {
    host,
    port: Number(url.port) || (secure ? 465 : 587),
    secure,
    requireTLS: !secure && !isLocal && url.searchParams.get('requireTLS') !== 'false',
    ignoreTLS: !secure && isLocal,
    ...(user ? { auth: { user, pass: decodeURIComponent(url.password) } } : {}),
  };
}

function toNodemailer(message: MailMessage, mailFrom: string) {
  return {
    // As objects: nodemailer would parse a string as a list of addresses.
    from: { name: message.fromName, address: mailFrom },
    to: { name: '', address: message.to },
    subject: message.subject,
    html: message.html,
    text: message.text,
    messageId: message.messageId,
    // RFC 3834 §5: no out-of-office replies, please.
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
  };
}

/** 5xx about this recipient or message (RFC 5321 §4.2.1). A refused login is the operator's to mend and worth another try. */
function isPermanent(error: unknown): boolean {
  const { responseCode, code } = error as { responseCode?: unknown; code?: unknown };
  return typeof responseCode === 'number' && responseCode >= 500 && code !== 'EAUTH';
}
