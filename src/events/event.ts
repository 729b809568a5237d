export type ActorType = 'user' | 'client' | 'operator' | 'break_glass' | 'system' | 'anonymous';

export type AuditEvent = {
  appId: string;
  /** `area.what_happened`, for example `session.started`. */
  type: string;
  actor: { type: ActorType; id?: string | undefined };
  userId?: string | undefined;
  clientId?: string | undefined;
  sessionId?: string | undefined;
  result: 'success' | 'failure';
  address?: string | undefined;
  userAgent?: string | undefined;
  requestId?: string | undefined;
  /** Facts, never secrets. */
  details?: Record<string, unknown> | undefined;
};
