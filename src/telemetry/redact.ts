export const SECRET = '[secret]';

/** Query parameters whose values say nothing about anyone; all others are hidden, also those nobody has thought of yet. */
const HARMLESS_QUERY = new Set([
  'client_id',
  'response_type',
  'response_mode',
  'scope',
  'prompt',
  'max_age',
  'ui_locales',
  'code_challenge_method',
  'grant_type',
  'resource',
  'error',
  'limit',
  'confirm',
]);

/** A query parameter anywhere in a text, with its name as `$1`. */
const QUERY_VALUE = new RegExp(
  `([?&#](?!(?:${[...HARMLESS_QUERY].join('|')})=)[\\w.-]{1,64}=)[^\\s&"'\\\\<>#]+`,
  'g',
);

/** The segment after one of these is what opens something. */
const BEFORE_SECRET =
  /^(magic-?links?|links?|reset|recovery|recover|password-reset|sign-?up|invitations?|invite|verify|verification|confirm|confirmation|interaction)$/;

/** Names under which secrets are logged by mistake. */
const SECRET_NAME =
  /pass(word|wd|phrase)?$|passw|secret|token|jwt|authori[sz]ation|cookie|assertion|verifier|credential|api_?key|private|(^|_)key$|jwk|link|nonce|^state$|otp|pin$|signature|saml|payload|^html$|^text$|id_token_hint|login_hint|session_?id|^url_secret/i;

/** `code` is an authorization code or a six-digit code, unless it is an error's: `ECONNRESET`, `users.email_taken`, SQLSTATE. */
const ERROR_CODE = /^(E[A-Z0-9_]{2,40}|ERR_[A-Z0-9_]+|[a-z_]+(\.[a-z_]+)+|[0-9A-Z]{5})$/;

/** Whether the value under this name must not be printed. */
export function isSecretField(name: string, value: unknown): boolean {
  if (/^(code|user_code|device_code|otp|jti)$/i.test(name))
    return !(name === 'code' && typeof value === 'string' && ERROR_CODE.test(value));
  return SECRET_NAME.test(name) && typeof value !== 'boolean' && typeof value !== 'number';
}

/** Path and query of a request as the log may hold them. */
export function redactedUrl(url: string): string {
  const [path = '', query] = url.slice(0, 2048).split('?', 2);
  const shown = redactedPath(path);
  if (!query) return shown;
  const fields = [...new URLSearchParams(query)].map(([name, value]) => {
    // A name without a value may be the secret itself.
    const safeName = value !== '' && /^[\w.-]{1,64}$/.test(name) ? name : SECRET;
    return `${safeName}=${HARMLESS_QUERY.has(name) ? encodeURIComponent(scrubText(value)) : SECRET}`;
  });
  return `${shown}?${fields.join('&')}`;
}

function redactedPath(path: string): string {
  const segments = path.split('/');
  return segments
    .map((segment, i) => (isSecretSegment(segment, segments[i - 1] ?? '') ? SECRET : scrubText(segment)))
    .join('/');
}

const WORD = /^[a-z]+(-[a-z]+)*$/;

function isSecretSegment(segment: string, before: string): boolean {
  if (segment === '' || WORD.test(segment)) return looksDrawn(segment);
  return BEFORE_SECRET.test(before) || looksDrawn(segment);
}

/** 20 characters or more of all three kinds: drawn at random, not written. Ids of ours (`usr_` and hex) are not. */
function looksDrawn(text: string): boolean {
  return (
    text.length >= 20 &&
    /[A-Z]/.test(text) &&
    /[a-z]/.test(text) &&
    /[0-9_-]/.test(text) &&
    !text.includes('.')
  );
}

/** Free text without what looks like a secret: tokens, headers, passwords in URLs, links. Safe on a line of JSON: eats no quote. */
export function scrubText(text: string): string {
  return text
    .replace(/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*\.?[A-Za-z0-9_.-]*/g, SECRET)
    .replace(/\b(Bearer|Basic|DPoP)\s+[A-Za-z0-9._~+/=-]+/gi, `$1 ${SECRET}`)
    .replace(/(:\/\/)[^\s/@"\\]+@/g, `$1${SECRET}@`)
    .replace(QUERY_VALUE, `$1${SECRET}`)
    .replace(
      /\/(magic-link|link|reset|recovery|sign-up|invitation|verify|confirm)\/(?![a-z-]+(?:[/?\s"\\]|$))[^\s/?"'\\<>#]+/g,
      `/$1/${SECRET}`,
    )
    .replace(/[A-Za-z0-9_-]{43,}/g, (word) => (looksDrawn(word) ? SECRET : word));
}

/** A copy for the log: secret fields hidden, errors described, depth and length bounded. */
export function scrub(value: unknown, depth = 0): unknown {
  if (value instanceof Error) return describeError(value, depth);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth > 6) return '[deep]';
  if (value instanceof Date || 'toJSON' in value) return value;
  if (Buffer.isBuffer(value) || ArrayBuffer.isView(value)) return '[bytes]';
  if (Array.isArray(value)) return value.slice(0, 50).map((item) => scrub(item, depth + 1));
  if (value instanceof Map || value instanceof Set) return `[${value.constructor.name}]`;
  const entries = Object.entries(value).map(([name, inner]) => [
    name,
    isSecretField(name, inner) ? SECRET : scrub(inner, depth + 1),
  ]);
  return Object.fromEntries(entries);
}

/** Only what helps and holds no values: a database error's `detail` would name the row, `parameters` its content. */
function describeError(error: Error, depth: number): object {
  const extra = error as { code?: unknown; constraint?: unknown; table?: unknown; syscall?: unknown };
  return {
    type: error.name,
    message: error.message,
    ...(typeof extra.code === 'string' && !isSecretField('code', extra.code) ? { code: extra.code } : {}),
    ...(typeof extra.constraint === 'string' ? { constraint: extra.constraint } : {}),
    ...(typeof extra.table === 'string' ? { table: extra.table } : {}),
    stack: error.stack,
    ...(error.cause === undefined || depth > 4 ? {} : { cause: scrub(error.cause, depth + 1) }),
  };
}
