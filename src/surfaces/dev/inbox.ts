import type { Context } from 'koa';
import type { Inbox } from '../../delivery/inbox.ts';
import type { HttpDeps } from '../../http/http-deps.ts';
import { showPage } from '../../http/page.ts';
import { notFound } from '../../http/refusals.ts';
import { chooseContentSecurityPolicy } from '../../http/security-headers.ts';

type InboxDeps = { inbox: Inbox; views: HttpDeps['views'] };

export function inboxPage(ctx: Context, deps: InboxDeps): void {
  const messages = deps.inbox.messages().map(({ id, channel, to, subject, text, html, sent_at }) => {
    return { id, channel, to, subject, text, sent_at, html_url: html === null ? null : `/dev/inbox/${id}` };
  });
  showPage(ctx, deps, 'dev/inbox', { messages });
}

export function inboxJson(ctx: Context, { inbox }: InboxDeps): void {
  ctx.set('Cache-Control', 'no-store');
  ctx.type = 'application/json';
  ctx.body = JSON.stringify(inbox.messages());
}

/** The HTML part as a mail program shows it: in an origin of its own, without scripts, forms or cookies. */
export function inboxMessage(ctx: Context, { inbox }: InboxDeps, id: string): void {
  const html = inbox.message(id)?.html;
  if (html == null) throw notFound();
  // Mail needs inline styles; nothing in this page can do anything with them.
  chooseContentSecurityPolicy(
    ctx,
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'",
  );
  // HTML §7.1.3: a sandboxed page with this policy is not shown at all.
  ctx.remove('Cross-Origin-Opener-Policy');
  ctx.set('Cache-Control', 'no-store');
  ctx.type = 'text/html; charset=utf-8';
  ctx.body = html;
}
