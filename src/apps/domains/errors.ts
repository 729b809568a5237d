import { Problem } from '../../kernel/problem.ts';

export const domainInvalid = (reason: string) =>
  new Problem({ code: 'domains.invalid', kind: 'invalid', message: `domain: ${reason}`, field: 'domain' });

export const domainTaken = () =>
  new Problem({
    code: 'domains.taken',
    kind: 'conflict',
    message: 'Another app has proved this domain and is served there.',
    field: 'domain',
  });

export const domainInTransition = () =>
  new Problem({
    code: 'domains.in_transition',
    kind: 'conflict',
    message: 'The app is just leaving this domain. End the transition first.',
    field: 'domain',
  });

export const domainNotClaimed = () =>
  new Problem({
    code: 'domains.not_claimed',
    kind: 'conflict',
    message: 'There is no domain of this app that waits for its proof.',
  });

export const domainNotActive = () =>
  new Problem({
    code: 'domains.not_active',
    kind: 'conflict',
    message: 'This app has no domain where it is served.',
  });

export const domainNotProved = (name: string, value: string) =>
  new Problem({
    code: 'domains.not_proved',
    kind: 'conflict',
    message: `There is no TXT record at ${name} that holds ${value}. It may take a while until a new record is seen everywhere.`,
    field: 'domain',
  });

export const nameServersAway = (cause: unknown) =>
  new Problem({
    code: 'domains.name_servers_away',
    kind: 'unavailable',
    message: 'The name servers did not answer in time. Please try again in a moment.',
    retryAfterSeconds: 10,
    cause,
  });

export const transitionEnded = () =>
  new Problem({
    code: 'domains.transition_ended',
    kind: 'conflict',
    message: 'The transition has ended; the issuers of before do not come back.',
    field: 'old_issuers',
  });

export const domainConfirmationMissing = (domain: string) =>
  new Problem({
    code: 'domains.confirmation_missing',
    kind: 'invalid',
    message: `Everyone who is signed in there has to sign in again. Repeat its name: ?confirm=${domain}`,
    field: 'confirm',
  });
