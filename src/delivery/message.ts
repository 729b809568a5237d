/** A mail as a transport takes it. */
export type MailMessage = {
  /** The same for every attempt at the same mail, so that a mail server that saw it twice can tell. */
  messageId: string;
  appId: string;
  fromName: string;
  to: string;
  subject: string;
  html: string;
  text: string;
};

export type MailTransport = {
  /** Resolves when the message was taken over. GiveUp when it never will be. */
  send(message: MailMessage): Promise<void>;
  close(): Promise<void>;
};
