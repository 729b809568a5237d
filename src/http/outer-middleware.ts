import type { Middleware } from 'koa';
import { accessLog } from './access-log.ts';
import { answers } from './after-answer.ts';
import { clientAddresses } from './client-address.ts';
import { clientCertificates } from './client-certificate.ts';
import { csrf } from './csrf.ts';
import { renderErrors } from './errors.ts';
import type { HttpDeps } from './http-deps.ts';
import { measureRequests } from './measure.ts';
import { requestIds } from './request-id.ts';
import { securityHeaders } from './security-headers.ts';

/** What every request passes first, in order; whatever answers comes behind it. */
export function outerMiddleware(deps: HttpDeps): Middleware[] {
  return [
    clientAddresses(deps.config.trustedProxies),
    clientCertificates(deps.config),
    requestIds(),
    accessLog(deps.log),
    answers(deps.config),
    measureRequests(deps.metrics),
    securityHeaders(deps.config),
    csrf({ key: deps.csrfKey, config: deps.config }),
    renderErrors(deps),
  ];
}
