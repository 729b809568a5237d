import { randomUUID } from 'node:crypto';
import type { MailTransport } from './message.ts';

/** As on the wire at /dev/inbox.json. */
export type InboxMessage = {
  id: string;
  channel: 'mail' | 'sms';
  to: string;
  subject: string | null;
  text: string;
  html: string | null;
  sent_at: string;
};

export type Inbox = {
  /** Newest first. */
  messages(): readonly InboxMessage[];
  message(id: string): InboxMessage | undefined;
  transport: MailTransport;
};

const MOST = 200;

/** Mail and text messages of a development deployment, in memory. The oldest go first. */
export function createInbox(): Inbox {
  const messages: InboxMessage[] = [];
  return {
    messages: () => messages,
    message: (id) => messages.find((message) => message.id === id),
    transport: {
      async send({ to, subject, text, html }) {
        messages.unshift({
          id: `msg_${randomUUID().replaceAll('-', '')}`,
          channel: 'mail',
          to,
          subject,
          text,
          html,
          sent_at: new Date().toISOString(),
        });
        messages.length = Math.min(messages.length, MOST);
      },
      close: async () => {},
    },
  };
}
