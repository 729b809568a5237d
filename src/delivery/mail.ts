import type { MailModel } from '../http/mails.ts';
import type { PageApp, Views } from '../http/views.ts';
import type { Transaction } from '../storage/database.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { enqueueJob, type EnqueueDeps } from './jobs/enqueue.ts';
import { GiveUp, type JobHandler } from './jobs/job.ts';
import type { MailTransport } from './message.ts';

export const MAIL = 'mail';

export type MailDeps = EnqueueDeps;

export type MailOrder = {
  appId: string;
  /** Normalized. */
  to: string;
  /** A name of `MAIL_NAMES`. */
  template: string;
  model: MailModel;
  locale: string;
  /** Not worth sending afterwards: as long as the link in it lives. */
  expiresInSeconds: number;
  /** Do the same work and send nothing, so that an address without an account costs the same time. */
  discard?: boolean;
};

type MailPayload = Pick<MailOrder, 'to' | 'template' | 'model' | 'locale'> & { discard: boolean };

/** Queues a mail in the caller's transaction; it is rendered and sent later, so that SMTP's time is invisible. */
export async function enqueueMail(tx: Transaction, deps: MailDeps, order: MailOrder): Promise<void> {
  const { appId, to, template, model, locale, expiresInSeconds, discard = false } = order;
  const payload: MailPayload = { to, template, model, locale, discard };
  await enqueueJob(tx, deps, { appId, kind: MAIL, payload, expiresInSeconds });
}

export type MailHandlerDeps = {
  views: Pick<Views, 'renderMail'>;
  transport: MailTransport;
  metrics: Pick<Metrics, 'mails'>;
  /** Host of BASE_URL, for Message-IDs. */
  host: string;
  /** Name and colour as of now; undefined when the app is gone, whose mail is then not sent. */
  appOf(appId: string): Promise<PageApp | undefined>;
};

/** Sends queued mail: register it with the worker for jobs of kind `MAIL`. */
export function mailHandler(deps: MailHandlerDeps): JobHandler {
  return async (job) => {
    const { to, template, model, locale, discard } = job.payload as MailPayload;
    const app = await deps.appOf(job.appId);
    if (!app) return;
    const {
      from_name: fromName,
      subject,
      html,
      text,
    } = deps.views.renderMail(template, model, { locale, app });
    // Only here: rendering takes milliseconds of the processor that answers the next request of whoever asked.
    if (discard) return;
    // From the job's id and not drawn, so that a second attempt after a lost acknowledgement is recognizably the same mail.
    const messageId = `<${job.jobId}@${deps.host}>`;
    try {
      await deps.transport.send({ messageId, appId: job.appId, fromName, to, subject, html, text });
    } catch (error) {
      deps.metrics.mails.inc({ result: error instanceof GiveUp ? 'failed' : 'retried' });
      throw error;
    }
    deps.metrics.mails.inc({ result: 'sent' });
  };
}
